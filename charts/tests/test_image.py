"""The image: its build works from a clean clone, and the program runs in a root with nothing but what it has.

There is no container engine here: the commands of the Containerfile are read from it and run.
"""

import json
import os
import re
import shutil
import subprocess
from fnmatch import fnmatch
from pathlib import Path

import chart
import pytest
from program import PROGRAM

CONTAINERFILE = chart.ROOT / "Containerfile"
# What is new and not added yet is as good as in; a clean clone has nothing of the kind.
LISTING = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]


def instructions() -> list[tuple[str, str]]:
    """Instruction and argument of each line, continued lines put together."""
    text = re.sub(r"\\\n\s*", "", CONTAINERFILE.read_text())
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [tuple(line.split(maxsplit=1)) for line in lines]


def stages() -> dict[str, list[tuple[str, str]]]:
    """The instructions of each stage; the last has no name."""
    found, current = {}, None
    for instruction, argument in instructions():
        if instruction == "FROM":
            _, _, name = argument.partition(" AS ")
            current = found.setdefault(name, [])
        current.append((instruction, argument))
    return found


def commands(stage: str) -> list[str]:
    runs = [argument for instruction, argument in stages()[stage] if instruction == "RUN"]
    return [part.strip() for run in runs for part in re.sub(r"--mount=\S+ ", "", run).split("&&")]


def labels() -> dict[str, str]:
    text = next(argument for instruction, argument in stages()[""] if instruction == "LABEL")
    return dict(re.findall(r'(\S+?)="([^"]*)"', text))


def ignored() -> list[str]:
    lines = (chart.ROOT / ".containerignore").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def is_ignored(path: str) -> bool:
    parents = [path, *map(str, Path(path).parents)]
    plain = [pattern.removeprefix("**/") for pattern in ignored() if pattern.startswith("**/")]
    return any(
        fnmatch(place, pattern) or any(fnmatch(Path(place).name, it) for it in plain)
        for place in parents
        for pattern in ignored()
    )


def test_the_program_is_built_by_the_command_that_builds_it_everywhere():
    assert commands("build")[0] == "cargo build --release --locked --bin cordboard"
    assert commands("build")[1].startswith("cp target/release/cordboard ")


def test_the_compiler_is_the_one_that_the_workspace_asks_for():
    wanted = re.search(r'rust-version = "([\d.]+)"', (chart.ROOT / "Cargo.toml").read_text())[1]
    assert stages()["build"][0] == ("FROM", f"rust:{wanted} AS build")


@pytest.fixture(scope="module")
def context(tmp_path_factory) -> Path:
    """What a builder gets of a clean clone."""
    folder = tmp_path_factory.mktemp("context")
    listed = subprocess.run(LISTING, cwd=chart.ROOT, capture_output=True, check=True).stdout
    for path in filter(None, listed.decode().split("\0")):
        source = chart.ROOT / path
        if not is_ignored(path) and source.exists():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, folder / path)
    return folder


def test_a_clean_clone_has_all_that_the_build_reads(context):
    """The workspace is complete, its lock file is current, and what the sources include is there."""
    command = ["cargo", "metadata", "--locked", "--format-version=1", "--no-deps"]
    done = subprocess.run(command, cwd=context, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    members = json.loads(done.stdout)["packages"]
    assert any("cordboard" in [it["name"] for it in member["targets"] if "bin" in it["kind"]] for member in members)

    missing = []
    for source in context.rglob("*.rs"):
        for path in re.findall(r'include_(?:str|bytes)!\(\s*"([^"]+)"', source.read_text()):
            if not (source.parent / path).exists():
                missing.append(f"{source.relative_to(context)}: {path}")
    assert missing == []


def test_a_clean_clone_brings_no_build_output_or_history(context):
    present = {path.name for path in context.iterdir()}
    assert "Cargo.lock" in present and not present & {"target", ".git", ".tools", "charts"}


def test_the_image_has_labels_for_those_who_list_software():
    cargo = (chart.ROOT / "Cargo.toml").read_text()
    wanted = {"title", "description", "licenses", "version", "revision", "created", "base.name"}
    assert {f"org.opencontainers.image.{name}" for name in wanted} == set(labels())
    assert labels()["org.opencontainers.image.licenses"] == re.search(r'license = "(.*?)"', cargo)[1]
    version = re.search(r'^version = "(.*?)"', cargo, re.MULTILINE)[1]
    assert ("ARG", f"VERSION={version}") in stages()[""]
    assert chart.loaded().metadata["appVersion"] == version


def test_the_image_runs_as_nobody_and_has_nothing_but_its_root():
    last = stages()[""]
    assert last[0] == ("FROM", "scratch")
    user = next(argument for instruction, argument in last if instruction == "USER")
    pod = chart.pod_of(chart.variant("minimal").workload("edge"))["spec"]["securityContext"]
    assert user == f"{pod['runAsUser']}:{pod['runAsGroup']}"
    assert [argument for instruction, argument in last if instruction == "COPY"] == ["--from=root /image /"]
    assert not any(instruction in ("RUN", "ADD", "ENV") for instruction, _ in last)


def test_every_port_of_the_chart_is_one_of_the_image(release):
    exposed = next(argument for instruction, argument in stages()[""] if instruction == "EXPOSE").split()
    for name in release.services():
        for port in chart.pod_of(release.workload(name))["spec"]["containers"][0]["ports"]:
            # The ports of single realms are for whoever installs it to choose.
            assert str(port["containerPort"]) in exposed or port["name"].startswith("realm-")


def test_the_program_links_the_c_library_alone():
    listed = subprocess.run(["readelf", "-d", PROGRAM], capture_output=True, text=True, check=True).stdout
    needed = set(re.findall(r"\(NEEDED\).*\[(.*)\]", listed))
    allowed = {"libc.so.6", "libm.so.6", "libgcc_s.so.1", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"}
    assert needed <= allowed


def test_the_commands_of_the_image_make_a_root_in_which_the_program_runs(tmp_path):
    """An empty root, the image's user, nothing to write to but /tmp: a whole system plays a call."""
    enter = way_into_a_root()
    if enter is None:
        pytest.skip("neither root nor user namespaces: no other root can be entered")
    root = tmp_path / "image"
    script = " && ".join(commands("root")).replace("/image", str(root))
    script = re.sub(r"(?<![\w/])/cordboard", PROGRAM, script)
    done = subprocess.run(["sh", "-euc", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr

    files = sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())
    unexpected = [it for it in files if not re.match(r"etc/|usr/local/bin/cordboard$|(usr/)?lib(64)?/.*\.so|var/lib/dpkg/", it)]
    assert unexpected == [] and len(files) < 16, files
    # A root without the kernel's own file systems, and but one folder in it that its user may write to.
    assert [it.name for it in root.rglob("*") if it.is_dir() and it.stat().st_mode & 0o002] == ["tmp"]
    command = [*enter, str(root), "/usr/local/bin/cordboard", "demo", "call", "--color=never"]
    played = subprocess.run(command, capture_output=True, text=True, timeout=60, env={})
    assert played.returncode == 0, played.stdout[-2000:] + played.stderr[-2000:]


def way_into_a_root() -> list[str] | None:
    if os.geteuid() == 0:
        return [shutil.which("chroot"), "--userspec=65532:65532"]
    unshare = [shutil.which("unshare") or "unshare", "--map-root-user", shutil.which("chroot")]
    works = subprocess.run([*unshare, "/", "true"], capture_output=True, check=False).returncode == 0
    return unshare if works else None
