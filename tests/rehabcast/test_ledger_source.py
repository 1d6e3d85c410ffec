"""The service never serves what an honest ledger does not allow, and comes back by itself.

A real SQLite ledger is promoted, suspended, revoked, tampered with, lost and restored in any order,
through the gate or behind its back; a model of a few lines says what the honest ledger allows.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from mlflow.exceptions import MlflowException

from audits.ledger.gate import PresentedEvidence, promote, roll_back
from audits.ledger.ledger import Ledger
from audits.ledger.records import Override, Role
from audits.ledger.signing import make_key
from contracts.errors import IntegrityError, PromotionRefused, RehabcastError
from contracts.verdict import Outcome, Verdict
from rehabcast.commands.ledger import signed_head
from rehabcast.ledger_source import LedgerSource
from rehabcast.settings import Settings
from serving.state import loading
from serving.state.champion import ChampionInService
from serving.state.following import Terms

START = datetime(2026, 11, 1, tzinfo=UTC)
VERSIONS = ("arm/1", "arm/2", "arm/3", "leg/1")
SECRET_URL = "https://user:hunter2@registry.test"  # noqa: S105
GUARDS = ("trail_is_not_edited", "trail_is_not_shortened", "trail_grows_at_its_end")


@dataclass(frozen=True)
class Loaded:
    """Stands for a model in memory."""

    terms: Terms


@dataclass
class Change:
    """A change of the champion, as the honest model keeps it."""

    kind: str
    version: str
    outcome: Outcome
    until: datetime
    override: bool
    length: int


class Registry:
    """Has every version, is away, or has other bytes."""

    def __init__(self) -> None:
        self.state = "there"

    def load(self, terms: Terms) -> Any:
        if self.state == "away":
            raise MlflowException(f"API request to {SECRET_URL} failed")
        if self.state == "wrong":
            raise IntegrityError(f"{SECRET_URL}: other bytes", "restore them")
        return Loaded(terms)


class Source(LedgerSource):
    """The real ledger, with a registry of the test."""

    registry_of_test: Registry

    def load(self, terms: Terms) -> Any:
        return self.registry_of_test.load(terms)

    def registry(self) -> None:
        return None


def verdict(version: str, outcome: Outcome) -> Verdict:
    return Verdict(
        model_version=version, bundle_digest="b" * 64, predictions_digest="a" * 64,
        policy_digest="c" * 64, data_digest="d" * 64, code_digest="e" * 64, simulated=True,
        outcome=outcome, findings=(),
    )  # fmt: skip


def rows(file: Path) -> tuple[list[Any], list[Any]]:
    """The trail and the champions, as they are in the file."""
    database = sqlite3.connect(file)
    try:
        return (
            list(database.execute("SELECT * FROM trail ORDER BY sequence")),
            list(database.execute("SELECT * FROM champion ORDER BY model")),
        )
    except sqlite3.OperationalError:
        return [], []
    finally:
        database.close()


class Following(RuleBasedStateMachine):
    """One process that follows one ledger, and everything that may happen to either."""

    template: ClassVar[Path]
    """A folder with keys and an empty ledger, made once."""
    model: ClassVar[str | None] = None

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        shutil.copytree(self.template, self.folder, dirs_exist_ok=True)
        self.file, self.honest = self.folder / "ledger.db", self.folder / "honest.db"
        self.settings = Settings(
            ledger_url=f"sqlite:///{self.file}",
            ledger_head=self.folder / "head.json",
            home=self.folder,
        )
        self.writer = Ledger(self.settings.ledger_url)
        self.writer.close()
        self.registry = Registry()
        self.true_time, self.wall = START, START
        self.changes: list[Change] = []
        self.audits: dict[str, Outcome] = {}
        self.length = self.signed = 0
        self.copies: list[tuple[Path, int]] = []
        self.ledger = "honest"
        self.unprovable = False
        self.refusal: RehabcastError | None = None
        self.service: ChampionInService | None = None
        self.latest = START

    def teardown(self) -> None:
        try:
            if self.length:
                self.all_is_well_again()
        finally:
            if self.service is not None:
                self.service.close()
            shutil.rmtree(self.folder)

    # Honest changes: through the gate, on a ledger that is whole.

    def write(self, action: Any) -> Any:
        try:
            return action(self.writer)
        except PromotionRefused:
            return None
        finally:
            self.writer.close()
            self.length = len(rows(self.file)[0])
            shutil.copy(self.file, self.honest)
            copy = self.folder / f"copy{len(self.copies)}.db"
            shutil.copy(self.file, copy)
            self.copies.append((copy, self.length))

    def audited(self, version: str, outcome: Outcome, days: int) -> Any:
        def action(ledger: Ledger) -> Any:
            audit = ledger.record_audit(
                verdict(version, outcome), "f" * 64, actor="ann", now=self.true_time,
                valid_until=self.true_time + timedelta(days=days),
            )  # fmt: skip
            for role, person in zip(Role, ("mia", "gus"), strict=True):
                ledger.approve(
                    audit, role, person=person, reason="Read it, discussed it.", now=self.true_time
                )
            return audit

        self.audits[version] = outcome
        return self.write(action)

    @initialize()
    def begin(self) -> None:
        self.put_in_service("arm/1", Outcome.PASS, 30, 5)
        self.sign_head()
        self.start()

    honestly = precondition(lambda self: self.ledger == "honest" and not self.unprovable)

    @honestly
    @rule(
        version=st.sampled_from(VERSIONS),
        outcome=st.sampled_from([Outcome.PASS, Outcome.PASS, Outcome.INSUFFICIENT, Outcome.REVIEW]),
        days=st.sampled_from([4, 30]),
        override_days=st.sampled_from([2, 40]),
    )
    def put_in_service(self, version: str, outcome: Outcome, days: int, override_days: int) -> None:
        """Promote, restrict or extend."""
        self.audited(version, outcome, days)
        until = self.true_time + timedelta(days=override_days)
        override = Override(
            approver="Ann", reason="Pilot on one ward.", until=until, restricted_use="Ward 3 only."
        )
        report = verdict(version, outcome)
        presented = PresentedEvidence(
            bundle_digest="b" * 64, report=report, report_digest="f" * 64, policy_digest="c" * 64
        )
        champion = self.write(
            lambda ledger: promote(
                ledger, model_version=version, presented=presented, actor="bob",
                now=self.true_time, override=override,
            )
        )  # fmt: skip
        assert champion is not None
        overridden = outcome is not Outcome.PASS
        end = min(
            self.true_time + timedelta(days=days),
            until if overridden else datetime.max.replace(tzinfo=UTC),
        )
        self.changes.append(Change("promotion", version, outcome, end, overridden, self.length))

    @honestly
    @rule(
        version=st.sampled_from(VERSIONS),
        outcome=st.sampled_from([Outcome.PASS, Outcome.INSUFFICIENT, Outcome.BLOCKED]),
    )
    def audit_again(self, version: str, outcome: Outcome) -> None:
        """Suspend, or confirm."""
        self.audited(version, outcome, 30)

    @honestly
    @rule(model=st.sampled_from(["arm", "leg"]))
    def revoke(self, model: str) -> None:
        def action(ledger: Ledger) -> Any:
            try:
                return ledger.revoke(
                    model, actor="bob", reason="Harm was seen.", now=self.true_time
                )
            except RehabcastError:
                return None

        champion = self.write(action)
        if champion is not None:
            self.changes.append(
                Change(
                    "revocation", champion.model_version, Outcome.PASS, START, False, self.length
                )
            )

    @honestly
    @rule(epoch=st.integers(1, 6))
    def roll_back(self, epoch: int) -> None:
        def action(ledger: Ledger) -> Any:
            try:
                return roll_back(
                    ledger, "arm", epoch, actor="bob", reason="Better before.", now=self.true_time
                )
            except RehabcastError:
                return None

        champion = self.write(action)
        if champion is not None:
            self.changes.append(
                Change(
                    "rollback", champion.model_version, champion.outcome, champion.valid_until,
                    champion.is_override, self.length,
                )
            )  # fmt: skip

    @honestly
    @rule()
    def sign_head(self) -> None:
        signed_head(self.settings, self.folder / "head.json")
        self.signed = self.length

    # What happens to the ledger, the registry, the clock and the process.

    def tampered(self, *statements: str) -> None:
        database = sqlite3.connect(self.file)
        for name in GUARDS:
            database.execute(f"DROP TRIGGER IF EXISTS {name}")
        for statement in statements:
            with suppress(sqlite3.OperationalError):  # The trail was dropped before.
                database.execute(statement)
        database.commit()
        database.close()
        trail, champions = rows(self.file)
        honest_trail, honest_champions = rows(self.honest)
        if champions != honest_champions or trail != honest_trail[: len(trail)]:
            self.ledger = "edited"
        else:
            self.ledger = "honest" if len(trail) == len(honest_trail) else "cut"

    there = precondition(lambda self: self.ledger in {"honest", "edited", "cut"})

    @there
    @rule(
        column=st.sampled_from(["payload", "time", "kind", "about", "actor", "hash", "previous"]),
        which=st.integers(0, 50),
    )
    def edit_an_entry(self, column: str, which: int) -> None:
        number = 1 + which % self.length
        self.tampered(f"UPDATE trail SET {column} = 'x' || {column} WHERE sequence = {number}")

    @there
    @rule(
        edit=st.sampled_from(
            ["revoked = NULL", "valid_until = '2999-01-01T00:00:00+00:00'", "version = '9'",
             "epoch = epoch - 1", "epoch = epoch + 1", "sequence = 1", "sequence = 999"]
        )
    )  # fmt: skip
    def edit_a_champion(self, edit: str) -> None:
        self.tampered(f"UPDATE champion SET {edit}")

    @there
    @rule(entries=st.integers(1, 4))
    def cut_the_tail(self, entries: int) -> None:
        self.tampered(f"DELETE FROM trail WHERE sequence > {self.length - entries}")

    @there
    @rule()
    def drop_the_trail(self) -> None:
        self.tampered("DROP TABLE trail")

    @rule(which=st.integers(0, 100), in_place=st.booleans())
    def restore_an_older_copy(self, which: int, in_place: bool) -> None:
        copy, length = self.copies[which % len(self.copies)]
        self.put(copy, in_place=in_place)
        self.ledger = "honest" if length == self.length else "restored"

    @rule()
    def lose_the_ledger(self) -> None:
        self.file.unlink(missing_ok=True)
        self.ledger = "gone"

    @rule(in_place=st.booleans())
    def heal_the_ledger(self, in_place: bool) -> None:
        self.put(self.honest, in_place=in_place)
        self.ledger = "honest"
        if self.unprovable and self.service is not None:
            self.service.close()
            self.service = None
        self.unprovable = False

    def put(self, copy: Path, *, in_place: bool) -> None:
        if in_place:
            shutil.copy(copy, self.file)
            return
        fresh = self.folder / "fresh.db"
        shutil.copy(copy, fresh)
        fresh.replace(self.file)

    @rule(state=st.sampled_from(["there", "away", "wrong"]))
    def change_the_registry(self, state: str) -> None:
        self.registry.state = state

    @rule(days=st.integers(1, 9))
    def time_passes(self, days: int) -> None:
        self.true_time += timedelta(days=days)
        self.wall = self.true_time

    @rule(days=st.integers(1, 50))
    def the_clock_goes_back(self, days: int) -> None:
        self.wall = self.true_time - timedelta(days=days)

    @rule()
    def start(self) -> None:
        """Restart: what the process has seen is lost; the signed head is not."""
        if self.service is not None:
            self.service.close()
            self.service = None
        self.latest = self.wall
        try:
            source = Source(self.settings, self.model)
            source.registry_of_test = self.registry
            source.read()
            self.service = ChampionInService(source, 3600, wall_clock=lambda: self.wall)
        except RehabcastError as error:
            self.refusal = error
            return
        # Nothing that the process can see tells an older copy from the ledger but a signed head,
        # nor an edit of the database that leaves a valid chain up to there.
        assert self.ledger in {"honest", "restored", "cut"}
        if self.ledger != "honest":
            assert len(rows(self.file)[0]) >= self.signed
            self.unprovable = True

    # What must hold.

    def allowed(self) -> list[tuple[str, int]]:
        """What the honest ledger lets serve at the latest time known, newest first."""
        scope = [
            change for change in self.changes if self.model in {None, change.version.split("/")[0]}
        ]
        found = []
        for position, change in enumerate(scope):
            later = scope[position + 1 :]
            everywhere = [one for one in self.changes if one.length > change.length]
            sound = (
                change.kind != "revocation"
                and self.latest < change.until
                and self.audits[change.version] in {Outcome.PASS, change.outcome}
                and not any(
                    c.kind == "revocation" and c.version == change.version for c in everywhere
                )
                and all(c.kind == "promotion" for c in later)
                and not any(c.version == change.version and c.override for c in later)
            )
            if sound:
                found.append((change.version, change.length))
        champion = scope[-1]
        is_allowed = (champion.version, champion.length) in found
        return found[::-1] if is_allowed else []

    @invariant()
    def only_what_the_honest_ledger_allows_is_served(self) -> None:
        if self.service is None or self.unprovable:
            return
        self.service.refresh()
        self.latest = max(self.latest, self.wall)
        if self.ledger == "honest":
            self.latest = max(self.latest, self.last_entry())
        snapshot = self.service.current
        said = f"{snapshot.withdrawn} {snapshot.problem} {self.service.problem}"
        for secret in ("hunter2", "registry.test", str(self.folder)):
            assert secret not in said
        if self.ledger in {"edited", "cut", "restored"}:
            assert snapshot.withdrawn is not None, self.ledger
        if self.ledger == "gone":
            assert snapshot.problem is not None
        if snapshot.withdrawn is None:
            terms = snapshot.served.terms  # type: ignore[attr-defined]
            assert (terms.model_version, terms.sequence) in self.allowed()

    def last_entry(self) -> datetime:
        return max(datetime.fromisoformat(row[1]) for row in rows(self.file)[0])

    def all_is_well_again(self) -> None:
        """The ledger, registry and clock are right, and the honest champion is in service."""
        self.heal_the_ledger(in_place=False)
        self.change_the_registry("there")
        self.wall = self.true_time
        if self.service is None:
            self.put_in_service("arm/1", Outcome.PASS, 30, 5)
            self.start()
        assert self.service is not None, self.refusal
        for _ in range(2):
            self.only_what_the_honest_ledger_allows_is_served()
        self.comes_back()
        self.put_in_service("arm/2", Outcome.PASS, 30, 5)
        self.comes_back()

    def comes_back(self) -> None:
        assert self.service is not None
        allowed = self.allowed()
        for _ in range(20):
            self.service.refresh()
            snapshot = self.service.current
            terms = snapshot.served.terms  # type: ignore[attr-defined]
            if snapshot.withdrawn is None and (terms.model_version, terms.sequence) in allowed[:1]:
                assert self.service.problem is None
                return
        assert not allowed, (allowed, snapshot)


class FollowingOneModel(Following):
    model = "arm"


@pytest.mark.parametrize("machine", [Following, FollowingOneModel])
@pytest.mark.parametrize(
    ("examples", "steps"),
    [
        (8, 12),
        pytest.param(1500, 40, marks=pytest.mark.soak),
    ],
)
def test_only_what_an_honest_ledger_allows_is_served_and_all_comes_back(
    machine: type[Following],
    examples: int,
    steps: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loading, "FIRST_PAUSE_SECONDS", 0.0)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    make_key(tmp_path / "keys" / "local.pem", tmp_path / "keys" / "trusted" / "local.pem")
    template = tmp_path / "template"
    template.mkdir()
    shutil.copytree(tmp_path / "keys", template / "keys")
    Ledger(f"sqlite:///{template / 'ledger.db'}").close()
    machine.template = template
    machine.TestCase.settings = settings(
        max_examples=examples, stateful_step_count=steps, deadline=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    machine.TestCase().runTest()
