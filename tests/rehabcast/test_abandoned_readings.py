"""A reading of the ledger that was given up goes on in its thread, and changes nothing any more."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from audits.ledger import followed
from audits.ledger.ledger import Ledger
from audits.ledger.records import Role
from audits.ledger.signing import make_key
from audits.ledger.trail import Entry
from contracts.errors import IntegrityError, ServiceUnavailable
from contracts.verdict import Outcome, Verdict
from rehabcast.ledger_source import LedgerSource
from rehabcast.settings import Settings

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """A ledger with a champion."""
    make_key(tmp_path / "keys" / "local.pem", tmp_path / "keys" / "trusted" / "local.pem")
    opened = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    verdict = Verdict(
        model_version="arm/1", bundle_digest="b" * 64, predictions_digest="a" * 64,
        policy_digest="c" * 64, data_digest="d" * 64, code_digest="e" * 64, simulated=True,
        outcome=Outcome.PASS, findings=(),
    )  # fmt: skip
    until = NOW + timedelta(days=9)
    audit = opened.record_audit(verdict, "f" * 64, actor="ann", now=NOW, valid_until=until)
    for role, person in zip(Role, ("mia", "gus"), strict=True):
        opened.approve(audit, role, person=person, reason="Read and discussed.", now=NOW)
    opened.promote(audit, seen_epoch=0, actor="bob", now=NOW)
    return opened


def revocation_undone(file: Path) -> None:
    """Cut the last entry off, and set the champion back."""
    with sqlite3.connect(file) as database:
        for name in ("trail_is_not_edited", "trail_is_not_shortened", "trail_grows_at_its_end"):
            database.execute(f"DROP TRIGGER IF EXISTS {name}")
        database.execute("DELETE FROM trail WHERE sequence = (SELECT max(sequence) FROM trail)")
        database.execute("UPDATE champion SET revoked = NULL, epoch = 1, sequence = sequence - 1")
    database.close()


@pytest.mark.parametrize("has_read_before", [False, True])
def test_a_slow_reading_never_takes_back_what_a_newer_one_has_seen(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_read_before: bool
) -> None:
    """The newer has seen a revocation; without it, an edit that undoes it would be believed."""
    source = LedgerSource(Settings(ledger_url=f"sqlite:///{tmp_path / 'ledger.db'}", home=tmp_path))
    if has_read_before:
        source.read()
        ledger.freeze_policy("1", "d" * 64, actor="ann", now=NOW)
    reached, go_on = threading.Event(), threading.Event()
    verify = followed.verified_after

    def slow(known: Entry | None, stored: Iterator[Entry]) -> Any:
        if not reached.is_set():
            reached.set()
            assert go_on.wait(60)
        return verify(known, stored)

    monkeypatch.setattr(followed, "verified_after", slow)
    with ThreadPoolExecutor(1) as pool:
        abandoned = pool.submit(source.read)
        assert reached.wait(60)
        ledger.revoke("arm", actor="gus", reason="Harm was seen.", now=NOW)
        newer = source.read()
        go_on.set()
        with pytest.raises(ServiceUnavailable, match="given up"):
            abandoned.result(60)
    assert newer.objections
    revocation_undone(tmp_path / "ledger.db")
    with pytest.raises(IntegrityError):
        source.read()
