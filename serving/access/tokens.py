"""JSON Web Tokens: the public keys that sign them, and their verification.

Source: RFC 8725 (JWT best practice).
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import jwt

from contracts.errors import RehabcastError

ALGORITHMS = {"RSA": ("RS256", "RS384"), "EC": ("ES256", "ES384")}
"""Asymmetric only: with HS a public key would have to be a secret, and `none` has no signature."""

LEEWAY_SECONDS = 60
NEW_TOKEN_NEEDED = "get a new token from a trusted issuer"  # noqa: S105  (advice)

MAX_AGE_SECONDS = 600.0
"""How long keys are used before they are read again."""

REREAD_SECONDS = 30.0
"""After an unknown key id the keys are read again, but no more often than this."""

FETCH_SECONDS = 5.0

log = logging.getLogger("rehabcast.tokens")


class Keys:
    """The keys of one issuer or client, read when first needed."""

    def __init__(self, source: str) -> None:
        self.source = source
        self._by_id: dict[str, jwt.PyJWK] = {}
        self._read_at = float("-inf")
        self._lock = threading.Lock()

    def find(self, kid: str) -> jwt.PyJWK | None:
        """Return the key of an id, or None; if they cannot be read again, the old keys are used."""
        with self._lock:
            age = time.monotonic() - self._read_at
            if age > MAX_AGE_SECONDS or (kid not in self._by_id and age > REREAD_SECONDS):
                self._read()
            return self._by_id.get(kid)

    def _read(self) -> None:
        self._read_at = time.monotonic()
        try:
            keys = jwt.PyJWKSet.from_dict(json.loads(self._text())).keys
        except (OSError, ValueError, httpx.HTTPError, jwt.PyJWTError) as error:
            log.error("a JWKS cannot be read: %s", type(error).__name__)
            return
        self._by_id = {key.key_id: key for key in keys if key.key_id is not None}

    def _text(self) -> str:
        if not self.source.startswith(("https://", "http://")):
            return Path(self.source).read_text("utf-8")
        answer = httpx.get(self.source, timeout=FETCH_SECONDS, follow_redirects=False)
        return answer.raise_for_status().text


class AccessDenied(RehabcastError):
    """The token is not valid (401) or lacks the scope (403); never says what is in the token."""

    def __init__(self, reason: str, what_to_do: str, status: int = 401) -> None:
        super().__init__(reason, what_to_do)
        self.status = status


def issuer_of(token: str) -> str:
    """Return the issuer that a token names; nothing is verified yet.

    Raises
    ------
    AccessDenied
        It is not a JWT.
    """
    try:
        unverified = jwt.decode(token, options={"verify_signature": False})
    except jwt.InvalidTokenError as error:
        raise AccessDenied("the token is not a JWT", NEW_TOKEN_NEEDED) from error
    return str(unverified.get("iss", ""))


def verified_claims(token: str, keys: Keys, issuer: str, audiences: list[str]) -> dict[str, Any]:
    """Return the claims of a token that one of the keys signed.

    Raises
    ------
    AccessDenied
        It is not signed by one of them, has expired, or is for another audience.
    """
    try:
        kid = jwt.get_unverified_header(token).get("kid")
    except jwt.InvalidTokenError as error:
        raise AccessDenied("the token is not a JWT", NEW_TOKEN_NEEDED) from error
    key = keys.find(kid) if isinstance(kid, str) else None
    if key is None or key.key_type not in ALGORITHMS:
        raise AccessDenied(
            "the token is not signed with a known key",
            "sign it with a key of the registered JWKS, and name its kid in the header",
        )
    return decoded_claims(token, key.key, ALGORITHMS[key.key_type], issuer, audiences)


def decoded_claims(
    token: str, key: Any, algorithms: tuple[str, ...], issuer: str, audiences: list[str]
) -> dict[str, Any]:
    """Return the claims of a token that a given key signed.

    Raises
    ------
    AccessDenied
        As `verified_claims`.
    """
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=list(algorithms),
            audience=audiences,
            issuer=issuer,
            leeway=LEEWAY_SECONDS,
            options={"require": ["exp", "iss", "aud"]},
        )
    except (jwt.InvalidTokenError, jwt.InvalidKeyError, ValueError, TypeError) as error:
        raise AccessDenied(
            f"the token is not valid ({type(error).__name__})", NEW_TOKEN_NEEDED
        ) from None
    return claims


def scopes_of(claims: Mapping[str, Any]) -> frozenset[str]:
    """Return the scopes of a token, written as a list or as one string."""
    scopes = claims.get("scope", claims.get("scp", ""))
    return frozenset(scopes.split() if isinstance(scopes, str) else map(str, scopes or ()))
