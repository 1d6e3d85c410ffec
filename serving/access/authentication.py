"""Who may request what: OAuth2 bearer tokens, and clients that sign their own.

Two kinds of token are accepted. One of a trusted issuer (the hospital's identity provider, or this
service's own token endpoint) is valid until it expires. One that a registered client signed itself
(SMART Backend Services, HL7 CDS Hooks) is valid for five minutes at most, and only once.

Sources: RFC 6750 (bearer), RFC 7523 (client assertion), RFC 8725 (JWT best practice), HL7 SMART App
Launch 2.2, Backend Services.
"""

from __future__ import annotations

import hmac
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from contracts.digests import record_digest
from contracts.errors import ContractError
from serving.access.tokens import (
    LEEWAY_SECONDS,
    NEW_TOKEN_NEEDED,
    AccessDenied,
    Keys,
    decoded_claims,
    issuer_of,
    scopes_of,
    verified_claims,
)

ASSERTION_SECONDS = 300
OWN_TOKEN_SECONDS = 300
OWN_KEY = "rehabcast"
JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LOOPBACK = frozenset({"127.0.0.1", "::1", "testclient"})

SCOPES = frozenset(
    {
        "forecast",
        "explain",
        "observe",
        "course",
        "feedback",
        "consent",
        "model",
        "cds",
        "metrics",
    }
)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request, the scopes they have, and the tenant whose patients they may see."""

    name: str
    scopes: frozenset[str]
    tenant: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """The issuers and clients that the service trusts.

    Parameters
    ----------
    audience
        This service's address as its callers know it.
    issuers, clients
        Keys by issuer; keys and allowed scopes by client.
    own_key
        Signs the tokens of the token endpoint; None where the service issues no tokens.
    development_token
        Accepted from loopback, with all scopes; None unless somebody asked for it.
    """

    audience: str = ""
    issuers: Mapping[str, Keys] = field(default_factory=dict)
    clients: Mapping[str, tuple[Keys, frozenset[str]]] = field(default_factory=dict)
    own_key: EllipticCurvePrivateKey | None = None
    development_token: str | None = None


UseOnce = Callable[[str, int, datetime], bool]
"""Marks a token's digest as used until it expires; False where it was used before."""


def read_access(path: Path, development_token: str | None = None) -> Access:
    """Read the trusted issuers and clients from a TOML file (docs/operations.md shows one).

    Raises
    ------
    ContractError
        It cannot be read, lacks something, or names an unknown scope.
    """
    try:
        config = tomllib.loads(path.read_text("utf-8"))
        clients = {
            client["id"]: (_keys(path, client["jwks"]), frozenset(client["scopes"]))
            for client in config.get("client", [])
        }
        issuers = {
            issuer["name"]: _keys(path, issuer["jwks"]) for issuer in config.get("issuer", [])
        }
        key_file = config.get("token_key")
        own_key = (
            None
            if key_file is None
            else load_pem_private_key((path.parent / key_file).read_bytes(), password=None)
        )
        audience = str(config["audience"])
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ContractError(
            f"{path}: cannot be read as an access file ({type(error).__name__}: {error})",
            "write it as docs/operations.md shows",
        ) from error
    if unknown := {s for _, scopes in clients.values() for s in scopes} - SCOPES:
        raise ContractError(
            f"{path}: unknown scopes {sorted(unknown)}", f"use some of {sorted(SCOPES)}"
        )
    if own_key is not None and not isinstance(own_key, EllipticCurvePrivateKey):
        raise ContractError(
            f"{path}: token_key is not an EC key", "make a key on the curve P-384, in PEM"
        )
    return Access(
        audience=audience,
        issuers=issuers,
        clients=clients,
        own_key=own_key,
        development_token=development_token,
    )


