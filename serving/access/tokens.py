"""JSON Web Tokens and their verification, by `joserfc`.

Sources: RFC 7519 (JWT), RFC 8725 (JWT best practice), RFC 6750 (bearer tokens).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey
from joserfc.jwt import JWTClaimsRegistry

from contracts.errors import RehabcastError
from serving.access.keys import Key, Keys, algorithms_of

LEEWAY_SECONDS = 60
"""How far the clocks of a caller and of this service may be apart."""

NEW_TOKEN_NEEDED = "get a new token from a trusted issuer"  # noqa: S105  (advice)

MAX_TOKEN_CHARACTERS = 8_192
"""Longer ones are refused before anything reads them; a server takes no longer header either."""

MAX_SUBJECT_CHARACTERS = 255
"""OpenID Connect Core 1.0, 2."""

UNSUPPORTED_HEADERS = ("crit", "b64")
"""Extensions of JWS: who does not know a critical one must refuse the token (RFC 7515, 4.1.11)."""


class AccessDenied(RehabcastError):
    """The token is not valid (401) or lacks the scope (403); never says what is in the token.

    Parameters
    ----------
    code
        Of RFC 6750, 3.1; empty where no token was sent.
    scope
        The scope that is needed, where the token lacks it.
    """

    def __init__(
        self,
        reason: str,
        what_to_do: str,
        status: int = 401,
        *,
        code: str = "invalid_token",
        scope: str = "",
    ) -> None:
        super().__init__(reason, what_to_do)
        self.status, self.code, self.scope = status, code, scope


@dataclass(frozen=True, slots=True)
class Unverified:
    """What a token says of itself, before its signature was checked."""

    issuer: str
    kid: str
    kind: str
    jku: str = ""


def unverified(token: str) -> Unverified:
    """Return what a token says of itself; nothing is verified yet.

    Raises
    ------
    AccessDenied
        There is none, it is too long, not a signed JWT, or wants an extension.
    """
    if not token:
        raise AccessDenied("there is no token", NEW_TOKEN_NEEDED, code="")
    if len(token) > MAX_TOKEN_CHARACTERS:
        raise AccessDenied("the token is too long", NEW_TOKEN_NEEDED)
    try:
        content = jws.extract_compact(token.encode("ascii"))
        header, claims = content.headers(), json.loads(content.payload)
    except (JoseError, ValueError, RecursionError, TypeError, AttributeError):
        raise AccessDenied("the token is not a JWT", NEW_TOKEN_NEEDED) from None
    if not isinstance(header, dict) or not isinstance(claims, dict):
        raise AccessDenied("the token is not a JWT", NEW_TOKEN_NEEDED)
    if any(name in header for name in UNSUPPORTED_HEADERS):
        raise AccessDenied("the token needs an extension of JWT", "sign it without crit and b64")
    issuer, kid, kind = claims.get("iss"), header.get("kid"), header.get("typ")
    jku = header.get("jku")
    return Unverified(
        issuer=issuer if isinstance(issuer, str) else "",
        kid=kid if isinstance(kid, str) else "",
        kind=kind.lower() if isinstance(kind, str) else "",
        jku=jku if isinstance(jku, str) else "",
    )


def verified_claims(
    token: str,
    keys: Keys,
    said: Unverified,
    audiences: list[str],
    now: int,
    *,
    names_subject: bool = True,
) -> dict[str, Any]:
    """Return the claims of a token that one of the keys signed.

    Parameters
    ----------
    names_subject
        Whether the subject is who calls; where it is not it may be anything, or missing.

    Raises
    ------
    AccessDenied
        It is not signed by one of them, has expired, or is for another audience.
    """
    key = keys.find(said.kid) if said.kid else None
    if key is None:
        raise AccessDenied(
            "the token is not signed with a known key",
            "sign it with a key of the registered JWKS, and name its kid in the header",
        )
    return claims_signed_by(token, key, said, audiences, now, names_subject=names_subject)


def claims_signed_by(
    token: str,
    key: Key | ECKey,
    said: Unverified,
    audiences: list[str],
    now: int,
    *,
    names_subject: bool = True,
) -> dict[str, Any]:
    """Return the claims of a token that a given key signed.

    Raises
    ------
    AccessDenied
        As `verified_claims`.
    """
    registry = JWTClaimsRegistry(
        now=now,
        leeway=LEEWAY_SECONDS,
        iss={"essential": True, "value": said.issuer},
        aud={"essential": True, "values": audiences},
        sub={"essential": names_subject},
        exp={"essential": True},
        iat={"essential": True},
    )
    try:
        claims = jwt.decode(token, key, algorithms=algorithms_of(key)).claims
        registry.validate(claims)
    except (JoseError, ValueError, TypeError, KeyError, OverflowError) as error:
        raise AccessDenied(
            f"the token is not valid ({type(error).__name__})", NEW_TOKEN_NEEDED
        ) from None
    if not names_subject:
        return claims
    subject = claims["sub"]
    if len(subject) > MAX_SUBJECT_CHARACTERS or not subject.isprintable() or not subject.strip():
        raise AccessDenied("the token's subject is blank, too long or not text", NEW_TOKEN_NEEDED)
    return claims


def scopes_of(claims: Mapping[str, Any]) -> frozenset[str]:
    """Return the scopes of a token, written as a list or as one string."""
    scopes = claims.get("scope", claims.get("scp", ""))
    if isinstance(scopes, str):
        return frozenset(scopes.split())
    if not isinstance(scopes, list):
        return frozenset()
    return frozenset(scope for scope in scopes if isinstance(scope, str))
