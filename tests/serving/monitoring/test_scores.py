"""A score that falls at once is told on its day; within the error of measurement nobody worsened."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.monitoring.alert import Alert, Kind, Urgency
from serving.monitoring.limits import FALSE_ALARMS_A_SCORE
from serving.monitoring.scores import limit_of_fall, score_fall
from serving.monitoring.series import series_of
from tests.conftest import ROOT
from tests.serving.monitoring.records import observed
from training.task import read_task

TARGET = read_task(ROOT / "tasks" / "stroke-upper-limb.toml").target
SCORE = TARGET.code


def fall(scores: dict[int, float], today: int | None = None, target: Any = TARGET) -> Alert | None:
    return score_fall(series_of(observed({target.code: scores}), today or max(scores)), target)


def test_twenty_two_points_lost_at_once_are_told_on_that_day() -> None:
    alert = fall({6: 39, 20: 44, 34: 22})
    assert alert is not None
    assert (alert.kind, alert.urgency) == (Kind.SCORE_FELL, Urgency.TODAY)
    assert (alert.before, alert.now, alert.since_day, alert.rises) == (44, 22, 34, False)
    assert fall({6: 39, 20: 44, 34: 22}, today=33) is None


@pytest.mark.parametrize(
    ("scores", "told"),
    [
        ({7: 30, 14: 33, 21: 31, 28: 32}, False),
        ({7: 30}, False),
        ({7: 40, 14: 35}, False),
        ({7: 40, 14: 34}, True),
        ({7: 40, 14: 36, 21: 32, 28: 28}, True),
        ({7: 40, 14: 20, 21: 41}, False),
        ({7: 40, 80: 20}, False),
    ],
    ids=["noise", "one score", "five points", "six points", "small steps", "a dip that passed",
         "the earlier one is old"],
)  # fmt: skip
def test_what_counts_as_a_fall(scores: dict[int, float], told: bool) -> None:
    assert (fall(scores) is not None) is told


def test_the_limit_with_two_earlier_scores_is_the_minimal_detectable_change() -> None:
    """MDC 95 = 1.96 sqrt(2) SEM: 6.82 points, as published with the error."""
    assert FALSE_ALARMS_A_SCORE == 0.05
    expected = 1.959964 * math.sqrt(2) * 2.46
    assert limit_of_fall(TARGET, 2) == pytest.approx(expected, abs=1e-4)
    assert limit_of_fall(TARGET, 2) == pytest.approx(6.82, abs=0.005)
    assert limit_of_fall(TARGET, 1) == pytest.approx(1.644854 * math.sqrt(2) * 2.46, abs=1e-4)


def test_where_no_error_was_published_the_important_difference_counts_and_no_rate_is_claimed() -> (
    None
):
    walked = TARGET.model_copy(
        update={
            "code": "REHABCAST//SIX_MINUTE_WALK",
            "high": 1000,
            "minimal_important_difference": 50,
        }
    )
    assert fall({7: 300, 14: 251}, target=walked) is None
    alert = fall({7: 300, 14: 250}, target=walked)
    assert alert is not None
    assert (alert.limit, alert.false_alarms) == (50, None)


@given(
    scores=st.lists(st.integers(0, 66), min_size=2, max_size=5),
    shift=st.integers(0, 30),
)
def test_only_differences_count_and_a_scale_turned_round_is_the_same(
    scores: list[int], shift: int
) -> None:
    plain = fall({7 * n: float(s) for n, s in enumerate(scores)})
    moved = fall({7 * n + shift: float(s) for n, s in enumerate(scores)})
    turned = fall(
        {7 * n: float(66 - s) for n, s in enumerate(scores)},
        target=TARGET.model_copy(update={"better": "lower"}),
    )
    assert (plain is None) == (moved is None) == (turned is None)
    if plain is not None and turned is not None and moved is not None:
        assert replace(moved, since_day=plain.since_day, last_day=plain.last_day) == plain
        assert turned.rises
        assert not plain.rises
        assert turned.now - turned.before == plain.before - plain.now


@given(
    st.floats(allow_nan=False).filter(lambda value: not 0 <= value <= 66),
    st.sampled_from([6, 20, 34]),
)
def test_a_score_that_cannot_be_is_no_score(wrong: float, day: int) -> None:
    """660 for 66: a typing error tells no fall, and hides none."""
    right: dict[int, float] = {5: 39, 19: 44, 33: 22}
    assert fall({5: 39, 19: 40, day: wrong}, today=34) is None
    assert fall(right | {day: wrong}, today=34) == fall(right, today=34) is not None
