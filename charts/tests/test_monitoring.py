"""Dashboards and alerts: what they ask for is what a running system shows, and each alert fires when it should."""

import contextlib
import json
import re
import subprocess
import sys
from pathlib import Path

import chart
import program
import promql_parser as promql
import pytest
import test_tls
import yaml

sys.path.insert(0, str(chart.ROOT / "charts"))
import dashboards  # noqa: E402

# What Prometheus adds to a scraped series.
TARGET_LABELS = {"namespace", "pod"}
# What Grafana replaces in an expression before it asks.
VARIABLES = {"$__rate_interval": "5m"}


def rules() -> list[dict]:
    spec = chart.variant("everything-on").one("PrometheusRule", "calls")["spec"]
    return [rule for group in spec["groups"] for rule in group["rules"]]


def panels() -> list[tuple[str, dict]]:
    """Each panel with its dashboard, as the chart installs them."""
    found = []
    for resource in chart.variant("everything-on").all("ConfigMap"):
        for name, text in resource["data"].items():
            if name.endswith(".json"):
                found += [(name, panel) for panel in json.loads(text)["panels"]]
    return found


def expressions() -> dict[str, str]:
    asked = {f"alert {rule['alert']}": rule["expr"] for rule in rules()}
    for name, panel in panels():
        for target in panel["targets"]:
            asked[f"{name}: {panel['title']} {target['refId']}"] = target["expr"]
    return asked


def parsed(expression: str):
    for name, value in VARIABLES.items():
        expression = expression.replace(name, value)
    return promql.parse(expression)


def selectors(node) -> list:
    """The selectors below a node of a parsed expression."""
    if isinstance(node, promql.VectorSelector):
        return [node]
    if isinstance(node, promql.MatrixSelector):
        return [node.vector_selector]
    below = []
    for name in ("expr", "lhs", "rhs", "param"):
        child = getattr(node, name, None)
        if child is not None:
            below += selectors(child)
    for child in getattr(node, "args", None) or []:
        below += selectors(child)
    return below


def grouped(node) -> set[str]:
    """The labels by which a node, or one below it, groups."""
    labels = set()
    modifier = getattr(node, "modifier", None)
    if isinstance(node, promql.AggregateExpr) and modifier is not None:
        labels |= set(modifier.labels)
    for name in ("expr", "lhs", "rhs", "param"):
        child = getattr(node, name, None)
        if child is not None:
            labels |= grouped(child)
    for child in getattr(node, "args", None) or []:
        labels |= grouped(child)
    return labels


@pytest.fixture(scope="module")
def scraped(tmp_path_factory) -> dict[str, dict[str, set[str]]]:
    """What a running system shows after some traffic: for each series its labels with their values."""
    wanted = {it.name for expression in expressions().values() for it in selectors(parsed(expression))}
    certificates = tmp_path_factory.mktemp("certificates")
    test_tls.make_certificates(certificates, ["localhost"])
    files = {"certificate_file": "tls.crt", "key_file": "tls.key"}
    sets = [f"--set=tls.public.{key}={certificates / file}" for key, file in files.items()]
    with system(tmp_path_factory.mktemp("plain")) as plain, system(tmp_path_factory.mktemp("tls"), *sets) as with_tls:
        traffic(plain)

        def shown():
            texts = [program.get(f"http://{it['admin']}/metrics")[1] for it in (plain, with_tls)]
            series = series_of("\n".join(texts))
            assert wanted <= set(series), f"not shown: {sorted(wanted - set(series))}"
            return series

        return program.eventually("everything is shown", shown)


@contextlib.contextmanager
def system(folder: Path, *arguments: str):
    """A running system; gives its addresses."""
    ready = folder / "ready"
    command = [program.PROGRAM, "up", "--ephemeral", "--listen", "127.0.0.1:0", "--sim-speed", "0", *arguments]
    with ready.open("w") as out, (folder / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=out, stderr=log)
    try:
        line = program.eventually("it is ready", lambda: re.match(r"\{.*\}\n", ready.read_text()))
        yield json.loads(line[0])
    finally:
        process.kill()
        process.wait()


