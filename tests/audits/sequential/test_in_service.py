"""What a plan asks to be shown on people served, by everyone and by group."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from audits.changes.authored import load_plan
from audits.changes.outside import NotMet, outside_plan
from audits.changes.plan import EXAMPLE, ChangePlan, ShownOn
from audits.judging.further.under_plan import InService, under_plan
from audits.judging.policy import Policy
from audits.sequential.in_service import ServedPairs, served_results
from contracts.changes.comparison import ServedComparison, Shown
from contracts.predictions import CANDIDATE, CHAMPION, GROUP, MODEL, SUBJECT
from contracts.scope import OutsideGroup, Scope, ScopeAttribute
from contracts.verdict import Outcome, Verdict
from tests.audits.judging.further.test_under_plan import FACTS, champion_of, worse

TableOf = Callable[..., pd.DataFrame]
MARGIN = 2.0
COMPARISON = ServedComparison(
    champion_bundle_digest="c", bundle_digest="b", record_head="h", made_at="2026-11-29",
    made_by="mia", monitoring_plan="m", points=15.0, simulated=True,
)  # fmt: skip
FEMALE = ScopeAttribute(
    attribute="sex", inside=("female",), outside=(OutsideGroup(label="male", rules=("r",)),)
)


@pytest.fixture(scope="module")
def plan() -> ChangePlan:
    """Mean absolute error of people served: two points for everyone and for each group by sex."""
    whole = load_plan(EXAMPLE)
    asked = {"shown_on": ShownOn.SERVED, "worse_by_at_most": MARGIN}
    everyone, each_group = (c.model_copy(update=asked) for c in whole.criteria[:2])
    by_sex = each_group.model_copy(update={"attributes": ("sex",)})
    return whole.model_copy(update={"criteria": (whole.criteria[0], everyone, by_sex)})


@pytest.fixture(scope="module")
def candidate(table_of: TableOf) -> pd.DataFrame:
    groups = {"sex": ("female", "male"), "side": ("left", "right")}
    return table_of(400, horizons=(84,), groups=groups, models=(CANDIDATE,))


def pairs_of(candidate: pd.DataFrame, champion: pd.DataFrame | None = None) -> ServedPairs:
    other = champion_of(candidate) if champion is None else champion
    rows = pd.concat([candidate, other], ignore_index=True)
    return ServedPairs(comparison=COMPARISON, rows=rows)


def found(
    plan: ChangePlan,
    candidate: pd.DataFrame,
    pairs: ServedPairs | None,
    policy: Policy,
    scope: Scope | None = None,
    attempts: int = 0,
) -> dict[tuple[int, str, str], Shown]:
    results = served_results(plan, candidate, pairs, scope, policy, ((None,),) * attempts)
    return {(r.criterion, r.axis, r.group): r.result for r in results}


def test_a_shadow_that_is_as_good_meets_what_is_asked_and_nothing_else_is_judged(
    plan: ChangePlan, candidate: pd.DataFrame, quick_policy: Policy
) -> None:
    of = found(plan, candidate, pairs_of(candidate), quick_policy)
    whom = [(1, "everyone", "everyone"), (2, "sex", "female"), (2, "sex", "male")]
    assert of == dict.fromkeys(whom, Shown.MET)


@pytest.mark.parametrize("points", [MARGIN + 0.5, 6.0])
def test_a_group_that_is_worse_by_more_than_the_margin_does_not_pass_behind_an_average(
    plan: ChangePlan, candidate: pd.DataFrame, quick_policy: Policy, points: float
) -> None:
    who = candidate[f"{GROUP}sex"] == "female"
    champion = worse(champion_of(candidate), ~who, points)
    of = found(plan, candidate, pairs_of(worse(candidate, who, points), champion), quick_policy)
    assert of[1, "everyone", "everyone"] is Shown.MET
    assert of[2, "sex", "female"] is Shown.NOT_MET
    assert of[2, "sex", "male"] is Shown.MET


def test_few_people_show_nothing_and_a_group_that_nobody_is_of_neither(
    plan: ChangePlan, candidate: pd.DataFrame, quick_policy: Policy
) -> None:
    some = candidate[candidate[SUBJECT] < 12].reset_index(drop=True)
    assert set(found(plan, some, pairs_of(some), quick_policy).values()) == {Shown.NOT_SHOWN}
    served = candidate[candidate[f"{GROUP}sex"] == "female"].reset_index(drop=True)
    of = found(plan, candidate, pairs_of(served), quick_policy)
    assert of[2, "sex", "female"] is Shown.MET
    assert of[2, "sex", "male"] is Shown.NOT_SHOWN


def test_whom_the_candidate_would_not_be_served_to_is_not_judged(
    plan: ChangePlan, candidate: pd.DataFrame, quick_policy: Policy
) -> None:
    hit = worse(candidate, candidate[f"{GROUP}sex"] == "male", 6.0)
    inside = hit[hit[f"{GROUP}sex"] == "female"].reset_index(drop=True)
    scope = Scope(attributes=(FEMALE,), share_inside=0.5)
    of = found(plan, inside, pairs_of(hit, champion_of(candidate)), quick_policy, scope)
    assert of == {(1, "everyone", "everyone"): Shown.MET, (2, "sex", "female"): Shown.MET}


def test_a_later_candidate_needs_more_to_pass(
    plan: ChangePlan, candidate: pd.DataFrame, quick_policy: Policy
) -> None:
    rows = candidate[candidate[SUBJECT] < 60].reset_index(drop=True)
    met = [
        sum(
            found(plan, rows[: 2 * n], pairs_of(rows[: 2 * n]), quick_policy, attempts=k)[
                1, "everyone", "everyone"
            ]
            is Shown.MET
            for n in range(6, 30)
        )
        for k in (0, 3)
    ]
    assert met[1] < met[0]


def test_without_pairs_nothing_is_shown_and_the_plan_is_not_kept(
    plan: ChangePlan, candidate: pd.DataFrame, quick_policy: Policy
) -> None:
    assert found(plan, candidate, None, quick_policy) == {}
    verdict = Verdict.model_construct(outcome=Outcome.PASS, scope=None, findings=(), external=None)
    outside = {}
    for name, pairs in {"none": None, "as good": pairs_of(candidate)}.items():
        before = InService(
            version="arm/1", bundle_digest="c", facts=FACTS, forecasts=champion_of(candidate)
        )  # fmt: skip
        change = under_plan(
            verdict, plan, FACTS, before, candidate, quick_policy, (),
            served=None if pairs is None else pairs.comparison,
            of_served=served_results(plan, candidate, pairs, None, quick_policy, ()),
        ).change  # fmt: skip
        assert change is not None
        assert change.served == (None if pairs is None else COMPARISON)
        outside[name] = outside_plan(plan, change)
    assert outside["as good"] == ()
    assert [(each.number, each.result) for each in outside["none"] if isinstance(each, NotMet)] == [
        (1, None), (2, None)
    ]  # fmt: skip


def test_a_plan_from_before_there_were_shadows_keeps_its_digest(plan: ChangePlan) -> None:
    assert "shown_on" not in load_plan(EXAMPLE).model_dump_json()
    assert ChangePlan.model_validate_json(plan.model_dump_json()) == plan
    assert [c["shown_on"] for c in plan.model_dump(mode="json")["criteria"][1:]] == [
        "people served", "people served"
    ]  # fmt: skip


def test_models_do_not_matter_but_by_their_names(
    plan: ChangePlan, candidate: pd.DataFrame, quick_policy: Policy
) -> None:
    """Who is compared is found by number, whatever the order of the rows."""
    pairs = pairs_of(candidate)
    order_N = np.random.default_rng(3).permutation(len(pairs.rows))
    shuffled = ServedPairs(
        comparison=COMPARISON, rows=pairs.rows.iloc[order_N].reset_index(drop=True)
    )
    assert set(pairs.rows[MODEL]) == {CANDIDATE, CHAMPION}
    assert found(plan, candidate, shuffled, quick_policy) == found(
        plan, candidate, pairs, quick_policy
    )
