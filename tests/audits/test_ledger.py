from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from audits.ledger import AuditRecord, Champion, Ledger, LedgerState
from audits.storage import metadata, open_database, write
from audits.trail import PROMOTION, append, entries
from contracts.errors import (
    ContractError,
    EvidenceMissing,
    IntegrityError,
    PromotionRefused,
    ServiceUnavailable,
)
from contracts.verdict import Outcome, Verdict

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
LATER = NOW + timedelta(days=180)
GUARDS = ("trail_is_not_edited", "trail_is_not_shortened", "trail_grows_at_its_end")
ENTRIES = 5

VerdictOf = Callable[..., Verdict]


def record(ledger: Ledger, verdict: Verdict, *, report: str = "e" * 64) -> AuditRecord:
    return ledger.record_audit(verdict, report, actor="ann", now=NOW, valid_until=LATER)


def promoted(ledger: Ledger, verdict: Verdict, *, seen_epoch: int = 0) -> Champion:
    audit = record(ledger, verdict)
    return ledger.promote(audit, seen_epoch=seen_epoch, actor="bob", now=NOW)


def tamper(url: str, *statements: str, past_the_guards: bool = True, **places: int) -> None:
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection, connection:
        for guard in GUARDS if past_the_guards else ():
            connection.execute(f"DROP TRIGGER {guard}")
        for statement in statements:
            connection.execute(statement, places)


@pytest.fixture
def filled(ledger: Ledger, verdict_of: VerdictOf) -> Ledger:
    """Five entries: two audits and two promotions of one model, one audit of another."""
    promoted(ledger, verdict_of())
    record(ledger, verdict_of(model_version="leg/1"))
    promoted(ledger, verdict_of(model_version="arm/4", bundle_digest="f" * 64), seen_epoch=1)
    return ledger


def test_an_audit_is_read_back_as_it_was_recorded(ledger: Ledger, verdict_of: VerdictOf) -> None:
    told = record(ledger, verdict_of(Outcome.INSUFFICIENT))
    assert ledger.latest_audit("arm/3", "b" * 64) == ledger.latest_audit("arm/3") == told
    assert told.held_back_by == ("sex: female (n = 60): insufficient evidence.",)
    assert (told.recorded_at, told.valid_until) == (NOW, LATER)
    assert ledger.latest_audit("arm/3", "0" * 64) is None
    assert ledger.latest_audit("arm/30") is None


def test_a_champion_is_read_back_as_it_was_promoted(ledger: Ledger, verdict_of: VerdictOf) -> None:
    told = promoted(ledger, verdict_of())
    assert ledger.champion("arm") == ledger.champion() == told
    assert (told.model_version, told.epoch, told.sequence) == ("arm/3", 1, 2)
    assert not told.is_override


def test_without_a_model_the_champion_is_the_one_promoted_last(
    filled: Ledger, verdict_of: VerdictOf
) -> None:
    promoted(filled, verdict_of(model_version="leg/1"))
    assert filled.champion().model_version == "leg/1"
    assert filled.champion("arm").model_version == "arm/4"


def test_without_a_champion_the_command_to_run_is_told(ledger: Ledger) -> None:
    with pytest.raises(EvidenceMissing, match="rehabcast promote"):
        ledger.champion()
    with pytest.raises(EvidenceMissing, match="champion of 'arm'"):
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


@pytest.mark.parametrize("sequence", range(1, ENTRIES + 1))
@pytest.mark.parametrize(
    "column", ["time", "kind", "about", "actor", "payload", "previous", "hash"]
)
def test_an_edit_of_any_entry_is_found(
    filled: Ledger, ledger_url: str, sequence: int, column: str
) -> None:
    edit = "UPDATE trail SET COLUMN = COLUMN || ' ' WHERE sequence = :n"
    tamper(ledger_url, edit.replace("COLUMN", column), n=sequence)
    with pytest.raises(IntegrityError, match=f"entry {sequence} "):
        filled.verify()


@pytest.mark.parametrize("sequence", range(1, ENTRIES))
def test_a_deleted_entry_is_found(filled: Ledger, ledger_url: str, sequence: int) -> None:
    tamper(ledger_url, "DELETE FROM trail WHERE sequence = :n", n=sequence)
    with pytest.raises(IntegrityError, match=f"entry {sequence} is missing"):
        filled.verify()


