from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from audits.ledger import followed
from audits.ledger.followed import PARTS, FollowedTrail
from audits.ledger.ledger import Ledger
from audits.ledger.objections import objections
from audits.ledger.records import LedgerState, Role
from audits.ledger.trail import append
from contracts.errors import IntegrityError
from contracts.verdict import Outcome, Verdict
from tests.refusals import refuses, same_as_kept

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)


def put_in_service(ledger: Ledger, verdict: Verdict) -> None:
    audit = ledger.record_audit(
        verdict, "f" * 64, actor="ann", now=NOW, valid_until=NOW + timedelta(days=9)
    )
    for role, person in zip(Role, ("mia", "gus"), strict=True):
        ledger.approve(audit, role, person=person, reason="Read it, discussed it.", now=NOW)
    ledger.promote(audit, seen_epoch=ledger.epoch("arm"), actor="bob", now=NOW)


def behind_its_back(ledger: Ledger, *statements: str) -> None:
    with ledger.engine.begin() as connection:
        for name in ("trail_is_not_edited", "trail_is_not_shortened", "trail_grows_at_its_end"):
            if ledger.engine.dialect.name == "sqlite":
                connection.execute(sa.text(f"DROP TRIGGER IF EXISTS {name}"))
            else:
                connection.execute(sa.text(f"DROP TRIGGER IF EXISTS {name} ON trail"))
        for statement in statements:
            connection.execute(sa.text(statement))


@pytest.mark.parametrize(
    "edit",
    [
        "UPDATE trail SET actor = 'eve' WHERE sequence = 1",
        "UPDATE trail SET payload = '{}' WHERE sequence = 3",
        "UPDATE champion SET valid_until = '2999-01-01T00:00:00+00:00'",
        "UPDATE champion SET version = '9'",
        "DELETE FROM champion",
        "DELETE FROM trail WHERE sequence = 4",
        "DELETE FROM trail WHERE sequence = 2",
        "DROP TABLE trail",
    ],
)
def test_an_edit_after_a_reading_is_found_at_the_next(
    ledger: Ledger, verdict_of: Callable[..., Verdict], edit: str
) -> None:
    put_in_service(ledger, verdict_of())
    trail = FollowedTrail("arm", people=None)
    assert trail.read(ledger.engine).champion == ledger.champion("arm")
    behind_its_back(ledger, edit)
    with refuses(IntegrityError):
        trail.read(ledger.engine)


@pytest.mark.parametrize("edited", [1, 7, 25, 40])
def test_a_long_trail_is_compared_in_parts_and_every_edit_is_found(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, edited: int
) -> None:
    monkeypatch.setattr(followed, "LEAST_COMPARED", 1)
    for number in range(40):
        ledger.freeze_policy("1", str(number), actor="ann", now=NOW)
    trail = FollowedTrail(None, people=None)
    for _ in range(3):
        assert len(trail.read(ledger.engine).hashes) == 40
    behind_its_back(ledger, f"UPDATE trail SET actor = 'eve' WHERE sequence = {edited}")
    found = 0
    for _ in range(PARTS):
        try:
            trail.read(ledger.engine)
        except IntegrityError:
            found += 1
    assert found >= 1


@pytest.mark.parametrize("least", [1, 1_000])
@pytest.mark.parametrize("edited", [1, 17])
@pytest.mark.parametrize("after", [0, 2])
def test_an_edit_is_found_in_time_also_where_each_reading_finds_new_entries(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, least: int, edited: int, after: int
) -> None:
    monkeypatch.setattr(followed, "LEAST_COMPARED", least)
    for number in range(40):
        ledger.freeze_policy("1", str(number), actor="ann", now=NOW)
    trail = FollowedTrail(None, people=None)

    def grown(times: int) -> None:
        for _ in range(times):
            length = len(trail.read(ledger.engine).hashes)
            for name in "abc":
                ledger.freeze_policy("1", f"{name}{length}", actor="ann", now=NOW)

    grown(PARTS + after)
    behind_its_back(ledger, f"UPDATE trail SET actor = 'eve' WHERE sequence = {edited}")
    with pytest.raises(IntegrityError, match=f"entry {edited} is not what it was"):
        grown(PARTS if least == 1 else 1)


def test_an_entry_with_a_right_hash_that_nobody_can_read_is_refused(ledger: Ledger) -> None:
    trail = FollowedTrail(None, people=None)
    trail.read(ledger.engine)
    with ledger.engine.begin() as connection:
        append(connection, kind="promotion", about="arm/1", actor="eve", now=NOW, details={"x": 1})
    for _ in range(2):
        with refuses(IntegrityError, match="cannot be read"):
            trail.read(ledger.engine)


def test_a_ledger_without_a_signed_head_is_refused(ledger: Ledger) -> None:
    ledger.freeze_policy("1", "a", actor="ann", now=NOW)
    with refuses(IntegrityError, match="cut after entry 1"):
        FollowedTrail(None, people=None).read(ledger.engine, LedgerState(length=2, head="a" * 64))
    with refuses(IntegrityError, match="rewritten"):
        FollowedTrail(None, people=None).read(ledger.engine, LedgerState(length=1, head="a" * 64))


@pytest.mark.parametrize(
    ("later", "said"),
    [
        ({"outcome": Outcome.PASS}, None),
        ({"outcome": Outcome.INSUFFICIENT}, "insufficient evidence"),
        ({"outcome": Outcome.REVIEW}, "needs review"),
        ({"outcome": Outcome.BLOCKED}, "blocked"),
        ({"bundle_digest": "0" * 64}, "different bundle"),
    ],
)
def test_a_later_audit_suspends_a_version_unless_it_confirms_what_it_rests_on(
    ledger: Ledger, verdict_of: Callable[..., Verdict], later: dict[str, Any], said: str | None
) -> None:
    put_in_service(ledger, verdict_of())
    ledger.record_audit(
        verdict_of(**later), "f" * 64, actor="ann", now=NOW, valid_until=NOW + timedelta(days=9)
    )
    found = [str(objection) for objection in objections(ledger.trail(), "arm").values()]
    assert len(found) == (said is not None)
    assert all(str(said) in reason for reason in found)
    same_as_kept(found)


def test_a_revoked_version_cannot_come_back_by_an_entry_written_past_the_gate(
    ledger: Ledger, verdict_of: Callable[..., Verdict]
) -> None:
    put_in_service(ledger, verdict_of())
    ledger.revoke("arm", actor="bob", reason="Harm was seen.", now=NOW)
    trail = FollowedTrail("arm", people=None)
    assert trail.read(ledger.engine).objections
    ledger.roll_back("arm", 1, seen_epoch=2, actor="eve", reason="Nobody will see.", now=NOW)
    with refuses(IntegrityError, match="no earlier promotion that still stands"):
        trail.read(ledger.engine)
    with refuses(IntegrityError, match="no earlier promotion that still stands"):
        ledger.verify()
