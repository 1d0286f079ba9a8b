"""The rendered configuration is one that the program takes."""

import subprocess
import sys
import tomllib

import chart
import pytest
from program import PROGRAM

sys.path.insert(0, str(chart.ROOT / "charts"))
import generate  # noqa: E402


ALL = {"auth", "callcontrol", "conference", "edge", "notifier", "switch"}


def keys(table: dict, path: str = ""):
    for name, value in table.items():
        place = f"{path}.{name}" if path else name
        if isinstance(value, dict):
            yield from keys(value, place)
        else:
            yield place


@pytest.fixture(scope="module")
def reference() -> set[str]:
    """Every key that the program knows, as the program itself lists them."""
    text = subprocess.run([PROGRAM, "admin", "config"], capture_output=True, text=True, check=True).stdout
    known = set(generate.reference_keys(text))
    assert len(known) > 50
    return known


def test_every_key_is_one_of_the_program(release, reference):
    assert set(keys(tomllib.loads(release.toml()))) - reference == set()


def test_every_key_of_an_environment_variable_is_one_of_the_program(release, reference):
    for workload in release.all(*chart.WORKLOADS):
        for container in chart.containers_of(workload) if is_started_by_us(workload) else []:
            for variable in container.get("env", []):
                prefix, _, path = variable["name"].partition("__")
                assert prefix == "CORDBOARD" and path.lower().replace("__", ".") in reference


def is_started_by_us(workload: dict) -> bool:
    return workload["kind"] == "Pod" or chart.is_ours(workload)


def test_every_value_arrives_as_it_was_given(release):
    """Above all whole numbers, which templates like to turn into fractions."""
    config = tomllib.loads(release.toml())

    ports = [it["port"] for it in release.values["edge"]["realms"]]
    listening = [int(it["listen"].rpartition(":")[2]) for it in config.get("edge", {}).get("listeners", [])]
    assert listening == ports

    def check(given: dict, there: dict):
        for name, value in given.items():
            if isinstance(value, dict):
                check(value, there[name])
            else:
                assert there[name] == value
                # A number of the values has no type; what has no fraction is whole.
                is_whole = isinstance(value, (int, float)) and value == int(value)
                assert isinstance(there[name], int) == is_whole or isinstance(value, bool)

    check(release.values["config"], config)


def test_targets_are_the_names_under_which_each_pod_is_found(release):
    targets = tomllib.loads(release.toml())["targets"]

    assert sorted(targets) == ["auth", "callcontrol", "conference", "notifier"]
    for name, (target,) in targets.items():
        host, port = target.removeprefix("http://").split(":")
        service = release.one("Service", host.split(".")[0])
        assert service["spec"]["clusterIP"] == "None"
        assert host.split(".")[1:3] == [chart.NAMESPACE, "svc"]
        assert int(port) in {it["port"] for it in service["spec"]["ports"]}
        assert chart.component_of(service) == name


@pytest.mark.parametrize(
    ("values", "url"),
    [
        ({}, "redis://redis:6379/0"),
        ({"redis": {"hosts": [{"host": "r", "port": 1}], "database": 3, "username": "u"}}, "redis://u@r:1/3"),
        (
            {"redis": {"hosts": [{"host": "a"}, {"host": "b", "port": 2}], "sentinelMaster": "m"}},
            "redis+sentinel://a:26379,b:2/m/0",
        ),
    ],
)
def test_the_address_of_redis_is_put_together(values, url):
    release = chart.render(chart.merged(chart.values_of("minimal"), values))
    redis = tomllib.loads(release.toml())["event_log"]["redis"]

    assert redis == {"url": url}


