"""Whom the service trusts, and who a caller is.

Names of callers never meet: a client is `client:ID`, a record system that calls CDS Hooks is
`cds:ISSUER`, a person of an identity provider is `user:ISSUER:SUBJECT`, the holder of the
development token is `development`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

from joserfc.jwk import ECKey

from contracts.digests import record_digest
from serving.access.development import require_long
from serving.access.keys import Keys
from serving.access.sign_in import SignIn

SCOPES = frozenset(
    {
        "forecast", "explain", "observe", "course", "alerts", "feedback", "consent", "correct",
        "erase", "model", "cds", "metrics", "push", "whatif",
    }
)  # fmt: skip

DEVELOPMENT = "development"
"""Name and tenant of whoever has the development token; nobody else's."""

LONGEST_NAME = 200
"""Characters of a caller's name; the forecast log has room for 250."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request, the scopes they have, and the tenant whose patients they may see."""

    name: str
    scopes: frozenset[str]
    tenant: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A program that signs its own tokens: its keys, what it may do, and whose patients it sees."""

    keys: Keys
    scopes: frozenset[str]
    tenant: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CdsClient:
    """A record system that calls CDS Hooks with tokens that it signs itself.

    Parameters
    ----------
    keys, tenant
        Its keys, and whose patients it sees.
    longest_seconds
        How long its tokens may be valid: some systems' are for a quarter of an hour.
    jku
        Address of its keys, as its tokens may name it; empty where they are in a file.
    """

    keys: Keys
    tenant: str
    longest_seconds: int
    jku: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """An identity provider: its keys, and whose patients its people see.

    Parameters
    ----------
    tenant
        Of all its people; None where `claim` says it.
    claim, tenants
        Claim of its tokens that names the tenant, and the tenants that it may name.
    """

    keys: Keys
    tenant: str | None = None
    claim: str = ""
    tenants: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """The issuers and clients that the service trusts.

    Parameters
    ----------
    audience
        This service's address as its callers know it.
    issuers, clients, cds_clients
        By the name that their tokens have as issuer.
    own_key
        Signs the tokens of the token endpoint; None where the service issues no tokens.
    sign_in
        Where people sign in to the pages; None where nobody can.
    development_token
        Accepted from loopback, with all scopes; None unless somebody asked for it.

    Raises
    ------
    ContractError
        The development token is empty or could be guessed.
    """

    audience: str = ""
    issuers: Mapping[str, Issuer] = field(default_factory=dict)
    clients: Mapping[str, Client] = field(default_factory=dict)
    cds_clients: Mapping[str, CdsClient] = field(default_factory=dict)
    own_key: ECKey | None = None
    sign_in: SignIn | None = None
    development_token: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        require_long(self.development_token)


def client_name(client: str) -> str:
    """Return the name of a client as a caller."""
    return f"client:{client}"


def cds_name(issuer: str) -> str:
    """Return the name of a record system as a caller."""
    return f"cds:{issuer}"


def user_name(issuer: str, subject: str) -> str:
    """Return the name of an identity provider's person as a caller; two people never share one."""
    # A colon in the issuer's name is written as %3A, so the second colon always ends it.
    name = f"user:{quote(issuer, safe='/')}:{subject}"
    if len(name) <= LONGEST_NAME:
        return name
    return f"user::{record_digest({'iss': issuer, 'sub': subject})}"
