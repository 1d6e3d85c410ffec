"""Signing in with an identity provider: the authorization code flow with PKCE.

A record system may begin it for somebody who has a patient open there (SMART App Launch 2.2, EHR
launch): it then says which page of its own to sign in at, and which patient that is.

Sources: OpenID Connect Core 1.0, 3.1; OpenID Connect Discovery 1.0, 4; RFC 7636 (PKCE, S256);
RFC 9700 (security of OAuth 2.0: state, nonce and PKCE together).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx

from contracts.errors import ServiceUnavailable
from serving.access.authentication import tenant_of
from serving.access.keys import FETCH_SECONDS, MAX_BYTES, content_of, is_allowed_address
from serving.access.sign_in import Role, SignIn
from serving.access.tokens import AccessDenied, unverified, verified_claims
from serving.access.trust import Access, user_name

DISCOVERY = "/.well-known/openid-configuration"
SMART_DISCOVERY = "/.well-known/smart-configuration"
ALGORITHMS_OF_PKCE = "S256"
LONGEST_PERSON = 80
AGAIN = "sign in again; if it happens again, tell the operator of this service"
AWAY = ServiceUnavailable(
    "the identity provider does not answer as it should", "try again later, or tell the operator"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A sign-in that was begun: the browser keeps it until it comes back from the provider."""

    state: str
    nonce: str
    verifier: str

    @classmethod
    def new(cls) -> Begun:
        """Begin: three values that nobody can guess."""
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        return cls(state=state, nonce=nonce, verifier=verifier)

    @classmethod
    def kept(cls, text: str) -> Begun | None:
        """Return what a browser kept; None where that is nothing of the kind."""
        parts = text.split(".")
        if len(parts) != 3 or not all(parts):
            return None
        return cls(state=parts[0], nonce=parts[1], verifier=parts[2])

    def __str__(self) -> str:
        return f"{self.state}.{self.nonce}.{self.verifier}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Who has signed in, and the patient whom the record system has open; empty without one."""

    name: str
    person: str
    tenant: str
    roles: frozenset[Role]
    patient: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """What a record system sends with somebody: its FHIR address, and the name of the launch."""

    iss: str
    launch: str


def require_launcher(sign_in: SignIn, iss: str) -> None:
    """Refuse a launch from a record system that is not listed: it would name the sign-in page.

    Raises
    ------
    AccessDenied
        It is not.
    """
    if iss not in sign_in.launch_from:
        raise AccessDenied(
            "this record system may not open pages here",
            "ask the operator of this service to list its FHIR address under launch_from",
            403,
        )


def address_to_sign_in(
    sign_in: SignIn, begun: Begun, redirect: str, launched: Launch | None = None
) -> str:
    """Return the provider's page that somebody signs in at.

    Parameters
    ----------
    launched
        Where a record system begins it.

    Raises
    ------
    ServiceUnavailable
        The provider does not answer, or not as one does.
    """
    challenge = hashlib.sha256(begun.verifier.encode()).digest()
    asked = {
        "response_type": "code", "client_id": sign_in.client_id, "redirect_uri": redirect,
        "scope": "openid profile", "state": begun.state, "nonce": begun.nonce,
        "code_challenge": base64.urlsafe_b64encode(challenge).rstrip(b"=").decode(),
        "code_challenge_method": ALGORITHMS_OF_PKCE,
    }  # fmt: skip
    if launched is not None:
        asked |= {"scope": "launch openid fhirUser", "launch": launched.launch, "aud": launched.iss}
    address = _endpoint(sign_in, "authorization_endpoint", launched.iss if launched else "")
    return f"{address}{'&' if urlsplit(address).query else '?'}{urlencode(asked)}"


