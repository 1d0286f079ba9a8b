"""Who may talk to whom."""

import chart
import pytest

MESH = {
    ("edge", "auth"),
    ("edge", "callcontrol"),
    ("edge", "conference"),
    ("edge", "notifier"),
    ("callcontrol", "auth"),
    ("callcontrol", "switch"),
    ("conference", "auth"),
    ("conference", "switch"),
    ("notifier", "auth"),
    ("switch", "auth"),
}
REDIS_USERS = {"auth", "callcontrol", "conference", "notifier", "switch"}
# Those that ask addresses which customers name.
OUTSIDE = {"notifier", "switch"}


def policy_of(release, component: str) -> dict:
    found = [it for it in release.all("NetworkPolicy") if chart.component_of(it) == component]
    assert len(found) == 1
    return found[0]["spec"]


def components(peers: list[dict]) -> set[str]:
    """The components of this release among the peers."""
    return {
        peer["podSelector"]["matchLabels"]["app.kubernetes.io/component"]
        for peer in peers
        if "app.kubernetes.io/component" in peer.get("podSelector", {}).get("matchLabels", {})
    }


def numbers(rule: dict) -> set[int]:
    return {port["port"] for port in rule["ports"]}


def public_ports(release) -> set[int]:
    """The ports on which the edge is reached by applications."""
    ports = chart.pod_of(release.workload("edge"))["spec"]["containers"][0]["ports"]
    return {port["containerPort"] for port in ports if port["name"] != "admin"}


def test_every_workload_is_under_one_policy_for_both_directions(release, workload):
    policies = release.selecting("NetworkPolicy", chart.pod_of(workload)["metadata"]["labels"])

    assert len(policies) == 1
    assert sorted(policies[0]["spec"]["policyTypes"]) == ["Egress", "Ingress"]


def test_every_rule_names_its_ports(release):
    for policy in release.all("NetworkPolicy"):
        for rule in [*(policy["spec"].get("ingress") or []), *(policy["spec"].get("egress") or [])]:
            assert rule["ports"], chart.identity(policy)


def test_only_the_edge_is_reached_from_outside(release):
    for policy in release.all("NetworkPolicy"):
        for rule in policy["spec"].get("ingress") or []:
            peers = rule.get("from", [])
            is_open = not peers or len(components(peers)) < len(peers)
            if is_open and numbers(rule) != {9090}:
                assert chart.component_of(policy) == "edge" and numbers(rule) == public_ports(release)


def test_the_admin_port_is_reached_only_by_those_named(release):
    named = release.values["networkPolicy"]["metricsFrom"]
    for policy in release.all("NetworkPolicy"):
        for rule in policy["spec"].get("ingress") or []:
            if 9090 in numbers(rule):
                assert named and rule["from"] == named and numbers(rule) == {9090}


def test_the_mesh_is_as_drawn_in_both_directions(release):
    ports = {
        name: chart.pod_of(release.workload(name))["spec"]["containers"][0]["ports"][0]["containerPort"]
        for name in release.services()
    }
    goes, comes = set(), set()
    for name in release.services():
        spec = policy_of(release, name)
        for rule in spec["egress"]:
            for other in components(rule.get("to", [])) - {"redis", "postgresql"}:
                assert numbers(rule) == {ports[other]}
                goes.add((name, other))
        for rule in spec["ingress"]:
            for other in components(rule.get("from", [])):
                assert numbers(rule) == {ports[name]}
                comes.add((other, name))

    # The pod of `helm test` is let in where the edge is not for everybody.
    comes.discard(("test", "edge"))
    assert goes == comes == MESH


