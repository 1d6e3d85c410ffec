"""Who may ask what: OAuth2 bearer tokens, and clients that sign for themselves.

Two kinds of token are taken. One of a trusted issuer (the hospital's identity provider, or this
service's own token endpoint) holds until it expires. One that a registered client signed itself
(SMART Backend Services, HL7 CDS Hooks) holds for five minutes at most, and once.

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
from serving.http.keys import Keys

ALGORITHMS = {"RSA": ("RS256", "RS384"), "EC": ("ES256", "ES384")}
"""Asymmetric only: with HS a public key would be a secret, with `none` nobody signs."""

LEEWAY_SECONDS = 60
ASSERTION_SECONDS = 300
OWN_TOKEN_SECONDS = 300
OWN_KEY = "rehabcast"
JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LOOPBACK = frozenset({"127.0.0.1", "::1", "testclient"})

SCOPES = frozenset(
    {"forecast", "explain", "observe", "course", "feedback", "model", "cds", "metrics"}
)


class AccessDenied(Exception):
    """The token is none of ours (401), or lacks the scope (403); told without its content."""

    def __init__(self, told: str, status: int = 401) -> None:
        super().__init__(told)
        self.status = status


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and for what they may."""

    name: str
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Whom the service trusts.

    Parameters
    ----------
    audience
        This service's address as others know it.
    issuers, clients
        Keys by issuer; keys and allowed scopes by client.
    own_key
        Signs the tokens of the token endpoint; None where there is none.
    development_token
        Taken from loopback, for everything; None unless someone asked for it.
    """

    audience: str = ""
    issuers: Mapping[str, Keys] = field(default_factory=dict)
    clients: Mapping[str, tuple[Keys, frozenset[str]]] = field(default_factory=dict)
    own_key: EllipticCurvePrivateKey | None = None
    development_token: str | None = None


UseOnce = Callable[[str, int, datetime], bool]
"""Notes a token's digest with its expiry; False where it was used before."""


