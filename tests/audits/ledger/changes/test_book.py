"""What somebody with write access may write about plans, with every hash right: it is found."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from audits.changes.plan import ChangePlan
from audits.ledger.changes.plans import approve_plan, register_plan
from audits.ledger.consistency import check_entries
from audits.ledger.followed import FollowedTrail
from audits.ledger.identity import TRIAL
from audits.ledger.ledger import Ledger
from audits.ledger.records import Role
from audits.ledger.trail import Entry, verified
from contracts.errors import IntegrityError
from contracts.verdict import Verdict
from tests.audits.ledger.chains import Trail, chained
from tests.audits.ledger.changes.test_plans import after_first, bundle_of, in_force, promoted

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)

PLAN, BY_MIA, BY_GUS, AUDIT_2, PROMOTED_2 = 4, 5, 6, 7, 10
"""Places of the entries, from 0, after the four of the first promotion."""


@pytest.fixture(scope="module")
def honest(
    tmp_path_factory: pytest.TempPathFactory, verdict_of: Callable[..., Verdict], plan: ChangePlan
) -> Trail:
    ledger = Ledger(f"sqlite:///{tmp_path_factory.mktemp('ledger') / 'ledger.db'}")
    promoted(ledger, verdict_of, 1)
    in_force(ledger, plan)
    promoted(ledger, verdict_of, 2, after_first(plan))
    ledger.verify()
    stored = ledger.trail()
    ledger.close()
    return stored


def edited(entry: Entry, edit: Callable[[dict[str, Any]], None], **fields: str) -> Entry:
    details = entry.details()
    edit(details)
    text = json.dumps(details, sort_keys=True, separators=(",", ":"))
    return replace(entry, payload=text, **fields)


def looser(trail: Trail) -> Trail:
    def edit(details: dict[str, Any]) -> None:
        details["plan"]["changes"][0]["kind"] = "another architecture"

    return [*trail[:PLAN], edited(trail[PLAN], edit), *trail[PLAN + 1 :]]


def of_another_line(trail: Trail) -> Trail:
    return [*trail[:PLAN], replace(trail[PLAN], about="leg"), *trail[PLAN + 1 :]]


def one_person(trail: Trail) -> Trail:
    return [*trail[:BY_GUS], replace(trail[BY_GUS], actor="Mia"), *trail[BY_GUS + 1 :]]


def of_no_plan(trail: Trail) -> Trail:
    return [
        *trail[:BY_MIA],
        edited(trail[BY_MIA], lambda d: d.update(plan=1)),
        *trail[BY_MIA + 1 :],
    ]


def of_another_digest(trail: Trail) -> Trail:
    forged = edited(trail[BY_MIA], lambda d: d.update(digest="0" * 64))
    return [*trail[:BY_MIA], forged, *trail[BY_MIA + 1 :]]


def in_no_role(trail: Trail) -> Trail:
    return [
        *trail[:BY_MIA],
        edited(trail[BY_MIA], lambda d: d.update(role="boss")),
        *trail[BY_GUS:],
    ]


def approved_three_times(trail: Trail) -> Trail:
    return [*trail, replace(trail[BY_GUS], actor="ann")]


def no_sound_plan(trail: Trail) -> Trail:
    return [*trail[:PLAN], edited(trail[PLAN], lambda d: d["plan"].update(changes=[])),
            *trail[PLAN + 1 :]]  # fmt: skip


def never_compared(trail: Trail) -> Trail:
    return [*trail[:AUDIT_2], edited(trail[AUDIT_2], lambda d: d.update(change=None)),
            *trail[AUDIT_2 + 1 :]]  # fmt: skip


def of_another_architecture(trail: Trail) -> Trail:
    def edit(details: dict[str, Any]) -> None:
        details["change"]["after"]["facts"]["architecture"] = ["gru"]

    return [*trail[:AUDIT_2], edited(trail[AUDIT_2], edit), *trail[AUDIT_2 + 1 :]]


def a_group_worse(trail: Trail) -> Trail:
    def edit(details: dict[str, Any]) -> None:
        details["change"]["criteria"][0]["result"] = "not met"

    return [*trail[:AUDIT_2], edited(trail[AUDIT_2], edit), *trail[AUDIT_2 + 1 :]]


FORGERIES = (
    looser, of_another_line, one_person, of_no_plan, of_another_digest, in_no_role,
    approved_three_times, no_sound_plan, never_compared, of_another_architecture, a_group_worse,
)  # fmt: skip


@pytest.mark.parametrize("forge", FORGERIES, ids=lambda forge: forge.__name__)
def test_a_forged_plan_or_a_promotion_outside_of_it_is_found(
    honest: Trail, forge: Callable[[Trail], Trail]
) -> None:
    check_entries(chained(honest), None)
    stored = chained(forge(honest))
    assert list(verified(iter(stored))) == stored
    with pytest.raises(IntegrityError):
        check_entries(stored, None)


def test_a_service_that_follows_a_ledger_serves_on_while_a_plan_is_registered_and_approved(
    tmp_path: Path, verdict_of: Callable[..., Verdict], plan: ChangePlan
) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    promoted(ledger, verdict_of, 1)
    trail = FollowedTrail("arm", people=None)
    before = trail.read(ledger.engine)
    register_plan(ledger.engine, plan, actor="mia", now=NOW, identities=TRIAL)
    for role, person in zip(Role, ("mia", "gus"), strict=True):
        approve_plan(
            ledger.engine, plan, role, person=person, reason="Read and discussed.", now=NOW,
            identities=TRIAL,
        )  # fmt: skip
        after = trail.read(ledger.engine)
        assert (after.champion, after.objections) == (before.champion, before.objections)
    promoted(ledger, verdict_of, 2, after_first(plan))
    assert trail.read(ledger.engine).champion == ledger.champion("arm")
    assert ledger.champion("arm").bundle_digest == bundle_of(2)
    ledger.close()
