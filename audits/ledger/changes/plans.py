"""Registers and approves change plans, and holds every promotion to the one in force."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

import sqlalchemy as sa

from audits.changes.outside import Outside
from audits.changes.plan import ChangePlan
from audits.changes.wording import outside_in_words
from audits.ledger.changes.book import NotComparedWith, PlanBook, PlanRecord, as_stored, stored_plan
from audits.ledger.identity import Identities, check_signature, is_signed
from audits.ledger.people import People, person_name, same_person
from audits.ledger.records import AuditRecord, Role, require_reason
from audits.ledger.trail import (
    AUDIT,
    CHAMPION_CHANGES,
    CHANGE_PLAN,
    PLAN_APPROVAL,
    PROMOTION,
    RESTORE,
    Entry,
    append,
    entries,
    latest,
)
from contracts.changes.comparison import PlanComparison
from contracts.errors import ContractError, EvidenceMissing, IntegrityError, PromotionRefused
from contracts.naming.model_version import split_version
from contracts.naming.names import comparable
from stores.database import reading, write

READ = (CHANGE_PLAN, PLAN_APPROVAL, *CHAMPION_CHANGES)
"""Kinds of entries that say what may follow under a plan."""


def book_of(connection: sa.Connection) -> PlanBook:
    """Return what the trail says of change plans now."""
    book = PlanBook()
    for entry in entries(connection, READ):
        book.take(entry)
    return book


def read_book(engine: sa.Engine) -> PlanBook:
    """Return what a ledger says of change plans now."""
    with reading(engine) as connection:
        return book_of(connection)


def register_plan(
    engine: sa.Engine, plan: ChangePlan, *, actor: str, now: datetime, identities: Identities
) -> PlanRecord:
    """Append a change plan, to be approved by two people; until then the earlier one is in force.

    Raises
    ------
    ContractError
        It was registered before, or another content was under its version.
    """

    def action(connection: sa.Connection) -> PlanRecord:
        last = book_of(connection).registered(plan.line)
        if last is not None and last.plan.digest == plan.digest:
            _require_reason_to_repeat(last, identities.people)
        for entry in entries(connection, (CHANGE_PLAN,)):
            earlier = stored_plan(entry)
            if comparable(earlier.line) != comparable(plan.line) or earlier.digest == plan.digest:
                continue
            if earlier.version == plan.version:
                raise ContractError(
                    f"change plan of {plan.line}: another content is registered as its version"
                    f" {plan.version} (entry {entry.sequence})",
                    "raise the version in the file",
                )
        details = {"digest": plan.digest, "plan": as_stored(plan)}
        entry = append(
            connection, kind=CHANGE_PLAN, about=plan.line, actor=actor, now=now, details=details,
            identify=identities.offered(actor),
        )  # fmt: skip
        return PlanRecord(entry=entry, plan=plan)

    return write(engine, action)


def _require_reason_to_repeat(last: PlanRecord, people: People | None) -> None:
    if last.is_approved and people is not None and not _all_signed(last):
        return
    where = f"change plan of {last.plan.line}, version {last.plan.version}"
    if last.is_approved:
        raise ContractError(f"{where}: it is in force already", "nothing more is needed")
    raise ContractError(
        f"{where}: it is registered already (entry {last.entry.sequence})",
        "have two people approve it: `rehabcast plan approve FILE --role ROLE --reason TEXT`",
    )


def approve_plan(
    engine: sa.Engine,
    plan: ChangePlan,
    role: Role,
    *,
    person: str,
    reason: str,
    now: datetime,
    identities: Identities,
) -> PlanRecord:
    """Append a person's approval of a plan; with both roles it is in force at once.

    Raises
    ------
    ContractError
        Nobody is named, the name cannot be used or the key is another's; or the reason is too
        short.
    EvidenceMissing
        The plan is not the last one registered; or the ledger is shared, and the person gave no
        key.
    PromotionRefused
        It is in force already, or the person has approved it already, in this role or the other.
    """
    require_reason(reason)

    def action(connection: sa.Connection) -> PlanRecord:
        record = _registered(book_of(connection), plan)
        _require_another(record, role, person)
        details = {
            "plan": record.entry.sequence,
            "digest": plan.digest,
            "role": role.value,
            "reason": reason.strip(),
        }
        entry = append(
            connection, kind=PLAN_APPROVAL, about=record.plan.line, actor=person, now=now,
            details=details, identify=identities.required(person),
        )  # fmt: skip
        record.approvals[role] = entry
        return record

    return write(engine, action)


def _registered(book: PlanBook, plan: ChangePlan) -> PlanRecord:
    record = book.registered(plan.line)
    if record is None:
        raise EvidenceMissing(
            f"change plan of {plan.line}: none is registered", "run `rehabcast plan register FILE`"
        )
    if record.plan.digest != plan.digest:
        raise EvidenceMissing(
            f"change plan of {plan.line}: the file is not the plan that was registered last, which"
            f" is version {record.plan.version} (entry {record.entry.sequence})",
            "approve the file that was registered (`rehabcast plan show`), or run `rehabcast plan"
            " register FILE` with this one",
        )
    return record


def _require_another(record: PlanRecord, role: Role, person: str) -> None:
    where = f"change plan of {record.plan.line}, version {record.plan.version}"
    if record.is_approved:
        raise PromotionRefused(f"{where}: it is in force already", "nothing more is needed")
    for other, entry in record.approvals.items():
        if same_person(entry.actor, person):
            again = other is role
            raise PromotionRefused(
                f"{where}: {person_name(person)} has already approved it as {other}",
                "nothing more is needed from this person"
                if again
                else f"two different people must approve: have another one approve it as {role}",
            )


def require_within_plan(
    connection: sa.Connection,
    audit: AuditRecord,
    compared: PlanComparison | None,
    people: People | None,
) -> None:
    """Check that a promotion is within the change plan in force, if there is one.

    Parameters
    ----------
    compared
        What the signed report says that the audit found under a plan.
    people
        Where people have keys: who must have signed the plan's approvals.

    Raises
    ------
    PromotionRefused
        It is not; each reason is named.
    IntegrityError
        The report differs from the ledger, or an approval of the plan is not by the person named.
    """
    model, _ = split_version(audit.model_version)
    book = book_of(connection)
    if (in_force := book.in_force(model)) is not None:
        _require_signed(in_force, people)
    entry = latest(connection, kind=AUDIT, about=audit.model_version)
    if entry is None or recorded(entry) != compared:
        raise IntegrityError(
            f"{audit.model_version}: what its report says of the change plan differs from the"
            " ledger",
            f"run `rehabcast audit {audit.model_version}`; if it differs again, {RESTORE}",
        )
    refusal = book.refusal(model, audit.bundle_digest, compared)
    if not refusal or in_force is None:
        return
    lines = "\n".join(f"  {reason}" for reason in reasons_of(refusal))
    not_compared = isinstance(refusal, NotComparedWith)
    what = "was not compared as it should be under" if not_compared else "is outside of"
    raise PromotionRefused(
        f"{audit.model_version} {what} the change plan of {model} (version {in_force.plan.version},"
        f" entry {in_force.entry.sequence}):\n{lines}",
        f"run `rehabcast audit {audit.model_version}`"
        if not_compared
        else "train a version that keeps to the plan; or have two people approve another plan"
        f" (`rehabcast plan register`), then run `rehabcast audit {audit.model_version}`. An"
        " override does not replace a plan",
    )


def recorded(audit: Entry) -> PlanComparison | None:
    """Return what an audit found under a plan; None where none was in force."""
    found = audit.details().get("change")
    return None if found is None else PlanComparison.model_validate(found)


def reasons_of(refusal: NotComparedWith | Sequence[Outside]) -> tuple[str, ...]:
    """Say why a version may not follow."""
    if isinstance(refusal, NotComparedWith):
        return tuple(_not_compared(refusal))
    return tuple(outside_in_words(outside) for outside in refusal)


def _not_compared(refusal: NotComparedWith) -> Iterator[str]:
    if refusal.compared_by is None:
        yield "its audit is from before the plan was in force"
    elif refusal.compared_by != refusal.plan:
        yield (
            f"its audit compared it under another plan ({refusal.compared_by[:12]}, now"
            f" {refusal.plan[:12]})"
        )
    if refusal.compared_by is not None and refusal.compared_with != refusal.before:
        yield (
            f"its audit compared it with {refusal.compared_with or 'no version'}, and"
            f" {refusal.before} was last in service"
        )
    elif refusal.returned:
        yield "its audit says that it returns, but it never was in service, or was revoked since"
    elif refusal.compared_by == refusal.plan:
        yield f"its audit compared it with another bundle than the one of {refusal.before}"


def _require_signed(record: PlanRecord, people: People | None) -> None:
    """Check who approved the plan in force, where people have keys."""
    if people is None:
        return
    if not _all_signed(record):
        raise PromotionRefused(
            f"change plan of {record.plan.line}, version {record.plan.version}: not everyone who"
            " approved it has signed with a key",
            "register it again and have two people approve it, each with their own key",
        )
    for entry in record.approvals.values():
        check_signature(entry, people)


def _all_signed(record: PlanRecord) -> bool:
    return all(map(is_signed, record.approvals.values()))


def check_plans(stored: Sequence[Entry]) -> None:
    """Check the plans of a trail, their approvals, and that every promotion kept to them.

    Raises
    ------
    IntegrityError
        One did not.
    """
    book, audits = PlanBook(), dict[str, Entry]()
    for entry in stored:
        if entry.kind == AUDIT:
            audits[entry.about] = entry
        elif entry.kind == PROMOTION:
            champion, audit = entry.details()["champion"], audits.get(entry.about)
            compared = None if audit is None else recorded(audit)
            if book.refusal(champion["model"], champion["bundle_digest"], compared):
                raise IntegrityError(
                    f"ledger: the promotion of entry {entry.sequence} is outside of the change"
                    f" plan of {champion['model']}",
                    RESTORE,
                )
        book.take(entry)
