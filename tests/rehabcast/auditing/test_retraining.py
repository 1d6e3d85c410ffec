"""A retraining that goes beyond the change plan is refused before anything is trained."""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audits.changes.authored import load_plan
from audits.changes.plan import EXAMPLE, ShownOn
from audits.ledger.changes.plans import approve_plan, register_plan
from audits.ledger.records import Role
from audits.ledger.signing import make_key
from contracts.bundle import FORECASTS, WEIGHTS, Joined
from contracts.changes.difference import SHOWN_BY_AUDIT, SHOWN_BY_TRAINING, ChangeKind
from contracts.cohort import Cohort
from contracts.errors import ContractError, EvidenceMissing
from contracts.groups import GroupName
from contracts.task import Task
from features.cohort import read_cohort
from features.simulate.scenario import Scenario
from features.simulate.write import write_simulated
from inference.bundle import BundleDescription
from rehabcast.auditing.retraining import (
    Line,
    line_of,
    outside_of,
    parameters_of_version,
    require_within_plan,
    still_open,
)
from rehabcast.commands.changes.retrain import next_steps, what_may_still_come
from rehabcast.identity import open_ledger
from rehabcast.settings import Settings
from training.fitting.config import TrainingConfig

# MLflow uses what others deprecate; nothing of ours does.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

HOME = Path(__file__).parents[1] / "golden_homes" / "2026-11-form-5.tar.xz"


@dataclass(frozen=True, kw_only=True)
class Retraining:
    """What a retraining is of."""

    line: Line
    cohort: Cohort
    task: Task
    parameters: TrainingConfig
    own: TrainingConfig | None
    pretrain_on: Cohort | None = None

    def check(self) -> tuple[ChangeKind, ...]:
        found = require_within_plan(
            self.line, self.cohort, self.task, self.parameters, own=self.own,
            pretrain_on=self.pretrain_on,
        )  # fmt: skip
        return tuple(each.kind for each in found)


@pytest.fixture(scope="module")
def champion(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Retraining]:
    """Its own recipe on more people, under the plan that rehabcast ships as an example."""
    folder, now = tmp_path_factory.mktemp("retraining"), datetime.now(UTC)
    with tarfile.open(HOME) as opened:
        opened.extractall(folder, filter="data")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("REHABCAST_HOME", str(folder / "home"))
        make_key(folder / "own.pem", folder / "home" / "keys" / "trusted" / "own.pem")
        environment.setenv("REHABCAST_SIGNING_KEY", str(folder / "own.pem"))
        settings, plan = Settings(), load_plan(EXAMPLE)
        with closing(open_ledger(settings)) as ledger:
            with pytest.raises(EvidenceMissing, match="no change plan in force"):
                line_of(settings, ledger, "arm")
            engine, identities = ledger.engine, ledger.identities
            register_plan(engine, plan, actor="mia", now=now, identities=identities)
            for role, person in ((Role.ML_OWNER, "mia"), (Role.GOVERNANCE, "gus")):
                approve_plan(
                    engine, plan, role, person=person, reason="Read and agreed.", now=now,
                    identities=identities,
                )  # fmt: skip
            line = line_of(settings, ledger, "arm")
        own = parameters_of_version(settings, line.version, line.bundle.manifest.config_digest)
        write_simulated(folder / "cohort", subjects=110, seed=3, scenario=Scenario())
        yield Retraining(
            line=line, cohort=read_cohort(folder / "cohort"), task=line.bundle.task,
            parameters=own, own=own,
        )  # fmt: skip


def test_the_champions_own_recipe_is_that_of_its_signed_bundle(champion: Retraining) -> None:
    assert champion.own is not None
    assert champion.own.digest == champion.line.bundle.manifest.config_digest
    assert (champion.own.folds, champion.own.hidden) == (3, 8)
    assert set(champion.check()) == {ChangeKind.MORE_DATA, ChangeKind.SOFTWARE}


Edit = Callable[[Retraining], Retraining]


