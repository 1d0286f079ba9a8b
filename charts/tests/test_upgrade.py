"""What an upgrade finds in the cluster, of which the templates ask: the chart is rendered against an API that knows
of Secrets alone."""

import base64
import contextlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import chart
import helm_python
import pytest
import yaml

SECRETS = {"name": "secrets", "singularName": "secret", "namespaced": True, "kind": "Secret", "verbs": ["get", "list"]}


@contextlib.contextmanager
def cluster(secrets: dict[str, dict]):
    """The address of an API with these Secrets in the release's namespace."""
    answers = {
        "/version": {"major": "1", "minor": "30", "gitVersion": "v1.30.0"},
        "/api": {"kind": "APIVersions", "versions": ["v1"]},
        "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": []},
        "/api/v1": {"kind": "APIResourceList", "groupVersion": "v1", "resources": [SECRETS]},
    }
    for name, data in secrets.items():
        metadata = {"name": name, "namespace": chart.NAMESPACE}
        answers[f"/api/v1/namespaces/{chart.NAMESPACE}/secrets/{name}"] = {
            "apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data,
        }  # fmt: skip

    class Api(BaseHTTPRequestHandler):
        def do_GET(self):
            answer = answers.get(self.path.partition("?")[0])
            missing = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404}
            body = json.dumps(answer or missing).encode()
            self.send_response(200 if answer else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def password_after(secrets: dict[str, dict], values: dict) -> str:
    """The password that a rendering makes or keeps, with these Secrets in the cluster."""
    with cluster(secrets) as address:
        config = helm_python.Config(kubeconfig_content=KUBECONFIG.replace("ADDRESS", address), namespace=chart.NAMESPACE)
        with contextlib.closing(config):
            files = config.render(chart.loaded(), values, name=chart.RELEASE, namespace=chart.NAMESPACE, is_upgrade=True)
    found = [it for it in yaml.safe_load_all(files["cordboard/templates/postgresql.yaml"]) if it["kind"] == "Secret"]
    assert len(found) == 1
    return base64.b64decode(found[0]["data"]["password"]).decode()


KUBECONFIG = """
apiVersion: v1
kind: Config
clusters: [{name: it, cluster: {server: "ADDRESS"}}]
contexts: [{name: it, context: {cluster: it, user: it}}]
users: [{name: it, user: {}}]
current-context: it
"""


@pytest.mark.parametrize(
    ("there", "is_kept"),
    [
        ({"demo-cordboard-postgresql": {"password": "a2VwdA=="}}, True),
        ({"demo-cordboard-postgresql": {"other": "a2VwdA=="}}, False),
        ({"another-cordboard-postgresql": {"password": "a2VwdA=="}}, False),
        ({}, False),
    ],
)
def test_an_upgrade_keeps_the_password_of_the_database_inside(there, is_kept):
    password = password_after(there, chart.values_of("dev"))

    assert (password == "kept") == is_kept
    assert is_kept or len(password) == 32
