from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy.engine import make_url

from audits.ledger import storage
from audits.ledger.ledger import Ledger
from audits.ledger.records import AuditRecord, Champion, LedgerState, Override, Role
from audits.ledger.storage import metadata, open_database
from audits.ledger.trail import PROMOTION, append
from contracts.errors import (
    ContractError,
    EvidenceMissing,
    IntegrityError,
    PromotionRefused,
    ServiceUnavailable,
)
from contracts.verdict import Outcome, Verdict
from stores.database import reading, write
from tests.refusals import refuses

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
LATER = NOW + timedelta(days=180)
GUARDS = ("trail_is_not_edited", "trail_is_not_shortened", "trail_grows_at_its_end")
ENTRIES = 9
OF_ARM_3, LAST = 4, 9
"""Entries of the two promotions."""

VerdictOf = Callable[..., Verdict]


def record(ledger: Ledger, verdict: Verdict, *, report: str = "e" * 64) -> AuditRecord:
    return ledger.record_audit(verdict, report, actor="ann", now=NOW, valid_until=LATER)


def approved(ledger: Ledger, verdict: Verdict) -> AuditRecord:
    audit = record(ledger, verdict)
    for role, person in zip(Role, ("mia", "gus"), strict=True):
        ledger.approve(audit, role, person=person, reason="Read and discussed.", now=NOW)
    return audit


def promoted(ledger: Ledger, verdict: Verdict, *, seen_epoch: int = 0) -> Champion:
    audit = approved(ledger, verdict)
    return ledger.promote(audit, seen_epoch=seen_epoch, actor="bob", now=NOW)


def tamper(url: str, *statements: str, past_the_guards: bool = True, **places: int | str) -> None:
    engine = open_database(url)
    is_sqlite = engine.dialect.name == "sqlite"
    off = [f"DROP TRIGGER IF EXISTS {guard}" for guard in GUARDS]
    disable = off if is_sqlite else ["ALTER TABLE trail DISABLE TRIGGER USER"]
    try:
        with engine.begin() as connection:
            for statement in [*(disable if past_the_guards else ()), *statements]:
                numbers = {name: n for name, n in places.items() if f":{name}" in statement}
                connection.execute(sa.text(statement), numbers)
            if past_the_guards and not is_sqlite:
                connection.execute(sa.text("ALTER TABLE trail ENABLE TRIGGER USER"))
    finally:
        engine.dispose()


@pytest.fixture
def filled(ledger: Ledger, verdict_of: VerdictOf) -> Ledger:
    """Nine entries: two audits, approvals and promotions of one model, one audit of another."""
    promoted(ledger, verdict_of())
    record(ledger, verdict_of(model_version="leg/1"))
    promoted(ledger, verdict_of(model_version="arm/4", bundle_digest="f" * 64), seen_epoch=1)
    return ledger


def test_an_audit_is_read_back_as_it_was_recorded(ledger: Ledger, verdict_of: VerdictOf) -> None:
    audit = record(ledger, verdict_of(Outcome.INSUFFICIENT))
    assert ledger.latest_audit("arm/3", "b" * 64) == ledger.latest_audit("arm/3") == audit
    assert audit.held_back_by == ("sex: female (n = 60): insufficient evidence.",)
    assert (audit.recorded_at, audit.valid_until) == (NOW, LATER)
    assert ledger.latest_audit("arm/3", "0" * 64) is None
    assert ledger.latest_audit("arm/30") is None


def test_a_champion_is_read_back_as_it_was_promoted(ledger: Ledger, verdict_of: VerdictOf) -> None:
    champion = promoted(ledger, verdict_of())
    assert ledger.champion("arm") == ledger.champion() == champion
    assert (champion.model_version, champion.epoch, champion.sequence) == ("arm/3", 1, OF_ARM_3)
    assert not champion.is_override


def test_without_a_model_the_champion_is_the_one_promoted_last(
    filled: Ledger, verdict_of: VerdictOf
) -> None:
    promoted(filled, verdict_of(model_version="leg/1"))
    assert filled.champion().model_version == "leg/1"
    assert filled.champion("arm").model_version == "arm/4"


def test_without_a_champion_the_command_to_run_is_told(ledger: Ledger) -> None:
    with refuses(EvidenceMissing, match="rehabcast promote"):
        ledger.champion()
    with refuses(EvidenceMissing, match="champion of 'arm'"):
        ledger.champion("arm")


def test_an_untouched_ledger_verifies_and_tells_its_head(
    filled: Ledger, ledger_url: str, verdict_of: VerdictOf
) -> None:
    state = filled.verify()
    assert state.length == ENTRIES
    reopened = Ledger(ledger_url)
    assert reopened.verify(anchor=state) == state
    record(reopened, verdict_of())
    assert reopened.verify(anchor=state).length == ENTRIES + 1
    reopened.close()


