"""Plans, promotions, rollbacks and revocations in any order: the gate refuses what a plan refuses.

A real SQLite ledger on one side, on the other a model of a few lines that knows no entry.
"""

from __future__ import annotations

import shutil
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from audits.changes.authored import load_plan
from audits.changes.plan import EXAMPLE
from audits.ledger.changes.plans import approve_plan, register_plan
from audits.ledger.gate import PresentedEvidence, promote, roll_back
from audits.ledger.identity import TRIAL
from audits.ledger.ledger import Ledger
from audits.ledger.records import Role
from contracts.changes.comparison import PlanComparison, Shown
from contracts.changes.difference import ChangeKind
from contracts.errors import RehabcastError
from contracts.verdict import Outcome, Verdict
from tests.audits.ledger.changes.conftest import compared, facts

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
WHY = "Read it, discussed it."
SHIPPED = load_plan(EXAMPLE)
PLANS = tuple(
    SHIPPED.model_copy(
        update={
            "version": f"{number}",
            "changes": tuple(SHIPPED.changes[0].model_copy(update={"kind": k}) for k in kinds),
        }
    )
    for number, kinds in enumerate(
        (
            [ChangeKind.MORE_DATA],
            [ChangeKind.MORE_DATA, ChangeKind.ARCHITECTURE],
            [ChangeKind.MORE_DATA, ChangeKind.LESS_DATA, ChangeKind.ARCHITECTURE],
        )
    )
)
WHAT = {1: (90, "gru"), 2: (120, "gru"), 3: (150, "hybrid"), 4: (60, "gru")}
"""People and architecture of each version."""


def facts_of(version: int) -> Any:
    people, architecture = WHAT[version]
    return facts(people, architecture=(architecture,))


def kinds(before: int, after: int) -> set[ChangeKind]:
    (was, family), (now, other) = WHAT[before], WHAT[after]
    changed = {ChangeKind.ARCHITECTURE} if family != other else set()
    if was != now:
        changed.add(ChangeKind.MORE_DATA if now > was else ChangeKind.LESS_DATA)
    return changed