def with_task(retraining: Retraining, **updates: Any) -> Retraining:
    return replace(retraining, task=retraining.task.model_copy(update=updates))


def of_cohort(retraining: Retraining, **updates: Any) -> Retraining:
    cohort = retraining.cohort
    return replace(
        retraining, cohort=replace(cohort, provenance=replace(cohort.provenance, **updates))
    )


REFUSED: dict[str, tuple[Edit, tuple[str, ...]]] = {
    "other parameters": (
        lambda r: replace(r, parameters=replace(r.parameters, seed=5, max_epochs=9)),
        ("other training parameters (max_epochs: 150 -> 9; seed: 0 -> 5)", "--config, --seed"),
    ),
    "another architecture": (
        lambda r: replace(r, parameters=replace(r.parameters, architecture="GRU-D")),
        ("another architecture (was: hybrid; now: GRU-D)", "architecture: hybrid -> GRU-D"),
    ),
    "another cohort": (
        lambda r: of_cohort(r, name="of another ward"),
        ("another cohort", "cohort of another ward", "--cohort"),
    ),
    "learned from another cohort before": (
        lambda r: replace(r, pretrain_on=r.cohort),
        ("another cohort", "now: pretrained on", "--pretrain-on"),
    ),
    "other horizons": (
        lambda r: with_task(r, horizons=r.task.horizons[:-1]),
        ("fewer horizons", "--task"),
    ),
    "another difference that counts": (
        lambda r: with_task(
            r, target=r.task.target.model_copy(update={"minimal_important_difference": 5.0})
        ),
        ("another target", "minimal_important_difference 5.0", "--task"),
    ),
    "fewer audited attributes": (
        lambda r: with_task(r, sensitive=r.task.sensitive[:-1]),
        ("other audited attributes", "--task"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_the_plan_does_not_name_is_refused_with_the_field_and_where_it_comes_from(
    champion: Retraining, what: str
) -> None:
    edit, said = REFUSED[what]
    with pytest.raises(ContractError, match="nothing was trained") as refused:
        edit(champion).check()
    for part in said:
        assert part in str(refused.value)


@pytest.mark.parametrize("kind", [ChangeKind.MORE_DATA, ChangeKind.SOFTWARE])
def test_a_plan_that_does_not_name_what_every_retraining_brings_lets_none_through(
    champion: Retraining, kind: ChangeKind
) -> None:
    plan = champion.line.plan
    narrow = plan.model_copy(update={"changes": tuple(c for c in plan.changes if c.kind != kind)})
    with pytest.raises(ContractError, match=f"{kind}.*the plan does not name it"):
        replace(champion, line=replace(champion.line, plan=narrow)).check()


def test_a_retraining_that_would_change_nothing_is_none(champion: Retraining) -> None:
    manifest = champion.line.bundle.manifest.model_copy(
        update={"data_digest": champion.cohort.digest, "subjects": 1}
    )
    from contracts.digests import code_digest

    manifest = manifest.model_copy(update={"code_digest": code_digest()})
    same = replace(champion.line, bundle=replace(champion.line.bundle, manifest=manifest))
    with pytest.raises(ContractError, match="nothing differs from arm/1"):
        replace(champion, line=same).check()


def planning(retraining: Retraining, *kinds: ChangeKind) -> Retraining:
    """Under a plan of exactly these kinds."""
    plan = retraining.line.plan
    changes = tuple(plan.changes[0].model_copy(update={"kind": kind}) for kind in kinds)
    line = replace(retraining.line, plan=plan.model_copy(update={"changes": changes}))
    return replace(retraining, line=line)


def joined_otherwise(bundle: BundleDescription) -> BundleDescription:
    judging = bundle.manifest.judging
    assert judging is not None
    other: Joined = FORECASTS if judging.joined == WEIGHTS else WEIGHTS
    judged = judging.model_copy(update={"joined": other})
    groups = (GroupName(attribute="sex", label="another"),)
    manifest = bundle.manifest.model_copy(update={"judging": judged, "calibration_groups": groups})
    return replace(bundle, manifest=manifest)


def test_what_only_training_shows_is_said_afterwards(champion: Retraining) -> None:
    after = joined_otherwise(champion.line.bundle)
    assert outside_of(champion.line, champion.line.bundle) == ()
    assert outside_of(champion.line, after) == ()
    narrow = planning(champion, ChangeKind.MORE_DATA)
    assert tuple(each.kind for each in outside_of(narrow.line, after)) == SHOWN_BY_TRAINING


def test_whoever_plans_other_parameters_plans_what_the_networks_become(
    champion: Retraining,
) -> None:
    """As in plans from before it was a kind of its own; the other way round it is not so."""
    wide = planning(champion, ChangeKind.PARAMETERS, ChangeKind.CALIBRATED)
    assert outside_of(wide.line, joined_otherwise(champion.line.bundle)) == ()
    assert planning(champion, ChangeKind.JOINING).line.plan.change(ChangeKind.PARAMETERS) is None


@given(planned=st.sets(st.sampled_from(list(ChangeKind)), min_size=1))
def test_whatever_may_still_come_and_is_not_planned_is_said_before_training(
    champion: Retraining, planned: set[ChangeKind]
) -> None:
    retraining = planning(champion, *planned)
    named = planned | ({ChangeKind.JOINING} if ChangeKind.PARAMETERS in planned else set())
    said = what_may_still_come(still_open(retraining.line.plan))
    for kind in (*SHOWN_BY_TRAINING, *SHOWN_BY_AUDIT):
        assert (str(kind) in said) is (kind not in named)
    assert bool(said) is not ({*SHOWN_BY_TRAINING, *SHOWN_BY_AUDIT} <= named)


def test_inputs_that_the_cohort_lacks_or_brings_are_seen_before_training(
    champion: Retraining,
) -> None:
    bundle = champion.line.bundle
    manifest = bundle.manifest.model_copy(
        update={"person": bundle.manifest.person[:-1], "channels": ("LOINC//0-0",),
                "channel_modalities": ("gait",), "subjects": 10_000}
    )  # fmt: skip
    line = replace(champion.line, bundle=replace(bundle, manifest=manifest))
    with pytest.raises(ContractError, match="nothing was trained") as refused:
        replace(champion, line=line).check()
    for kind in (ChangeKind.LESS_DATA, ChangeKind.MORE_INPUTS, ChangeKind.FEWER_INPUTS):
        assert f"  {kind}" in str(refused.value)


def test_parameters_are_named_and_not_their_digests(champion: Retraining) -> None:
    other = replace(champion.parameters, hidden=16)
    numbers = champion.task.prior
    assert numbers is not None
    prior = numbers.model_copy(update={"source": "another"})
    both = replace(with_task(champion, prior=prior), parameters=other)
    with pytest.raises(ContractError, match="nothing was trained") as refused:
        both.check()
    assert "hidden: 8 -> 16" in str(refused.value)
    assert f"recovery population: {prior.name} -> {prior.name}, with other" in str(refused.value)
    with pytest.raises(ContractError, match="run has lost its own") as refused:
        replace(both, own=None).check()
    assert other.digest[:12] not in str(refused.value)


def test_the_next_steps_are_those_that_the_plan_asks_for(champion: Retraining) -> None:
    plan = champion.line.plan
    assert next_steps("arm/2", plan) == ("rehabcast audit arm/2",)
    served = plan.criteria[0].model_copy(update={"shown_on": ShownOn.SERVED})
    steps = next_steps("arm/2", plan.model_copy(update={"criteria": (served,)}))
    assert [step.split()[1] for step in steps] == ["serve", "monitor", "audit"]
    assert steps[-1].endswith("--served pairs.parquet")
    outside = next_steps("arm/2", plan, ("other joining of networks",))
    assert [step.split()[1:3] for step in outside[:2]] == [
        ["plan", "register"],
        ["plan", "approve"],
    ]
    assert outside[2:] == next_steps("arm/2", plan)
