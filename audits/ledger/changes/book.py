"""What the trail says of change plans: which is in force, and what may follow under it.

One place decides, for the gate and for whoever verifies a trail: the book takes in the entries in
their order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from audits.changes.outside import Outside, outside_plan
from audits.changes.plan import ChangePlan
from audits.ledger.people import same_person
from audits.ledger.records import Role
from audits.ledger.trail import (
    CHAMPION_CHANGES,
    CHANGE_PLAN,
    ENDS,
    PLAN_APPROVAL,
    Entry,
    require,
)
from contracts.changes.comparison import PlanComparison
from contracts.errors import IntegrityError
from contracts.naming.formats import (
    KEY,
    OTHER_VERSION,
    name_of,
    require_known_form,
    without_form,
)
from contracts.naming.names import comparable


@dataclass(slots=True, kw_only=True)
class PlanRecord:
    """A change plan, as it was registered.

    Parameters
    ----------
    entry
        By which it was registered.
    plan
        Its content.
    approvals
        The last approval in each role.
    """

    entry: Entry
    plan: ChangePlan
    approvals: dict[Role, Entry] = field(default_factory=dict)

    @property
    def is_approved(self) -> bool:
        """True once two people have approved it."""
        return len(self.approvals) == len(Role)


@dataclass(frozen=True, slots=True, kw_only=True)
class NotComparedWith:
    """Nobody compared a version, under a plan, with the version that it would replace.

    Parameters
    ----------
    plan, compared_by
        Digests of the plan in force, and of the one that its audit compared by; None without one.
    before, compared_with
        The version last in service, and the one that its audit compared it with.
    returned
        Whether its audit took it for one that returns to service.
    """

    plan: str
    compared_by: str | None
    before: str
    compared_with: str | None
    returned: bool


@dataclass(slots=True)
class _Line:
    """What happened in one model's line."""

    registered: PlanRecord | None = None
    in_force: PlanRecord | None = None
    champion: Mapping[str, Any] | None = None
    served: set[str] = field(default_factory=set)
    """Digests of the bundles that were in service and were not revoked since."""


class PlanBook:
    """Plans and champions of every line, up to the last entry taken in."""

    def __init__(self) -> None:
        self._lines: dict[str, _Line] = {}

    def registered(self, line: str) -> PlanRecord | None:
        """Return the plan that was registered last; None where there is none."""
        return self._line(line).registered

    def in_force(self, line: str) -> PlanRecord | None:
        """Return the plan that two people approved last; None where there is none."""
        return self._line(line).in_force

    def refusal(
        self, model: str, bundle_digest: str, compared: PlanComparison | None
    ) -> NotComparedWith | tuple[Outside, ...]:
        """Return why a bundle may not replace the champion now; nothing where it may.

        The first version of a line is free.

        Parameters
        ----------
        compared
            What its audit found under a plan; None where none was in force.
        """
        line = self._line(model)
        if line.in_force is None or line.champion is None:
            return ()
        plan, before = line.in_force.plan, line.champion
        if (
            compared is None
            or compared.before is None
            or compared.plan_digest != plan.digest
            or compared.champion_bundle_digest != before["bundle_digest"]
            or (compared.returns and not self.returns(model, bundle_digest))
        ):
            return NotComparedWith(
                plan=plan.digest,
                compared_by=None if compared is None else compared.plan_digest,
                before="/".join((before["model"], before["version"])),
                compared_with=None if compared is None else compared.champion,
                returned=compared is not None and compared.returns,
            )
        return outside_plan(plan, compared)

    def returns(self, model: str, bundle_digest: str) -> bool:
        """Return whether a bundle was last in service, or earlier and not revoked since."""
        line = self._line(model)
        is_last = line.champion is not None and line.champion["bundle_digest"] == bundle_digest
        return is_last or bundle_digest in line.served

    def take(self, entry: Entry) -> None:
        """Take in the next entry.

        Raises
        ------
        IntegrityError
            A plan or an approval of one is not what rehabcast writes.
        """
        if entry.kind == CHANGE_PLAN:
            self._register(entry)
        elif entry.kind == PLAN_APPROVAL:
            self._approve(entry)
        elif entry.kind in CHAMPION_CHANGES:
            champion = entry.details()["champion"]
            line = self._line(champion["model"])
            line.champion = champion
            if entry.kind in ENDS:
                line.served.discard(champion["bundle_digest"])
            else:
                line.served.add(champion["bundle_digest"])

    def _register(self, entry: Entry) -> None:
        details = entry.details()
        plan = stored_plan(entry)
        require(comparable(plan.line) == comparable(entry.about), entry, "is of another line")
        require(plan.digest == details["digest"], entry, "has another content than its digest")
        self._line(plan.line).registered = PlanRecord(entry=entry, plan=plan)

    def _approve(self, entry: Entry) -> None:
        details, line = entry.details(), self._line(entry.about)
        record = line.registered
        require(
            record is not None
            and record.entry.sequence == details["plan"]
            and record.plan.digest == details["digest"],
            entry,
            "is of no change plan, or not of the last one registered",
        )
        if record is None:
            return
        require(not record.is_approved, entry, "is of a change plan that is in force already")
        role = Role(details["role"])
        others = [other for in_role, other in record.approvals.items() if in_role is not role]
        require(
            not any(same_person(other.actor, entry.actor) for other in others),
            entry,
            "is by the person who approved it in the other role",
        )
        record.approvals[role] = entry
        if record.is_approved:
            line.in_force = record

    def _line(self, model: str) -> _Line:
        return self._lines.setdefault(comparable(model), _Line())


def as_stored(plan: ChangePlan) -> dict[str, Any]:
    """Return a plan as an entry keeps it; it says its form."""
    return {KEY: name_of("change-plan"), **plan.model_dump(mode="json")}


def stored_plan(entry: Entry) -> ChangePlan:
    """Return the plan of an entry, as it stands: no check of authors that came later is asked.

    Raises
    ------
    IntegrityError
        It is of a form that a later version wrote, or no change plan.
    """
    content = entry.details()["plan"]
    place = f"ledger: the change plan of entry {entry.sequence}"
    require_known_form(content, "change-plan", place, IntegrityError)
    try:
        return ChangePlan.model_validate(without_form(content))
    except ValidationError as error:
        raise IntegrityError(f"{place} is none that this version reads", OTHER_VERSION) from error
