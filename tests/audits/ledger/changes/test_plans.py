"""Plans on a real ledger: registered, approved, superseded, and what the gate makes of them."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from audits.changes.plan import ChangePlan
from audits.ledger.changes.plans import approve_plan, read_book, register_plan
from audits.ledger.gate import PresentedEvidence, promote, roll_back
from audits.ledger.identity import TRIAL, Identities
from audits.ledger.ledger import Ledger
from audits.ledger.people import read_people, read_person_key
from audits.ledger.records import Champion, Override, Role
from audits.ledger.signing import make_key
from contracts.changes.comparison import PlanComparison, Shown
from contracts.errors import (
    ContractError,
    EvidenceMissing,
    IntegrityError,
    PromotionRefused,
    RehabcastError,
)
from contracts.naming.formats import NEWEST
from contracts.verdict import Outcome, Verdict
from tests.audits.ledger.changes.conftest import compared, facts
from tests.refusals import refuses

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
LATER = NOW + timedelta(days=180)
WHY = "Read it, discussed it."

VerdictOf = Callable[..., Verdict]
NUMBERS = itertools.count()
"""Of reports."""


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("empty") / "ledger.db"
    Ledger(f"sqlite:///{file}").close()
    return file


@pytest.fixture
def ledger(tmp_path: Path, empty: Path) -> Iterator[Ledger]:
    """One of SQLite: plans need no table of their own."""
    shutil.copy(empty, tmp_path / "ledger.db")
    opened = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    yield opened
    opened.close()


def register(ledger: Ledger, plan: ChangePlan, identities: Identities = TRIAL) -> None:
    register_plan(ledger.engine, plan, actor="mia", now=NOW, identities=identities)


def approve(
    ledger: Ledger, plan: ChangePlan, role: Role, person: str, identities: Identities = TRIAL
) -> None:
    approve_plan(
        ledger.engine, plan, role, person=person, reason=WHY, now=NOW, identities=identities
    )


def in_force(ledger: Ledger, plan: ChangePlan) -> None:
    register(ledger, plan)
    for role, person in zip(Role, ("mia", "gus"), strict=True):
        approve(ledger, plan, role, person)


def bundle_of(version: int) -> str:
    return f"{version:x}" * 64


def promoted(
    ledger: Ledger,
    verdict_of: VerdictOf,
    version: int,
    change: PlanComparison | None = None,
    outcome: Outcome = Outcome.PASS,
    override: Override | None = None,
    bundle: str | None = None,
    model: str = "arm",
) -> Champion:
    verdict = verdict_of(
        outcome, model_version=f"{model}/{version}", bundle_digest=bundle or bundle_of(version),
        change=change,
    )  # fmt: skip
    digest = f"{next(NUMBERS):064x}"
    audit = ledger.record_audit(verdict, digest, actor="ann", now=NOW, valid_until=LATER)
    for role, person in zip(Role, ("mia", "gus"), strict=True):
        ledger.approve(audit, role, person=person, reason=WHY, now=NOW)
    presented = PresentedEvidence(
        bundle_digest=verdict.bundle_digest, report=verdict, report_digest=digest,
        policy_digest=verdict.policy_digest,
    )  # fmt: skip
    return promote(
        ledger, model_version=verdict.model_version, presented=presented, actor="bob", now=NOW,
        override=override,
    )  # fmt: skip


def after_first(plan: ChangePlan, people: int = 120, **changed: Any) -> PlanComparison:
    """A version compared with arm/1; as planned, unless something is changed."""
    of_facts = {
        name: changed.pop(name) for name in [*changed] if name not in PlanComparison.model_fields
    }
    made = compared(plan, "arm/1", bundle_of(1), facts(people, **of_facts))
    return made.model_copy(update=changed)


def test_a_version_within_the_plan_becomes_the_champion(
    ledger: Ledger, verdict_of: VerdictOf, plan: ChangePlan
) -> None:
    in_force(ledger, plan)
    assert promoted(ledger, verdict_of, 1).epoch == 1
    assert promoted(ledger, verdict_of, 2, after_first(plan)).epoch == 2
    assert ledger.verify().length == 11


def test_without_a_plan_and_in_another_line_everything_is_as_before(
    ledger: Ledger, verdict_of: VerdictOf, plan: ChangePlan
) -> None:
    for version in (1, 2):
        promoted(ledger, verdict_of, version)
    in_force(ledger, plan)
    for version in (1, 2):
        promoted(ledger, verdict_of, version, model="leg")
    ledger.verify()


def test_a_plan_that_one_person_approved_is_not_in_force(
    ledger: Ledger, verdict_of: VerdictOf, plan: ChangePlan
) -> None:
    promoted(ledger, verdict_of, 1)
    register(ledger, plan)
    approve(ledger, plan, Role.ML_OWNER, "mia")
    assert read_book(ledger.engine).in_force("arm") is None
    promoted(ledger, verdict_of, 2)
    approve(ledger, plan, Role.GOVERNANCE, "gus")
    with refuses(PromotionRefused, match="from before the plan was in force"):
        promoted(ledger, verdict_of, 3)
    ledger.verify()


OUTSIDE: dict[str, dict[str, Any]] = {
    "another architecture": {"architecture": ("gru",)},
    "fewer people": {"people": 60},
    "an input gone and another come": {"inputs": ("steps",)},
    "other target": {"target": ("code X",)},
    "other people": {"cohort": ("cohort of another hospital",)},
    "a group worse": {"worse": Shown.NOT_MET},
    "a group not compared": {"worse": Shown.NOT_SHOWN},
    "nothing compared": {"criteria": ()},
    "another plan": {"plan_digest": "9" * 64},
    "another champion": {"champion": "arm/7", "champion_bundle_digest": bundle_of(7)},
    "another bundle of the champion": {"champion_bundle_digest": bundle_of(7)},
    "compared with nobody": {"champion": None, "champion_bundle_digest": None, "before": None},
}
ANN = Override(
    approver="Ann Example", reason="Pilot on one ward.", until=NOW + timedelta(days=30),
    restricted_use="Ward 3 only, beside the usual.",
)  # fmt: skip


@pytest.fixture(scope="module")
def under_plan(
    tmp_path_factory: pytest.TempPathFactory, verdict_of: VerdictOf, plan: ChangePlan
) -> Iterator[Ledger]:
    """Of which arm/1 is the champion; what is refused leaves it so."""
    opened = Ledger(f"sqlite:///{tmp_path_factory.mktemp('under-plan') / 'ledger.db'}")
    promoted(opened, verdict_of, 1)
    in_force(opened, plan)
    yield opened
    opened.verify()
    opened.close()


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_version_outside_of_the_plan_is_refused_with_each_reason_whoever_answers_for_it(
    under_plan: Ledger, verdict_of: VerdictOf, plan: ChangePlan, name: str
) -> None:
    ledger = under_plan
    change = dict(OUTSIDE[name])
    worse = change.pop("worse", None)
    found = after_first(plan, **change)
    if worse is not None:
        first, *rest = found.criteria
        found = found.model_copy(
            update={"criteria": (first.model_copy(update={"result": worse}), *rest)}
        )
    with refuses(PromotionRefused) as passed:
        promoted(ledger, verdict_of, 2, found)
    with pytest.raises(PromotionRefused) as overridden:
        promoted(ledger, verdict_of, 2, found, Outcome.REVIEW, ANN)
    assert str(overridden.value) == str(passed.value)
    # Nobody is advised to override what no override lets through.
    with pytest.raises(PromotionRefused) as in_doubt:
        promoted(ledger, verdict_of, 2, found, Outcome.REVIEW)
    assert str(in_doubt.value) == str(passed.value)
    assert ledger.champion("arm").version == "1"


def test_every_reason_is_told_at_once(
    ledger: Ledger, verdict_of: VerdictOf, plan: ChangePlan
) -> None:
    promoted(ledger, verdict_of, 1)
    in_force(ledger, plan)
    found = after_first(plan, architecture=("gru",), inputs=("steps",), criteria=())
    with refuses(PromotionRefused) as caught:
        promoted(ledger, verdict_of, 2, found)
    assert caught.value.reason.count("the plan does not name it") == 3
    assert caught.value.reason.count("No comparison was made") == len(plan.criteria)


def test_a_plan_lets_nothing_through_that_the_gate_refuses_without_it(
    ledger: Ledger, verdict_of: VerdictOf, plan: ChangePlan
) -> None:
    promoted(ledger, verdict_of, 1)
    in_force(ledger, plan)
    with pytest.raises(PromotionRefused, match="these findings hold it back"):
        promoted(ledger, verdict_of, 2, after_first(plan), Outcome.REVIEW)
    with pytest.raises(PromotionRefused, match="cannot be overridden"):
        promoted(ledger, verdict_of, 2, after_first(plan), Outcome.BLOCKED, ANN)
    assert promoted(ledger, verdict_of, 2, after_first(plan), Outcome.REVIEW, ANN).is_override


def test_a_newer_plan_replaces_the_one_in_force_once_two_people_approved_it(
    ledger: Ledger, verdict_of: VerdictOf, plan: ChangePlan
) -> None:
    promoted(ledger, verdict_of, 1)
    in_force(ledger, plan)
    newer = plan.model_copy(update={"version": "2", "changes": plan.changes[:1]})
    register(ledger, newer)
    promoted(ledger, verdict_of, 2, after_first(plan))
    with refuses(EvidenceMissing, match="not the plan that was registered last"):
        approve(ledger, plan, Role.ML_OWNER, "mia")
    for role, person in zip(Role, ("mia", "gus"), strict=True):
        approve(ledger, newer, role, person)
    now = read_book(ledger.engine).in_force("arm")
    assert now is not None
    assert now.plan == newer
    second = compared(plan, "arm/2", bundle_of(2), facts(150), before=facts(120))
    with refuses(PromotionRefused, match="under another plan"):
        promoted(ledger, verdict_of, 3, second)
    again = second.model_copy(update={"plan_digest": newer.digest})
    promoted(ledger, verdict_of, 3, again)
    ledger.verify()


def test_a_plan_that_a_later_check_of_authors_would_refuse_stays_readable(
    ledger: Ledger, verdict_of: VerdictOf, plan: ChangePlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What its author is asked for holds for files, and never for what is on record."""
    criteria = tuple(c.model_copy(update={"confidence": 0.5}) for c in plan.criteria)
    lax = plan.model_copy(update={"criteria": criteria, "impact_together": "short"})
    in_force(ledger, lax)
    promoted(ledger, verdict_of, 1)
    ledger.verify()
    now = read_book(ledger.engine).in_force("arm")
    assert now is not None
    assert now.plan == lax
    assert now.entry.details()["plan"]["format"] == "rehabcast-change-plan/1"
    monkeypatch.setitem(NEWEST, "change-plan", 2)
    newer = plan.model_copy(update={"version": "2"})
    register(ledger, newer)
    monkeypatch.undo()
    with refuses(IntegrityError, match="rehabcast-change-plan/2"):
        ledger.verify()


