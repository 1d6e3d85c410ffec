"""Whom a request is counted under: what a caller writes itself is never believed."""

from __future__ import annotations

import asyncio
from ipaddress import ip_network
from typing import Any

import pytest

from serving.access.addresses import is_loopback, sender
from serving.http.admission.limits import ANONYMOUS_BURST
from serving.http.middleware import RequestMiddleware
from serving.http.shutdown import Shutdown

PROXIES = (ip_network("10.0.0.0/24"), ip_network("2001:db8:1::7"))
PROXY = "10.0.0.7"
XFF, FWD = "X-Forwarded-For", "Forwarded"

# peer, fields, whom it is counted under
TABLE: tuple[tuple[str, list[tuple[str, str]], str], ...] = (
    ("203.0.113.9", [], "203.0.113.9"),
    # A caller that is no proxy is not believed, whatever it writes.
    ("203.0.113.9", [(XFF, "198.51.100.1")], "203.0.113.9"),
    ("203.0.113.9", [(XFF, PROXY)], "203.0.113.9"),
    ("10.0.1.7", [(FWD, "for=198.51.100.1")], "10.0.1.7"),
    # A proxy is believed, but only in what it added itself.
    (PROXY, [(XFF, "198.51.100.1")], "198.51.100.1"),
    ("::ffff:10.0.0.7", [(XFF, "198.51.100.1")], "198.51.100.1"),
    (PROXY, [(XFF, "1.1.1.1, 2.2.2.2, 198.51.100.1")], "198.51.100.1"),
    (PROXY, [(XFF, "1.1.1.1"), (XFF, "198.51.100.1")], "198.51.100.1"),
    (PROXY, [(XFF.lower(), "198.51.100.1:4711")], "198.51.100.1"),
    (PROXY, [(FWD, "for=1.1.1.1, for=198.51.100.1;proto=https")], "198.51.100.1"),
    (PROXY, [(FWD, 'proto=https; For="198.51.100.1:4711"')], "198.51.100.1"),
    (PROXY, [(FWD, 'for="[2001:db8:2::5]:80"')], "2001:db8:2::/64"),
    # Two proxies, one behind the other.
    (PROXY, [(XFF, "1.1.1.1, 198.51.100.1, 10.0.0.8")], "198.51.100.1"),
    ("2001:db8:1::7", [(XFF, "198.51.100.1")], "198.51.100.1"),
    # It does not say, or says two things: all that it passes on is counted together.
    (PROXY, [], PROXY),
    (PROXY, [(XFF, "")], PROXY),
    (PROXY, [(XFF, "198.51.100.1, ")], PROXY),
    (PROXY, [(XFF, "198.51.100.1, unknown")], PROXY),
    (PROXY, [(XFF, "10.0.0.9, 10.0.0.8")], PROXY),
    (PROXY, [(FWD, "for=_hidden")], PROXY),
    (PROXY, [(FWD, "by=198.51.100.1")], PROXY),
    (PROXY, [(FWD, 'x="for=1.1.1.1";for=unknown')], PROXY),
    (PROXY, [(XFF, "198.51.100.1"), (FWD, "for=198.51.100.2")], PROXY),
    (PROXY, [(XFF, "198.51.100.1"), (FWD, "for=198.51.100.1")], "198.51.100.1"),
    (PROXY, [("X-Real-IP", "198.51.100.1")], PROXY),
    # All addresses of one subscriber of IPv6 are one.
    ("2001:db8:9:9:1:2:3:4", [], "2001:db8:9:9::/64"),
    (PROXY, [(XFF, "2001:db8:9:9:ffff::1")], "2001:db8:9:9::/64"),
    ("", [(XFF, "198.51.100.1")], ""),
)


@pytest.mark.parametrize(("peer", "fields", "expected"), TABLE)
def test_only_the_last_hop_of_a_trusted_proxy_is_believed(
    peer: str, fields: list[tuple[str, str]], expected: str
) -> None:
    headers = [(name.encode(), value.encode()) for name, value in fields]
    assert sender(peer, headers, PROXIES) == expected
    if peer == PROXY:
        assert sender(peer, headers, ()) == PROXY


def test_this_machine_is_known_in_every_form() -> None:
    for own in ("127.0.0.1", "127.9.9.9", "::1", "::1%lo", "::ffff:127.0.0.1"):
        assert is_loopback(own)
    for other in ("10.0.0.1", "::", "0.0.0.0", "localhost", "", "::ffff:10.0.0.1"):  # noqa: S104
        assert not is_loopback(other)


class OfTest:
    proxies = PROXIES


def status_of(app: Any, peer: str, forwarded_for: str) -> int:
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {
        "type": "http", "method": "GET", "path": "/openapi.json", "query_string": b"",
        "headers": [(b"x-forwarded-for", forwarded_for.encode())], "client": (peer, 1),
    }  # fmt: skip
    asyncio.run(app(scope, receive, send))
    return int(sent[0]["status"])


def test_one_caller_behind_a_proxy_does_not_use_up_what_another_may_ask_for() -> None:
    runtime: Any = OfTest()
    app = RequestMiddleware(lambda *_: None, lambda: runtime, Shutdown())  # type: ignore[arg-type,return-value]
    flood = [
        status_of(app, PROXY, f"{n % 250}.1.1.1, 198.51.100.1") for n in range(2 * ANONYMOUS_BURST)
    ]
    assert 429 in flood
    assert status_of(app, PROXY, "198.51.100.2") == 200
    # Not behind the proxy, its names do not help.
    flood = [
        status_of(app, "203.0.113.9", f"192.0.2.{n % 250}") for n in range(2 * ANONYMOUS_BURST)
    ]
    assert 429 in flood