def traffic(addresses: dict):
    """Calls, one of them through a queue, and a subscriber who sees them."""
    played = subprocess.run(
        [sys.executable, "-B", str(chart.ROOT / "charts" / "tests" / "subscriber.py"), json.dumps(addresses)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert played.returncode == 0, played.stderr


def series_of(text: str) -> dict[str, dict[str, set[str]]]:
    found = {}
    for name, labels in re.findall(r"^([a-z_]+)(?:\{(.*)\})? ", text, re.MULTILINE):
        values = found.setdefault(name, {})
        for label, value in re.findall(r'(\w+)="([^"]*)"', labels):
            values.setdefault(label, set()).add(value)
    return found


@pytest.fixture(scope="module")
def declared() -> dict[str, dict]:
    listed = subprocess.run([program.PROGRAM, "admin", "metrics", "--json"], capture_output=True, check=True)
    return {metric["name"]: metric["labels"] for metric in json.loads(listed.stdout)}


def labels_of(name: str, declared: dict) -> dict:
    family = re.sub(r"_(bucket|sum|count)$", "", name) if name not in declared else name
    labels = dict(declared[family])
    return {**labels, "le": None} if name.endswith("_bucket") else labels


@pytest.mark.parametrize("place", expressions())
def test_each_expression_asks_for_what_a_running_system_shows(place, scraped, declared):
    expression = parsed(expressions()[place])

    asked = selectors(expression)
    assert asked
    known = set(TARGET_LABELS)
    for selector in asked:
        assert selector.name in scraped, f"{selector.name} is not shown"
        labels = labels_of(selector.name, declared)
        known |= set(labels)
        for matcher in selector.matchers.matchers:
            assert matcher.name in {*labels, *TARGET_LABELS}, f"{selector.name} has no label {matcher.name}"
            if matcher.name == "le":
                assert matcher.value in scraped[selector.name]["le"], f"{selector.name} has no bound {matcher.value}"
            elif matcher.name in labels:
                for value in matcher.value.split("|"):
                    assert value in labels[matcher.name], f"{selector.name}: {matcher.name} is never {value}"
    assert grouped(expression) <= known


def test_each_objective_has_an_alert_and_a_panel():
    text = (chart.CHART / "files" / "alerts.yaml").read_text()
    objectives = yaml.safe_load(text)["groups"][0]
    assert objectives["name"] == "cordboard-objectives"
    asked = {it.name for rule in objectives["rules"] for it in selectors(parsed(rule["expr"]))}
    with_objective = {
        it.name
        for _, panel in panels()
        if panel.get("description", "").startswith("Objective: ")
        for target in panel["targets"]
        for it in selectors(parsed(target["expr"]))
    }

    assert asked <= with_objective


def test_panels_have_titles_of_their_own_and_do_not_overlap():
    for name in dashboards.DASHBOARDS:
        made = json.loads(dashboards.dashboard(name))["panels"]
        assert len({it["title"] for it in made}) == len(made)
        assert len({(it["gridPos"]["x"], it["gridPos"]["y"]) for it in made}) == len(made)
        assert len({it["id"] for it in made}) == len(made)


def test_there_are_dashboards_of_services_delivery_calls_and_switch():
    assert {name for name, _ in panels()} == {
        f"cordboard-{name}.json" for name in ("overview", "delivery", "calls", "switch")
    }


@pytest.mark.parametrize("rule", rules(), ids=[rule["alert"] for rule in rules()])
def test_each_alert_says_what_is_wrong_and_the_guide_says_what_to_do(rule):
    guide = (chart.ROOT / "docs" / "operations.md").read_text()

    assert rule["labels"]["severity"] in ("page", "ticket")
    assert {"summary", "description"} == set(rule["annotations"])
    section = re.search(rf"^### {rule['alert']}$(.*?)(?=^##|\Z)", guide, re.MULTILINE | re.DOTALL)
    assert section, f"docs/operations.md has no section `### {rule['alert']}`"
    assert "**Means:**" in section[1] and "**Do:**" in section[1]


def test_the_guide_describes_no_alert_that_there_is_not():
    guide = (chart.ROOT / "docs" / "operations.md").read_text()

    assert set(re.findall(r"^### (Cordboard\w+)$", guide, re.MULTILINE)) == {rule["alert"] for rule in rules()}


@pytest.fixture(scope="module")
def promtool() -> str:
    found = subprocess.run([chart.ROOT / "scripts" / "promtool"], capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    return found.stdout.strip()


@pytest.fixture
def folder(tmp_path):
    """The rules as the chart installs them, and their tests beside them."""
    spec = chart.variant("everything-on").one("PrometheusRule", "calls")["spec"]
    (tmp_path / "alerts.yaml").write_text(yaml.safe_dump(spec))
    tests = chart.ROOT / "charts" / "tests" / "alerts.yaml"
    (tmp_path / "tests.yaml").write_text(tests.read_text())
    return tmp_path


def test_promtool_takes_the_rules(promtool, folder):
    done = subprocess.run([promtool, "check", "rules", "alerts.yaml"], cwd=folder, capture_output=True, text=True)

    assert done.returncode == 0 and f"{len(rules())} rules found" in done.stdout, done.stdout + done.stderr


def test_each_alert_fires_when_it_should_and_not_before(promtool, folder):
    cases = yaml.safe_load((folder / "tests.yaml").read_text())["tests"]
    outcomes = {rule["alert"]: set() for rule in rules()}
    for case in cases:
        for check in case["alert_rule_test"]:
            outcomes[check["alertname"]].add(bool(check.get("exp_alerts")))
    assert all(seen == {True, False} for seen in outcomes.values()), outcomes

    done = subprocess.run([promtool, "test", "rules", "tests.yaml"], cwd=folder, capture_output=True, text=True)

    assert done.returncode == 0, done.stdout + done.stderr


