"""A pass within scope in the ledger: who may be champion, and when a later audit objects."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from audits.ledger.followed import FollowedTrail
from audits.ledger.ledger import Ledger
from audits.ledger.objections import objections
from audits.ledger.records import Role
from audits.ledger.storage import MIGRATIONS, champion_table, open_database, trail_table
from audits.ledger.trail import Entry, append
from contracts.errors import IntegrityError
from contracts.scope import OutsideGroup, Scope, ScopeAttribute
from contracts.verdict import Outcome, Verdict
from stores.database import write

NOW = datetime(2026, 11, 1, tzinfo=UTC)
VerdictOf = Callable[..., Verdict]


def scope(*inside: str, outside: tuple[str, ...] = ()) -> Scope:
    attribute = ScopeAttribute(
        attribute="sex",
        inside=inside,
        outside=tuple(OutsideGroup(label=label, rules=("rule",)) for label in outside),
    )
    return Scope(attributes=(attribute,), share_inside=0.9)


def champion_row(outcome: str, **changed: object) -> dict[str, object]:
    return {
        "model": "arm", "version": "3", "epoch": 1, "bundle_digest": "b" * 64,
        "report_digest": "r" * 64, "policy_digest": "p" * 64, "outcome": outcome,
        "ml_owner": "ana", "governance": "ben", "approver": None, "reason": None,
        "override_until": None, "restricted_use": None, "promoted_at": NOW.isoformat(),
        "valid_until": NOW.isoformat(), "revoked": None, "sequence": 4,
    } | changed  # fmt: skip


def test_a_ledger_from_before_scopes_keeps_its_champion_and_takes_a_pass_within_scope(
    ledger_url: str,
) -> None:
    engine = open_database(ledger_url)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.begin() as connection:
        for table in ("outbox", "trail", "champion", "alembic_version"):
            connection.execute(sa.text(f"DROP TABLE IF EXISTS {table}"))
        if engine.dialect.name == "postgresql":
            connection.execute(sa.text("DROP FUNCTION IF EXISTS trail_guard"))
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.execute(sa.insert(champion_table).values(champion_row("pass")))
    Ledger(ledger_url).close()
    with engine.begin() as connection:
        (row,) = connection.execute(sa.select(champion_table)).all()
        assert row.outcome == "pass"
        within = champion_row("pass within scope", model="gait")
        connection.execute(sa.insert(champion_table).values(within))
    for wrong in (
        champion_row("blocked", model="x"),
        champion_row("needs review", model="x"),
        champion_row("pass within scope", model="x", approver="eve"),
    ):
        with pytest.raises(sa.exc.IntegrityError), engine.begin() as connection:
            connection.execute(sa.insert(champion_table).values(wrong))
    engine.dispose()


def record(ledger: Ledger, verdict: Verdict, digest: str, *, day: int) -> None:
    now = NOW + timedelta(days=day)
    ledger.record_audit(
        verdict, digest * 64, actor="ana", now=now, valid_until=now + timedelta(days=90)
    )


def trail_of(ledger: Ledger, url: str) -> list[Entry]:
    engine = open_database(url)
    with engine.connect() as connection:
        rows = connection.execute(sa.select(trail_table).order_by(trail_table.c.sequence)).all()
    engine.dispose()
    return [Entry(**row._mapping) for row in rows]


@pytest.mark.parametrize(
    ("first", "later", "objects"),
    [
        (scope("f", "m"), scope("f", "m"), False),
        (scope("f", outside=("m",)), scope("f", "m"), False),
        (scope("f", "m"), scope("f", outside=("m",)), True),
        (scope("f", outside=("m",)), scope("m", outside=("f",)), True),
    ],
)
def test_a_later_audit_objects_where_it_passed_for_fewer_people_than_are_served(
    ledger: Ledger, ledger_url: str, verdict_of: VerdictOf, first: Scope, later: Scope,
    objects: bool,
) -> None:  # fmt: skip
    def verdict(of: Scope) -> Verdict:
        outcome = Outcome.PASS if of.is_everyone else Outcome.WITHIN_SCOPE
        return verdict_of(outcome, scope=of)

    record(ledger, verdict(first), "1", day=0)
    audit = ledger.latest_audit("arm/3")
    assert audit is not None
    assert audit.scope == first
    for role, person in ((Role.ML_OWNER, "ana"), (Role.GOVERNANCE, "ben")):
        ledger.approve(
            audit, role, person=person, reason="read page by page", now=NOW + timedelta(hours=1)
        )
    champion = ledger.promote(
        audit, seen_epoch=0, actor="ana", now=NOW + timedelta(hours=2), override=None
    )
    assert not champion.is_override
    ledger.verify()
    record(ledger, verdict(later), "2", day=1)
    ledger.verify()
    found = objections(trail_of(ledger, ledger_url))
    assert (champion.sequence in found) is objects


@pytest.mark.parametrize("kind", ["extension", "something later"])
def test_a_ledger_with_entries_of_a_later_release_is_not_served_from(
    ledger: Ledger, ledger_url: str, verdict_of: VerdictOf, kind: str
) -> None:
    """Reading past an entry that withdraws a version would serve it on."""
    record(ledger, verdict_of(), "1", day=0)
    ledger.verify()
    write(
        ledger.engine,
        lambda connection: append(
            connection, kind=kind, about="arm/3", actor="ana", now=NOW + timedelta(days=1),
            details={},
        ),
    )  # fmt: skip
    with pytest.raises(IntegrityError, match=f"does not know entries like the {kind}"):
        ledger.verify()
    with pytest.raises(IntegrityError, match="update rehabcast"):
        FollowedTrail(None, people=None).read(ledger.engine)
