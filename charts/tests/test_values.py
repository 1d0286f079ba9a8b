"""Values: typos and contradictions are refused, and every one is documented."""

import json
import subprocess
import sys

import chart
import helm_python
import pytest
import yaml

sys.path.insert(0, str(chart.ROOT / "charts"))
import generate  # noqa: E402


def schema() -> dict:
    return json.loads((chart.CHART / "values.schema.json").read_text())


def refusal(values: dict) -> str:
    """Why values are refused, on top of the least that is needed."""
    with pytest.raises(helm_python.HelmError) as refused:
        chart.render(chart.merged(chart.values_of("minimal"), values))
    return str(refused.value)


def objects(node, path=""):
    """Every object of a schema with its place."""
    if isinstance(node, dict):
        if node.get("type") == "object":
            yield path, node
        for key, value in node.items():
            yield from objects(value, f"{path}/{key}")
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from objects(value, f"{path}/{index}")


def test_the_schema_admits_no_unknown_key_anywhere():
    for path, node in objects(schema()):
        if path == "/properties/global":
            continue
        is_map_of_texts = node.get("additionalProperties") == {"type": "string"}
        assert node.get("additionalProperties") is False or is_map_of_texts, path


def every_section(values: dict, path: tuple = ()):
    for key, value in values.items():
        if isinstance(value, dict):
            yield (*path, key)
            yield from every_section(value, (*path, key))


def maps_of_texts() -> set[str]:
    return {"commonLabels", "labels", "annotations", "nodeSelector", "podAnnotations", "matchLabels"}


def test_a_typo_is_refused_in_every_section():
    defaults = yaml.safe_load((chart.CHART / "values.yaml").read_text())
    for path in [(), *every_section(defaults)]:
        if path and path[-1] in maps_of_texts():
            continue
        values = {"tpyo": 1}
        for name in reversed(path):
            values = {name: values}
        text = refusal(values)
        assert "tpyo" in text, path


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"config": {"edge": {"max_conections": 1}}}, "max_conections"),
        ({"config": {"edge": {"max_connections": "many"}}}, "max_connections"),
        ({"config": {"edge": {"login_timeout": "soon"}}}, "login_timeout"),
        ({"config": {"targets": {"auth": ["http://elsewhere:1"]}}}, "targets"),
        ({"config": {"switch": {"node": "switch-1"}}}, "node"),
        ({"config": {"event_log": {"redis": {"url": "redis://:secret@redis"}}}}, "url"),
        ({"config": {"mode": "staging"}}, "mode"),
        ({"config": {"switch": {"recordings": {"folder": "/tmp"}}}}, "folder"),
        ({"postgresql": {"internal": {"password": "secret"}}}, "password"),
        ({"switch": {"recordings": {"sizeGi": 0}}}, "sizeGi"),
        ({"redis": {"hosts": [{"host": "user:secret@redis"}]}}, "host"),
        ({"redis": {"username": "user:secret"}}, "username"),
        ({"redis": {"password": "secret"}}, "password"),
        ({"image": {"digest": "sha256:short"}}, "digest"),
        ({"edge": {"maxUnavailable": 0}}, "maxUnavailable"),
        ({"edge": {"resources": {"limits": {"memroy": "1Gi"}}}}, "memroy"),
        ({"networkPolicy": {"edgeFrom": [{}]}}, "edgeFrom"),
    ],
)
def test_what_cannot_be_meant_is_refused(values, named):
    assert named in refusal(values)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"redis": {"hosts": []}}, "name your Redis"),
        ({"redis": {"hosts": [{"host": "a"}, {"host": "b"}]}}, "sentinelMaster"),
        ({"redis": {"internal": {"enabled": True}}}, "redis.internal.enabled"),
        ({"auth": {"replicas": 2}}, "one writer"),
        ({"auth": {"directory": {"demo": True}}}, "everybody knows"),
        ({"config": {"mode": "development"}, "auth": {"directory": {"demo": True, "secretName": "x"}}}, "not both"),
        (
            {"postgresql": {"internal": {"enabled": True}}, "auth": {"database": {"postgres": {"host": "mine"}}}},
            "postgresql.internal.enabled",
        ),
        (
            {"postgresql": {"internal": {"enabled": True}}, "auth": {"database": {"existingClaim": "mine"}}},
            "existingClaim",
        ),
        ({"switch": {"prompts": {"configMapName": "a", "claimName": "b"}}}, "not both"),
        ({"terminationGracePeriodSeconds": 28}, "above 28"),
        ({"config": {"switch": {"drain_calls": "2m"}}}, "above 148"),
        ({"config": {"switch": {"drain_calls": "1 day"}}}, "in seconds, minutes or hours"),
        ({"edge": {"autoscaling": {"minReplicas": 5, "maxReplicas": 4}}}, "edge: `autoscaling.minReplicas`"),
        ({"config": {"telemetry": {"otlp_endpoint": "http://collector:4317"}}}, "networkPolicy.otlpTo"),
        ({"ingress": {"enabled": True}}, "ingress.host"),
        ({"httpRoute": {"enabled": True}}, "httpRoute.parentRefs"),
    ],
)
def test_a_contradiction_is_refused_with_a_sentence(values, sentence):
    assert sentence in refusal(values)


