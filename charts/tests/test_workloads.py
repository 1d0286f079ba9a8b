"""Rules that every workload keeps."""

import base64
import re

import chart
import pytest

# What the program takes at most to stop: 20 s for the work under way, 2 s to cut off what is left.
DRAIN = re.compile(r"const STOP_WITHIN: Duration = Duration::from_secs\((\d+)\);")
KILL = re.compile(r"const KILL_TIMEOUT: Duration = Duration::from_secs\((\d+)\);")


def stop_seconds() -> int:
    read = lambda pattern, path: int(pattern.search((chart.ROOT / path).read_text())[1])
    return read(DRAIN, "cordboard/src/config.rs") + read(KILL, "mesh/src/lifecycle.rs")


def test_nobody_gets_a_token_or_the_variables_of_services(release, workload):
    spec = chart.pod_of(workload)["spec"]
    account = release.one("ServiceAccount", spec["serviceAccountName"])

    assert spec["automountServiceAccountToken"] is False
    assert account["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False


def test_every_workload_has_an_account_of_its_own(release, workload):
    name = chart.pod_of(workload)["spec"]["serviceAccountName"]

    sharing = [it for it in release.all(*chart.WORKLOADS) if chart.pod_of(it)["spec"]["serviceAccountName"] == name]
    assert len(sharing) == 1


def test_pods_run_as_nobody_under_the_runtimes_profile(release, workload):
    context = chart.pod_of(workload)["spec"]["securityContext"]

    assert context["runAsNonRoot"] is True
    assert context["runAsUser"] > 0 and context["runAsGroup"] > 0
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(chart.pod_of(workload)["spec"])


def test_containers_can_change_nothing_and_have_no_rights(release, workload):
    for container in chart.containers_of(workload):
        context = container["securityContext"]
        assert context["readOnlyRootFilesystem"] is True
        assert context["allowPrivilegeEscalation"] is False
        assert context["runAsNonRoot"] is True
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert "privileged" not in context
        assert all("hostPort" not in port for port in container.get("ports", []))


def test_nothing_of_the_node_is_mounted(release, workload):
    for volume in chart.pod_of(workload)["spec"].get("volumes", []):
        kinds = set(volume) - {"name"}
        assert kinds <= {"configMap", "secret", "emptyDir", "persistentVolumeClaim"}
        if "emptyDir" in volume:
            assert "sizeLimit" in volume["emptyDir"]


def test_containers_say_what_they_need(release, workload):
    for container in chart.containers_of(workload):
        resources = container["resources"]
        assert {"cpu", "memory"} <= set(resources["requests"])
        assert "memory" in resources["limits"]


def test_images_are_pinned(release, workload):
    for container in chart.containers_of(workload):
        assert re.search(r"(@sha256:[0-9a-f]{64}|:(?!latest$)[^/:@]+)$", container["image"]), container["image"]


def test_secrets_come_as_files_and_never_by_environment(release, workload):
    for container in chart.containers_of(workload):
        assert "envFrom" not in container
        for variable in container.get("env", []):
            assert "secretKeyRef" not in variable.get("valueFrom", {})
            is_path = variable["name"].endswith("_FILE") and variable["value"].startswith("/")
            assert is_path or not re.search(r"PASSWORD|SECRET|TOKEN|KEY", variable["name"])
    for volume in chart.pod_of(workload)["spec"].get("volumes", []):
        if "secret" in volume:
            assert volume["secret"]["defaultMode"] & 0o007 == 0, "others may read it"


def test_no_secret_is_in_the_release_but_the_one_that_it_makes_for_itself(release):
    internal = release.values["postgresql"]["internal"]
    is_made = internal["enabled"] and not internal["passwordSecret"]["name"]

    assert [chart.component_of(it) for it in release.all("Secret")] == (["postgresql"] if is_made else [])
    for secret in release.all("Secret"):
        # It is random, nowhere else, and kept as long as the volume that has it too.
        password = base64.b64decode(secret["data"]["password"]).decode()
        others = [it for it in release.resources if it["kind"] != "Secret"]
        assert re.fullmatch("[A-Za-z0-9]{32}", password) and password not in str(others)
        assert secret["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
        assert password != base64.b64decode(chart.render(chart.values_of("dev")).all("Secret")[0]["data"]["password"]).decode()
    assert "://:" not in release.toml() and not re.search(r"://[^/\"]*:[^/\"]*@", release.toml())


@pytest.mark.long_running
def test_each_container_has_three_probes_on_named_ports(release, workload):
    for container in chart.pod_of(workload)["spec"]["containers"]:
        ports = {port["name"] for port in container["ports"]}
        for name in ("startupProbe", "readinessProbe", "livenessProbe"):
            probe = container[name]
            if "exec" in probe:
                assert not chart.is_ours(workload), "there is no other program in the image"
                assert probe["timeoutSeconds"] > 1, "a process takes longer than a request"
            else:
                handler = probe.get("httpGet") or probe.get("tcpSocket")
                assert handler["port"] in ports, name
            assert "initialDelaySeconds" not in probe, "a start is waited for by the startup probe"


@pytest.mark.long_running
def test_liveness_asks_no_dependency(release, workload):
    if chart.is_ours(workload):
        for container in chart.pod_of(workload)["spec"]["containers"]:
            assert container["livenessProbe"]["httpGet"] == {"path": "/livez", "port": "admin"}
            assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "admin"}
            assert container["startupProbe"]["httpGet"] == {"path": "/readyz", "port": "admin"}


@pytest.mark.long_running
def test_pods_are_spread_over_zones_and_nodes(release, workload):
    spec = chart.pod_of(workload)["spec"]
    labels = chart.pod_of(workload)["metadata"]["labels"]

    keys = [constraint["topologyKey"] for constraint in spec["topologySpreadConstraints"]]
    assert keys == ["topology.kubernetes.io/zone", "kubernetes.io/hostname"]
    for constraint in spec["topologySpreadConstraints"]:
        assert chart.selects(constraint["labelSelector"], labels)
        wanted = "controller-revision-hash" if workload["kind"] == "StatefulSet" else "pod-template-hash"
        assert constraint["matchLabelKeys"] == [wanted]


@pytest.mark.long_running
def test_the_grace_period_is_longer_than_the_stop(release, workload):
    spec = chart.pod_of(workload)["spec"]

    for container in spec["containers"]:
        if chart.is_ours(workload):
            waiting = container["lifecycle"]["preStop"]["sleep"]["seconds"]
            # Clients of the mesh look its names up every five seconds.
            assert waiting > 5
            assert spec["terminationGracePeriodSeconds"] > waiting + stop_seconds()


def test_the_chart_knows_how_long_the_program_takes_to_stop():
    text = (chart.CHART / "templates" / "validations.yaml").read_text()
    assert f"add .Values.preStopSeconds {stop_seconds()} " in text


@pytest.mark.long_running
def test_evictions_are_limited_and_never_forbidden(release, workload):
    budgets = release.selecting("PodDisruptionBudget", chart.pod_of(workload)["metadata"]["labels"])

    assert len(budgets) == 1
    spec = budgets[0]["spec"]
    assert "minAvailable" not in spec and spec["maxUnavailable"] not in (0, "0%")


@pytest.mark.long_running
def test_the_number_of_pods_has_one_master(release, workload):
    scalers = [
        it
        for it in release.all("HorizontalPodAutoscaler")
        if it["spec"]["scaleTargetRef"]
        == {"apiVersion": "apps/v1", "kind": workload["kind"], "name": workload["metadata"]["name"]}
    ]
    spec = workload["spec"]
    section = release.values.get(chart.component_of(workload), {})

    if scalers:
        assert len(scalers) == 1 and "replicas" not in spec
    else:
        assert spec["replicas"] >= 1
        may_scale = workload["kind"] == "Deployment" and spec["strategy"]["type"] != "Recreate"
        assert not may_scale or not section.get("autoscaling", {}).get("enabled"), "a service that could be scaled is not"
    if workload["kind"] == "Deployment" and spec["strategy"]["type"] == "Recreate":
        assert spec["replicas"] == 1, "two pods of what has one writer"


def test_autoscalers_have_a_target_and_scale_down_slowly(release):
    for scaler in release.all("HorizontalPodAutoscaler"):
        assert scaler["apiVersion"] == "autoscaling/v2"
        target = scaler["spec"]["scaleTargetRef"]
        release.one(target["kind"], target["name"])
        behavior = scaler["spec"]["behavior"]
        assert behavior["scaleDown"]["policies"] == [{"type": "Pods", "value": 1, "periodSeconds": 60}]
        assert behavior["scaleDown"]["stabilizationWindowSeconds"] >= 300
        assert scaler["spec"]["minReplicas"] >= 2
        assert scaler["spec"]["metrics"][0]["resource"]["name"] == "cpu"


def test_the_edge_can_be_scaled_by_its_sockets():
    metrics = [
        it["spec"]["metrics"]
        for it in chart.variant("everything-on").all("HorizontalPodAutoscaler")
        if chart.component_of(it) == "edge"
    ][0]

    name = metrics[1]["pods"]["metric"]["name"]
    assert f'"{name}"' in (chart.ROOT / "edge" / "src" / "metrics.rs").read_text()


@pytest.mark.long_running
def test_each_workload_is_reached_by_a_service(release, workload):
    services = release.selecting("Service", chart.pod_of(workload)["metadata"]["labels"])

    plain = [it for it in services if it["spec"].get("clusterIP") != "None"]
    headless = [it for it in services if it["spec"].get("clusterIP") == "None"]
    assert len(plain) == 1
    if chart.is_ours(workload):
        assert len(headless) == 1
        assert {port["name"] for port in headless[0]["spec"]["ports"]} >= {"admin"}
        assert all(port["name"] != "admin" for port in plain[0]["spec"]["ports"]), "the admin port is not for others"


def test_only_the_edge_may_have_an_address_outside(release):
    for service in release.all("Service"):
        if service["spec"].get("type", "ClusterIP") != "ClusterIP":
            assert chart.component_of(service) == "edge"


def test_each_service_of_the_program_has_a_workload(release):
    text = (chart.ROOT / "cordboard" / "src" / "config.rs").read_text()
    kinds = re.search(r"enum ServiceKind \{(.*?)\}", text, re.DOTALL)[1]
    assert sorted(release.services()) == sorted(re.findall(r"(\w+),", kinds.lower()))


@pytest.mark.long_running
def test_each_service_is_scraped_when_the_operator_is_there(release, workload):
    monitors = release.selecting("ServiceMonitor", chart.pod_of(workload)["metadata"]["labels"])

    is_wanted = release.values["serviceMonitor"]["enabled"] and chart.is_ours(workload)
    assert len(monitors) == (1 if is_wanted else 0)


def test_the_switch_has_nodes_with_names_that_stay():
    switch = chart.variant("ha").workload("switch")
    container = chart.pod_of(switch)["spec"]["containers"][0]
    environment = {variable["name"]: variable for variable in container["env"]}
    headless = chart.variant("ha").one("Service", switch["spec"]["serviceName"])

    assert switch["kind"] == "StatefulSet"
    node = environment["CORDBOARD__SWITCH__NODE"]["valueFrom"]["fieldRef"]["fieldPath"]
    assert node == "metadata.name"
    # Kubernetes replaces only what is declared before.
    assert [*environment] == ["CORDBOARD__SWITCH__NODE", "CORDBOARD__SWITCH__JOURNAL", "CORDBOARD__SWITCH__ADVERTISE"]
    assert environment["CORDBOARD__SWITCH__ADVERTISE"]["value"] == (
        f"http://$(CORDBOARD__SWITCH__NODE).{headless['metadata']['name']}.prod.svc.cluster.local:7105"
    )
    assert headless["spec"]["publishNotReadyAddresses"] is True


@pytest.mark.long_running
def test_only_auth_has_the_database(release, workload):
    """On a volume of its own, or in PostgreSQL, whose volume is nobody else's."""
    volumes = chart.pod_of(workload)["spec"].get("volumes", [])

    is_inside = release.values["postgresql"]["internal"]["enabled"]
    is_postgres = is_inside or bool(release.values["auth"]["database"]["postgres"]["host"])
    names = {volume["name"] for volume in volumes}
    has_claim = any("persistentVolumeClaim" in it and it["name"] == "data" for it in volumes)
    is_auth = chart.component_of(workload) == "auth"
    assert has_claim == (chart.component_of(workload) == ("postgresql" if is_postgres else "auth"))
    assert is_auth or not names & {"database-password", "database-ca"}


@pytest.mark.long_running
def test_the_password_of_redis_is_only_where_redis_is_used(release, workload):
    users = {"auth", "callcontrol", "conference", "notifier", "switch"}
    secret = release.values["redis"]["passwordSecret"]["name"]

    volumes = chart.pod_of(workload)["spec"].get("volumes", [])
    has_password = any(it.get("secret", {}).get("secretName") == secret for it in volumes)
    assert has_password == (bool(secret) and chart.component_of(workload) in users)