def read_access(path: Path, development_token: str | None = None) -> Access:
    """Read whom to trust from a TOML file (docs/operations.md shows one).

    Raises
    ------
    ContractError
        It cannot be read, lacks something, or names an unknown scope.
    """
    try:
        told = tomllib.loads(path.read_text("utf-8"))
        clients = {
            each["id"]: (_keys(path, each["jwks"]), frozenset(each["scopes"]))
            for each in told.get("client", [])
        }
        issuers = {each["name"]: _keys(path, each["jwks"]) for each in told.get("issuer", [])}
        own = told.get("token_key")
        own_key = (
            None
            if own is None
            else load_pem_private_key((path.parent / own).read_bytes(), password=None)
        )
        audience = str(told["audience"])
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ContractError(f"{path}: cannot be read as who may ask: {error}") from error
    if unknown := {s for _, scopes in clients.values() for s in scopes} - SCOPES:
        raise ContractError(f"{path}: unknown scopes {sorted(unknown)}: known are {sorted(SCOPES)}")
    if own_key is not None and not isinstance(own_key, EllipticCurvePrivateKey):
        raise ContractError(f"{path}: token_key must be an EC key on P-384")
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
    """Say who sent a token.

    Parameters
    ----------
    path
        Of the request: CDS Hooks clients name it in the audience.
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
            raise AccessDenied("the development token holds on this machine only")
        return Caller("development", SCOPES)
    issuer = _issuer(token)
    if issuer in access.clients:
        keys, scopes = access.clients[issuer]
        claims = _claims(token, keys, issuer, [access.audience, access.audience + path])
        _use(claims, now, use_once)
        return Caller(issuer, scopes)
    if issuer == access.audience and access.own_key is not None:
        claims = _decoded(token, access.own_key.public_key(), ("ES384",), issuer, [issuer])
    elif issuer in access.issuers:
        claims = _claims(token, access.issuers[issuer], issuer, [access.audience])
    else:
        raise AccessDenied("the token is of no trusted issuer")
    return Caller(str(claims.get("sub", issuer))[:200], _scopes(claims))


def allow(caller: Caller, scope: str) -> None:
    """Let a caller pass who has the scope.

    Raises
    ------
    AccessDenied
        It lacks it.
    """
    if scope not in caller.scopes:
        raise AccessDenied(f"the token lacks the scope {scope}", 403)


def grant(
    access: Access, form: Mapping[str, str], *, path: str, now: datetime, use_once: UseOnce
) -> dict[str, Any]:
    """Answer a token request of SMART Backend Services (`private_key_jwt`).

    Raises
    ------
    AccessDenied
        It is not valid, or asks for what the client may not have.
    """
    if access.own_key is None:
        raise AccessDenied("this service issues no tokens: ask the identity provider")
    if (form.get("grant_type"), form.get("client_assertion_type")) != (
        "client_credentials",
        JWT_BEARER,
    ):
        raise AccessDenied("grant_type must be client_credentials with a signed assertion")
    assertion = form.get("client_assertion", "")
    client = _issuer(assertion)
    if client not in access.clients:
        raise AccessDenied("the client is not registered")
    keys, allowed = access.clients[client]
    claims = _claims(assertion, keys, client, [access.audience + path])
    if claims.get("sub") != client:
        raise AccessDenied("the assertion's issuer and subject must be the client")
    _use(claims, now, use_once)
    wanted = frozenset(form.get("scope", "").split()) or allowed
    if not wanted <= allowed:
        raise AccessDenied("the client may not have all of these scopes", 403)
    issued = int(now.timestamp())
    token = jwt.encode(
        {
            "iss": access.audience,
            "aud": access.audience,
            "sub": client,
            "iat": issued,
            "exp": issued + OWN_TOKEN_SECONDS,
            "scope": " ".join(sorted(wanted)),
        },
        access.own_key,
        algorithm="ES384",
        headers={"kid": OWN_KEY},
    )
    return {
        "access_token": token,
        "token_type": "bearer",
        "expires_in": OWN_TOKEN_SECONDS,
        "scope": " ".join(sorted(wanted)),
    }


def _keys(path: Path, source: str) -> Keys:
    remote = source.startswith(("https://", "http://127.0.0.1"))
    return Keys(source if remote else str(path.parent / source))


def _issuer(token: str) -> str:
    try:
        unverified = jwt.decode(token, options={"verify_signature": False})
    except jwt.InvalidTokenError as error:
        raise AccessDenied("the token is no JWT") from error
    return str(unverified.get("iss", ""))


def _claims(token: str, keys: Keys, issuer: str, audiences: list[str]) -> dict[str, Any]:
    try:
        kid = jwt.get_unverified_header(token).get("kid")
    except jwt.InvalidTokenError as error:
        raise AccessDenied("the token is no JWT") from error
    key = keys.find(kid) if isinstance(kid, str) else None
    if key is None or key.key_type not in ALGORITHMS:
        raise AccessDenied("the token is signed by no key that is known")
    return _decoded(token, key.key, ALGORITHMS[key.key_type], issuer, audiences)


def _decoded(
    token: str, key: Any, algorithms: tuple[str, ...], issuer: str, audiences: list[str]
) -> dict[str, Any]:
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
        raise AccessDenied(f"the token does not hold ({type(error).__name__})") from None
    return claims


def _use(claims: Mapping[str, Any], now: datetime, use_once: UseOnce) -> None:
    jti, expires = claims.get("jti"), int(claims["exp"])
    if not isinstance(jti, str) or not jti:
        raise AccessDenied("a self-signed token needs a jti")
    if expires > now.timestamp() + ASSERTION_SECONDS + LEEWAY_SECONDS:
        raise AccessDenied("a self-signed token may hold for five minutes at most")
    if not use_once(record_digest({"iss": claims["iss"], "jti": jti}), expires, now):
        raise AccessDenied("the token was used before")


def _scopes(claims: Mapping[str, Any]) -> frozenset[str]:
    told = claims.get("scope", claims.get("scp", ""))
    return frozenset(told.split() if isinstance(told, str) else map(str, told or ()))