def test_an_empty_ledger_verifies(ledger: Ledger) -> None:
    assert ledger.verify() == LedgerState(length=0, head="")
    assert ledger.verify(anchor=LedgerState(length=0, head="")).length == 0


@pytest.mark.parametrize("sequence", [1, 2, OF_ARM_3, LAST])
def test_an_edit_of_any_entry_is_found(filled: Ledger, ledger_url: str, sequence: int) -> None:
    engine = open_database(ledger_url)
    with engine.connect() as connection:
        chosen = sa.text(f"SELECT * FROM trail WHERE sequence = {sequence}")
        written = dict(connection.execute(chosen).mappings().one())
    engine.dispose()
    for column in ("time", "kind", "about", "actor", "payload", "previous", "hash"):
        edit = f"UPDATE trail SET {column} = 'x' || substr({column}, 2) WHERE sequence = :n"
        tamper(ledger_url, edit, n=sequence)
        with pytest.raises(IntegrityError, match=f"entry {sequence} "):
            filled.verify()
        back = f"UPDATE trail SET {column} = :was WHERE sequence = :n"
        tamper(ledger_url, back, n=sequence, was=written[column])
        assert filled.verify().length == LAST, column


@pytest.mark.parametrize("sequence", [1, 3, 8])
def test_a_deleted_entry_is_found(filled: Ledger, ledger_url: str, sequence: int) -> None:
    tamper(ledger_url, "DELETE FROM trail WHERE sequence = :n", n=sequence)
    with refuses(IntegrityError, match=f"entry {sequence} is missing"):
        filled.verify()


@pytest.mark.parametrize("first", [1, 3, 8])
def test_swapped_entries_are_found(filled: Ledger, ledger_url: str, first: int) -> None:
    tamper(
        ledger_url,
        "UPDATE trail SET sequence = -1 WHERE sequence = :n",
        "UPDATE trail SET sequence = :n WHERE sequence = :n + 1",
        "UPDATE trail SET sequence = :n + 1 WHERE sequence = -1",
        n=first,
    )
    with refuses(IntegrityError, match=f"entry {first} does not follow"):
        filled.verify()


def test_a_cut_tail_is_found_by_an_anchor_or_by_the_champion_that_rested_on_it(
    filled: Ledger, ledger_url: str, verdict_of: VerdictOf
) -> None:
    record(filled, verdict_of())
    state = filled.verify()
    cut = "DELETE FROM trail WHERE sequence = :n"
    tamper(ledger_url, cut, n=ENTRIES + 1)
    assert filled.verify().length == ENTRIES  # Nothing inside the ledger can tell.
    with refuses(IntegrityError, match=f"cut after entry {ENTRIES} of {ENTRIES + 1}"):
        filled.verify(anchor=state)
    tamper(ledger_url, cut, n=ENTRIES)
    with refuses(IntegrityError, match=f"champion of 'arm' is not that of entry {OF_ARM_3}"):
        filled.verify()


def test_a_trail_written_anew_is_found_by_an_anchor(filled: Ledger) -> None:
    with refuses(IntegrityError, match="rewritten up to entry 4"):
        filled.verify(anchor=LedgerState(length=4, head="0" * 64))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE champion SET bundle_digest = 'other' WHERE model = 'arm'",
        "UPDATE champion SET valid_until = '2099-01-01T00:00:00+00:00'",
        "UPDATE champion SET epoch = 7",
        "DELETE FROM champion",
        "INSERT INTO champion SELECT 'leg', version, epoch, bundle_digest, report_digest,"
        " policy_digest, outcome, ml_owner, governance, approver, reason, override_until,"
        " restricted_use, promoted_at, valid_until, revoked, sequence FROM champion",
    ],
)
def test_a_champion_that_the_trail_does_not_tell_of_is_found(
    filled: Ledger, ledger_url: str, statement: str
) -> None:
    tamper(ledger_url, statement, past_the_guards=False)
    with refuses(IntegrityError, match="the champion of"):
        filled.verify()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE trail SET actor = 'eve' WHERE sequence = 1",
        "DELETE FROM trail WHERE sequence = 5",
        "INSERT INTO trail SELECT 90, time, kind, about, actor, payload, previous, 'x' FROM trail"
        " WHERE sequence = 2",
    ],
)
def test_the_database_refuses_changes_of_the_trail(
    filled: Ledger, ledger_url: str, statement: str
) -> None:
    with pytest.raises(sa.exc.DBAPIError, match="append-only"):
        tamper(ledger_url, statement, past_the_guards=False)
    assert filled.verify().length == ENTRIES