def test_the_test_pod_reaches_the_edge_alone_and_is_let_in(release):
    pod = release.one("Pod", f"{release.one('NetworkPolicy', policy_name(release, 'test'))['metadata']['name']}")
    calls = any(container["args"][0] == "check" for container in pod["spec"]["containers"])
    goes = {
        other
        for rule in policy_of(release, "test").get("egress") or []
        for other in components(rule.get("to", []))
        if numbers(rule) == {8080}
    }
    public = next(rule for rule in policy_of(release, "edge")["ingress"] if numbers(rule) == public_ports(release))

    assert goes == ({"edge"} if calls else set())
    assert not calls or "from" not in public or components(public["from"]) == {"test"}


def policy_name(release, component: str) -> str:
    found = [it for it in release.all("NetworkPolicy") if chart.component_of(it) == component]
    return found[0]["metadata"]["name"]


def test_only_what_needs_redis_reaches_it(release):
    hosts = release.values["redis"]["hosts"]
    is_sentinel = bool(release.values["redis"]["sentinelMaster"])
    redis_ports = {host.get("port", 26379 if is_sentinel else 6379) for host in hosts}
    if is_sentinel or not hosts:
        redis_ports.add(6379)

    reaching = set()
    for name in release.services():
        for rule in policy_of(release, name)["egress"]:
            if numbers(rule) & redis_ports:
                assert numbers(rule) == redis_ports
                reaching.add(name)
    assert reaching == REDIS_USERS


def test_the_redis_inside_is_reached_by_its_users_alone():
    spec = policy_of(chart.variant("dev"), "redis")

    assert [components(rule["from"]) for rule in spec["ingress"]] == [REDIS_USERS]
    assert spec["egress"] == []


def test_the_postgresql_inside_is_reached_by_auth_alone(release):
    is_inside = release.values["postgresql"]["internal"]["enabled"]
    going = {
        name
        for name in release.services()
        for rule in policy_of(release, name)["egress"]
        if "postgresql" in components(rule.get("to", []))
    }

    assert going == ({"auth"} if is_inside else set())
    if is_inside:
        spec = policy_of(release, "postgresql")
        assert [components(rule["from"]) for rule in spec["ingress"]] == [{"auth"}]
        assert [numbers(rule) for rule in spec["ingress"]] == [{5432}]
        assert spec["egress"] == []


def test_nobody_goes_elsewhere(release):
    """Besides the mesh and Redis there are the name servers, SQL, addresses of customers and the collector."""
    wanted = release.values["networkPolicy"]
    for name in release.services():
        for rule in policy_of(release, name)["egress"]:
            if components(rule.get("to", [])):
                continue
            if numbers(rule) == {53}:
                assert rule["to"] == wanted["dnsTo"]
            elif numbers(rule) == {4317}:
                assert rule["to"] == wanted["otlpTo"] and rule["to"]
            elif name in OUTSIDE and rule.get("to") == wanted["outsideTo"]:
                assert numbers(rule) == set(wanted["outsidePorts"])
            elif name == "auth" and numbers(rule) == {release.values["auth"]["database"]["postgres"]["port"]}:
                postgres = release.values["auth"]["database"]["postgres"]
                assert postgres["host"] and rule.get("to", []) == postgres["networkPolicyTo"]
            else:
                assert name in REDIS_USERS and rule.get("to", []) == release.values["redis"]["networkPolicyTo"]


def test_only_who_asks_addresses_of_customers_goes_outside_and_nowhere_private_by_default(release):
    wanted = release.values["networkPolicy"]
    outside = {
        name
        for name in release.services()
        for rule in policy_of(release, name)["egress"]
        if rule.get("to") == wanted["outsideTo"]
    }
    block = chart.loaded().merge_values({})["networkPolicy"]["outsideTo"][0]["ipBlock"]

    assert outside == OUTSIDE
    assert {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"} <= set(block["except"])


@pytest.mark.parametrize("name", chart.VARIANTS)
def test_policies_can_be_left_to_others(name):
    values = chart.merged(chart.values_of(name), {"networkPolicy": {"enabled": False}})
    assert chart.render(values).all("NetworkPolicy") == []
