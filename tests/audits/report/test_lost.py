"""Lost outcomes in a report: shares only, rounded, and of large groups only."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from audits.disclosure.losses import shown_losses
from audits.judging.lost.facts import LostOutcomes, lost_outcomes
from audits.judging.policy import Policy, load_policy
from audits.judging.units import POINTS
from audits.report.document import Table
from audits.report.further import losses_section
from contracts.predictions import OutcomeStatus

TableOf = Callable[..., pd.DataFrame]


@pytest.fixture(scope="module")
def policy(quick_policy: Policy) -> Policy:
    return quick_policy.model_copy(update={"lost": load_policy().lost})


@pytest.fixture(scope="module")
def facts(table_of: TableOf, follow_up_of: TableOf, policy: Policy) -> tuple[LostOutcomes, ...]:
    """Of 300, a third of the women are lost and 7 are in a group of their own."""
    table = table_of(300, horizons=(84,), groups={"sex": ("f", "m"), "ward": ("a", "b")})
    table = table[table["model"] == "candidate"].reset_index(drop=True)
    table["group:ward"] = table["group:ward"].mask(table["subject_id"] < 7, "c")
    is_gone = (table["group:sex"] == "f") & (table["subject_id"] % 3 == 0)
    kept, gone = table[~is_gone].reset_index(drop=True), table[is_gone].reset_index(drop=True)
    return lost_outcomes(kept, follow_up_of(kept, gone), policy, (0.0, 66.0))


def test_facts_tell_what_was_lost_and_what_may_lie_in_it(facts: tuple[LostOutcomes, ...]) -> None:
    of = {(row.axis, row.group): row for row in facts}
    women, men = of["sex", "f"], of["sex", "m"]
    assert women.lost == pytest.approx(1 / 3, abs=0.06)
    assert men.lost == men.died == men.withdrew == women.traced == 0
    assert men.not_stood_for == 0
    assert women.room is not None
    assert women.room > 0
    assert women.error is not None
    assert women.weighted_error == pytest.approx(women.error, abs=0.01)
    assert women.worst_low == pytest.approx((1 - women.lost) * women.error - women.lost * 66)
    assert of["everyone", "everyone"].people == 300


def test_small_groups_take_their_attribute_along_and_there_are_no_counts(
    facts: tuple[LostOutcomes, ...],
) -> None:
    shown = shown_losses(facts, 66.0, lambda *_: True)
    assert {row.axis for row in shown} == {"everyone", "sex"}
    for row in shown:
        for share in (row.lost, row.died, row.withdrew, row.traced, row.missing):
            assert share is not None
            assert share == pytest.approx(0.05 * round(share / 0.05))
    assert not {"people", "subjects", "count"} & set(type(shown[0]).model_fields)
    *_, table = losses_section(shown, POINTS)
    assert isinstance(table, Table)
    assert [row[0] for row in table.rows] == ["everyone", "sex: f", "sex: m"]
    assert list(losses_section((), POINTS)) == []


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, derandomize=True)
@given(
    lost=st.lists(st.integers(0, 30), min_size=2, max_size=3),
    people=st.lists(st.integers(11, 40), min_size=3, max_size=3),
    known=st.booleans(),
)
def test_no_share_is_about_fewer_than_11_people_and_no_number_tells_one(
    facts: tuple[LostOutcomes, ...], lost: list[int], people: list[int], known: bool
) -> None:
    """Of a group of 20, to the nearest 5 %, a share would be a count."""
    rows = [
        facts[0].model_copy(
            update={
                "axis": "sex", "group": str(n), "people": of,
                "people_by": {OutcomeStatus.LOST: min(count, of)},
                "lost": min(count, of) / of, "not_stood_for": min(count, of) / of, "room": 2.0,
            }
        )
        for n, (count, of) in enumerate(zip(lost, people, strict=False))
    ]  # fmt: skip
    few = any(
        0 < min(c, n) < 11 or 0 < n - min(c, n) < 11 for c, n in zip(lost, people, strict=False)
    )
    for row in shown_losses(rows, 66.0, lambda *_: known):
        assert (row.lost is None) == (row.missing is None) == (row.worst is None) == few
        if few or not known:
            assert row.tipping_point is row.weighted_shift is row.smallest_chance is None
        elif row.missing:
            assert row.tipping_point == round(2.0 / row.missing)
        assert row.died in {0, None}


def test_without_terms_or_with_an_unsound_table_there_are_no_facts(
    table_of: TableOf, follow_up_of: TableOf, policy: Policy
) -> None:
    table = table_of(60, horizons=(84,), models=("candidate",))
    rows = follow_up_of(table)
    without = policy.model_copy(update={"lost": None})
    assert lost_outcomes(table, rows, without, (0.0, 66.0)) == ()
    assert lost_outcomes(table, rows.drop(columns="status"), policy, (0.0, 66.0)) == ()


@given(lost=st.integers(0, 40), died=st.integers(0, 40), people=st.integers(11, 80))
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, derandomize=True)
def test_where_few_were_observed_no_share_is_shown(
    facts: tuple[LostOutcomes, ...], lost: int, died: int, people: int
) -> None:
    """Of 40 people with 18 lost and 18 dead, the two shares would tell of the 4 others."""
    assume(lost + died <= people)
    row = facts[0].model_copy(
        update={
            "axis": "sex", "group": "f", "people": people, "lost": lost / people,
            "died": died / people, "not_stood_for": lost / people,
            "people_by": {OutcomeStatus.LOST: lost, OutcomeStatus.DIED: died},
        }
    )  # fmt: skip
    (shown,) = shown_losses([row], 66.0, lambda *_: True)
    if 0 < people - lost - died < 11:
        assert shown.lost is shown.died is shown.missing is None


def test_few_observed_are_few_also_where_others_have_several_fates(
    facts: tuple[LostOutcomes, ...],
) -> None:
    """Of 100 with two horizons 8 were observed; 42 were traced at one and died before the other."""
    fates = {
        OutcomeStatus.OBSERVED: 8, OutcomeStatus.LOST: 50, OutcomeStatus.DIED: 42,
        OutcomeStatus.TRACED: 42,
    }  # fmt: skip
    shares = {"people": 100, "lost": 0.5, "died": 0.21, "traced": 0.21}
    row = facts[0].model_copy(update={**shares, "people_by": fates})
    (shown,) = shown_losses([row], 66.0, lambda *_: True)
    assert (shown.lost, shown.died, shown.traced) == (None, None, None)