def test_a_rollback_is_free_and_a_revocation_opens_no_way_around_the_plan(
    ledger: Ledger, verdict_of: VerdictOf, plan: ChangePlan
) -> None:
    promoted(ledger, verdict_of, 1)
    in_force(ledger, plan)
    promoted(ledger, verdict_of, 2, after_first(plan))
    narrower = plan.model_copy(update={"version": "2", "changes": plan.changes[1:]})
    in_force(ledger, narrower)
    assert roll_back(ledger, "arm", 1, actor="bob", reason=WHY, now=NOW).version == "1"
    # What was in service and not revoked returns by the gate too, though it is a change.
    back = returning(narrower, 1, 120)
    assert promoted(ledger, verdict_of, 2, back).version == "2"
    ledger.revoke("arm", actor="gus", reason="Wrong units on ward 3.", now=NOW)
    with refuses(PromotionRefused, match="was in force"):
        promoted(ledger, verdict_of, 3)
    # The very bundle that was last in service is no change, but needs what the gate asks.
    assert promoted(ledger, verdict_of, 2, returning(narrower, 2, 120)).epoch == 6
    assert promoted(ledger, verdict_of, 1, returning(narrower, 2, 90)).version == "1"
    with refuses(PromotionRefused, match="never was in service"):
        promoted(ledger, verdict_of, 4, returning(narrower, 1, 90))
    ledger.verify()


