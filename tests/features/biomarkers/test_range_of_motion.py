from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from contracts.errors import ContractError
from features.biomarkers.range_of_motion import daily_range, orientations
from features.recording import Quantity, Signal


def inertial(
    signal: Callable[..., Signal], angles_deg: np.ndarray, rate: float, placement: str
) -> tuple[Signal, Signal]:
    """What a unit measures that turns about its x axis by the given angles."""
    turned = Rotation.from_euler("x", angles_deg[:, None], degrees=True)
    pull = turned.inv().apply([0.0, 0.0, 1.0])
    spin = np.zeros_like(pull)
    spin[:, 0] = np.gradient(angles_deg) * rate
    return (
        signal(pull, Quantity.ACCELERATION, rate, placement),
        signal(spin, Quantity.ROTATION, rate, placement),
    )


def test_a_known_rotation_is_found_by_paired_units(signal: Callable[..., Signal]) -> None:
    rate, seconds = 100.0, 40
    t = np.arange(int(rate * seconds)) / rate
    bend = np.where(t < 5, 0, 45 * (1 - np.cos(2 * np.pi * 0.2 * (t - 5))))
    near = inertial(signal, np.zeros_like(t), rate, "upper arm")
    far = inertial(signal, bend, rate, "forearm")
    found = daily_range(near, far).set_index("code")["numeric_value"]
    assert found["REHABCAST//JOINT_PEAK"] == pytest.approx(90, abs=2)
    low, high = np.percentile(bend, [5, 95])
    assert found["REHABCAST//JOINT_RANGE"] == pytest.approx(high - low, abs=3)
    # Both units turning alike is no joint movement.
    together = daily_range(inertial(signal, bend, rate, "a"), inertial(signal, bend, rate, "b"))
    assert together["numeric_value"].max() < 2
    with pytest.raises(ContractError, match="sampled together"):
        daily_range(near, inertial(signal, bend[:-5], rate, "c"))


@pytest.mark.parametrize("rate", [25.0, 50.0, 100.0])
def test_a_turn_about_the_vertical_is_known_from_the_second_second_on_at_any_rate(
    rate: float,
) -> None:
    t = np.arange(int(rate * 6)) / rate
    turned_deg = np.where(t < 1, 0.0, 20 * (1 - np.cos(2 * np.pi * 0.5 * (t - 1))))
    pull = np.tile([0.0, 0.0, 1.0], (len(t), 1))
    spin = np.zeros_like(pull)
    spin[:, 2] = np.gradient(turned_deg) * rate
    found = orientations(pull, spin, rate)
    angle = np.degrees((found[0].inv() * found).magnitude())
    assert np.abs(angle - turned_deg).max() < 2