def test_auth_is_told_of_the_database_inside_and_of_its_password():
    release = chart.variant("inside")
    database = tomllib.loads(release.toml())["auth"]["database"]
    service = release.one("Service", "demo-cordboard-postgresql")
    (container,) = chart.containers_of(release.workload("postgresql"))
    env = {it["name"]: it["value"] for it in container["env"]}

    host = f"demo-cordboard-postgresql.prod.svc.cluster.local:{service['spec']['ports'][0]['port']}"
    assert database["url"] == f"postgres://{env['POSTGRES_USER']}@{host}/{env['POSTGRES_DB']}?sslmode=disable"
    for name, place in (("auth", database["password_file"]), ("postgresql", env["POSTGRES_PASSWORD_FILE"])):
        spec = chart.pod_of(release.workload(name))["spec"]
        folder, _, file = place.rpartition("/")
        mounted = next(it["name"] for it in spec["containers"][0]["volumeMounts"] if it["mountPath"] == folder)
        secret = next(it["secret"] for it in spec["volumes"] if it["name"] == mounted)
        assert secret["secretName"] == "postgres" and secret["items"] == [{"key": "cordboard", "path": file}]


def test_recordings_go_before_their_volume_is_full(release):
    """A pod whose `emptyDir` is full is evicted, and its calls with it."""
    recordings = tomllib.loads(release.toml())["switch"]["recordings"]
    switch = release.workload("switch")
    spec = chart.pod_of(switch)["spec"]
    mounts = {it["mountPath"]: it["name"] for it in spec["containers"][0]["volumeMounts"]}
    claims = {it["metadata"]["name"]: it["spec"] for it in switch["spec"].get("volumeClaimTemplates", [])}
    volumes = {it["name"]: it for it in spec["volumes"]}

    name = mounts[recordings["folder"]]
    is_persistent = release.values["switch"]["recordings"]["persistent"]
    assert (name in claims) == is_persistent and (name in volumes) != is_persistent
    size = claims[name]["resources"]["requests"]["storage"] if is_persistent else volumes[name]["emptyDir"]["sizeLimit"]
    assert 0 < recordings["max_bytes"] <= int(size.removesuffix("Gi")) * 2**30 * 9 // 10


def test_prompts_are_looked_for_where_they_are_mounted(release):
    values = release.values["switch"]["prompts"]
    folder = tomllib.loads(release.toml())["switch"].get("prompts", {}).get("folder")
    spec = chart.pod_of(release.workload("switch"))["spec"]
    mounts = {it["name"]: it for it in spec["containers"][0]["volumeMounts"]}

    assert bool(folder) == ("prompts" in mounts) == any(values.values())
    if folder:
        assert mounts["prompts"]["mountPath"] == folder and mounts["prompts"]["readOnly"] is True


@pytest.mark.parametrize(
    ("config", "restarted"),
    [
        ({"edge": {"max_batch": 8}}, {"edge"}),
        ({"websocket": {"heartbeat_interval": "30s"}}, {"edge"}),
        ({"auth": {"lockout": {"failures": 3}}}, {"auth"}),
        # How long a node may be silent is the business of whoever looks for lost nodes, too.
        ({"switch": {"lease": "30s"}}, {"callcontrol", "switch"}),
        ({"event_log": {"redis": {"retention": "2h"}}}, {"auth", "callcontrol", "conference", "notifier", "switch"}),
        ({"webhooks": {"retry_for": "1m"}}, {"callcontrol", "notifier", "switch"}),
        ({"telemetry": {"filter": "debug"}}, ALL),
        ({"site": "north"}, ALL),
    ],
)
def test_a_change_restarts_who_reads_it_and_nobody_else(config, restarted):
    before = chart.variant("minimal")
    after = chart.render(chart.merged(chart.values_of("minimal"), {"config": config}))

    assert before.toml() != after.toml()
    changed = {name for name in before.services() if pod(before, name) != pod(after, name)}
    assert changed == restarted


def test_a_new_version_of_the_chart_alone_restarts_nobody():
    for name in chart.variant("minimal").services():
        assert chart.loaded().version not in str(pod(chart.variant("minimal"), name)["metadata"]["labels"])


def pod(release, name: str) -> dict:
    return chart.pod_of(release.workload(name))


def test_a_key_that_is_unknown_would_be_refused_by_the_program(tmp_path):
    file = tmp_path / "cordboard.toml"
    file.write_text("[edge]\nmax_soquets = 1\n")

    done = subprocess.run([PROGRAM, "edge", "--config", file], capture_output=True, text=True)

    assert done.returncode != 0 and "max_soquets" in done.stderr
