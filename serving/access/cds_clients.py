"""Record systems that call CDS Hooks: tokens that they sign for one address at a time.

CDS Hooks 2.0, Trusting CDS Clients: `iss` is the system, `aud` the address that it calls, exactly;
`sub` is not of the standard, and systems that send one mean other things by it.
"""

from __future__ import annotations

from datetime import datetime

from serving.access.self_signed import UseOnce, require_short_and_new
from serving.access.tokens import AccessDenied, Unverified, verified_claims
from serving.access.trust import Access, Caller, CdsClient, cds_name

HOOKS = "/cds-services"
SCOPES_OF_SYSTEM = frozenset({"cds"})


def cds_caller(
    access: Access,
    token: str,
    system: CdsClient,
    said: Unverified,
    path: str,
    now: datetime,
    use_once: UseOnce,
) -> Caller:
    """Return the record system that signed a token, and mark the token as used.

    Raises
    ------
    AccessDenied
        It is not valid, is for another address, names other keys, or was used before.
    """
    if path != HOOKS and not path.startswith(f"{HOOKS}/"):
        raise AccessDenied("the token is for CDS Hooks only", "call /cds-services with it")
    if said.jku and system.jku and said.jku != system.jku:
        raise AccessDenied(
            "the token names keys at another address than the registered one",
            "set jku to the registered address, or ask the operator of this service to change it",
        )
    claims = verified_claims(
        token, system.keys, said, [access.audience + path], int(now.timestamp()),
        names_subject=False,
    )  # fmt: skip
    require_short_and_new(claims, said, system.longest_seconds, now, use_once)
    return Caller(cds_name(said.issuer), SCOPES_OF_SYSTEM, system.tenant)
