"""The one socket that the service listens on."""

from __future__ import annotations

import errno
import socket

from contracts.errors import ContractError, ServiceUnavailable
from serving.access.addresses import is_loopback

BACKLOG = 2048
"""Connections that wait to be accepted; the kernel caps it (`net.core.somaxconn`)."""

LARGEST_PORT = 65_535

USE_ANOTHER = "use another --host or --port (REHABCAST_HOST, REHABCAST_PORT)"


def bind(host: str, port: int) -> socket.socket:
    """Bind the service's socket; nobody can connect before a worker listens on it.

    Raises
    ------
    ContractError
        The address is none of this machine, or the port is not one.
    ServiceUnavailable
        The port is in use, or this user may not use it.
    """
    family, address = address_of(host, port)
    # The protocol is named, because asyncio sends small answers without delay on such sockets only.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        # A restart must not wait until the connections of the process before have expired.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(address)
        # Two processes may bind one port; only one may listen, and the second must say so now.
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise _refused(host, port, error) from None
    return listener


def address_of(host: str, port: int) -> tuple[socket.AddressFamily, tuple[str, int]]:
    """Return the address that a host and a port stand for.

    Raises
    ------
    ContractError
        They stand for none.
    """
    if not 1 <= port <= LARGEST_PORT:
        raise ContractError(
            f"{port} is not a port", f"use a port from 1 to {LARGEST_PORT} (REHABCAST_PORT)"
        )
    try:
        if not host.strip():
            raise ValueError
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, ValueError):
        raise ContractError(
            f"{host!r} is not an address of this machine", "use one such as 127.0.0.1 (--host)"
        ) from None
    # A name may stand for both kinds: callers try IPv4 too, but not all of them IPv6.
    family, _, _, _, address = min(found, key=lambda one: one[0] != socket.AF_INET)
    return family, (str(address[0]), port)


def stands_for_loopback(host: str) -> bool:
    """Say whether a host stands for this machine only.

    Raises
    ------
    ContractError
        It is no address.
    """
    _, (address, _) = address_of(host, LARGEST_PORT)
    return is_loopback(address)


def _refused(host: str, port: int, error: OSError) -> ContractError | ServiceUnavailable:
    match error.errno:
        case errno.EADDRINUSE:
            return ServiceUnavailable(
                f"port {port} of {host} is in use", f"stop what listens there, or {USE_ANOTHER}"
            )
        case errno.EACCES | errno.EPERM:
            return ServiceUnavailable(
                f"this user may not listen on port {port}", f"use one above 1023: {USE_ANOTHER}"
            )
        case _:
            return ContractError(f"{host!r} is not an address of this machine", USE_ANOTHER)
