"""Addresses that requests come from: this machine's own, a proxy's, and who is behind the proxy."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Sequence
from typing import TypeAlias

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

IPV6_SITE_BITS = 64
"""What one subscriber of IPv6 has at least (RFC 6177): 2^64 addresses count as one."""

FORWARDED_FOR = re.compile(r'(?:^|;)\s*for\s*=\s*(?:"([^"]*)"|([^\s;"]*))\s*(?=;|$)', re.IGNORECASE)
"""The sender in one element of a `Forwarded` field (RFC 7239)."""

WITH_PORT = re.compile(r"\[([^\[\]]*)\](?::\d{1,5})?|([\d.]+):\d{1,5}")
"""An address with its port; one of IPv6 stands in brackets."""


def parsed(text: str) -> Address | None:
    """Return an address, with IPv4 in its own form and without a zone; None where it is none."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def is_loopback(text: str) -> bool:
    """Return whether an address is this machine's own; what is no address is not."""
    address = parsed(text)
    return address is not None and address.is_loopback


def sender(peer: str, headers: Iterable[tuple[bytes, bytes]], proxies: Sequence[Network]) -> str:
    """Return the address that a request is counted under.

    That is the peer's, unless it is a trusted proxy: then that of the last hop which is none. What
    a caller wrote itself stands further to the left, so it is never believed. Where the proxies'
    fields do not say, or two disagree, it is the proxy's own.
    """
    own = parsed(peer)
    if own is None or not _is_among(own, proxies):
        return _counted(own, peer)
    fields = list(headers)
    last_hops = {
        _last_untrusted(hops, proxies)
        for hops in (_x_forwarded_for(fields), _forwarded(fields))
        if hops
    }
    return _counted(last_hops.pop() or own if len(last_hops) == 1 else own, peer)


def _x_forwarded_for(headers: list[tuple[bytes, bytes]]) -> list[str]:
    return _elements(headers, b"x-forwarded-for")


def _forwarded(headers: list[tuple[bytes, bytes]]) -> list[str]:
    found = (FORWARDED_FOR.search(element) for element in _elements(headers, b"forwarded"))
    return ["" if match is None else match[1] or match[2] or "" for match in found]


def _elements(headers: list[tuple[bytes, bytes]], name: bytes) -> list[str]:
    values = [value.decode("latin-1") for key, value in headers if key.lower() == name]
    return [element.strip() for element in ",".join(values).split(",")] if values else []


def _last_untrusted(hops: list[str], proxies: Sequence[Network]) -> Address | None:
    for hop in reversed(hops):
        written = WITH_PORT.fullmatch(hop)
        address = parsed(hop if written is None else written[1] or written[2] or "")
        if address is None or not _is_among(address, proxies):
            return address
    return None


def _is_among(address: Address, networks: Sequence[Network]) -> bool:
    return any(address in network for network in networks)


def _counted(address: Address | None, peer: str) -> str:
    if address is None:
        return peer
    if address.version == 4:
        return str(address)
    return str(ipaddress.ip_network((address, IPV6_SITE_BITS), strict=False))
