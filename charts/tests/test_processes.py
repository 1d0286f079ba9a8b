"""Real processes, started as the manifests say: commands, environment, configuration, probes, stop."""

import shutil
import subprocess
import tempfile
import tomllib
import uuid
from pathlib import Path

import chart
import program
import pytest
import test_tls
from program import Cluster, eventually


@pytest.fixture
def cluster_of(tmp_path):
    """Makes clusters, and ends what they started."""
    started = []

    def make(release: chart.Release, redis_arguments: list[str] | None = None, has_postgres: bool = False) -> Cluster:
        redis_port = postgres_port = None
        if redis_arguments is not None:
            redis, redis_port = program.start_redis(tmp_path, redis_arguments)
            started.append(redis.kill)
        if has_postgres:
            # Not below the folder of the tests, which is closed to the user that PostgreSQL runs as.
            folder = tempfile.mkdtemp(prefix="cordboard-postgresql-")
            started.append(lambda: shutil.rmtree(folder))
            (container,) = chart.containers_of(release.workload("postgresql"))
            postgres, postgres_port = program.start_postgres(Path(folder), container, "correct-battery")
            started.append(postgres.interrupt)
        cluster = Cluster(release, tmp_path / "cluster", redis_port, postgres_port)
        started.append(cluster.kill)
        return cluster

    yield make
    for end in reversed(started):
        end()


def secret_of(cluster: Cluster, text: str):
    """Puts the password of Redis where the manifests mount it."""
    path = tomllib.loads(cluster.release.toml())["event_log"]["redis"]["password_file"]
    for name in ("callcontrol", "conference", "notifier", "switch"):
        spec = chart.pod_of(cluster.release.workload(name))["spec"]
        mounts = {it["mountPath"]: it["name"] for it in spec["containers"][0]["volumeMounts"]}
        folder, _, file = path.rpartition("/")
        volume = next(it for it in spec["volumes"] if it["name"] == mounts[folder])
        assert [it["path"] for it in volume["secret"]["items"]] == [file]
    cluster.place(path).write_text(text)


def certificates_of(cluster: Cluster):
    """Puts certificates where the manifests mount them; one with the names of all services will do."""
    values = cluster.release.values
    domain = values["config"].get("tls", {}).get("mesh", {}).get("domain", "")
    names = [f"{name}.{domain}" if domain else name for name in cluster.release.services()]
    if values["tls"]["mesh"]["enabled"]:
        test_tls.make_certificates(cluster.place("/etc/cordboard/mesh"), names)
    if values["tls"]["public"]["secretName"]:
        test_tls.make_certificates(cluster.place("/etc/cordboard/public"), ["localhost"])


@pytest.mark.parametrize("variant", chart.VARIANTS)
def test_each_service_takes_its_configuration(variant, cluster_of):
    """It lives, though nothing that it needs is there."""
    cluster = cluster_of(chart.variant(variant))
    if chart.variant(variant).values["redis"]["passwordSecret"]["name"]:
        secret_of(cluster, "secret")
    certificates_of(cluster)
    if password_file := tomllib.loads(cluster.release.toml())["auth"]["database"].get("password_file"):
        cluster.place(password_file).write_text("secret")
    if chart.variant(variant).values["auth"]["database"]["postgres"]["host"]:
        authority = cluster.place("/etc/cordboard/mesh/ca.crt")
        cluster.place("/etc/cordboard/database-ca/ca.crt").write_bytes(authority.read_bytes())
    for name in cluster.release.services():
        cluster.start(name)

    for name in cluster.release.services():
        eventually(f"{name} lives", lambda: cluster.probe(name, "livenessProbe"))


def test_the_trial_release_becomes_ready_carries_and_records_a_call_and_stops_in_time(cluster_of):
    redis = chart.pod_of(chart.variant("dev").workload("redis"))["spec"]["containers"][0]
    cluster = cluster_of(chart.variant("dev"), redis["args"], has_postgres=True)
    password_file = tomllib.loads(cluster.release.toml())["auth"]["database"]["password_file"]
    cluster.place(password_file).write_text("correct-battery\n")
    services = cluster.release.services()

    for name in services:
        cluster.prepare(name)
        cluster.start(name)
    for name in services:
        eventually(f"{name} is ready", lambda: cluster.probe(name, "readinessProbe"))
    assert auth_has_no_file(cluster), "the directory is in PostgreSQL"
    answer = eventually("a call", lambda: call(cluster))
    eventually("a recording", lambda: record(cluster, answer))
    tested = helm_test(cluster)
    outcomes = cluster.stop()

    assert "the call was made, told of and ended" in tested
    node = f"{cluster.release.workload('switch')['metadata']['name']}-0"
    assert node in str(answer), "the call is on the node that the pod's name says"
    assert outcomes == {name: 0 for name in services}, "\n".join(it.said() for it in cluster.processes.values())


def auth_has_no_file(cluster: Cluster) -> bool:
    return not list(cluster.folder.rglob("directory.db"))


def helm_test(cluster: Cluster) -> str:
    """What the pod of `helm test` does to the release."""
    pod = next(it for it in cluster.release.all("Pod"))
    arguments = next(it["args"] for it in pod["spec"]["containers"] if it["name"] == "call")
    assert arguments[1] == "demo-cordboard-edge.prod.svc.cluster.local:80"
    arguments = [arguments[0], f"127.0.0.1:{cluster.ports['edge']}", *arguments[2:]]
    done = subprocess.run([program.PROGRAM, *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def call(cluster: Cluster) -> dict:
    """A call from 101 to 102, through the edge."""
    return command(cluster, "originate_call", {"destination": "102", "request_id": str(uuid.uuid4())})


def record(cluster: Cluster, made: dict) -> bool:
    """Records the call that was made for a moment: the file is where the manifests have a volume for it."""
    command(cluster, "start_recording", {"call": made["call"]})
    command(cluster, "stop_recording", {"call": made["call"]})
    folder = cluster.place(tomllib.loads(cluster.release.toml())["switch"]["recordings"]["folder"])
    return bool(list(folder.rglob("*.wav")))


def command(cluster: Cluster, name: str, params: dict) -> dict:
    """A command of 101, through the edge."""
    edge = f"http://127.0.0.1:{cluster.ports['edge']}"
    body = {"auth_info": {"login": "101", "password": "cordboard"}, "params": params}
    status, answer = program.post(f"{edge}/rest/CallControl/{name}", body)
    assert status == 200, answer
    return answer


def test_a_production_release_becomes_ready_with_a_password_from_a_secret(cluster_of):
    users = ["--user", "default", "off", "--user", "cordboard", "on", ">correct-horse", "~*", "&*", "+@all"]
    # There is no PostgreSQL here; with it auth is tested by its own tests.
    values = chart.merged(chart.values_of("everything-on"), {"auth": {"replicas": 1, "database": {"postgres": {"host": ""}}}})
    cluster = cluster_of(chart.render(values), [*users, "--databases", "16", "--maxmemory-policy", "noeviction"])
    secret_of(cluster, "correct-horse\n")
    certificates_of(cluster)
    services = cluster.release.services()

    for name in services:
        cluster.start(name)
    for name in services:
        eventually(f"{name} is ready", lambda: cluster.probe(name, "readinessProbe"))
    for name in ("callcontrol", "conference", "notifier", "switch"):
        _, report = program.get(f"http://127.0.0.1:{cluster.admin_ports[name]}/readyz")
        assert "degraded" not in report, f"{name}: {report}"
