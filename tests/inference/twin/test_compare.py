"""Plans compared: a difference by hand, when a level is reached, and which plans none beats."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from contracts.task import Task
from inference.twin.compare import course, difference, direction, points, reaching, undominated

Array = NDArray[np.float64]

COUNTS = st.integers(0, 6) | st.integers(150, 800)


def test_a_difference_is_of_the_same_draws_and_in_points_of_improvement(task: Task) -> None:
    other_I = np.linspace(0.2, 0.6, 101)
    gain_I = np.linspace(-5, 10, 101)
    found = difference(other_I + gain_I / 66, other_I, task.target)
    assert found.mean == pytest.approx(2.5)
    ends = (found.low_90, found.low_80, found.high_80, found.high_90)
    assert ends == pytest.approx((-4.25, -3.5, 8.5, 9.25))
    assert found.standard_error == pytest.approx(gain_I.std())
    assert found.chance_important == pytest.approx((gain_I >= 4.25).mean(), abs=0.011)
    assert found.chance_importantly_worse == pytest.approx((gain_I <= -4.25).mean(), abs=0.011)


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(better=COUNTS, worse=COUNTS)
def test_a_direction_is_claimed_where_at_most_one_draw_in_a_hundred_says_otherwise(
    task: Task, better: int, worse: int
) -> None:
    none = 2
    better_I = np.repeat([0.1, -0.1, 0.0], [better, worse, none])
    found = difference(better_I, np.zeros(len(better_I)), task.target)
    others = {"better": worse + none, "worse": better + none}
    for claimed, against in others.items():
        assert (found.direction == claimed) is (100 * against <= len(better_I))


def test_the_rule_is_that_of_an_interval_of_98_percent() -> None:
    assert direction(0.99, 0.01) == "better"
    assert direction(0.005, 0.992) == "worse"
    assert direction(0.989, 0.0) == direction(0.0, 0.989) == direction(0, 0) == "not certain"


def test_shares_are_scores_from_the_worst_to_the_best(task: Task) -> None:
    """Also of a scale that begins above 0, or whose best is its least."""
    up = task.target.model_copy(update={"low": 12.0, "high": 60.0})
    found = points(np.array([0.0, 0.25, 1.0]), up)
    np.testing.assert_allclose(found, [up.worst, 0.75 * up.worst + 0.25 * up.best, up.best])
    assert {up.worst, up.best} == {12.0, 60.0}


def test_a_course_stays_on_the_scale_and_rises(task: Task) -> None:
    rng = np.random.default_rng(0)
    forecast_HQ = np.sort(rng.uniform(0, 66, (3, 19)), axis=-1)
    usual_HI, under_HI = rng.uniform(0, 1, (2, 3, 200))
    moved_HQ = course(forecast_HQ, under_HI, usual_HI, task.target)
    assert moved_HQ.min() >= 0
    assert moved_HQ.max() <= 66
    assert (np.diff(moved_HQ, axis=-1) >= 0).all()
    np.testing.assert_array_equal(course(forecast_HQ, usual_HI, usual_HI, task.target), forecast_HQ)


def test_a_level_that_so_many_never_reach_has_no_day() -> None:
    days_H = np.array([7.0, 14.0, 21.0])
    levels_HI = np.array([[0.6] * 3 + [0.2] * 7, [0.6] * 6 + [0.2] * 4, [0.6] * 7 + [0.2] * 3])
    found = reaching(levels_HI, 0.5, days_H)
    assert (found.share, found.low_80, found.median, found.high_80) == (0.7, 7.0, 14.0, None)


@settings(max_examples=100, deadline=None)
@given(pairs=st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), min_size=1, max_size=30))
def test_no_plan_that_is_kept_is_beaten_and_every_other_is(pairs: list[tuple[int, int]]) -> None:
    gain_N, burden_N = np.array(pairs, dtype=float).T
    kept = set(undominated(gain_N, burden_N).tolist())
    for n in range(len(pairs)):
        beaten = any(
            gain_N[m] >= gain_N[n]
            and burden_N[m] <= burden_N[n]
            and (gain_N[m] > gain_N[n] or burden_N[m] < burden_N[n])
            for m in range(len(pairs))
        )
        assert not (n in kept and beaten)
        if n not in kept and not beaten:
            same = [m for m in kept if pairs[m] == pairs[n]]
            assert same, "one of several alike is kept"
