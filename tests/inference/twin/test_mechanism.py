"""The closed form against its own differential equation, and what it must never do."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from inference.twin.mechanism import Doses, Gains, gained_before, gains_at, raised
from inference.twin.plans import ALL, Part, Plan, as_now, doses_of

Array = NDArray[np.float64]

HOURS = st.floats(0, 40)
DAYS = st.integers(1, 200)
LEVELS = st.floats(0, 1)


def gains_of(seed: int, draws: int = 7) -> Gains:
    rng = np.random.default_rng(seed)
    return Gains(
        largest_I=rng.lognormal(-0.6, 0.5, draws), rate_I=1 / rng.lognormal(4, 0.7, draws),
        forgetting_I=np.log(2) / rng.lognormal(5.6, 1, draws),
        half_dose_I=rng.lognormal(2.3, 0.5, draws),
    )  # fmt: skip


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    parts = draw(st.lists(st.tuples(HOURS, DAYS), max_size=4))
    ends = Part(hours={ALL: draw(HOURS)})
    return Plan(
        name="any",
        parts=(*(Part(hours={ALL: hours}, days=days) for hours, days in parts), ends),
    )


SEEDS = st.integers(0, 2**32 - 1)
AHEAD = st.lists(st.floats(0.5, 500), min_size=1, max_size=4, unique=True).map(
    lambda days: np.array(sorted(days))
)


def runge_kutta(gains: Gains, start_I: Array, doses: Doses, days_H: Array, step: float) -> Array:
    """Solve the same equation by steps, (N, H, I)."""
    answer = np.empty((len(doses), len(days_H), len(start_I)))
    for n in range(len(doses)):
        gain_I = start_I.copy()
        for h, hours_N, length_N in doses.take(slice(n, n + 1)).stretches(days_H):
            drive_I = gains.rate_I * (1 - np.exp(-hours_N[0] / gains.half_dose_I))
            steps = int(np.ceil(length_N[0] / step))
            d = length_N[0] / steps

            def slope(g: Array, drive_I: Array = drive_I) -> Array:
                return np.asarray(drive_I * (gains.largest_I - g) - gains.forgetting_I * g)

            for _ in range(steps):
                k1 = slope(gain_I)
                k2 = slope(gain_I + d / 2 * k1)
                k3 = slope(gain_I + d / 2 * k2)
                k4 = slope(gain_I + d * k3)
                gain_I = gain_I + d / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
            answer[n, h] = gain_I
    return answer


@settings(max_examples=25, deadline=None)
@given(plan=plans(), seed=SEEDS, ahead=AHEAD)
def test_the_closed_form_solves_the_equation(plan: Plan, seed: int, ahead: Array) -> None:
    gains = gains_of(seed)
    start_I = gained_before(gains, 4.0, np.full(7, 30.0))
    doses = doses_of([plan])
    closed = gains_at(gains, start_I, doses, ahead)
    solved = runge_kutta(gains, start_I, doses, ahead, step=1.0)
    np.testing.assert_allclose(closed, solved, atol=1e-6)


@settings(max_examples=100, deadline=None)
@given(hours=HOURS, split=st.lists(DAYS, max_size=4), other=plans(), seed=SEEDS, ahead=AHEAD)
def test_a_plan_that_is_what_was_done_changes_nothing_bit_for_bit(
    hours: float, split: list[int], other: Plan, seed: int, ahead: Array
) -> None:
    """However it is cut into parts, and whatever is computed beside it."""
    gains, level = gains_of(seed), np.linspace(0, 1, 7)
    start_I = gained_before(gains, hours, np.full(7, 50.0))
    same = (*(Part(hours={ALL: hours}, days=days) for days in split), Part(hours={ALL: hours}))
    reference = gains_at(gains, start_I, doses_of([as_now(hours)]), ahead)
    both = gains_at(gains, start_I, doses_of([other, Plan(name="same", parts=same)]), ahead)
    difference = both[1] - reference[0]
    assert (difference == 0).all()
    assert (raised(level, difference) == level).all()


@settings(max_examples=100, deadline=None)
@given(plan=plans(), more=st.floats(0, 20), seed=SEEDS, ahead=AHEAD, data=st.data())
def test_more_hours_in_any_part_are_never_worse(
    plan: Plan, more: float, seed: int, ahead: Array, data: st.DataObject
) -> None:
    gains = gains_of(seed)
    at = data.draw(st.integers(0, len(plan.parts) - 1))
    parts = list(plan.parts)
    parts[at] = Part(hours={ALL: parts[at].total + more}, days=parts[at].days)
    doses = doses_of([plan, Plan(name="more", parts=tuple(parts))])
    less, greater = gains_at(gains, np.zeros(7), doses, ahead)
    assert (greater >= less - 1e-12).all()


@settings(max_examples=200, deadline=None)
@given(level=LEVELS, gain=st.floats(-30, 30))
def test_a_level_stays_on_its_scale_and_moves_the_way_of_the_gain(
    level: float, gain: float
) -> None:
    under = float(raised(np.array(level), np.array(gain)))
    assert 0 <= under <= 1
    assert (under - level) * gain >= -1e-15


def test_the_figures_that_its_prior_was_chosen_by() -> None:
    """30 of 66 points, late after a stroke: 90 hours in 3 weeks, then none, then 7 months."""
    one = np.ones(1)
    gains = Gains(
        largest_I=0.55 * one, rate_I=one / 60, forgetting_I=np.log(2) / 270 * one,
        half_dose_I=10 * one,
    )  # fmt: skip
    plan = Plan(name="90 hours", parts=(Part(hours={ALL: 30.0}, days=21), Part(hours={ALL: 0.0})))
    gain = gains_at(gains, np.zeros(1), doses_of([plan]), np.array([21.0, 212.0, 395.0]))[0, :, 0]
    points = 66 * raised(np.full(3, 30 / 66), gain)
    np.testing.assert_allclose(points, [32.5, 31.6, 31.0], atol=0.1)
