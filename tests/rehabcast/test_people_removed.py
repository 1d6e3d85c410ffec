"""A service that runs believes a person's key only as long as it is among the people's."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from audits.ledger.gate import PresentedEvidence, promote
from audits.ledger.identity import Identities
from audits.ledger.ledger import Ledger
from audits.ledger.people import read_people, read_person_key
from audits.ledger.records import Role
from audits.ledger.signing import make_key
from contracts.verdict import Outcome, Verdict
from rehabcast.ledger_source import LedgerSource
from rehabcast.settings import Settings
from serving.state.champion import ChampionInService


class Source(LedgerSource):
    """The real ledger, without a registry."""

    def load(self, terms: Any) -> Any:
        return terms

    def registry(self) -> None:
        return None


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Of a ledger in which mia and gus approved what bob promoted, each by their key."""
    for name in ("mia", "gus", "bob", "eve"):
        make_key(tmp_path / f"{name}.pem", tmp_path / "people" / f"{name}.pem")
    url, people = f"sqlite:///{tmp_path / 'ledger.db'}", read_people(tmp_path / "people")

    def ledger_of(name: str) -> Ledger:
        own = read_person_key(tmp_path / f"{name}.pem", people)
        return Ledger(url, Identities(people=people, own_key=own))

    now = datetime.now(UTC)
    verdict = Verdict(
        model_version="arm/1", bundle_digest="b" * 64, predictions_digest="a" * 64,
        policy_digest="c" * 64, data_digest="d" * 64, code_digest="e" * 64, simulated=True,
        outcome=Outcome.PASS, findings=(),
    )  # fmt: skip
    audit = ledger_of("mia").record_audit(
        verdict, "f" * 64, actor="mia", now=now, valid_until=now + timedelta(days=9)
    )
    ledger_of("mia").approve(audit, Role.ML_OWNER, person="mia", reason="Read it twice.", now=now)
    ledger_of("gus").approve(audit, Role.GOVERNANCE, person="gus", reason="Read it twice.", now=now)
    presented = PresentedEvidence(
        bundle_digest="b" * 64, report=verdict, report_digest="f" * 64, policy_digest="c" * 64
    )
    promote(ledger_of("bob"), model_version="arm/1", presented=presented, actor="bob", now=now)
    return Settings(ledger_url=url, people=tmp_path / "people", home=tmp_path)


def removed(folder: Path) -> None:
    (folder / "mia.pem").unlink()


def other_key(folder: Path) -> None:
    (folder / "eve.pem").unlink()
    (folder / "mia.pem").unlink()
    make_key(folder.parent / "new.pem", folder / "mia.pem")


def unreadable(folder: Path) -> None:
    (folder / "eve.pem").write_text("no key")


def changed_by_others(folder: Path) -> None:
    (folder / "eve.pem").chmod(0o666)


def gone(folder: Path) -> None:
    folder.rename(folder.with_name("elsewhere"))
    folder.mkdir()


@pytest.mark.parametrize("change", [removed, other_key, unreadable, changed_by_others, gone])
def test_a_change_among_the_people_counts_without_a_restart(
    settings: Settings, change: Callable[[Path], None], tmp_path: Path
) -> None:
    people = tmp_path / "people"
    kept = {file: file.read_bytes() for file in people.iterdir()}
    service = ChampionInService(Source(settings), recheck_seconds=3_600)
    try:
        service.refresh()
        assert service.current.withdrawn is None
        change(people)
        for _ in range(2):
            service.refresh()
            assert service.current.withdrawn is not None
            assert str(tmp_path) not in str(service.problem)
        for file, content in kept.items():
            file.write_bytes(content)
            file.chmod(0o600)
        service.refresh()
        assert service.current.withdrawn is None
    finally:
        service.close()


def test_a_person_who_is_added_is_believed_without_a_restart(
    settings: Settings, tmp_path: Path
) -> None:
    service = ChampionInService(Source(settings), recheck_seconds=3_600)
    try:
        make_key(tmp_path / "ann.pem", tmp_path / "people" / "ann.pem")
        people = read_people(tmp_path / "people")
        own = read_person_key(tmp_path / "ann.pem", people)
        ledger = Ledger(settings.ledger_url, Identities(people=people, own_key=own))
        audit = ledger.latest_audit("arm/1")
        assert audit is not None
        ledger.approve(
            audit, Role.ML_OWNER, person="ann", reason="Read it twice.", now=datetime.now(UTC)
        )
        service.refresh()
        assert service.current.withdrawn is None
    finally:
        service.close()
