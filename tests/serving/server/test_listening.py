from __future__ import annotations

import socket

import pytest

from contracts.errors import ContractError, RehabcastError, ServiceUnavailable
from serving.server.listening import bind, stands_for_loopback
from tests.refusals import refuses


@pytest.mark.parametrize("port", [0, -1, 65_536, 99_999_999, 2**70])
def test_what_is_no_port_is_refused(port: int) -> None:
    with refuses(ContractError, match=f"{port} is not a port"):
        bind("127.0.0.1", port)


@pytest.mark.parametrize(
    "host",
    ["", " ", "256.1.1.1", "no.such.host.invalid", "127.0.0.1:80", "http://127.0.0.1", "\x00",
     "127.0.0.1\n", "a" * 300, "-", "203.0.113.7"],
)  # fmt: skip
def test_what_is_no_address_of_this_machine_is_refused(host: str) -> None:
    with refuses(ContractError, match="is not an address of this machine"):
        bind(host, free_port())


def test_a_port_in_use_is_named() -> None:
    port = free_port()
    with bind("127.0.0.1", port), pytest.raises(ServiceUnavailable, match=f"{port}.*in use"):
        bind("127.0.0.1", port)


@pytest.mark.parametrize(
    ("host", "here"), [("127.0.0.1", True), ("127.9.9.9", True), ("localhost", True),
                       ("::1", True), ("0.0.0.0", False), ("::", False)],  # noqa: S104
)  # fmt: skip
def test_only_loopback_is_this_machine_alone(host: str, *, here: bool) -> None:
    try:
        assert stands_for_loopback(host) is here
    except RehabcastError:
        assert ":" in host, "only IPv6 may be missing on a machine"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
