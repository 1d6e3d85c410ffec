"""The plan's criteria: a later version is shown to be no worse than the one in service, by group."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from audits.changes.authored import load_plan
from audits.changes.outside import NotMet, outside_plan
from audits.changes.plan import EXAMPLE, ChangePlan
from audits.judging.further.under_plan import InService, criteria_results, under_plan
from audits.judging.policy import Policy
from audits.measure.metrics import Metric
from contracts.changes.comparison import Shown
from contracts.changes.facts import Aspect, VersionFacts
from contracts.predictions import (
    CANDIDATE,
    CHAMPION,
    CHANCE,
    GROUP,
    MODEL,
    QUANTILE_COLUMNS,
    REACHED,
    REFUSED,
    SUBJECT,
    TRUTH,
)
from contracts.scope import OutsideGroup, Scope, ScopeAttribute
from contracts.verdict import Outcome, Verdict

TableOf = Callable[..., pd.DataFrame]
FACTS = VersionFacts(facts={aspect: ("1",) for aspect in Aspect})


@pytest.fixture(scope="module")
def plan() -> ChangePlan:
    """Of mean absolute error for everyone (0.5 points) and for each group (1 point)."""
    whole = load_plan(EXAMPLE)
    return whole.model_copy(update={"criteria": whole.criteria[:2]})


@pytest.fixture(scope="module")
def candidate(table_of: TableOf) -> pd.DataFrame:
    groups = {"sex": ("female", "male"), "side": ("left", "right")}
    return table_of(400, horizons=(84,), groups=groups, models=(CANDIDATE,))


def champion_of(candidate: pd.DataFrame, seed: int = 1) -> pd.DataFrame:
    """As good as the candidate, and wrong elsewhere."""
    noise_N = np.random.default_rng(seed).normal(0, 0.5, size=len(candidate))
    columns = list(QUANTILE_COLUMNS)
    moved = candidate[columns].add(noise_N, axis=0)
    return candidate.assign(**{MODEL: CHAMPION, **{name: moved[name] for name in columns}})


def worse(candidate: pd.DataFrame, who: pd.Series[bool], points: float) -> pd.DataFrame:
    """Move forecasts away from the outcome."""
    columns = list(QUANTILE_COLUMNS)
    away_N = np.sign(candidate["q50"] - candidate[TRUTH]) * points * who
    return candidate.assign(**{name: candidate[name] + away_N for name in columns})


def found(
    plan: ChangePlan,
    candidate: pd.DataFrame,
    champion: pd.DataFrame,
    policy: Policy,
    scope: Scope | None = None,
) -> dict[tuple[int, str, str], Shown]:
    results = criteria_results(plan, candidate, champion, scope, policy, ())
    return {(r.criterion, r.axis, r.group): r.result for r in results}


ALL = {
    (0, "everyone", "everyone"), (1, "sex", "female"), (1, "sex", "male"),
    (1, "side", "left"), (1, "side", "right"),
}  # fmt: skip


def test_a_version_that_is_as_good_meets_every_criterion_in_every_group(
    plan: ChangePlan, candidate: pd.DataFrame, quick_policy: Policy
) -> None:
    of = found(plan, candidate, champion_of(candidate), quick_policy)
    assert of == dict.fromkeys(ALL, Shown.MET)


def test_a_better_average_does_not_hide_a_group_that_is_worse(
    plan: ChangePlan, candidate: pd.DataFrame, quick_policy: Policy
) -> None:
    champion = worse(champion_of(candidate), candidate[f"{GROUP}sex"] == "male", 3.0)
    hit = worse(candidate, candidate[f"{GROUP}sex"] == "female", 2.0)
    of = found(plan, hit, champion, quick_policy)
    assert of[0, "everyone", "everyone"] is Shown.MET
    assert of[1, "sex", "female"] is Shown.NOT_MET
    assert of[1, "sex", "male"] is Shown.MET


@pytest.mark.parametrize("seed", range(4))
def test_a_group_at_the_limit_is_not_shown_to_meet_it(
    plan: ChangePlan, candidate: pd.DataFrame, quick_policy: Policy, seed: int
) -> None:
    hit = worse(candidate, candidate[f"{GROUP}sex"] == "female", 1.3)
    of = found(plan, hit, champion_of(candidate, seed), quick_policy)
    assert of[1, "sex", "female"] is not Shown.MET


def test_a_group_of_few_people_is_not_shown_and_one_that_both_never_forecast_neither(
    plan: ChangePlan, candidate: pd.DataFrame, quick_policy: Policy
) -> None:
    few = candidate.assign(
        **{f"{GROUP}sex": candidate[f"{GROUP}sex"].mask(candidate[SUBJECT] < 5, "other")}
    )
    of = found(plan, few, champion_of(few), quick_policy)
    assert of[1, "sex", "other"] is Shown.NOT_SHOWN
    champion = champion_of(few)[few[SUBJECT] >= 5]
    assert found(plan, few, champion, quick_policy)[1, "sex", "other"] is Shown.NOT_SHOWN
    outside = Scope(
        attributes=(
            ScopeAttribute(
                attribute="sex", inside=("female", "male"),
                outside=(OutsideGroup(label="other", rules=()),),
            ),
            ScopeAttribute(attribute="side", inside=("left", "right")),
        ),
        share_inside=0.9,
    )  # fmt: skip
    # Who would get no forecast is not compared; that the scope is narrower is a change of its own.
    of = found(plan, few, champion_of(few), quick_policy, outside)
    assert of == dict.fromkeys(ALL, Shown.MET)


def test_only_forecasts_that_both_made_of_the_same_outcomes_are_compared(
    plan: ChangePlan, candidate: pd.DataFrame, quick_policy: Policy
) -> None:
    champion = champion_of(candidate)
    # Trained on half as many people: compared on those.
    half = champion[champion[SUBJECT] % 2 == 0]
    assert found(plan, candidate, half, quick_policy) == dict.fromkeys(ALL, Shown.MET)
    others = champion.assign(**{TRUTH: champion[TRUTH] + 1.0})
    assert found(plan, candidate, others, quick_policy) == {}
    assert found(plan, candidate, champion.iloc[:0], quick_policy) == {}
    refused = candidate.assign(**{REFUSED: candidate[f"{GROUP}sex"] == "female"})
    of = found(plan, refused, champion.assign(**{REFUSED: False}), quick_policy)
    assert of[1, "sex", "female"] is Shown.NOT_SHOWN


def test_a_row_whose_outcome_changed_is_left_out_and_the_others_are_compared(
    plan: ChangePlan, candidate: pd.DataFrame, quick_policy: Policy
) -> None:
    """A later visit, nearer to the horizon, gives a few another score."""
    champion = champion_of(candidate)
    revisited = candidate[SUBJECT] < 20
    # What is left out does not decide: there the candidate would be far worse.
    hit = worse(candidate, revisited, 40.0)
    moved = champion.assign(**{TRUTH: champion[TRUTH] + 1.0 * revisited})
    assert found(plan, hit, moved, quick_policy) == dict.fromkeys(ALL, Shown.MET)
    unknown = candidate.assign(**{TRUTH: candidate[TRUTH].mask(candidate[SUBJECT] == 0)})
    assert found(plan, candidate, champion_of(unknown), quick_policy) == dict.fromkeys(
        ALL, Shown.MET
    )


@pytest.mark.parametrize("flags", [1, 200])
def test_a_moved_milestone_is_left_out_of_its_own_criteria_alone(
    plan: ChangePlan, candidate: pd.DataFrame, quick_policy: Policy, flags: int
) -> None:
    both = ("walks", "grips")
    tables = {}
    for model, table in (("candidate", candidate), ("champion", champion_of(candidate))):
        flag_N = (table[TRUTH] > 30).astype(float)
        tables[model] = table.assign(
            **{f"{REACHED}{name}": flag_N for name in both},
            **{f"{CHANCE}{name}": 0.1 + 0.8 * flag_N for name in both},
        )
    of_milestones = plan.criteria[0].model_copy(
        update={"metric": Metric.BRIER_SCORE, "worse_by_at_most": 0.05}
    )
    longer = plan.model_copy(update={"criteria": (*plan.criteria, of_milestones)})

    def measures(champion: pd.DataFrame) -> dict[tuple[str, str | None], set[Shown]]:
        results = criteria_results(longer, tables["candidate"], champion, None, quick_policy, ())
        named: dict[tuple[str, str | None], set[Shown]] = {}
        for result in results:
            named.setdefault((result.measure, result.milestone), set()).add(result.result)
        return named

    whole = measures(tables["champion"])
    assert whole.keys() == {
        ("mean absolute error", None), ("Brier score: walks", "walks"),
        ("Brier score: grips", "grips"), ("Brier score: important gain", "important gain"),
    }  # fmt: skip
    before = tables["champion"]
    other_N = before[f"{REACHED}walks"].mask(before[SUBJECT] < flags, 1 - before[f"{REACHED}walks"])
    moved = measures(before.assign(**{f"{REACHED}walks": other_N}))
    assert moved == {key: value for key, value in whole.items() if key[1] != "walks"}


def test_an_attribute_with_everyone_in_one_group_is_judged_on_everyone(
    plan: ChangePlan, candidate: pd.DataFrame, quick_policy: Policy
) -> None:
    by_sex = plan.criteria[1].model_copy(update={"attributes": ("sex", "device")})
    named = plan.model_copy(update={"criteria": (plan.criteria[0], by_sex)})
    one = candidate.assign(**{f"{GROUP}sex": "female"})
    of = found(named, one, champion_of(one), quick_policy)
    # Of a device nothing is known here, so nothing was shown of it.
    assert of == {
        (0, "everyone", "everyone"): Shown.MET,
        (1, "everyone", "everyone"): Shown.MET,
        (1, "device", "everyone"): Shown.NOT_SHOWN,
    }


def test_a_verdict_carries_plan_versions_and_scope(
    plan: ChangePlan,
    candidate: pd.DataFrame,
    quick_policy: Policy,
    verdict_of: Callable[..., Verdict],
) -> None:
    outside = (OutsideGroup(label="not recorded", rules=()),)
    scope = Scope(
        attributes=(ScopeAttribute(attribute="sex", inside=("female", "male"), outside=outside),),
        share_inside=0.9,
    )
    verdict = verdict_of(Outcome.WITHIN_SCOPE, scope=scope)
    before = InService(
        version="arm/1", bundle_digest="1" * 64, facts=FACTS, forecasts=champion_of(candidate)
    )
    held = under_plan(verdict, plan, FACTS, before, candidate, quick_policy, ())
    assert held.change is not None
    assert (held.change.plan_digest, held.change.champion) == (plan.digest, "arm/1")
    assert held.change.after.scope == scope
    assert held.model_copy(update={"change": None}) == verdict
    (narrower,) = outside_plan(plan, held.change)
    assert not isinstance(narrower, NotMet)
    first = under_plan(verdict, plan, FACTS, None, candidate, quick_policy, ())
    assert first.change is not None
    assert first.change.before is None
