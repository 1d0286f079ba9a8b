"""The chart as the tests see it: rendered with each file of `ci/`, offline."""

import copy
import functools
from pathlib import Path

import helm_python
import yaml

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "charts" / "cordboard"
RELEASE = "demo"
NAMESPACE = "prod"

# Names of the variants: `ci/NAME-values.yaml`, on top of `values-NAME.yaml` when there is one.
VARIANTS = sorted(path.name.removesuffix("-values.yaml") for path in (CHART / "ci").glob("*-values.yaml"))
LONG_RUNNING = ("Deployment", "StatefulSet")
WORKLOADS = (*LONG_RUNNING, "DaemonSet", "ReplicaSet", "Job", "CronJob", "Pod")


def merged(below: dict, above: dict) -> dict:
    """Values on top of others, as Helm lays them."""
    result = copy.deepcopy(below)
    for key, value in above.items():
        if isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = merged(result[key], value)
        else:
            result[key] = copy.deepcopy(value)
    return result


def values_of(variant: str) -> dict:
    overlay = CHART / f"values-{variant}.yaml"
    below = yaml.safe_load(overlay.read_text()) if overlay.exists() else {}
    return merged(below, yaml.safe_load((CHART / "ci" / f"{variant}-values.yaml").read_text()) or {})


@functools.cache
def loaded() -> helm_python.Chart:
    helm_python.disable_logging()
    return helm_python.Chart.load(CHART)


def render(values: dict) -> "Release":
    """What an installation with these values would create. Refused values raise `helm_python.HelmError`."""
    return Release(values, loaded().render(values, name=RELEASE, namespace=NAMESPACE))


@functools.cache
def variant(name: str) -> "Release":
    return render(values_of(name))


class Release:
    """The resources of a rendered chart."""

    def __init__(self, values: dict, files: dict[str, str]):
        self.values = loaded().merge_values(values)
        self.notes = "".join(text for path, text in files.items() if path.endswith("NOTES.txt"))
        self.resources = [
            resource
            for path, text in files.items()
            if path.endswith((".yaml", ".yml"))
            for resource in yaml.safe_load_all(text)
            if resource
        ]

    def all(self, *kinds: str) -> list[dict]:
        return [resource for resource in self.resources if resource["kind"] in kinds]

    def one(self, kind: str, name: str) -> dict:
        found = [resource for resource in self.all(kind) if resource["metadata"]["name"] == name]
        assert len(found) == 1, f"{len(found)} resources {kind}/{name}"
        return found[0]

    def workload(self, component: str) -> dict:
        found = [it for it in self.all(*LONG_RUNNING) if component_of(it) == component]
        assert len(found) == 1, f"{len(found)} workloads for {component}"
        return found[0]

    def services(self) -> list[str]:
        """The names of Cordboard's own services."""
        return [component_of(it) for it in self.all(*LONG_RUNNING) if is_ours(it)]

    def selecting(self, kind: str, pod_labels: dict) -> list[dict]:
        """The resources of a kind whose selector takes pods with these labels."""
        found = []
        for resource in self.all(kind):
            spec = resource["spec"]
            selector = spec.get("podSelector", spec.get("selector", {}))
            if selects(selector if "matchLabels" in selector else {"matchLabels": selector}, pod_labels):
                found.append(resource)
        return found

    def toml(self) -> str:
        maps = [it for it in self.all("ConfigMap") if "cordboard.toml" in it.get("data", {})]
        assert len(maps) == 1
        return maps[0]["data"]["cordboard.toml"]


def selects(selector: dict, labels: dict) -> bool:
    assert set(selector) <= {"matchLabels"}, f"the tests do not know {selector}"
    return all(labels.get(name) == value for name, value in selector.get("matchLabels", {}).items())


def component_of(resource: dict) -> str:
    return resource["metadata"]["labels"]["app.kubernetes.io/component"]


def is_ours(workload: dict) -> bool:
    """Whether the workload runs Cordboard's own program, and not a third party's."""
    return component_of(workload) not in ("redis", "postgresql")


def identity(resource: dict) -> str:
    return f"{resource['kind']}/{resource['metadata']['name']}"


def pod_of(workload: dict) -> dict:
    """The pod of a workload: `metadata` and `spec`."""
    kind = workload["kind"]
    if kind == "Pod":
        return workload
    if kind == "CronJob":
        return workload["spec"]["jobTemplate"]["spec"]["template"]
    return workload["spec"]["template"]


def containers_of(workload: dict) -> list[dict]:
    spec = pod_of(workload)["spec"]
    return [*spec.get("initContainers", []), *spec["containers"]]