def test_as_part_of_another_chart_it_admits_the_global_values():
    chart.render(chart.merged(chart.values_of("minimal"), {"global": {"any": {"thing": True}}}))


def test_every_value_is_documented_and_in_the_schema():
    text = (chart.CHART / "values.yaml").read_text()
    entries = generate.documented(text)
    assert [path for path, _, comment in entries if not comment] == []

    documented = {path for path, is_section, _ in entries if not is_section}
    covered = lambda path: any(path == it or path.startswith(f"{it}.") for it in documented)
    for path in leaves(yaml.safe_load(text)):
        assert covered(path), f"{path} has no comment"

    for path in documented:
        node = schema()
        for name in path.split("."):
            node = resolve(node)["properties"][name]


def resolve(node: dict) -> dict:
    return schema()["$defs"][node["$ref"].rsplit("/", 1)[1]] if "$ref" in node else node


def leaves(values: dict, path: str = ""):
    for key, value in values.items():
        place = f"{path}.{key}" if path else key
        if isinstance(value, dict) and value:
            yield from leaves(value, place)
        else:
            yield place


def test_every_value_of_the_schema_is_in_the_values_file():
    """What can be set is shown with its default."""
    values = yaml.safe_load((chart.CHART / "values.yaml").read_text())

    def check(node: dict, value: dict, path: str):
        for name, below in resolve(node).get("properties", {}).items():
            place = f"{path}.{name}"
            if path == "" and name in ("global", "config"):
                continue
            assert name in value, place
            if isinstance(value[name], dict) and name != "resources":
                check(below, value[name], place)

    check(schema(), values, "")


def test_generated_files_are_current():
    done = subprocess.run(
        [sys.executable, chart.ROOT / "charts" / "generate.py", "--check"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("switch", ["tests.enabled", "networkPolicy.enabled", "edge.autoscaling.enabled"])
def test_what_can_be_switched_off_is_gone(switch):
    kinds = {"tests": "Pod", "networkPolicy": "NetworkPolicy", "edge": "HorizontalPodAutoscaler"}
    top = switch.split(".")[0]
    values = False
    for name in reversed(switch.split(".")):
        values = {name: values}
    release = chart.render(chart.merged(chart.values_of("minimal"), values))

    left = [it for it in release.all(kinds[top]) if top != "edge" or chart.component_of(it) == "edge"]
    assert left == []


def test_the_test_pod_is_a_hook_that_needs_nobody():
    release = chart.variant("minimal")
    pod = release.all("Pod")[0]
    policy = release.selecting("NetworkPolicy", pod["metadata"]["labels"])[0]["spec"]

    assert pod["metadata"]["annotations"]["helm.sh/hook"] == "test"
    assert pod["spec"]["containers"][0]["args"][0] == "demo"
    assert not policy.get("ingress") and not policy.get("egress")
