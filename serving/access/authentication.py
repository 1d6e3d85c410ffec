"""Who may request what: OAuth2 bearer tokens, and clients that sign their own.

Two kinds of token are accepted. One of a trusted issuer (the hospital's identity provider, or this
service's own token endpoint) is valid until it expires. One that a registered client signed itself
(SMART Backend Services, HL7 CDS Hooks) is valid for five minutes at most, and only once.

Sources: RFC 6750 (bearer), RFC 7523 (client assertion), RFC 9068 (access tokens as JWT), HL7
SMART App Launch 2.2, Backend Services.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from serving.access.access_file import read_access
from serving.access.addresses import is_loopback
from serving.access.cds_clients import cds_caller
from serving.access.development import is_development_token
from serving.access.self_signed import UseOnce, require_short_and_new
from serving.access.smart_scopes import own_scopes
from serving.access.tokens import (
    NEW_TOKEN_NEEDED,
    AccessDenied,
    Unverified,
    claims_signed_by,
    scopes_of,
    unverified,
    verified_claims,
)
from serving.access.trust import (
    DEVELOPMENT,
    SCOPES,
    Access,
    Caller,
    Client,
    Issuer,
    client_name,
    user_name,
)

__all__ = ["SCOPES", "Access", "Caller", "UseOnce", "allow", "authenticate", "read_access"]

ASSERTION_SECONDS = 300
OWN_KEY = "rehabcast"
ACCESS_TOKEN = "at+jwt"  # noqa: S105  (the type of RFC 9068)


def authenticate(
    access: Access,
    token: str,
    *,
    path: str,
    peer: str,
    now: datetime,
    use_once: UseOnce,
    forwarded: bool = False,
) -> Caller:
    """Return the caller who sent a token.

    Parameters
    ----------
    path
        Path of the request: CDS Hooks clients name it in the audience.
    peer
        Address that the request came from.
    forwarded
        Whether a proxy passed it on, so that `peer` is the proxy's.

    Raises
    ------
    AccessDenied
        It is not valid, or was used before.
    """
    if is_development_token(token, access.development_token):
        return _development_caller(peer, forwarded=forwarded)
    said = unverified(token)
    seconds = int(now.timestamp())
    if (client := access.clients.get(said.issuer)) is not None:
        audiences = [access.audience, access.audience + path]
        claims = assertion_claims(token, client, said, audiences, now, use_once)
        return Caller(client_name(claims["sub"]), client.scopes, client.tenant)
    if (system := access.cds_clients.get(said.issuer)) is not None:
        return cds_caller(access, token, system, said, path, now, use_once)
    if access.own_key is not None and said.issuer == access.audience:
        return _holder_of_own_token(access, token, said, seconds)
    if (issuer := access.issuers.get(said.issuer)) is not None:
        claims = verified_claims(token, issuer.keys, said, [access.audience], seconds)
        name = user_name(said.issuer, claims["sub"])
        return Caller(name, scopes_of(claims), tenant_of(issuer, claims))
    raise AccessDenied("the token is not from a trusted issuer", NEW_TOKEN_NEEDED)


def needs_store(access: Access, token: str) -> bool:
    """Return whether a token can be checked only with the store: each may be used once.

    Nothing is verified here, and what is no token needs no store.
    """
    try:
        issuer = unverified(token).issuer
        return issuer in access.clients or issuer in access.cds_clients
    except AccessDenied:
        return False


def allow(caller: Caller, scope: str) -> None:
    """Check that a caller has a scope.

    Raises
    ------
    AccessDenied
        The caller lacks it.
    """
    if scope not in caller.scopes:
        raise AccessDenied(
            f"the token lacks the scope {scope}",
            "ask for a token with this scope",
            403,
            code="insufficient_scope",
            scope=scope,
        )


def assertion_claims(
    token: str,
    client: Client,
    said: Unverified,
    audiences: list[str],
    now: datetime,
    use_once: UseOnce,
) -> Mapping[str, Any]:
    """Return the claims of a token that a client signed itself, and mark it as used.

    Raises
    ------
    AccessDenied
        It is not valid, names another subject or several audiences, is valid for too long, or was
        used before.
    """
    claims = verified_claims(token, client.keys, said, audiences, int(now.timestamp()))
    if claims["sub"] != said.issuer:
        raise AccessDenied(
            "the token's subject is not its issuer", "set both iss and sub to the client's id"
        )
    if not isinstance(claims["aud"], str):
        raise AccessDenied("a self-signed token is for one audience", "set aud to one address")
    require_short_and_new(claims, said, ASSERTION_SECONDS, now, use_once)
    return claims


def _development_caller(peer: str, *, forwarded: bool) -> Caller:
    if forwarded:
        raise AccessDenied(
            "the development token is not valid through a proxy",
            "set REHABCAST_ACCESS, and use a token of a trusted issuer",
        )
    if not is_loopback(peer):
        raise AccessDenied(
            "the development token is valid on this machine only",
            "use a token of a trusted issuer",
        )
    return Caller(DEVELOPMENT, SCOPES, DEVELOPMENT)


def _holder_of_own_token(access: Access, token: str, said: Unverified, seconds: int) -> Caller:
    if access.own_key is None or (said.kid, said.kind) != (OWN_KEY, ACCESS_TOKEN):
        raise AccessDenied("the token is not signed with a known key", NEW_TOKEN_NEEDED)
    claims = claims_signed_by(token, access.own_key, said, [access.audience], seconds)
    client = access.clients.get(claims["sub"])
    if client is None:
        raise AccessDenied("the token's client is no longer registered", NEW_TOKEN_NEEDED)
    scopes = own_scopes(scopes_of(claims)) & client.scopes
    return Caller(client_name(claims["sub"]), scopes, client.tenant)


def tenant_of(issuer: Issuer, claims: Mapping[str, Any]) -> str:
    """Return whose patients a person of an identity provider may see.

    Raises
    ------
    AccessDenied
        The token's claim names none of the tenants that it may name.
    """
    if issuer.tenant is not None:
        return issuer.tenant
    tenant = claims.get(issuer.claim)
    if not isinstance(tenant, str) or tenant not in issuer.tenants:
        raise AccessDenied(
            "the token names no tenant of this service",
            "ask the identity provider's operator for a token with the tenant",
            403,
            code="insufficient_scope",
        )
    return tenant
