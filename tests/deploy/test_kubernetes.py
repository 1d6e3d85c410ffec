"""The manifests: valid by Kubernetes' schemas, and true to the program that they run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from audits.ledger.people import read_people
from contracts.errors import ContractError
from rehabcast.settings import PREFIX, Settings
from serving.http.admission.routing import LIVE, TAKES_REQUESTS
from serving.http.endpoints import ENDPOINTS
from serving.http.shutdown import MAX_SECONDS
from serving.server.connections import IDLE_SECONDS
from serving.server.supervisor import STOP_SECONDS
from serving.server.worker import GRACE_SECONDS
from serving.state.loading import LOAD_SECONDS
from serving.state.spool import MAX_BYTES, Spool
from stores.private_files import ReadableByOthers, require_private, require_unchanged_by_others

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
FILES = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
MANIFESTS = [m for file in FILES for m in yaml.safe_load_all(file.read_text("utf-8"))]
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
OPERATIONS = (ROOT / "docs" / "operations.md").read_text("utf-8")

VERSIONS = ("1.32", kubernetes_validate.latest_version())
"""The oldest that docs/operations.md names, and the newest that there are schemas of."""

ADDRESSES = {
    "ledger": "postgresql://rehabcast@db.hospital.example/rehabcast",
    "store": "postgresql://rehabcast@db.hospital.example/rehabcast",
    "registry": "https://mlflow.hospital.example",
}


def manifest(kind: str, name: str) -> dict[str, Any]:
    (found,) = [m for m in MANIFESTS if (m["kind"], m["metadata"]["name"]) == (kind, name)]
    return found


POD = manifest("Deployment", "rehabcast")["spec"]["template"]["spec"]
(SERVICE,) = POD["containers"]
(INIT,) = POD["initContainers"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("one", MANIFESTS, ids=lambda m: f"{m['kind']} {m['metadata']['name']}")
def test_a_manifest_is_valid(one: dict[str, Any], version: str) -> None:
    assert version in OPERATIONS or version == VERSIONS[1]
    kubernetes_validate.validate(one, version, strict=True)
    assert one["kind"] == "Namespace" or one["metadata"]["namespace"] == "rehabcast"


def test_the_pages_command_puts_images_in_and_changes_nothing_else() -> None:
    (lines,) = re.findall(r"    (sed -e .*?) \| kubectl apply", OPERATIONS, re.DOTALL)
    images = {
        "REHABCAST_IMAGE": f"registry.example/rehabcast@sha256:{'1' * 64}",
        "SQUID_IMAGE": f"registry.example/squid@sha256:{'2' * 64}",
    }
    run = partial(subprocess.run, ["sh", "-euc", lines], cwd=ROOT, capture_output=True, text=True)
    done = run(env={**os.environ, **images}, check=True)
    expected = [yaml.safe_load(put_in(yaml.safe_dump(m), images)) for m in MANIFESTS]
    assert list(yaml.safe_load_all(done.stdout)) == expected
    assert {one["image"] for one in places(expected) if "image" in one} == set(images.values())
    unset = run(env={"PATH": os.environ["PATH"]}, check=False)
    assert unset.returncode != 0
    assert unset.stdout == ""
    assert "REHABCAST_IMAGE: NAME@sha256:DIGEST" in unset.stderr


def put_in(text: str, images: dict[str, str]) -> str:
    for name, image in images.items():
        text = text.replace(f"image: {name}\n", f"image: {image}\n")
    return text


def places(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from places(part)


def test_a_misspelt_field_is_refused_wherever_it_is() -> None:
    free = {"matchLabels", "labels", "limits", "requests"}
    one = manifest("Deployment", "rehabcast")
    fixed = [
        p for p in places(one) if not any(p is q.get(name) for q in places(one) for name in free)
    ]
    # One place of each kind is enough: those with the same fields have the same schema.
    kinds = {frozenset(place): place for place in fixed}
    assert len(kinds) > 25
    for place in kinds.values():
        place["readOnlyRootFileSystem"] = True
        try:
            with pytest.raises(kubernetes_validate.ValidationError):
                kubernetes_validate.validate(one, VERSIONS[1], strict=True)
        finally:
            del place["readOnlyRootFileSystem"]


def environments() -> dict[str, dict[str, str]]:
    """Return what our program is given by Kubernetes and by compose, as it would see it."""
    pod = {
        one["name"]: one["value"]
        if "value" in one
        else ADDRESSES[one["valueFrom"]["secretKeyRef"]["key"]]
        for one in SERVICE["env"]
    }
    return {"kubernetes": pod, "compose": COMPOSE["services"]["service"]["environment"]}


@pytest.mark.parametrize("name", environments())
def test_the_program_takes_every_setting(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {n: value for n, value in environments()[name].items() if n.startswith(PREFIX)}
    assert set(given) <= {PREFIX + field.upper() for field in Settings.model_fields}
    # A ledger in PostgreSQL is shared, and a restarted service must know how long it was.
    assert {"REHABCAST_PEOPLE", "REHABCAST_LEDGER_HEAD", "REHABCAST_TRUSTED_KEYS"} <= set(given)
    for setting, value in given.items():
        inside = str(tmp_path) + value if value.startswith("/") else value
        monkeypatch.setenv(setting, inside)
    for folder in ("REHABCAST_TRUSTED_KEYS", "REHABCAST_PEOPLE"):
        (tmp_path / given[folder].lstrip("/")).mkdir(parents=True)
    access = tmp_path / given["REHABCAST_ACCESS"].lstrip("/")
    access.parent.mkdir(parents=True, exist_ok=True)
    access.touch()
    settings = Settings()
    assert settings.people is not None
    assert settings.signing_key is settings.person_key is settings.development_token is None


@pytest.mark.parametrize("name", ["REHABCAST_PORT_3000_TCP_ADDR", "REHABCAST_SERVICE_HOST"])
def test_variables_that_kubernetes_would_set_for_the_service_are_refused(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So `enableServiceLinks` must be false, or no pod would start."""
    assert manifest("Service", "rehabcast")
    monkeypatch.setenv(name, "10.0.0.1")
    with pytest.raises(ContractError, match="is no setting"):
        Settings()