def returning(plan: ChangePlan, champion: int, people: int) -> PlanComparison:
    """What an audit finds of a bundle that was in service before."""
    return compared(
        plan, f"arm/{champion}", bundle_of(champion), facts(people), before=facts(people),
        returns=True, criteria=(),
    )  # fmt: skip


def test_a_revoked_version_returns_only_within_the_plan(
    ledger: Ledger, verdict_of: VerdictOf, plan: ChangePlan
) -> None:
    promoted(ledger, verdict_of, 1)
    in_force(ledger, plan)
    ledger.revoke("arm", actor="gus", reason="Wrong units on ward 3.", now=NOW)
    promoted(ledger, verdict_of, 2, after_first(plan))
    with refuses(PromotionRefused, match="never was in service, or was revoked"):
        promoted(ledger, verdict_of, 1, returning(plan, 2, 90))
    back = compared(plan, "arm/2", bundle_of(2), facts(120), before=facts(120))
    assert promoted(ledger, verdict_of, 1, back).version == "1"
    ledger.verify()


def test_a_report_that_says_another_thing_of_the_plan_than_the_ledger_is_refused(
    ledger: Ledger, verdict_of: VerdictOf, plan: ChangePlan
) -> None:
    promoted(ledger, verdict_of, 1)
    in_force(ledger, plan)
    bad = after_first(plan, architecture=("gru",))
    verdict = verdict_of(model_version="arm/2", bundle_digest=bundle_of(2), change=bad)
    audit = ledger.record_audit(verdict, "e" * 64, actor="ann", now=NOW, valid_until=LATER)
    for role, person in zip(Role, ("mia", "gus"), strict=True):
        ledger.approve(audit, role, person=person, reason=WHY, now=NOW)
    presented = PresentedEvidence(
        bundle_digest=bundle_of(2), report_digest="e" * 64, policy_digest=verdict.policy_digest,
        report=verdict.model_copy(update={"change": after_first(plan)}),
    )  # fmt: skip
    with refuses(IntegrityError, match="differs from the ledger"):
        promote(ledger, model_version="arm/2", presented=presented, actor="bob", now=NOW)


