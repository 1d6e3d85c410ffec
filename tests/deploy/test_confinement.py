"""What compose and Kubernetes give our containers: one table of properties over both."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
MANIFESTS = [
    manifest
    for file in sorted((DEPLOY / "kubernetes").glob("*.yaml"))
    for manifest in yaml.safe_load_all(file.read_text("utf-8"))
]

AN_IMAGE = re.compile(
    r"(?:[a-z0-9.-]+(?::[0-9]+)?/)*[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?::[\w.-]+)?(?:@sha256:[0-9a-f]{64})?"
)
"""What a runtime takes for an image: its name has no capitals."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """What a container may do, whoever runs it."""

    name: str
    image: str
    user: int
    group: int
    read_only_root: bool
    dropped: tuple[str, ...]
    added: tuple[str, ...]
    may_gain_privileges: bool
    privileged: bool
    seccomp: str
    limits: frozenset[str]
    is_probed: bool
    is_for_a_moment: bool
    sees_host: bool
    volumes: tuple[str, ...]


def of_compose() -> Iterator[Container]:
    for name, service in COMPOSE["services"].items():
        user, _, group = service["user"].partition(":")
        security = service["security_opt"]
        limits = {"mem_limit": "memory", "cpus": "cpu", "pids_limit": "processes"}
        yield Container(
            name=f"compose {name}",
            image=service["image"],
            user=int(user),
            group=int(group),
            read_only_root=service["read_only"],
            dropped=tuple(service["cap_drop"]),
            added=tuple(service.get("cap_add", ())),
            may_gain_privileges="no-new-privileges:true" not in security,
            privileged=service.get("privileged", False),
            # Docker's own profile holds wherever none is named.
            seccomp=next((s for s in security if s.startswith("seccomp")), "RuntimeDefault"),
            limits=frozenset(limits[key] for key in limits if key in service),
            is_probed="healthcheck" in service,
            is_for_a_moment=False,
            sees_host=bool({"network_mode", "pid", "ipc", "devices"} & set(service)),
            volumes=tuple(service["volumes"]),
        )


def of_kubernetes() -> Iterator[Container]:
    for pod_name, pod in pods():
        shared = pod["securityContext"]
        for container in [*pod.get("initContainers", ()), *pod["containers"]]:
            own = container["securityContext"]
            sources = {volume["name"]: volume for volume in pod["volumes"]}
            assert {mount["name"] for mount in container["volumeMounts"]} <= set(sources)
            yield Container(
                name=f"kubernetes {pod_name} {container['name']}",
                image=container["image"],
                user=shared["runAsUser"] if shared["runAsNonRoot"] else 0,
                group=shared["runAsGroup"],
                read_only_root=own["readOnlyRootFilesystem"],
                dropped=tuple(own["capabilities"]["drop"]),
                added=tuple(own["capabilities"].get("add", ())),
                may_gain_privileges=own["allowPrivilegeEscalation"],
                privileged=own.get("privileged", False),
                seccomp=own.get("seccompProfile", shared["seccompProfile"])["type"],
                # How many processes a pod may have is the node's setting.
                limits=frozenset({*container["resources"]["limits"], "processes"}),
                is_probed={"livenessProbe", "readinessProbe"} <= set(container),
                is_for_a_moment=container in pod.get("initContainers", ()),
                sees_host=bool({"hostNetwork", "hostPID", "hostIPC"} & set(pod)),
                volumes=tuple(str(sources[m["name"]]) for m in container["volumeMounts"]),
            )


def pods() -> Iterator[tuple[str, dict[str, Any]]]:
    for manifest in MANIFESTS:
        if manifest["kind"] == "Deployment":
            yield manifest["metadata"]["name"], manifest["spec"]["template"]["spec"]


CONTAINERS = [*of_compose(), *of_kubernetes()]

PROPERTIES: dict[str, Callable[[Container], bool]] = {
    "is not root": lambda c: c.user > 0 and c.group > 0,
    "cannot write its root": lambda c: c.read_only_root,
    "has no capability": lambda c: c.dropped == ("ALL",) and c.added == (),
    "gains no privilege": lambda c: not c.may_gain_privileges and not c.privileged,
    "has the runtime's seccomp profile": lambda c: c.seccomp == "RuntimeDefault",
    "has limits": lambda c: {"memory", "cpu", "processes"} <= c.limits,
    "is probed": lambda c: c.is_probed or c.is_for_a_moment,
    "sees nothing of the host": lambda c: not c.sees_host,
    "mounts no socket and no folder of the host": lambda c: (
        not any(
            "hostPath" in volume or volume.startswith("/") or ".sock" in volume
            for volume in c.volumes
        )
    ),
    "is named by nothing that could be pulled unseen": lambda c: (
        AN_IMAGE.fullmatch(c.image) is None
    ),
}


@pytest.mark.parametrize("container", CONTAINERS, ids=lambda container: container.name)
@pytest.mark.parametrize("name", PROPERTIES)
def test_a_container_has_each_property(name: str, container: Container) -> None:
    assert PROPERTIES[name](container)


def test_both_run_our_service_as_the_same_user() -> None:
    image = (DEPLOY / "Containerfile").read_text("utf-8")
    (user,) = re.findall(r"^USER (\d+):\1$", image, re.MULTILINE)
    # PostgreSQL's image has a user of its own.
    assert {c.user for c in CONTAINERS if c.name != "compose database"} == {int(user)}


@pytest.mark.parametrize("name", sorted({c.image for c in CONTAINERS}))
def test_an_image_is_a_variable_whose_digest_somebody_must_set(name: str) -> None:
    assert re.fullmatch(r"\$\{[A-Z]+_IMAGE:\?set it to NAME@sha256:DIGEST\}|[A-Z]+_IMAGE", name)


def test_what_a_runtime_takes_for_an_image_is_known() -> None:
    digest = "a" * 64
    for name in (
        "python",
        "python:3.11-slim",
        "docker.io/library/python",
        f"x.y:5/z@sha256:{digest}",
    ):
        assert AN_IMAGE.fullmatch(name)


def test_the_base_of_the_image_is_given_by_digest() -> None:
    image = (DEPLOY / "Containerfile").read_text("utf-8")
    assert set(re.findall(r"^FROM (\S+)", image, re.MULTILINE)) == {"${PYTHON_IMAGE}"}
    (pattern,) = re.findall(r"grep -Eq '([^']+)'", image)
    in_python = re.compile(pattern.replace("[:space:]", r"\s"))
    assert in_python.search(f"python@sha256:{'0' * 64}")
    for wrong in ("", "python:3.11-slim", "@sha256:" + "0" * 64, f"python@sha256:{'0' * 63}"):
        assert not in_python.search(wrong)
    assert '--no-deps --require-hashes -r "$LOCK"' in image
    assert re.findall(r"^ARG LOCK=(\S+)$", image, re.MULTILINE) == ["deploy/runtime.lock"]
    assert not re.search(r"^(?:ENTRYPOINT|ADD)|\bapt|\bcurl", image, re.MULTILINE)
    bento = yaml.safe_load((DEPLOY.parent / "bentofile.yaml").read_text("utf-8"))
    assert bento["docker"] == {"dockerfile_template": "./deploy/Containerfile"}


def test_no_process_of_the_image_compiles_what_it_imports() -> None:
    # Its user can write no bytecode: what the build does not compile, each process compiles again.
    image = (DEPLOY / "Containerfile").read_text("utf-8")
    assert "PYTHONDONTWRITEBYTECODE" not in image
    assert set(re.findall(r"pip install (\S+)", image)) == {"--compile"}
    assert image.index("-m compileall") > image.rindex("\nFROM ")
    assert image.index("-m compileall") < image.index("\nUSER ")


def test_only_the_proxies_reach_the_outside() -> None:
    networks = COMPOSE["networks"]
    outside = {name for name, network in networks.items() if not network.get("internal")}
    assert {n for n, s in COMPOSE["services"].items() if outside & set(s["networks"])} == {
        "proxy",
        "egress",
    }


def test_nothing_of_a_pod_speaks_to_the_cluster_or_takes_variables_of_services() -> None:
    for _, pod in pods():
        assert pod["automountServiceAccountToken"] is False
        assert pod["enableServiceLinks"] is False
    accounts = [m for m in MANIFESTS if m["kind"] == "ServiceAccount"]
    assert [account["automountServiceAccountToken"] for account in accounts] == [False]
    assert {m["kind"] for m in MANIFESTS} & {"Role", "RoleBinding", "ClusterRoleBinding"} == set()