def test_no_secret_is_in_a_variable_and_every_one_is_a_file_of_one_reader() -> None:
    for variables in environments().values():
        assert not [
            n
            for n, value in variables.items()
            if re.search(r"PASSWORD|TOKEN|//[^/@]*:[^/@]*@", f"{n}={value}")
        ]
    secrets = [volume["secret"] for volume in POD["volumes"] if "secret" in volume]
    assert [secret["defaultMode"] for secret in secrets] == [0o400]
    # Only the container that copies them sees how Kubernetes mounts them.
    mounted = {mount["name"] for mount in SERVICE["volumeMounts"]}
    assert not {volume["name"] for volume in POD["volumes"] if "secret" in volume} & mounted
    (private,) = [v["emptyDir"] for v in POD["volumes"] if v["name"] == "private"]
    assert private["medium"] == "Memory"


def mounted_by_kubernetes(folder: Path, files: dict[str, bytes]) -> None:
    """Lay files as a kubelet does for a pod with an fsGroup: links, group's read, open folder."""
    data = folder / "..2026_11_27"
    data.mkdir(parents=True)
    (folder / "..data").symlink_to(data.name)
    for name, content in files.items():
        (data / name).write_bytes(content)
        (data / name).chmod(0o440)
        (folder / name).symlink_to(f"..data/{name}")
    folder.chmod(0o1777)