def test_even_a_replacing_insert_of_sqlite_is_refused(
    tmp_path: Path, verdict_of: VerdictOf
) -> None:
    url = f"sqlite:///{tmp_path / 'own.db'}"
    own = Ledger(url)
    promoted(own, verdict_of())
    replacing = "INSERT OR REPLACE INTO trail SELECT * FROM trail WHERE sequence = 2"
    with pytest.raises(sa.exc.DBAPIError, match="append-only"):
        tamper(url, replacing, past_the_guards=False)
    own.close()


def test_postgresql_does_not_let_the_trail_be_emptied(ledger_url: str, filled: Ledger) -> None:
    if ledger_url.startswith("postgresql"):
        with pytest.raises(sa.exc.DBAPIError, match="append-only"):
            tamper(ledger_url, "TRUNCATE trail", past_the_guards=False)
    assert filled.verify().length == ENTRIES


def test_the_database_refuses_a_champion_without_a_pass_or_an_override(
    ledger: Ledger, verdict_of: VerdictOf
) -> None:
    for outcome in (Outcome.INSUFFICIENT, Outcome.REVIEW, Outcome.BLOCKED):
        audit = approved(ledger, verdict_of(outcome))
        with pytest.raises(sa.exc.IntegrityError, match="passed_or_overridden"):
            ledger.promote(audit, seen_epoch=0, actor="eve", now=NOW)
    override = Override(
        approver="eve", reason="because I say so", until=LATER, restricted_use="everywhere, always"
    )
    with pytest.raises(sa.exc.IntegrityError, match="passed_or_overridden"):
        ledger.promote(audit, seen_epoch=0, actor="eve", now=NOW, override=override)
    assert ledger.epoch("arm") == 0
    assert ledger.verify().length == 9  # What was refused left no entry either.


def test_the_database_refuses_a_champion_that_one_person_approved(
    ledger: Ledger, ledger_url: str, verdict_of: VerdictOf
) -> None:
    audit = record(ledger, verdict_of())
    with refuses(PromotionRefused, match="no approval as ml-owner"):
        ledger.promote(audit, seen_epoch=0, actor="eve", now=NOW)
    promoted(ledger, verdict_of())
    with pytest.raises(sa.exc.IntegrityError, match="two_people"):
        tamper(ledger_url, "UPDATE champion SET governance = 'MIA'", past_the_guards=False)


@pytest.mark.parametrize("seen_epoch", [0, 2, -1])
def test_a_promotion_from_an_epoch_that_is_over_is_refused_and_changes_nothing(
    ledger: Ledger, verdict_of: VerdictOf, seen_epoch: int
) -> None:
    before = promoted(ledger, verdict_of())
    with refuses(PromotionRefused, match="came first"):
        promoted(ledger, verdict_of(model_version="arm/4"), seen_epoch=seen_epoch)
    assert ledger.champion("arm") == before
    assert ledger.verify().length == OF_ARM_3 + 3


def test_a_newer_audit_stops_a_promotion_that_rests_on_the_older(
    ledger: Ledger, verdict_of: VerdictOf
) -> None:
    older = approved(ledger, verdict_of())
    record(ledger, verdict_of(Outcome.BLOCKED))
    with refuses(PromotionRefused, match="another audit was recorded"):
        ledger.promote(older, seen_epoch=0, actor="bob", now=NOW)


def test_of_simultaneous_promoters_exactly_one_wins_each_epoch(
    ledger: Ledger, ledger_url: str, verdict_of: VerdictOf
) -> None:
    promoters, epochs = 4, 5
    audits = [
        approved(ledger, verdict_of(model_version=f"arm/{number}")) for number in range(promoters)
    ]
    start = threading.Barrier(promoters, timeout=20)
    won: list[int] = []
    lost: list[int] = []

    def run(audit: AuditRecord) -> None:
        own_ledger = Ledger(ledger_url)
        for epoch in range(epochs):
            start.wait()
            try:
                own_ledger.promote(audit, seen_epoch=epoch, actor="bob", now=NOW)
                won.append(epoch)
            except PromotionRefused:
                lost.append(epoch)
            start.wait()
        own_ledger.close()

    threads = [threading.Thread(target=run, args=(audit,)) for audit in audits]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == list(range(epochs))
    assert len(lost) == (promoters - 1) * epochs
    assert ledger.epoch("arm") == epochs
    assert ledger.verify().length == 3 * promoters + epochs