def test_two_different_people_approve_each_once_and_what_was_registered(
    ledger: Ledger, plan: ChangePlan
) -> None:
    with refuses(EvidenceMissing, match="plan register"):
        approve(ledger, plan, Role.ML_OWNER, "mia")
    register(ledger, plan)
    with refuses(ContractError, match="registered already"):
        register(ledger, plan)
    with refuses(ContractError, match="raise the version"):
        register(ledger, plan.model_copy(update={"impact_together": "Something else altogether."}))
    with refuses(ContractError, match="--reason"):
        approve_plan(
            ledger.engine, plan, Role.ML_OWNER, person="mia", reason="", now=NOW, identities=TRIAL
        )
    approve(ledger, plan, Role.ML_OWNER, "mia")
    for role in Role:
        for name in ("mia", "MIA", " Mia "):
            with pytest.raises(RehabcastError, match="has already approved it"):
                approve(ledger, plan, role, name)
    approve(ledger, plan, Role.GOVERNANCE, "gus")
    with refuses(PromotionRefused, match="in force already"):
        approve(ledger, plan, Role.GOVERNANCE, "ann")
    with refuses(ContractError, match="in force already"):
        register(ledger, plan)
    assert ledger.verify().length == 3


def test_a_plan_from_before_people_had_keys_is_approved_again_with_them(
    tmp_path: Path, verdict_of: VerdictOf, plan: ChangePlan
) -> None:
    for name in ("mia", "gus", "bob"):
        make_key(tmp_path / f"{name}.pem", tmp_path / "people" / f"{name}.pem")
    people = read_people(tmp_path / "people")
    url = f"sqlite:///{tmp_path / 'ledger.db'}"

    def key_of(name: str) -> Identities:
        own = read_person_key(tmp_path / f"{name}.pem", people)
        return Identities(people=people, own_key=own)

    trial = Ledger(url)
    in_force(trial, plan)
    trial.close()

    def attempt() -> Champion:
        opened = {name: Ledger(url, key_of(name)) for name in ("mia", "gus", "bob")}
        verdict = verdict_of(model_version="arm/1", bundle_digest=bundle_of(1))
        audit = opened["bob"].record_audit(
            verdict, "e" * 64, actor="bob", now=NOW, valid_until=LATER
        )
        for role, person in zip(Role, ("mia", "gus"), strict=True):
            opened[person].approve(audit, role, person=person, reason=WHY, now=NOW)
        presented = PresentedEvidence(
            bundle_digest=bundle_of(1), report=verdict, report_digest="e" * 64,
            policy_digest=verdict.policy_digest,
        )  # fmt: skip
        return promote(
            opened["bob"], model_version="arm/1", presented=presented, actor="bob", now=NOW
        )

    with refuses(PromotionRefused, match="has signed with a key"):
        attempt()
    ledger = Ledger(url, key_of("mia"))
    register(ledger, plan, key_of("mia"))
    with refuses(EvidenceMissing, match="key to sign with"):
        approve(ledger, plan, Role.ML_OWNER, "mia", Identities(people=people))
    with refuses(ContractError, match="the key is that of gus"):
        approve(ledger, plan, Role.ML_OWNER, "mia", key_of("gus"))
    for role, person in zip(Role, ("mia", "gus"), strict=True):
        approve(ledger, plan, role, person, key_of(person))
    assert attempt().epoch == 1
    ledger.verify()
    # Who has no key may write to the database, and is found by the gate and by whoever verifies.
    forged = Ledger(url)
    in_force(forged, plan.model_copy(update={"version": "2"}))
    forged.close()
    with pytest.raises(PromotionRefused, match="has signed with a key"):
        attempt()
    with pytest.raises(IntegrityError, match=r"plan approval of entry \d+ is not signed"):
        ledger.verify()
