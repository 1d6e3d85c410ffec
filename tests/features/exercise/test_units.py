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
