"""Certificates: each service has its own, from a secret that is mounted whole so that it may be renewed."""

import subprocess
import tomllib
from pathlib import Path

import chart
import pytest

FILES = {"tls.crt", "tls.key", "ca.crt"}


def secrets_of(workload: dict) -> dict[str, dict]:
    """The secrets that a workload mounts, by mount point."""
    spec = chart.pod_of(workload)["spec"]
    volumes = {it["name"]: it for it in spec.get("volumes", [])}
    found = {}
    for container in spec["containers"]:
        for mount in container.get("volumeMounts", []):
            if "secret" in volumes.get(mount["name"], {}):
                found[mount["mountPath"]] = {**volumes[mount["name"]]["secret"], "mount": mount}
    return found


@pytest.mark.long_running
def test_each_service_has_the_certificate_of_its_own_name_and_no_other(release, workload):
    if not chart.is_ours(workload):
        return
    name = workload["metadata"]["name"]
    is_wanted = release.values["tls"]["mesh"]["enabled"]

    secrets = secrets_of(workload)
    assert ("/etc/cordboard/mesh" in secrets) == is_wanted
    if is_wanted:
        assert secrets["/etc/cordboard/mesh"]["secretName"] == f"{name}-mesh"


@pytest.mark.long_running
def test_only_the_edge_has_the_public_certificate(release, workload):
    wanted = release.values["tls"]["public"]["secretName"] if chart.component_of(workload) == "edge" else ""

    assert secrets_of(workload).get("/etc/cordboard/public", {}).get("secretName", "") == wanted


@pytest.mark.long_running
def test_renewed_certificates_reach_the_container(release, workload):
    """A mount with `subPath` would stay as it was when the pod began."""
    for place, secret in secrets_of(workload).items():
        if place in ("/etc/cordboard/mesh", "/etc/cordboard/public"):
            assert "subPath" not in secret["mount"] and "items" not in secret


def test_the_program_is_told_of_the_files_that_are_mounted(release):
    config = tomllib.loads(release.toml()).get("tls", {})
    values = release.values["tls"]

    assert ("certificate_file" in config.get("mesh", {})) == values["mesh"]["enabled"]
    assert ("certificate_file" in config.get("public", {})) == bool(values["public"]["secretName"])
    for section in ("mesh", "public"):
        for key, path in config.get(section, {}).items():
            if key.endswith("_file"):
                folder, _, file = path.rpartition("/")
                assert folder == f"/etc/cordboard/{section}" and file in FILES


def test_cert_manager_is_asked_for_what_the_mesh_checks(release):
    values = release.values["tls"]["mesh"]
    made = {chart.component_of(it): it["spec"] for it in release.all("Certificate")}
    wanted = release.services() if values["certManager"]["enabled"] else []

    assert sorted(made) == sorted(wanted)
    domain = release.values["config"].get("tls", {}).get("mesh", {}).get("domain", "")
    for name, spec in made.items():
        assert spec["dnsNames"] == [f"{name}.{domain}" if domain else name]
        assert {"server auth", "client auth"} <= set(spec["usages"])
        assert spec["secretName"] == f"{release.workload(name)['metadata']['name']}-mesh"


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"mesh": {"certManager": {"enabled": True}}}, "tls.mesh.enabled"),
        ({"mesh": {"enabled": True, "certManager": {"enabled": True}}}, "issuerRef"),
    ],
)
def test_half_a_wish_is_refused(values, sentence):
    with pytest.raises(Exception, match=sentence):
        chart.render(chart.merged(chart.values_of("minimal"), {"tls": values}))


def make_certificates(folder: Path, names: list[str]):
    """An authority, and one certificate with all names, as PEM files in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)

    def openssl(*arguments: str):
        subprocess.run(["openssl", *arguments], cwd=folder, capture_output=True, check=True)

    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    openssl("req", "-x509", *curve, "-keyout", "ca.key", "-out", "ca.crt", "-days", "2", "-subj", "/CN=mesh")
    openssl("req", *curve, "-keyout", "tls.key", "-out", "tls.csr", "-subj", "/CN=services")
    extensions = f"subjectAltName={','.join(f'DNS:{name}' for name in names)}\nextendedKeyUsage=serverAuth,clientAuth\n"
    (folder / "extensions").write_text(extensions)
    signing = ["-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "extensions"]
    openssl("x509", "-req", "-in", "tls.csr", "-out", "tls.crt", *signing)
