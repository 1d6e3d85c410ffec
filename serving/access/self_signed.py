"""Tokens that their bearer signed itself: each is valid for a short time, and once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from contracts.digests import record_digest
from serving.access.tokens import LEEWAY_SECONDS, AccessDenied, Unverified

LONGEST_JTI = 200

UseOnce = Callable[[str, int, datetime], bool]
"""Marks a token's digest as used until it expires; False where it was used before."""

IN_WORDS = {300: "five minutes", 900: "15 minutes", 3600: "an hour"}


def require_short_and_new(
    claims: Mapping[str, Any],
    said: Unverified,
    longest_seconds: int,
    now: datetime,
    use_once: UseOnce,
) -> None:
    """Check that a token is not valid for too long, and mark it as used.

    Raises
    ------
    AccessDenied
        It is, has no identity of its own, or was used before.
    """
    jti = claims.get("jti")
    if not isinstance(jti, str) or not jti.strip() or len(jti) > LONGEST_JTI:
        raise AccessDenied("a self-signed token needs a jti", "add a random jti to each token")
    if not 0 < claims["exp"] - claims["iat"] <= longest_seconds:
        longest = IN_WORDS.get(longest_seconds, f"{longest_seconds} seconds")
        raise AccessDenied(
            f"a self-signed token may be valid for {longest} at most", "set an earlier exp"
        )
    # It is accepted until its leeway is over, and so must be known as used until then.
    until = int(claims["exp"]) + LEEWAY_SECONDS + 1
    if not use_once(record_digest({"iss": said.issuer, "jti": jti}), until, now):
        raise AccessDenied("the token was used before", "sign a new one for each request")
