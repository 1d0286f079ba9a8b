"""Every manifest is one that Kubernetes takes, and the resources find each other."""

import collections
import functools
import json
import re
from pathlib import Path

import chart
import helm_python
import jsonschema
import kubernetes_validate
import pytest

# The oldest version that Chart.yaml admits, and the newest known here.
VERSIONS = ["1.30", "1.37"]
CRDS = {
    "Certificate": "certificate-v1.json",
    "HTTPRoute": "httproute-v1.json",
    "PrometheusRule": "prometheusrule-v1.json",
    "ServiceMonitor": "servicemonitor-v1.json",
}


# What can be mounted: its kind, and where a volume says its name.
MOUNTED = [
    ("ConfigMap", "configMap", "name"),
    ("PersistentVolumeClaim", "persistentVolumeClaim", "claimName"),
    ("Secret", "secret", "secretName"),
]


@functools.cache
def crd_schema(kind: str) -> dict:
    return json.loads((Path(__file__).parent / "crds" / CRDS[kind]).read_text())


@pytest.mark.parametrize("version", VERSIONS)
def test_manifests_are_valid_without_unknown_fields(release, version):
    for resource in release.resources:
        try:
            if resource["kind"] in CRDS:
                jsonschema.validate(resource, crd_schema(resource["kind"]))
            else:
                kubernetes_validate.validate(resource, version, strict=True)
        except jsonschema.ValidationError as error:
            place = ".".join(map(str, error.absolute_path))
            pytest.fail(f"{chart.identity(resource)} at {place}: {error.message}")


def test_a_misspelt_field_would_be_found(release):
    workload = json.loads(json.dumps(release.workload("edge")))
    workload["spec"]["template"]["spec"]["enableServiceLink"] = False

    with pytest.raises(jsonschema.ValidationError):
        kubernetes_validate.validate(workload, VERSIONS[0], strict=True)


def test_the_oldest_version_checked_is_the_oldest_admitted():
    assert chart.loaded().metadata["kubeVersion"] == f">={VERSIONS[0]}.0-0"


@pytest.mark.parametrize("name", chart.VARIANTS)
def test_helm_has_nothing_to_complain_about(name):
    report = helm_python.lint(chart.CHART, chart.values_of(name), strict=True)

    serious = [message for message in report["messages"] if message["severity"] > 1]
    assert not report["errors"] and not serious, report


def test_names_are_unique_and_short_enough(release):
    counted = collections.Counter(map(chart.identity, release.resources))
    assert [name for name, times in counted.items() if times > 1] == []
    for resource in release.resources:
        assert len(resource["metadata"]["name"]) <= 63


def test_names_stay_short_enough_with_the_longest_release_name():
    values = chart.values_of("dev")
    files = chart.loaded().render(values, name="r" * 53, namespace=chart.NAMESPACE)

    for resource in chart.Release(values, files).resources:
        # A pod of a Deployment gets 17 characters more: its hash and its own.
        limit = 63 - 17 if resource["kind"] == "Deployment" else 63
        assert len(resource["metadata"]["name"]) <= limit, chart.identity(resource)


def test_every_resource_has_the_common_labels(release):
    wanted = {"name", "instance", "component", "part-of", "version", "managed-by"}
    for resource in release.resources:
        labels = resource["metadata"]["labels"]
        assert {f"app.kubernetes.io/{name}" for name in wanted} <= set(labels), chart.identity(resource)
        assert release.values["commonLabels"].items() <= labels.items()


def test_no_resource_names_a_namespace_of_its_own(release):
    for resource in release.resources:
        assert "namespace" not in resource["metadata"], chart.identity(resource)


@pytest.mark.long_running
def test_selectors_take_their_own_pods_and_no_others(release, workload):
    selector = workload["spec"]["selector"]

    taken = [
        other for other in release.all(*chart.WORKLOADS) if chart.selects(selector, chart.pod_of(other)["metadata"]["labels"])
    ]
    assert [chart.identity(it) for it in taken] == [chart.identity(workload)]


def test_services_reach_a_named_port_of_one_workload(release):
    for service in release.all("Service"):
        selector = {"matchLabels": service["spec"]["selector"]}
        reached = [
            it for it in release.all(*chart.LONG_RUNNING) if chart.selects(selector, chart.pod_of(it)["metadata"]["labels"])
        ]
        assert len(reached) == 1, chart.identity(service)
        ports = {port["name"] for box in chart.containers_of(reached[0]) for port in box.get("ports", [])}
        for port in service["spec"]["ports"]:
            assert port["targetPort"] in ports, chart.identity(service)


def test_what_is_mounted_exists(release):
    """Volumes name what the chart makes, or what the values name."""
    text = json.dumps(release.values)
    for workload in release.all(*chart.WORKLOADS):
        spec = chart.pod_of(workload)["spec"]
        volumes = {volume["name"]: volume for volume in spec.get("volumes", [])}
        claimed = {it["metadata"]["name"] for it in workload["spec"].get("volumeClaimTemplates", [])}
        assert not claimed & set(volumes), chart.identity(workload)
        mounted = {mount["name"] for box in chart.containers_of(workload) for mount in box.get("volumeMounts", [])}
        assert mounted == set(volumes) | claimed, chart.identity(workload)
        for volume in volumes.values():
            for kind, place, key in MOUNTED:
                if place in volume and json.dumps(volume[place][key]) not in text:
                    name = volume[place][key]
                    is_of_mesh = release.values["tls"]["mesh"]["enabled"] and name.endswith("-mesh")
                    assert (kind == "Secret" and is_of_mesh) or release.one(kind, name)
        release.one("ServiceAccount", spec["serviceAccountName"])


def test_ingress_and_route_lead_to_the_edge(release):
    for ingress in release.all("Ingress"):
        backend = ingress["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]
        service = release.one("Service", backend["name"])
        assert chart.component_of(service) == "edge"
        assert backend["port"]["name"] in {port["name"] for port in service["spec"]["ports"]}
        for key, value in ingress["metadata"]["annotations"].items():
            assert not key.endswith("-timeout") or int(value) >= 3600
    for route in release.all("HTTPRoute"):
        for rule in route["spec"]["rules"]:
            service = release.one("Service", rule["backendRefs"][0]["name"])
            assert chart.component_of(service) == "edge"
            assert rule["backendRefs"][0]["port"] in {port["port"] for port in service["spec"]["ports"]}
        sockets = [it for it in route["spec"]["rules"] if it["matches"][0]["path"]["value"] == "/ws"]
        assert [it["timeouts"]["request"] for it in sockets] == ["0s"]


def test_the_directory_outlives_the_release(release):
    for claim in release.all("PersistentVolumeClaim"):
        assert claim["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"


def test_the_notes_say_how_to_reach_it(release):
    assert re.search(r"wss?://", release.notes)