def test_what_kubernetes_mounts_becomes_files_that_the_program_takes(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    public = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    people = tmp_path / "people"
    people.mkdir()
    (people / "Mia Moor.pem").write_bytes(public)
    packed = ["tar", "--create", "--file", "people.tar", "--directory", "people", "."]
    subprocess.run(packed, cwd=tmp_path, check=True)
    assert " ".join(packed[:4]) in OPERATIONS
    given, made = tmp_path / "given", tmp_path / "made"
    mounted_by_kubernetes(given / "private", {"access.toml": b"x", "pgpass": b"y"})
    mounted_by_kubernetes(given / "trusted", {"signing.pem": public})
    mounted_by_kubernetes(given / "people", {"people.tar": (tmp_path / "people.tar").read_bytes()})
    made.mkdir()
    made.chmod(0o777)
    with pytest.raises(ReadableByOthers):
        require_private(given / "private" / "access.toml")
    with pytest.raises(ReadableByOthers):
        require_unchanged_by_others(given / "trusted" / "signing.pem")
    *command, _, _ = INIT["command"]
    # Twice: the container may run again in the same pod.
    for _ in range(2):
        subprocess.run([*command, given, made], check=True, umask=0)
    for name in ("access.toml", "pgpass"):
        require_private(made / "private" / name)
        assert (made / "private" / name).stat().st_mode & 0o777 == 0o400
    require_unchanged_by_others(made / "trusted" / "signing.pem")
    assert [person.name for person in read_people(made / "people").persons] == ["Mia Moor"]
    assert sorted(path.name for path in (made / "private").iterdir()) == ["access.toml", "pgpass"]
    shutil.rmtree(given / "private")
    done = subprocess.run([*command, given, made], capture_output=True, check=False)
    assert done.returncode != 0


def test_the_copies_are_where_the_settings_look_for_them() -> None:
    target = INIT["command"][-1]
    where = {m["mountPath"]: m for m in SERVICE["volumeMounts"]}
    assert where[target]["readOnly"] is True
    made = re.findall(r"for folder in (.*);", INIT["command"][2])[0].split()
    variables = environments()["kubernetes"]
    used = {v for v in variables.values() if v.startswith(f"{target}/")}
    assert {Path(path).relative_to(target).parts[0] for path in used} == set(made)
    assert variables["REHABCAST_LEDGER_HEAD"].startswith("/run/ledger-head/")
    assert {f"/run/given/{folder}" for folder in made} == {
        mount["mountPath"] for mount in INIT["volumeMounts"] if mount["name"] != "private"
    }


def test_the_spool_is_on_a_disk_of_the_pods_own_and_its_folder_becomes_private(
    tmp_path: Path,
) -> None:
    spool = environments()["kubernetes"]["REHABCAST_SERVICE_SPOOL"]
    (mount,) = [m for m in SERVICE["volumeMounts"] if spool.startswith(m["mountPath"])]
    (volume,) = [v["emptyDir"] for v in POD["volumes"] if v["name"] == mount["name"]]
    assert "medium" not in volume
    workers = int(environments()["kubernetes"]["REHABCAST_WORKERS"])
    assert int(volume["sizeLimit"].removesuffix("Gi")) * 2**30 > workers * MAX_BYTES
    limit = SERVICE["resources"]["limits"]["ephemeral-storage"]
    assert int(limit.removesuffix("Gi")) > int(volume["sizeLimit"].removesuffix("Gi"))
    # A volume's own folder can be written to by everybody.
    tmp_path.chmod(0o2777)
    Spool(tmp_path / Path(spool).relative_to(mount["mountPath"])).close()


def seconds(period: str) -> float:
    return float(period.removesuffix("s"))


def test_a_stopped_service_has_the_time_that_it_takes() -> None:
    most = max(STOP_SECONDS, MAX_SECONDS + GRACE_SECONDS)
    forgotten = SERVICE["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert POD["terminationGracePeriodSeconds"] > forgotten + most
    assert seconds(COMPOSE["services"]["service"]["stop_grace_period"]) > most
    # Never fewer than there should be: a new pod is ready before an old one is stopped.
    deployment = manifest("Deployment", "rehabcast")["spec"]
    assert deployment["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    assert (
        0
        < manifest("PodDisruptionBudget", "rehabcast")["spec"]["minAvailable"]
        < deployment["replicas"]
    )


def test_probes_ask_what_they_decide_on() -> None:
    paths = {p: SERVICE[p]["httpGet"] for p in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert {probe: get["path"] for probe, get in paths.items()} == {
        "startupProbe": LIVE, "livenessProbe": LIVE, "readinessProbe": TAKES_REQUESTS,
    }  # fmt: skip
    start = SERVICE["startupProbe"]
    assert start["periodSeconds"] * start["failureThreshold"] > LOAD_SECONDS
    proxy = (DEPLOY / "Caddyfile").read_text("utf-8")
    assert f"health_uri {TAKES_REQUESTS}\n" in proxy


def test_the_proxy_lets_through_what_the_service_takes_and_no_idle_connection() -> None:
    proxy = (DEPLOY / "Caddyfile").read_text("utf-8")
    (size,) = re.findall(r"max_size (\d+)MiB", proxy)
    assert int(size) * 2**20 == max(endpoint.max_bytes for endpoint in ENDPOINTS)
    (keepalive,) = re.findall(r"keepalive (\d+)s", proxy)
    assert int(keepalive) < IDLE_SECONDS


def policies() -> dict[str, dict[str, Any]]:
    return {m["metadata"]["name"]: m["spec"] for m in MANIFESTS if m["kind"] == "NetworkPolicy"}


def test_nothing_is_reached_but_what_is_declared() -> None:
    assert policies()["default-deny"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    rules = [
        (name, rule)
        for name, spec in policies().items()
        for rule in [*spec.get("ingress", ()), *spec.get("egress", ())]
    ]
    # A rule without peers or ports is a rule for all of them.
    for name, rule in rules:
        assert rule["ports"], name
        assert all(port["port"] and port["protocol"] for port in rule["ports"]), name
        peers = rule.get("to") or rule["from"]
        assert peers, name
        assert all(peer and all(peer.values()) for peer in peers), name
    wide = [
        name for name, rule in rules for peer in rule.get("to", ())
        if peer.get("ipBlock", {}).get("cidr", "").endswith("/0")
    ]  # fmt: skip
    assert wide == ["egress"]
    squid = (DEPLOY / "squid.conf").read_text("utf-8")
    allowed = [line for line in squid.splitlines() if line.startswith("http_access allow")]
    assert allowed == ["http_access allow CONNECT declared tls"]
    assert environments()["kubernetes"]["HTTPS_PROXY"] == "http://egress:3128"


def test_every_pod_is_under_a_policy_of_its_own() -> None:
    labels = {
        m["metadata"]["name"]: m["spec"]["template"]["metadata"]["labels"]
        for m in MANIFESTS
        if m["kind"] == "Deployment"
    }
    selected = [spec["podSelector"].get("matchLabels") for spec in policies().values()]
    assert [name for name, label in labels.items() if label not in selected] == []
    for one in MANIFESTS:
        if one["kind"] == "Service":
            assert one["spec"]["selector"] in labels.values()


def test_the_page_makes_each_secret_and_configmap_that_a_pod_needs() -> None:
    needed = {
        *(one["secretKeyRef"]["name"] for one in places(MANIFESTS) if "secretKeyRef" in one),
        *(one["secretName"] for one in places(MANIFESTS) if "secretName" in one),
        *(one["configMap"]["name"] for one in places(MANIFESTS) if "configMap" in one),
    }
    made = re.findall(r"create (?:secret generic|configmap) (\S+)", OPERATIONS)
    assert set(made) == needed
    keys = {one["secretKeyRef"]["key"] for one in places(MANIFESTS) if "secretKeyRef" in one}
    assert keys == set(ADDRESSES)
    assert all(f"--from-literal={key}=" in OPERATIONS for key in keys)
