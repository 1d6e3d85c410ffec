"""The development token: one text that opens every route, on the service's own machine only."""

from __future__ import annotations

import hmac
from collections.abc import Iterable

from contracts.errors import ContractError

SHORTEST_TOKEN = 20
"""Characters: 20 of base64 are 120 bits, which nobody guesses."""

PROXY_HEADERS = frozenset({b"forwarded", b"via", b"x-real-ip", b"true-client-ip"})
"""A proxy adds one of these, or one that begins with `x-forwarded-`."""


def require_long(token: str | None) -> None:
    """Refuse a development token that is empty or could be guessed; None is no token at all.

    Raises
    ------
    ContractError
        It is too short.
    """
    if token is not None and len(token.strip()) < SHORTEST_TOKEN:
        raise ContractError(
            f"the development token is shorter than {SHORTEST_TOKEN} characters",
            "let `rehabcast serve --development` make one",
        )


def is_development_token(token: str, development: str | None) -> bool:
    """Return whether a request's token is the development token; nothing equals an absent one."""
    if not token or not development:
        return False
    return hmac.compare_digest(token.encode(), development.encode())


def is_forwarded(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Return whether a proxy passed a request on, as its headers say."""
    names = {name.lower() for name, _ in headers}
    return not names.isdisjoint(PROXY_HEADERS) or any(
        name.startswith(b"x-forwarded") for name in names
    )
