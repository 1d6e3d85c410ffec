"""Lost outcomes in a report: shares only, rounded, and of large groups only."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest

from audits.disclosure.losses import shown_losses
from audits.judging.lost.facts import LostOutcomes, lost_outcomes
from audits.judging.policy import Policy, load_policy
from audits.judging.units import POINTS
from audits.report.document import Table
from audits.report.further import losses_section

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
    assert men.tipping_point is None
    assert women.tipping_point is not None
    assert women.tipping_point > 0
    assert women.error is not None
    assert women.weighted_error == pytest.approx(women.error, abs=0.01)
    assert women.worst_low == pytest.approx((1 - women.lost) * women.error - women.lost * 66)
    assert of["everyone", "everyone"].people == 300


@pytest.mark.parametrize("people", [11, 12, 25, 60, 200])
@pytest.mark.parametrize("gone", [0, 1, 3, 10, 11, 15])
def test_no_share_tells_of_fewer_than_eleven(people: int, gone: int) -> None:
    """To the nearest 5 % one of 12 is 10 %: nobody else rounds to that."""
    if gone > people:
        return
    row = LostOutcomes(
        axis="sex", group="f", people=people, lost=gone / people, withdrew=0, died=0, missed=0,
        traced=0, not_stood_for=gone / people, error=1.0, weighted_error=1.5, smallest_chance=0.5,
        tipping_point=3.0, worst_low=-9.0, worst_high=9.0,
    )  # fmt: skip
    (shown,) = shown_losses([row], 66.0)
    of_few = 0 < gone < 11 or 0 < people - gone < 11
    assert (shown.lost is None) == of_few
    for number in (shown.missing, shown.worst, shown.tipping_point, shown.weighted_shift,
                   shown.smallest_chance):  # fmt: skip
        assert (number is None) == of_few
    *_, table = losses_section((shown,), POINTS)
    assert isinstance(table, Table)
    assert ("fewer than 11" in table.rows[0]) == of_few


def test_small_groups_take_their_attribute_along_and_there_are_no_counts(
    facts: tuple[LostOutcomes, ...],
) -> None:
    shown = shown_losses(facts, 66.0)
    assert {row.axis for row in shown} == {"everyone", "sex"}
    for row in shown:
        for share in (row.lost, row.died, row.withdrew, row.traced, row.missing):
            assert share is None or share == pytest.approx(0.05 * round(share / 0.05))
    assert not {"people", "subjects", "count"} & set(type(shown[0]).model_fields)
    *_, table = losses_section(shown, POINTS)
    assert isinstance(table, Table)
    assert [row[0] for row in table.rows] == ["everyone", "sex: f", "sex: m"]
    assert list(losses_section((), POINTS)) == []


def test_without_terms_or_with_an_unsound_table_there_are_no_facts(
    table_of: TableOf, follow_up_of: TableOf, policy: Policy
) -> None:
    table = table_of(60, horizons=(84,), models=("candidate",))
    rows = follow_up_of(table)
    without = policy.model_copy(update={"lost": None})
    assert lost_outcomes(table, rows, without, (0.0, 66.0)) == ()
    assert lost_outcomes(table, rows.drop(columns="status"), policy, (0.0, 66.0)) == ()
