"""How people sign in to the pages, and what each role may do there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any

from serving.access.access_entries import SignInEntry
from stores.private_files import require_private


class Role(StrEnum):
    """What somebody is here for."""

    CLINICIAN = "clinician"
    ML_OWNER = "ml-owner"
    GOVERNANCE = "governance"
    OPERATOR = "operator"


SCOPES_OF: Mapping[Role, frozenset[str]] = MappingProxyType(
    {
        Role.CLINICIAN: frozenset(
            {
                "forecast",
                "explain",
                "whatif",
                "observe",
                "course",
                "alerts",
                "feedback",
                "correct",
                "model",
            }
        ),
        Role.ML_OWNER: frozenset({"model"}),
        Role.GOVERNANCE: frozenset({"model"}),
        Role.OPERATOR: frozenset({"model"}),
    }
)
"""Scopes of the service's routes that a role has: only a clinician sees patients."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """The identity provider that people sign in with (OpenID Connect).

    Parameters
    ----------
    issuer
        One of the issuers that the service trusts: its keys, and whose patients its people see.
    client_id, client_secret
        Of this service at the provider; no secret where it is registered as a public client.
    roles_claim, groups
        Claim of the ID token that lists a person's groups, and which groups have which role.
    launch_from
        FHIR addresses of the record systems that may open a patient's page (SMART App Launch).
    """

    issuer: str
    client_id: str
    client_secret: str = field(default="", repr=False)
    roles_claim: str
    groups: Mapping[Role, frozenset[str]]
    launch_from: frozenset[str] = frozenset()

    def roles_of(self, claims: Mapping[str, Any]) -> frozenset[Role]:
        """Return the roles of the person whom an ID token is about."""
        said = claims.get(self.roles_claim)
        listed = said if isinstance(said, list) else [said]
        theirs = {each for each in listed if isinstance(each, str)}
        return frozenset(role for role, groups in self.groups.items() if groups & theirs)


def sign_in_of(entry: SignInEntry, folder: Path) -> SignIn:
    """Return what an access file says of it; a secret's file lies beside the access file.

    Raises
    ------
    ContractError
        The secret's file is not there, or others can read it.
    """
    secret = ""
    if entry.client_secret is not None:
        require_private(folder / entry.client_secret)
        secret = (folder / entry.client_secret).read_text("utf-8").strip()
    return SignIn(
        issuer=entry.issuer, client_id=entry.client_id, client_secret=secret,
        roles_claim=entry.roles_claim,
        groups={role: frozenset(getattr(entry, role.replace("-", "_"))) for role in Role},
        launch_from=frozenset(entry.launch_from),
    )  # fmt: skip


def scopes_of_roles(roles: frozenset[str]) -> frozenset[str]:
    """Return the scopes of somebody with some roles."""
    return frozenset().union(*(SCOPES_OF[Role(role)] for role in roles))
