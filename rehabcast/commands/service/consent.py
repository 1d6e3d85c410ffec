"""`rehabcast record consent` and `withdrawn`: what people decided, and who has withdrawn."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Literal

import msgspec
import typer

from contracts.errors import ContractError
from rehabcast.commands.service.record import Subject, Tenant, opened
from rehabcast.output import AsJson, emit
from rehabcast.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawn:
    """Everybody of a tenant who has withdrawn consent."""

    tenant: str
    subjects: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """A person's decision, as recorded.

    Parameters
    ----------
    tenant_is_new
        Whether nothing of the tenant was on record before: its name may be a slip.
    """

    tenant: str
    subject: str
    consent: str
    tenant_is_new: bool


def consent(
    subject: Subject,
    tenant: Tenant,
    decision: Annotated[str, typer.Argument(help="given or withdrawn.")],
    as_json: AsJson = False,
) -> None:
    """Put on record that a person has given or withdrawn consent."""
    from serving.state.consent import GIVEN, WITHDRAWN, set_consent
    from serving.state.entries import is_tenant

    states: dict[str, Literal["given", "withdrawn"]] = {GIVEN: GIVEN, WITHDRAWN: WITHDRAWN}
    if decision not in states:
        raise ContractError(f"{decision!r} is not a decision", "write given or withdrawn")
    _require_names(subject, tenant)
    settings, now = Settings(), datetime.now(UTC)
    with opened(settings) as store:
        new = not is_tenant(store.engine, tenant)
        set_consent(store.engine, tenant, subject, states[decision], actor=settings.actor, now=now)
    result = Consent(tenant=tenant, subject=subject, consent=decision, tenant_is_new=new)
    said = [f"Recorded: consent {decision}."]
    if new:
        # A decision may come before any data, and one that is refused may never be written down.
        said.append(
            f"It is the first that is on record of tenant {tenant}: if that is not how it is"
            " written (`rehabcast access list`), it holds for no other tenant. Record it"
            " under the right name now, and then remove the person here by `rehabcast record"
            " erase`; of a withdrawal a mark stays."
        )
    emit(result, " ".join(said), as_json=as_json)


def _require_names(subject: str, tenant: str) -> None:
    """Refuse what nobody can be called: a slip would leave the person's consent as it was."""
    from serving.access.access_file import NAME, NAME_RULE
    from serving.schemas import PatientId

    if not NAME.fullmatch(tenant):
        raise ContractError(f"{tenant[:64]!r} is no name of a tenant", f"write {NAME_RULE}")
    try:
        msgspec.convert(subject, PatientId)
    except msgspec.ValidationError:
        raise ContractError(
            f"{subject[:64]!r} is no pseudonym", "write 1 to 64 letters, digits, dots, - and _"
        ) from None


def withdrawn(tenant: Tenant, as_json: AsJson = False) -> None:
    """List everybody who has withdrawn consent, one a line, to leave them out of a cohort."""
    from serving.state.consent import withdrawn as all_withdrawn
    from serving.state.entries import require_tenant

    with opened(Settings()) as store:
        require_tenant(store.engine, tenant)
        subjects = tuple(subject for _, subject in all_withdrawn(store.engine, tenant))
    emit(Withdrawn(tenant=tenant, subjects=subjects), "\n".join(subjects), as_json=as_json)