def person_of(
    access: Access, sign_in: SignIn, begun: Begun, answer: Mapping[str, str], redirect: str,
    now: datetime, launcher: str = "",
) -> Person:  # fmt: skip
    """Return who came back from the provider.

    Parameters
    ----------
    answer
        What the provider's redirect has in its query.
    launcher
        FHIR address of the record system that began it; empty where none did.

    Raises
    ------
    AccessDenied
        The answer is not that of this sign-in, the provider refused, or the person has no role.
    ServiceUnavailable
        The provider does not answer, or not as one does.
    """
    if not hmac.compare_digest(answer.get("state", "").encode(), begun.state.encode()):
        raise AccessDenied("the answer is not that of a sign-in of this browser", AGAIN)
    if not (code := answer.get("code", "")):
        raise AccessDenied("the identity provider did not sign you in", AGAIN)
    given = _exchanged(sign_in, code, begun, redirect, launcher)
    token = given["id_token"]
    said = unverified(token)
    issuer = access.issuers[sign_in.issuer]
    if said.issuer != sign_in.issuer:
        raise AccessDenied("the token is not from the identity provider", AGAIN)
    claims = verified_claims(token, issuer.keys, said, [sign_in.client_id], int(now.timestamp()))
    if not hmac.compare_digest(str(claims.get("nonce", "")).encode(), begun.nonce.encode()):
        raise AccessDenied("the token is not that of this sign-in", AGAIN)
    if claims.get("azp", sign_in.client_id) != sign_in.client_id:
        raise AccessDenied("the token was issued to another service", AGAIN)
    roles = sign_in.roles_of(claims)
    if not roles:
        raise AccessDenied(
            "you are signed in, and have no role here",
            "ask the operator of this service for a role: clinician, ML owner, governance or"
            " operator",
            403,
        )
    return Person(
        name=user_name(sign_in.issuer, claims["sub"]),
        person=_called(claims),
        tenant=tenant_of(issuer, claims),
        roles=roles,
        patient=_patient(given) if launcher else "",
    )


def _patient(given: Mapping[str, Any]) -> str:
    """Return the patient who is open in the record system.

    Raises
    ------
    AccessDenied
        It names none.
    """
    patient = given.get("patient")
    if not isinstance(patient, str) or not patient:
        raise AccessDenied(
            "the record system did not say which patient is open",
            "open the patient there, and this page from it",
        )
    return patient


def _called(claims: Mapping[str, Any]) -> str:
    """Return what a person is called: the first of their names that can be shown."""
    for claim in ("name", "preferred_username", "email", "sub"):
        name = claims.get(claim)
        if isinstance(name, str) and name.strip() and name.isprintable():
            return name.strip()[:LONGEST_PERSON]
    return "?"


def _exchanged(
    sign_in: SignIn, code: str, begun: Begun, redirect: str, launcher: str
) -> Mapping[str, Any]:
    form = {
        "grant_type": "authorization_code", "code": code, "redirect_uri": redirect,
        "code_verifier": begun.verifier, "client_id": sign_in.client_id,
    }  # fmt: skip
    address = _endpoint(sign_in, "token_endpoint", launcher)
    local = urlsplit(address).scheme == "http"
    basic = httpx.BasicAuth(sign_in.client_id, sign_in.client_secret)
    try:
        with httpx.Client(
            timeout=FETCH_SECONDS, follow_redirects=False, trust_env=not local,
            auth=basic if sign_in.client_secret else None,
        ) as client:  # fmt: skip
            reply = client.post(address, data=form)
        if reply.status_code == httpx.codes.BAD_REQUEST:
            raise AccessDenied("the identity provider does not know this sign-in", AGAIN)
        if reply.status_code != httpx.codes.OK or len(reply.content) > MAX_BYTES:
            raise AWAY
        given: Mapping[str, Any] = reply.json()
        token = given.get("id_token")
    except (httpx.HTTPError, ValueError, AttributeError):
        raise AWAY from None
    if not isinstance(token, str):
        raise AWAY
    return given


def _endpoint(sign_in: SignIn, name: str, launcher: str) -> str:
    """Return an endpoint of the provider; of a launch, as the record system publishes it."""
    where = launcher.rstrip("/") + SMART_DISCOVERY if launcher else (
        sign_in.issuer.rstrip("/") + DISCOVERY
    )  # fmt: skip
    try:
        document = json.loads(content_of(where))
        is_theirs = bool(launcher) or document["issuer"] == sign_in.issuer
        address = document[name] if is_theirs else ""
    except (OSError, ValueError, KeyError, TypeError, RecursionError, httpx.HTTPError):
        raise AWAY from None
    if not isinstance(address, str) or not is_allowed_address(address):
        raise AWAY
    return address
