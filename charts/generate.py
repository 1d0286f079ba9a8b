#!/usr/bin/env python3
"""Writes what follows from other files: the chart's README (from the comments of values.yaml), the part of
values.schema.json that says which configuration keys there are (from docs/reference/configuration.md), and the
dashboards (from dashboards.py).

usage: scripts/chart-test --write (or charts/generate.py [--check], where PyYAML is)
"""

import json
import re
import sys
from pathlib import Path

import dashboards
import yaml

ROOT = Path(__file__).resolve().parent.parent
CHART = ROOT / "charts" / "cordboard"
REFERENCE = ROOT / "docs" / "reference" / "configuration.md"

# Keys that follow from other values, and are therefore not for `config`.
OWNED = re.compile(
    r"targets\..*|switch\.(node|advertise)|event_log\.redis\.(url|password_file)"
    r"|auth\.database\.(url|password_file)|tls\.(mesh|public)\.[a-z]+_file|edge\.listeners"
    r"|switch\.(journal|recordings\.(folder|max_bytes)|prompts\.folder)"
)
DURATION = r"^[0-9]+ ?[a-z]+( ?[0-9]+ ?[a-z]+)*$"
CHOICES = {
    "mode": ["development", "production"],
    "telemetry.format": ["pretty", "json"],
    "telemetry.audit_output": ["log", "stdout", "file"],
}


def reference_keys(text: str) -> dict[str, str]:
    """Every configuration key with its default, as the reference has it."""
    return dict(re.findall(r"^\| `([a-z0-9_.]+)` \| (.*?) \|", text, re.MULTILINE))


def type_of(key: str, default: str) -> dict:
    """The schema of a key, as far as its default tells."""
    default = default.strip("`")
    if key in CHOICES:
        return {"enum": CHOICES[key]}
    if default in ("true", "false"):
        return {"type": "boolean"}
    if re.fullmatch(r"-?[0-9]+", default):
        return {"type": "integer"}
    if re.fullmatch(r"-?[0-9]+\.[0-9]+", default):
        return {"type": "number"}
    if default.startswith("["):
        return {"type": "array", "items": {"type": "string"}}
    if re.fullmatch(r"([0-9]+ ?[a-z]+ ?)+", default):
        return {"type": "string", "pattern": DURATION}
    if default == "–":
        return {"type": ["string", "integer", "number", "boolean"]}
    return {"type": "string"}


def config_schema(keys: dict[str, str]) -> dict:
    """The schema of the value `config`."""

    def section() -> dict:
        return {"type": "object", "additionalProperties": False, "properties": {}}

    whole = section()
    for key, default in keys.items():
        if OWNED.fullmatch(key):
            continue
        *path, last = key.split(".")
        place = whole
        for name in path:
            place = place["properties"].setdefault(name, section())
        place["properties"][last] = type_of(key, default)
    return whole


def schema(current: str, reference: str) -> str:
    """values.schema.json with the current part for `config`."""
    whole = json.loads(current)
    whole["properties"]["config"] = config_schema(reference_keys(reference))
    return json.dumps(whole, indent=2) + "\n"


def documented(text: str) -> list[tuple[str, bool, str]]:
    """Each key of values.yaml that has a comment: path, whether it is a section, and the comment.

    `# -- text` documents a key with everything below it, a comment without `--` a section whose keys have
    comments of their own.
    """
    found, path, comment, inside = [], [], [], None
    for line in text.splitlines():
        stripped = line.strip()
        if not stripped:
            comment = []
            continue
        indent = len(line) - len(line.lstrip())
        if inside is not None and indent > inside:
            continue
        inside = None
        if stripped.startswith("#"):
            comment.append(stripped.lstrip("#").strip())
            continue
        key = re.match(r"([A-Za-z0-9_]+):", stripped)
        if not key:
            raise SystemExit(f"values.yaml: a line that is no key: {line}")
        path = [*path[: indent // 2], key[1]]
        is_section = not comment or not comment[0].startswith("--")
        words = " ".join(part.removeprefix("--").strip() for part in comment)
        found.append((".".join(path), is_section, words))
        if not is_section:
            inside = indent
        comment = []
    return found


def default_of(values: dict, path: str) -> str:
    value = values
    for name in path.split("."):
        value = value[name]
    return json.dumps(value, ensure_ascii=False)


def readme(values_text: str) -> str:
    """The chart's README."""
    values = yaml.safe_load(values_text)
    lines = [INTRODUCTION]
    header = ["", "| value | default | meaning |", "| --- | --- | --- |"]
    entries = documented(values_text)
    for path, _, comment in entries:
        if not comment:
            raise SystemExit(f"values.yaml: `{path}` has no comment")
    general = [entry for entry in entries if "." not in entry[0] and not entry[1]]
    lines += ["## General", *header]
    for path, _, comment in general:
        lines.append(row(values, path, comment))
    for top, is_section, about in entries:
        if "." in top or not is_section:
            continue
        lines += ["", f"## {top}", "", about, *header]
        for path, below, comment in entries:
            if path.startswith(f"{top}."):
                lines.append(f"| **`{path}`** | | {comment} |" if below else row(values, path, comment))
    return "\n".join(lines) + "\n"


def row(values: dict, path: str, comment: str) -> str:
    cells = [f"`{path}`", f"`{default_of(values, path)}`", comment]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


INTRODUCTION = """# Chart of Cordboard

Generated from the comments of `values.yaml` by `scripts/chart-test --write`; do not edit.

    helm install cordboard charts/cordboard -f charts/cordboard/values-dev.yaml      # to try it
    helm install cordboard charts/cordboard -f charts/cordboard/values-ha.yaml -f yours.yaml

`docs/kubernetes.md` says what is installed, what it needs, how it is upgraded, and what `helm test` shows.
Unknown values are refused, and so are values that contradict each other.
"""


def generated() -> dict[Path, str]:
    """Each generated file and what it should be."""
    schema_file = CHART / "values.schema.json"
    dashboard_files = {
        CHART / "files" / "dashboards" / f"{name}.json": dashboards.dashboard(name) for name in dashboards.DASHBOARDS
    }
    return {
        **dashboard_files,
        CHART / "README.md": readme((CHART / "values.yaml").read_text()),
        schema_file: schema(schema_file.read_text(), REFERENCE.read_text()),
    }


def main() -> int:
    stale = [path for path, text in generated().items() if not path.exists() or path.read_text() != text]
    if "--check" in sys.argv[1:]:
        for path in stale:
            print(f"{path.relative_to(ROOT)} is not current: run scripts/chart-test --write", file=sys.stderr)
        return 1 if stale else 0
    for path, text in generated().items():
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