class Plans(RuleBasedStateMachine):
    """One line of four versions and three plans."""

    template: ClassVar[Path]

    @initialize()
    def opened(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        shutil.copy(self.template, self.folder / "ledger.db")
        self.ledger = Ledger(f"sqlite:///{self.folder / 'ledger.db'}")
        self.registered: int | None = None
        self.approved: dict[Role, str] = {}
        self.in_force: int | None = None
        self.champion: int | None = None
        self.epochs: list[int | None] = []
        self.served: set[int] = set()
        self.reports = 0
        self.kept: PlanComparison | None = None
        # Without these two a plan has nothing to decide yet.
        self.promote(version=1, met=True, stale=False)
        self.put_in_force(number=0)

    def teardown(self) -> None:
        if hasattr(self, "ledger"):
            self.ledger.verify()
            self.ledger.close()
            shutil.rmtree(self.folder)

    @rule(number=st.sampled_from(range(3)))
    def register(self, number: int) -> None:
        def action() -> None:
            register_plan(self.ledger.engine, PLANS[number], actor="mia", now=NOW, identities=TRIAL)

        self.expect(self.registered != number, action)
        if self.registered != number:
            self.registered, self.approved = number, {}

    @rule(
        number=st.sampled_from(range(3)), role=st.sampled_from(Role),
        person=st.sampled_from(["mia", "gus", "ann"]),
    )  # fmt: skip
    def approve(self, number: int, role: Role, person: str) -> None:
        def action() -> None:
            approve_plan(
                self.ledger.engine, PLANS[number], role, person=person, reason=WHY, now=NOW,
                identities=TRIAL,
            )  # fmt: skip

        may = (
            self.registered == number
            and len(self.approved) < 2
            and person not in self.approved.values()
        )
        self.expect(may, action)
        if may:
            self.approved[role] = person
            if len(self.approved) == 2:
                self.in_force = number

    @rule(number=st.sampled_from(range(3)))
    def put_in_force(self, number: int) -> None:
        """All at once: a plan that nobody approves decides nothing."""
        if self.registered != number:
            self.register(number)
            for role, person in zip(Role, ("mia", "gus"), strict=True):
                self.approve(number, role, person)

    @rule(version=st.sampled_from([3, 4, 2, 1]))
    def promote_as_audited(self, version: int) -> None:
        self.promote(version=version, met=True, stale=False)

    @rule(
        version=st.sampled_from([3, 4, 2, 1]), met=st.sampled_from([True, True, False]),
        stale=st.sampled_from([False, False, False, True]),
    )  # fmt: skip
    def promote(self, version: int, met: bool, stale: bool) -> None:
        honest = self.audited(version, met)
        found = self.kept if stale else honest
        may = self.allowed(version, found, met=met or found != honest)
        self.expect(may, lambda: self.attempt(version, found))
        self.kept = honest
        if may:
            self.champion = version
            self.served.add(version)
            self.epochs.append(version)

    def audited(self, version: int, met: bool) -> PlanComparison | None:
        if self.in_force is None:
            return None
        plan, before = PLANS[self.in_force], self.champion
        if before is None:
            return PlanComparison(plan_digest=plan.digest, after=facts_of(version))
        returns = version in {before, *self.served}
        found = compared(
            plan, f"arm/{before}", f"{before}" * 64, facts_of(version),
            before=facts_of(version if returns else before), returns=returns,
        )  # fmt: skip
        worse = tuple(r.model_copy(update={"result": Shown.NOT_MET}) for r in found.criteria)
        return found if met else found.model_copy(update={"criteria": worse})

    def allowed(self, version: int, found: PlanComparison | None, *, met: bool) -> bool:
        if self.in_force is None or self.champion is None:
            return True
        if found is None or found.before is None:
            return False
        plan = PLANS[self.in_force]
        current = f"{self.champion}" * 64
        if (found.plan_digest, found.champion_bundle_digest) != (plan.digest, current):
            return False
        if found.returns:
            return version in {self.champion, *self.served}
        is_met = all(result.result is Shown.MET for result in found.criteria)
        before, after = (self.version_of(f) for f in (found.before, found.after))
        named = {change.kind for change in plan.changes}
        return is_met and kinds(before, after) <= named

    def version_of(self, of: Any) -> int:
        return next(v for v in WHAT if facts_of(v) == of)

    def attempt(self, version: int, found: PlanComparison | None) -> None:
        self.reports += 1
        verdict = Verdict(
            model_version=f"arm/{version}", bundle_digest=f"{version}" * 64,
            predictions_digest="a" * 64, policy_digest="c" * 64, data_digest="d" * 64,
            code_digest="e" * 64, simulated=True, outcome=Outcome.PASS, findings=(), change=found,
        )  # fmt: skip
        report = f"{self.reports:064x}"
        audit = self.ledger.record_audit(
            verdict, report, actor="ann", now=NOW, valid_until=NOW + timedelta(days=9)
        )
        for role, person in zip(Role, ("mia", "gus"), strict=True):
            self.ledger.approve(audit, role, person=person, reason=WHY, now=NOW)
        presented = PresentedEvidence(
            bundle_digest=verdict.bundle_digest, report=verdict, report_digest=report,
            policy_digest=verdict.policy_digest,
        )  # fmt: skip
        promote(
            self.ledger, model_version=verdict.model_version, presented=presented, actor="bob",
            now=NOW,
        )  # fmt: skip

    @rule(back=st.integers(1, 4))
    def roll_back(self, back: int) -> None:
        """Whether its audit still holds is the gate's to say; no plan has a say in it."""
        if back > len(self.epochs) or self.epochs[-back] is None:
            return
        epoch = len(self.epochs) + 1 - back
        said = ""
        try:
            champion = roll_back(self.ledger, "arm", epoch, actor="bob", reason=WHY, now=NOW)
        except RehabcastError as error:
            said = str(error)
        assert "plan" not in said
        if said:
            return
        self.champion = int(champion.version)
        self.served.add(self.champion)
        self.epochs.append(self.champion)

    @precondition(lambda self: self.champion is not None and self.epochs[-1] is not None)
    @rule()
    def revoke(self) -> None:
        self.ledger.revoke("arm", actor="gus", reason=WHY, now=NOW)
        if self.champion is not None:
            self.served.discard(self.champion)
        self.epochs.append(None)

    def expect(self, may: bool, action: Any) -> None:
        if may:
            action()
            return
        with pytest.raises(RehabcastError):
            action()


@pytest.mark.parametrize(
    "examples", [6, pytest.param(300, marks=pytest.mark.soak)], ids=["few", "many"]
)
def test_in_any_order_nothing_outside_of_the_plan_in_force_becomes_the_champion(
    tmp_path: Path, examples: int
) -> None:
    Ledger(f"sqlite:///{tmp_path / 'ledger.db'}").close()

    class OfTemplate(Plans):
        template = tmp_path / "ledger.db"

    OfTemplate.TestCase.settings = settings(
        max_examples=examples, stateful_step_count=10, deadline=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    test = OfTemplate.TestCase()
    test.runTest()
