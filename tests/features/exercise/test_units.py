"""Recordings in another unit than declared, and those that are as a wrist gives them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import ContractError
from features.exercise.motion import Motion
from features.exercise.units import require_declared_unit
from tests.simulated_motion import day

DAY = day(9)
START = np.datetime64("2026-03-02T10:00:00")


def scaled(acceleration: float, rotation: float) -> list[Motion]:
    factors = np.array([acceleration] * 3 + [rotation] * 3, np.float32)
    return [Motion(start=START, values_T6=DAY.values_T6 * factors)]


def test_a_wrist_in_the_units_declared_is_taken_also_without_a_gyroscope() -> None:
    require_declared_unit([])
    require_declared_unit(scaled(1, 1))
    require_declared_unit(scaled(1, np.nan))


@given(st.sampled_from([9.80665, 1000.0, 9806.65]), st.booleans())
def test_no_known_unit_of_acceleration_passes_for_another(ratio: float, up: bool) -> None:
    with pytest.raises(ContractError, match="where gravity alone is 1 g"):
        require_declared_unit(scaled(ratio if up else 1 / ratio, 1))


@given(st.sampled_from([np.pi / 180, 1 / 1000, 0.0]), st.sampled_from([1.0, 9.80665]))
def test_rotation_in_a_smaller_unit_than_declared_or_none_at_all_is_refused(
    ratio: float, acceleration: float
) -> None:
    """Rad/s declared as deg/s went unnoticed, and every range was 57 times too small."""
    said = "gravity turns by" if acceleration == 1 else "where gravity alone is 1 g"
    with pytest.raises(ContractError, match=said):
        require_declared_unit(scaled(acceleration, ratio))


@given(st.sampled_from([180 / np.pi, 1000.0]), st.floats(0.7, 1.4))
def test_rotation_in_a_larger_unit_than_declared_is_refused(ratio: float, off: float) -> None:
    """Deg/s declared as rad/s gave ranges of 360 degrees, and the command ended well."""
    with pytest.raises(ContractError, match="no limb does") as refused:
        require_declared_unit(scaled(1, ratio * off))
    assert "deg/s that are declared as rad/s" in refused.value.what_to_do


@given(st.floats(0.5, 2.0))
def test_a_gyroscope_that_is_a_little_off_and_a_limb_at_rest_are_taken(ratio: float) -> None:
    require_declared_unit(scaled(1, ratio))
    still = np.repeat(DAY.values_T6[:1], 2000, axis=0) * np.float32([1, 1, 1, 0, 0, 0])
    require_declared_unit([Motion(start=START, values_T6=still)])