@pytest.mark.parametrize("first", range(1, ENTRIES))
def test_swapped_entries_are_found(filled: Ledger, ledger_url: str, first: int) -> None:
    tamper(
        ledger_url,
        "UPDATE trail SET sequence = -1 WHERE sequence = :n",
        "UPDATE trail SET sequence = :n WHERE sequence = :n + 1",
        "UPDATE trail SET sequence = :n + 1 WHERE sequence = -1",
        n=first,
    )
    with pytest.raises(IntegrityError, match=f"entry {first} does not follow"):
        filled.verify()


def test_a_cut_tail_is_found_by_an_anchor_or_by_the_champion_that_rested_on_it(
    filled: Ledger, ledger_url: str, verdict_of: VerdictOf
) -> None:
    record(filled, verdict_of())
    state = filled.verify()
    cut = "DELETE FROM trail WHERE sequence = :n"
    tamper(ledger_url, cut, n=ENTRIES + 1)
    assert filled.verify().length == ENTRIES  # Nothing inside the ledger can tell.
    with pytest.raises(IntegrityError, match=f"cut after entry {ENTRIES} of {ENTRIES + 1}"):
        filled.verify(anchor=state)
    tamper(ledger_url, cut, n=ENTRIES, past_the_guards=False)
    with pytest.raises(IntegrityError, match="champion of 'arm' is not that of entry 2"):
        filled.verify()


def test_a_trail_written_anew_is_found_by_an_anchor(filled: Ledger) -> None:
    with pytest.raises(IntegrityError, match="rewritten up to entry 4"):
        filled.verify(anchor=LedgerState(length=4, head="0" * 64))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE champion SET bundle_digest = 'other' WHERE model = 'arm'",
        "UPDATE champion SET valid_until = '2099-01-01T00:00:00+00:00'",
        "UPDATE champion SET epoch = 7",
        "DELETE FROM champion",
        "INSERT INTO champion SELECT 'leg', version, epoch, bundle_digest, report_digest, outcome,"
        " approver, reason, promoted_at, valid_until, sequence FROM champion",
    ],
)
def test_a_champion_that_the_trail_does_not_tell_of_is_found(
    filled: Ledger, ledger_url: str, statement: str
) -> None:
    tamper(ledger_url, statement, past_the_guards=False)
    with pytest.raises(IntegrityError, match="the champion of"):
        filled.verify()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE trail SET actor = 'eve' WHERE sequence = 1",
        "DELETE FROM trail WHERE sequence = 5",
        "INSERT OR REPLACE INTO trail SELECT * FROM trail WHERE sequence = 2",
        "INSERT INTO trail SELECT 9, time, kind, about, actor, payload, previous, 'x' FROM trail"
        " WHERE sequence = 2",
    ],
)
def test_the_database_refuses_changes_of_the_trail(
    filled: Ledger, ledger_url: str, statement: str
) -> None:
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        tamper(ledger_url, statement, past_the_guards=False)
    assert filled.verify().length == ENTRIES


def test_the_database_refuses_a_champion_without_a_pass_or_an_override(
    ledger: Ledger, verdict_of: VerdictOf
) -> None:
    doubtful = record(ledger, verdict_of(Outcome.INSUFFICIENT))
    with pytest.raises(sa.exc.IntegrityError, match="passed_or_overridden"):
        ledger.promote(doubtful, seen_epoch=0, actor="eve", now=NOW)
    failed = record(ledger, verdict_of(Outcome.BLOCKED))
    with pytest.raises(sa.exc.IntegrityError, match="passed_or_overridden"):
        ledger.promote(
            failed, seen_epoch=0, actor="eve", now=NOW, approver="eve", reason="because I say so"
        )
    assert ledger.epoch("arm") == 0
    assert ledger.verify().length == 2  # What was refused left no entry either.


