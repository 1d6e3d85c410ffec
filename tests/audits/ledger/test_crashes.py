"""Crashes and races of promotion, with real processes, real databases and a real MLflow store."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest
import sqlalchemy as sa
from mlflow import MlflowClient
from sqlalchemy import make_url

from audits.ledger.ledger import Ledger
from audits.ledger.mirror import mirror_aliases
from audits.ledger.records import AuditRecord, Role
from contracts.errors import PromotionRefused
from contracts.verdict import Verdict
from tests.forked import Forked
from training.registry.model_versions import ChampionAliases
from training.tracking import Store

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
VerdictOf = Callable[..., Verdict]

# MLflow uses what SQLAlchemy is to drop; nothing of ours does.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

PROMOTER = """
from datetime import UTC, datetime
from pathlib import Path
import mlflow.store.model_registry.sqlalchemy_store
from audits.ledger.ledger import Ledger
from audits.ledger.mirror import mirror_aliases
from training.registry.model_versions import ChampionAliases
from training.tracking import Store

def work(url, uri, artifacts, told):
    now = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
    ledger = Ledger(url)
    aliases = ChampionAliases(store=Store(tracking_uri=uri, artifacts=Path(artifacts)))
    audits = [ledger.latest_audit(f"arm/{number}") for number in (1, 2)]
    with open(told, "wb", buffering=0) as ready_and_moves:
        ready_and_moves.write(b"r")
        while True:
            for audit in audits:
                ledger.promote(audit, seen_epoch=ledger.epoch("arm"), actor="bob", now=now)
                mirror_aliases(ledger, aliases, actor="bob", now=now)
                ready_and_moves.write(b"m")
"""


def approved(ledger: Ledger, verdict: Verdict) -> AuditRecord:
    until = NOW + timedelta(days=180)
    audit = ledger.record_audit(verdict, "e" * 64, actor="ann", now=NOW, valid_until=until)
    for role, person in zip(Role, ("mia", "gus"), strict=True):
        ledger.approve(audit, role, person=person, reason="Read and discussed.", now=NOW)
    return audit


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A store with versions 1 and 2 of `arm`."""
    made = Store(tracking_uri=f"sqlite:///{tmp_path / 'mlflow.db'}", artifacts=tmp_path)
    client: MlflowClient = made.client(make=True)
    client.create_registered_model("arm")
    for _ in range(2):
        client.create_model_version("arm", str(tmp_path))
    return made


def killed_at_random(
    promoter: Forked, url: str, store: Store, told: Path, rng: random.Random
) -> None:
    """Run a promoter that never stops, and kill it at some point of some promotion."""
    told.write_bytes(b"")
    process = promoter.start(url, store.tracking_uri, store.artifacts, told)
    # By promotions and not by the clock, so that a busy machine is killed at the same places.
    ready_and_moves = 1 + rng.randrange(3)
    while told.stat().st_size < ready_and_moves:
        assert psutil.pid_exists(process)
        time.sleep(0.002)
    time.sleep(rng.uniform(0, 0.1))
    assert promoter.killed(process)


@pytest.mark.parametrize(
    "kills", [1, pytest.param(100, marks=pytest.mark.soak)], ids=["slice", "full"]
)
def test_a_promoter_killed_anywhere_leaves_one_champion_and_the_alias_catches_up(
    ledger: Ledger, ledger_url: str, store: Store, verdict_of: VerdictOf, kills: int, tmp_path: Path
) -> None:
    """The full count runs 100 times on each of the two databases."""
    for number in (1, 2):
        approved(ledger, verdict_of(model_version=f"arm/{number}"))
    aliases, rng, epoch = ChampionAliases(store=store), random.Random(7), 0
    with Forked(PROMOTER) as promoter:
        for _ in range(kills):
            killed_at_random(promoter, ledger_url, store, tmp_path / "told", rng)
            ledger.verify()
            champions = [e for e in ledger.trail() if e.kind == "promotion"]
            # Killed before the first promotion, nothing has changed; after it, all of it has.
            assert ledger.epoch("arm") == len(champions) >= epoch
            epoch = len(champions)
            if epoch == 0:
                continue
            # No drift: what the crash left untold is in the outbox, and no hand moved anything.
            assert mirror_aliases(ledger, aliases, actor="bob", now=NOW) == []
            assert aliases.version("arm") == ledger.champion("arm").version
    assert epoch >= kills / 2


def test_the_server_outlives_the_start_of_another_pytest(
    postgresql: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Each start closes the folder of all temporary folders to other users, as the server is one."""
    tmp_path_factory.getbasetemp().parent.chmod(0o700)
    engine = sa.create_engine(make_url(postgresql).set(drivername="postgresql+psycopg"))
    with engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(sa.text("CHECKPOINT"))
    with engine.connect() as connection:
        assert connection.execute(sa.text("SELECT 1")).scalar_one() == 1
    engine.dispose()


@pytest.mark.parametrize(
    ("promoters", "rounds"),
    [(4, 3), pytest.param(32, 200, marks=pytest.mark.soak)],
    ids=["slice", "full"],
)
def test_of_simultaneous_promoters_one_wins_each_round_and_the_others_are_told(
    ledger: Ledger, ledger_url: str, verdict_of: VerdictOf, promoters: int, rounds: int
) -> None:
    audits = [approved(ledger, verdict_of(model_version=f"arm/{n}")) for n in range(promoters)]
    barrier = threading.Barrier(promoters, timeout=120)
    won: list[int] = []
    lost: list[int] = []

    def run(audit: AuditRecord) -> None:
        own_ledger = Ledger(ledger_url)
        for epoch in range(rounds):
            barrier.wait()
            try:
                own_ledger.promote(audit, seen_epoch=epoch, actor="bob", now=NOW)
                won.append(epoch)
            except PromotionRefused as refusal:
                assert "came first" in str(refusal)  # noqa: PT017  (in a thread)
                lost.append(epoch)
            barrier.wait()
        own_ledger.close()

    threads = [threading.Thread(target=run, args=(audit,)) for audit in audits]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == list(range(rounds))
    assert len(lost) == (promoters - 1) * rounds
    assert ledger.epoch("arm") == rounds
    ledger.verify()


@pytest.mark.parametrize(
    ("promoters", "rounds"),
    [(4, 3), pytest.param(32, 200, marks=pytest.mark.soak)],
    ids=["slice", "full"],
)
def test_the_same_race_on_the_bare_alias_loses_updates(
    store: Store, promoters: int, rounds: int
) -> None:
    """Why there is a ledger: all read the same champion, all are told they won, one move is left."""
    aliases = ChampionAliases(store=store)
    client: MlflowClient = store.client()
    # Version 1 is in service; each promoter has a version of its own.
    for _ in range(promoters - 1):
        client.create_model_version("arm", str(store.artifacts))
    aliases.set_version("arm", "1")
    left: list[str | None] = []
    round_over = threading.Barrier(
        promoters, timeout=300, action=lambda: left.append(aliases.version("arm"))
    )
    all_have_read = threading.Barrier(promoters, timeout=300)
    told_they_won: list[tuple[int, str]] = []

    def run(version: str) -> None:
        for number in range(rounds):
            assert aliases.version("arm") is not None
            all_have_read.wait()
            aliases.set_version("arm", version)
            told_they_won.append((number, version))
            round_over.wait()

    threads = [threading.Thread(target=run, args=(str(n + 2),)) for n in range(promoters)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(told_they_won) == promoters * rounds
    lost = [(number, version) for number, version in told_they_won if left[number] != version]
    assert len(lost) == (promoters - 1) * rounds