def authenticate(
    access: Access, token: str, *, path: str, peer: str, now: datetime, use_once: UseOnce
) -> Caller:
    """Return the caller who sent a token.

    Parameters
    ----------
    path
        Path of the request: CDS Hooks clients name it in the audience.
    peer
        Address that the request came from.

    Raises
    ------
    AccessDenied
        It is not valid, or was used before.
    """
    development = access.development_token
    if development is not None and hmac.compare_digest(token.encode(), development.encode()):
        if peer not in LOOPBACK:
            raise AccessDenied(
                "the development token is valid on this machine only",
                "use a token of a trusted issuer",
            )
        return Caller("development", SCOPES)
    issuer = issuer_of(token)
    if issuer in access.clients:
        keys, scopes = access.clients[issuer]
        claims = verified_claims(token, keys, issuer, [access.audience, access.audience + path])
        _use(claims, now, use_once)
        return Caller(issuer, scopes)
    if issuer == access.audience and access.own_key is not None:
        claims = decoded_claims(token, access.own_key.public_key(), ("ES384",), issuer, [issuer])
    elif issuer in access.issuers:
        claims = verified_claims(token, access.issuers[issuer], issuer, [access.audience])
    else:
        raise AccessDenied("the token is not from a trusted issuer", NEW_TOKEN_NEEDED)
    return Caller(str(claims.get("sub", issuer))[:200], scopes_of(claims))


def allow(caller: Caller, scope: str) -> None:
    """Check that a caller has a scope.

    Raises
    ------
    AccessDenied
        The caller lacks it.
    """
    if scope not in caller.scopes:
        raise AccessDenied(
            f"the token lacks the scope {scope}", "ask for a token with this scope", 403
        )


def grant(
    access: Access, form: Mapping[str, str], *, path: str, now: datetime, use_once: UseOnce
) -> dict[str, Any]:
    """Answer a token request of SMART Backend Services (`private_key_jwt`).

    Raises
    ------
    AccessDenied
        It is not valid, or asks for scopes that the client may not have.
    """
    if access.own_key is None:
        raise AccessDenied(
            "this service does not issue tokens", "get one from the identity provider"
        )
    if (form.get("grant_type"), form.get("client_assertion_type")) != (
        "client_credentials",
        JWT_BEARER,
    ):
        raise AccessDenied(
            "the grant_type or client_assertion_type is not supported",
            f"use client_credentials and {JWT_BEARER}",
        )
    assertion = form.get("client_assertion", "")
    client = issuer_of(assertion)
    if client not in access.clients:
        raise AccessDenied(
            "the client is not registered", "ask the operator of this service to register it"
        )
    keys, allowed = access.clients[client]
    claims = verified_claims(assertion, keys, client, [access.audience + path])
    if claims.get("sub") != client:
        raise AccessDenied(
            "the assertion's subject is not its issuer", "set both iss and sub to the client's id"
        )
    _use(claims, now, use_once)
    scopes = frozenset(form.get("scope", "").split()) or allowed
    if not scopes <= allowed:
        raise AccessDenied(
            "the client may not have all of these scopes",
            "ask for scopes it is registered for",
            403,
        )
    issued = int(now.timestamp())
    token = jwt.encode(
        {
            "iss": access.audience,
            "aud": access.audience,
            "sub": client,
            "iat": issued,
            "exp": issued + OWN_TOKEN_SECONDS,
            "scope": " ".join(sorted(scopes)),
        },
        access.own_key,
        algorithm="ES384",
        headers={"kid": OWN_KEY},
    )
    return {
        "access_token": token,
        "token_type": "bearer",
        "expires_in": OWN_TOKEN_SECONDS,
        "scope": " ".join(sorted(scopes)),
    }


def _keys(path: Path, source: str) -> Keys:
    remote = source.startswith(("https://", "http://127.0.0.1"))
    return Keys(source if remote else str(path.parent / source))


def _use(claims: Mapping[str, Any], now: datetime, use_once: UseOnce) -> None:
    jti, expires = claims.get("jti"), int(claims["exp"])
    if not isinstance(jti, str) or not jti:
        raise AccessDenied("a self-signed token needs a jti", "add a random jti to each token")
    if expires > now.timestamp() + ASSERTION_SECONDS + LEEWAY_SECONDS:
        raise AccessDenied(
            "a self-signed token may be valid for five minutes at most", "set an earlier exp"
        )
    if not use_once(record_digest({"iss": claims["iss"], "jti": jti}), expires, now):
        raise AccessDenied("the token was used before", "sign a new one for each request")
