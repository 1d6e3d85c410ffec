"""The token endpoint: a client's signed assertion for an access token (SMART Backend Services).

Errors are those of RFC 6749, 5.2.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from joserfc import jwt

from contracts.errors import RehabcastError
from serving.access import smart_scopes
from serving.access.authentication import ACCESS_TOKEN, OWN_KEY, assertion_claims
from serving.access.self_signed import UseOnce
from serving.access.tokens import AccessDenied, unverified
from serving.access.trust import Access

JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
OWN_TOKEN_SECONDS = 300
MAX_FIELDS = 20

INVALID_CLIENT, INVALID_REQUEST = "invalid_client", "invalid_request"
INVALID_SCOPE = "invalid_scope"


class TokenRequestRefused(RehabcastError):
    """A token request that is not granted.

    Parameters
    ----------
    code
        Of RFC 6749, 5.2, such as `invalid_client`.
    status
        HTTP status: 401 where the client is not who it says, else 400.
    """

    def __init__(self, code: str, reason: str, what_to_do: str) -> None:
        super().__init__(reason, what_to_do)
        self.code = code
        self.status = 401 if code == INVALID_CLIENT else 400


def token_form(body: bytes) -> dict[str, str]:
    """Read the form of a token request; a field without a value counts as not sent.

    Raises
    ------
    TokenRequestRefused
        It is not a form, has too many fields, or one twice (RFC 6749, 3.2).
    """
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(body),
            errors="strict",
            max_num_fields=MAX_FIELDS,
        )
    except ValueError:
        raise TokenRequestRefused(
            INVALID_REQUEST, "the body is not a form of at most 20 fields", "send a form"
        ) from None
    if len({name for name, _ in pairs}) != len(pairs):
        raise TokenRequestRefused(
            INVALID_REQUEST, "the form has a field twice", "send each field once"
        )
    return {name: value for name, value in pairs if value}


def grant(
    access: Access, form: Mapping[str, str], *, path: str, now: datetime, use_once: UseOnce
) -> dict[str, Any]:
    """Answer a token request of SMART Backend Services (`private_key_jwt`).

    Raises
    ------
    TokenRequestRefused
        It is not valid, or asks for scopes that the client may not have.
    """
    if "grant_type" not in form:
        raise TokenRequestRefused(
            INVALID_REQUEST, "the form has no grant_type", "send client_credentials"
        )
    if form["grant_type"] != "client_credentials" or access.own_key is None:
        raise TokenRequestRefused(
            "unsupported_grant_type",
            "this service does not issue tokens for this grant_type",
            "use client_credentials, or get a token from the identity provider",
        )
    client = _authenticated_client(access, form, access.audience + path, now, use_once)
    scopes = _scopes(form, access.clients[client].scopes)
    issued = int(now.timestamp())
    claims = {
        "iss": access.audience,
        "aud": access.audience,
        "sub": client,
        "client_id": client,
        "iat": issued,
        "exp": issued + OWN_TOKEN_SECONDS,
        "jti": secrets.token_urlsafe(16),
        "scope": scopes,
    }
    header = {"alg": "ES384", "kid": OWN_KEY, "typ": ACCESS_TOKEN}
    return {
        "access_token": jwt.encode(header, claims, access.own_key, algorithms=["ES384"]),
        "token_type": "bearer",
        "expires_in": OWN_TOKEN_SECONDS,
        "scope": scopes,
    }


def _scopes(form: Mapping[str, str], registered: frozenset[str]) -> str:
    """Return the scopes that are granted: all that the client may have where it names none."""
    if "scope" not in form:
        return " ".join(sorted(registered))
    # RFC 6749, 3.3: only spaces stand between scopes.
    asked = [scope for scope in form["scope"].split(" ") if scope]
    if not asked:
        raise TokenRequestRefused(INVALID_SCOPE, "the scope is blank", "name one, or leave it out")
    try:
        return " ".join(sorted(smart_scopes.granted(asked, registered)))
    except smart_scopes.ScopeRefused as refusal:
        raise TokenRequestRefused(INVALID_SCOPE, refusal.reason, refusal.what_to_do) from None


def _authenticated_client(
    access: Access, form: Mapping[str, str], endpoint: str, now: datetime, use_once: UseOnce
) -> str:
    if form.get("client_assertion_type") != JWT_BEARER or "client_secret" in form:
        raise TokenRequestRefused(
            INVALID_CLIENT,
            "the client does not authenticate itself by a signed assertion alone",
            f"send a client_assertion with the client_assertion_type {JWT_BEARER}",
        )
    assertion = form.get("client_assertion", "")
    try:
        said = unverified(assertion)
        client = access.clients.get(said.issuer)
        if client is None or form.get("client_id", said.issuer) != said.issuer:
            raise AccessDenied(
                "the client is not registered", "ask the operator of this service to register it"
            )
        assertion_claims(assertion, client, said, [endpoint], now, use_once)
    except AccessDenied as denied:
        raise TokenRequestRefused(INVALID_CLIENT, denied.reason, denied.what_to_do) from None
    return said.issuer