def test_simultaneous_recorders_all_find_their_place(
    ledger: Ledger, ledger_url: str, verdict_of: VerdictOf
) -> None:
    def run() -> None:
        own_ledger = Ledger(ledger_url)
        for _ in range(5):
            record(own_ledger, verdict_of())
        own_ledger.close()

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ledger.verify().length == 20


def test_times_are_kept_in_utc(ledger: Ledger, verdict_of: VerdictOf) -> None:
    here = timezone(timedelta(hours=2))
    audit = ledger.record_audit(
        verdict_of(), "e" * 64, actor="ann", now=NOW.astimezone(here), valid_until=LATER
    )
    assert audit.recorded_at.isoformat() == "2026-11-24T10:00:00+00:00"


@pytest.mark.parametrize(
    ("now", "valid_until", "actor", "version", "why"),
    [
        (NOW.replace(tzinfo=None), LATER, "ann", "arm/3", "no time zone"),
        (NOW, LATER.replace(tzinfo=None), "ann", "arm/3", "no time zone"),
        (NOW, NOW, "ann", "arm/3", "already expired"),
        (NOW, LATER, " ", "arm/3", "needs the name"),
        (NOW, LATER, "ann", "arm", "NAME/N"),
        (NOW, LATER, "ann", "/3", "NAME/N"),
    ],
)
def test_an_audit_that_cannot_hold_is_not_recorded(
    ledger: Ledger,
    verdict_of: VerdictOf,
    now: datetime,
    valid_until: datetime,
    actor: str,
    version: str,
    why: str,
) -> None:
    verdict = verdict_of(model_version=version)
    with refuses(ContractError, match=why):
        ledger.record_audit(verdict, "e" * 64, actor=actor, now=now, valid_until=valid_until)
    assert ledger.verify().length == 0


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"bundle_digest": "0" * 64}, "has no audit"),
        ({"ml_owner": "eve"}, "has no approval as ml-owner"),
        ({"governance": "mia"}, "has no approval as governance"),
    ],
)
def test_a_forged_promotion_is_found(
    filled: Ledger, ledger_url: str, changed: dict[str, str], why: str
) -> None:
    details = filled.trail()[-1].details()
    forged = {**details, "champion": {**details["champion"], **changed, "epoch": 3}}
    engine = open_database(ledger_url)
    write(
        engine,
        lambda connection: append(
            connection, kind=PROMOTION, about="arm/4", actor="eve", now=NOW, details=forged
        ),
    )
    engine.dispose()
    with refuses(IntegrityError, match=f"promotion of entry {ENTRIES + 1} {why}"):
        filled.verify()


def test_a_place_that_is_no_database_is_told_without_its_password(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    path.write_text("this is not a database, and long enough to be looked at as one" * 20)
    with refuses(ServiceUnavailable, match="cannot be opened"):
        Ledger(f"sqlite:///{path}")


def test_a_ledger_from_before_migrations_is_refused_and_says_what_to_do(ledger_url: str) -> None:
    engine = open_database(ledger_url)
    with engine.begin() as connection:
        connection.execute(sa.text("DROP TABLE alembic_version"))
    engine.dispose()
    with refuses(ServiceUnavailable, match="move it away") as refusal:
        Ledger(ledger_url)
    assert "before migrations" in str(refusal.value)
    assert make_url(ledger_url).database not in str(refusal.value)


def test_the_migrations_make_the_tables_that_the_code_expects(ledger_url: str) -> None:
    engine = open_database(ledger_url)
    with reading(engine) as connection:
        context = MigrationContext.configure(connection)
        assert context.get_current_revision() == "0002"
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_many_may_open_a_new_ledger_at_once(ledger_url: str) -> None:
    opened: list[Ledger] = []
    threads = [threading.Thread(target=lambda: opened.append(Ledger(ledger_url))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [ledger.verify().length for ledger in opened] == [0] * 8
    for ledger in opened:
        ledger.close()


def test_a_ledger_that_another_makes_meanwhile_is_no_old_one(
    ledger_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = storage._revision

    def overtaken(engine: sa.Engine) -> str | None:
        seen = ask(engine)
        monkeypatch.setattr(storage, "_revision", ask)
        Ledger(ledger_url).close()
        return seen

    monkeypatch.setattr(storage, "_revision", overtaken)
    opened = Ledger(ledger_url)
    assert opened.verify().length == 0
    opened.close()


def test_a_policy_is_frozen_once_and_again_when_it_changes(ledger: Ledger) -> None:
    for digest in ("a" * 64, "a" * 64, "b" * 64, "a" * 64):
        ledger.freeze_policy("2", digest, actor="ann", now=NOW)
    assert [e.details()["digest"][0] for e in ledger.trail()] == ["a", "b", "a"]
    assert ledger.verify().length == 3
