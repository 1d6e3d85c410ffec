"""SIMULATED sets, whose repetitions, ranges and tempo are known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.exercise.measures import (
    log_dimensionless_jerk,
    measured,
    spectral_arc_length,
)
from features.exercise.motion import RATE_HZ
from features.exercise.repetitions import repetitions
from features.exercise.sets import sets
from features.exercise.simulated import simulated_set


@settings(max_examples=12, deadline=None, derandomize=True)
@given(
    count=st.integers(3, 14),
    range_deg=st.floats(45, 160),
    seconds=st.floats(1.4, 4.0),
    up_share=st.floats(0.35, 0.65),
    pause_s=st.sampled_from([0.0, 0.6]),
    seed=st.integers(0, 99),
)
def test_what_is_known_of_a_set_is_found(
    count: int, range_deg: float, seconds: float, up_share: float, pause_s: float, seed: int
) -> None:
    made = simulated_set(
        count, np.random.default_rng(seed), range_deg=range_deg, seconds=seconds,
        up_share=up_share, pause_s=pause_s,
    )  # fmt: skip
    ((first, last),) = sets(made.values_T6)
    values_T6 = made.values_T6[first:last]
    done = measured(values_T6, repetitions(values_T6))
    assert len(done) == count
    wrong_deg = np.array([each.range_deg for each in done]) - made.range_deg
    assert np.abs(wrong_deg).mean() < 5
    times = np.array([each.duration_s for each in done])
    # Where noise hides that the limb rests, some of the pause counts as movement.
    assert times.mean() == pytest.approx(made.seconds.mean(), rel=0.2 if pause_s else 0.07)
    tempo = np.array([each.tempo for each in done])
    assert tempo.mean() == pytest.approx(made.up_share.mean(), abs=0.07)


def test_half_a_repetition_is_rounded_and_what_is_cut_out_is_counted() -> None:
    made = simulated_set(12, np.random.default_rng(0), seconds=2.0)
    lead, each = int(2.0 * RATE_HZ), int(2.0 * RATE_HZ)
    for begun, count in ((0.0, 5), (0.3, 5), (0.6, 8)):
        first = lead + int(begun * each)
        assert len(repetitions(made.values_T6[first : first + count * each])) == count


@pytest.mark.parametrize("rotation", [0.0, np.nan])
def test_where_nothing_repeats_nothing_is_counted(rotation: float) -> None:
    still = np.zeros((2000, 6), dtype=np.float32)
    still[:, 0], still[:, 3:] = -1.0, rotation
    noisy = still + np.random.default_rng(0).normal(0, 0.005, still.shape).astype(np.float32)
    assert sets(still) == []
    assert sets(noisy) == []
    assert repetitions(still[:10]) == []


def test_a_set_across_an_hour_is_one() -> None:
    made = simulated_set(12, np.random.default_rng(0)).values_T6
    before = np.repeat(made[:1], 3600 * int(RATE_HZ) - len(made) // 2, axis=0)
    after = np.repeat(made[:1], 2000, axis=0)
    ((first, last),) = sets(np.concatenate([before, made, after]))
    assert len(before) - 10 <= first < last <= len(before) + len(made) + 10


def test_without_a_gyroscope_repetitions_are_counted_and_have_no_range() -> None:
    made = simulated_set(8, np.random.default_rng(0)).values_T6
    made[:, 3:] = np.nan
    ((first, last),) = sets(made)
    done = measured(made[first:last], repetitions(made[first:last]))
    assert len(done) == 8
    assert {(each.range_deg, each.smoothness_sparc) for each in done} == {(None, None)}


def test_a_movement_that_stops_on_its_way_is_less_smooth() -> None:
    t = np.linspace(0, 1, 100)
    smooth = 30 * t**2 * (1 - t) ** 2
    jerky = np.concatenate([smooth[::3], np.zeros(6), smooth[::3], np.zeros(6), smooth[::3]])
    for measure in (spectral_arc_length, log_dimensionless_jerk):
        whole, broken = measure(smooth, 50.0), measure(jerky, 50.0)
        assert whole is not None
        assert broken is not None
        assert broken < whole < 0
        assert measure(3 * smooth, 50.0) == pytest.approx(whole)
        assert measure(smooth[:5], 50.0) is None


def test_smoothness_is_that_of_the_paper() -> None:
    """The least jerk of a speed, by its integral: 720/7 of T^3/v^2, and arc length near -1.41."""
    t = np.linspace(0, 1, 2001)
    speed = 30 * t**2 * (1 - t) ** 2
    # The second derivative of the speed is 60(6t^2 - 6t + 1); its square integrates to 720.
    whole = 720 / speed.max() ** 2
    assert log_dimensionless_jerk(speed, 2000.0) == pytest.approx(-np.log(whole), abs=0.01)
    arc = spectral_arc_length(speed, 2000.0)
    assert arc is not None
    assert -1.6 < arc < -1.3