@pytest.mark.parametrize("seen_epoch", [0, 2, -1])
def test_a_promotion_from_an_epoch_that_is_over_is_refused_and_changes_nothing(
    ledger: Ledger, verdict_of: VerdictOf, seen_epoch: int
) -> None:
    before = promoted(ledger, verdict_of())
    with pytest.raises(PromotionRefused, match="came first"):
        promoted(ledger, verdict_of(model_version="arm/4"), seen_epoch=seen_epoch)
    assert ledger.champion("arm") == before
    assert ledger.verify().length == 3


def test_a_newer_audit_stops_a_promotion_that_rests_on_the_older(
    ledger: Ledger, verdict_of: VerdictOf
) -> None:
    older = record(ledger, verdict_of())
    record(ledger, verdict_of(Outcome.BLOCKED))
    with pytest.raises(PromotionRefused, match="another audit was recorded"):
        ledger.promote(older, seen_epoch=0, actor="bob", now=NOW)


def test_of_simultaneous_promoters_exactly_one_wins_each_epoch(
    ledger: Ledger, ledger_url: str, verdict_of: VerdictOf
) -> None:
    promoters, epochs = 4, 5
    audits = [
        record(ledger, verdict_of(model_version=f"arm/{number}")) for number in range(promoters)
    ]
    start = threading.Barrier(promoters, timeout=20)
    won: list[int] = []
    lost: list[int] = []

    def run(audit: AuditRecord) -> None:
        mine = Ledger(ledger_url)
        for epoch in range(epochs):
            start.wait()
            try:
                mine.promote(audit, seen_epoch=epoch, actor="bob", now=NOW)
                won.append(epoch)
            except PromotionRefused:
                lost.append(epoch)
            start.wait()
        mine.close()

    threads = [threading.Thread(target=run, args=(audit,)) for audit in audits]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == list(range(epochs))
    assert len(lost) == (promoters - 1) * epochs
    assert ledger.epoch("arm") == epochs
    assert ledger.verify().length == promoters + epochs


def test_simultaneous_recorders_all_find_their_place(
    ledger: Ledger, ledger_url: str, verdict_of: VerdictOf
) -> None:
    def run() -> None:
        mine = Ledger(ledger_url)
        for _ in range(5):
            record(mine, verdict_of())
        mine.close()

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ledger.verify().length == 20


def test_times_are_kept_in_utc(ledger: Ledger, verdict_of: VerdictOf) -> None:
    here = timezone(timedelta(hours=2))
    told = ledger.record_audit(
        verdict_of(), "e" * 64, actor="ann", now=NOW.astimezone(here), valid_until=LATER
    )
    assert told.recorded_at.isoformat() == "2026-11-24T10:00:00+00:00"


@pytest.mark.parametrize(
    ("now", "valid_until", "actor", "version", "why"),
    [
        (NOW.replace(tzinfo=None), LATER, "ann", "arm/3", "no zone"),
        (NOW, LATER.replace(tzinfo=None), "ann", "arm/3", "no zone"),
        (NOW, NOW, "ann", "arm/3", "is over"),
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
    with pytest.raises(ContractError, match=why):
        ledger.record_audit(verdict, "e" * 64, actor=actor, now=now, valid_until=valid_until)
    assert ledger.verify().length == 0


def test_a_promotion_that_rests_on_no_audit_is_found(
    filled: Ledger, ledger_url: str, verdict_of: VerdictOf
) -> None:
    engine = open_database(ledger_url)
    with engine.connect() as connection:
        details = list(entries(connection))[-1].details()
    forged = details | {"bundle_digest": "0" * 64, "epoch": 3}
    write(
        engine,
        lambda connection: append(
            connection, kind=PROMOTION, about="arm/4", actor="eve", now=NOW, details=forged
        ),
    )
    engine.dispose()
    with pytest.raises(IntegrityError, match=f"promotion of entry {ENTRIES + 1} has no audit"):
        filled.verify()


def test_a_place_that_is_no_database_is_told_without_its_password(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    path.write_text("this is not a database, and long enough to be looked at as one" * 20)
    with pytest.raises(ServiceUnavailable, match="cannot be opened"):
        Ledger(f"sqlite:///{path}")


def test_the_tables_can_be_made_in_postgresql() -> None:
    for table in metadata.sorted_tables:
        assert "CREATE TABLE" in str(CreateTable(table).compile(dialect=postgresql.dialect()))
