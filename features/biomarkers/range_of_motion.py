"""Joint angles from two inertial units, one on each side of the joint.

Each unit's orientation comes from acceleration and rotation by Madgwick's `imufusion`; the joint
angle is the angle of the rotation between them since the first second, in which the joint rests in
its neutral position. Without a magnetometer heading drifts, so this is for sessions of minutes, not
for days.
"""

from __future__ import annotations

import imufusion
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from contracts.cohort import CODE, NUMBER, TIME
from contracts.errors import ContractError
from features.biomarkers.overlaps import SAMPLES
from features.recording import Signal

PEAK, RANGE = "REHABCAST//JOINT_PEAK", "REHABCAST//JOINT_RANGE"
SETTLE_S = 1.0


def orientations(
    acceleration_NC: NDArray[np.float64], rotation_NC: NDArray[np.float64], rate_hz: float
) -> Rotation:
    """Return the orientation of one unit at each sample, from where gravity is in the first second.

    The library's own start holds the heading for 300 samples, 12 s at 25 Hz, whatever its sample
    period: it is passed over.

    Parameters
    ----------
    acceleration_NC, rotation_NC
        g and deg/s.
    """
    fusion = imufusion.Ahrs()
    fusion.set_sample_period(1 / rate_hz)
    pull_3 = acceleration_NC[: max(int(SETTLE_S * rate_hz), 1)].mean(axis=0)
    fusion.skip_startup()
    if np.linalg.norm(pull_3) > 0:
        upright, _ = Rotation.align_vectors([[0.0, 0.0, 1.0]], [pull_3])
        fusion.set_quaternion(upright.as_quat()[[3, 0, 1, 2]])
        fusion.set_heading(0.0)
    quaternion_N4 = np.empty((len(acceleration_NC), 4))
    for n, (turn, pull) in enumerate(zip(rotation_NC, acceleration_NC, strict=True)):
        fusion.update_no_magnetometer(turn, pull)
        quaternion_N4[n] = fusion.get_quaternion()
    # The library gives w first, scipy takes it last.
    return Rotation.from_quat(quaternion_N4[:, [1, 2, 3, 0]])


def joint_angle(near: Rotation, far: Rotation, rate_hz: float) -> NDArray[np.float64]:
    """Return the angle between two units against their rest in the first second, deg (0 to 180)."""
    between = near.inv() * far
    rest = between[: max(int(SETTLE_S * rate_hz), 1)].mean()
    return np.asarray(np.degrees((rest.inv() * between).magnitude()))


def daily_range(near: tuple[Signal, Signal], far: tuple[Signal, Signal]) -> pd.DataFrame:
    """Return peak and 5th to 95th percentile range of the joint angle by day, with its samples.

    Parameters
    ----------
    near, far
        Acceleration and rotation of the unit on the body's side and of the one beyond the joint.

    Raises
    ------
    ContractError
        The four signals are not sampled together.
    """
    lengths = {len(signal) for signal in (*near, *far)}
    rates = {signal.epoch_s for signal in (*near, *far)}
    if len(lengths) != 1 or len(rates) != 1:
        raise ContractError(
            "the two units are not sampled together", "resample them to the same times first"
        )
    rate = 1 / rates.pop()
    first, second = (
        orientations(a.values_NC.astype(np.float64), r.values_NC.astype(np.float64), rate)
        for a, r in (near, far)
    )
    angle_N = joint_angle(first, second, rate)
    day_N = near[0].time_N.astype("datetime64[D]")
    rows = []
    for day in np.unique(day_N):
        inside = angle_N[day_N == day]
        low, high = np.percentile(inside, [5, 95])
        values = ((PEAK, inside.max()), (RANGE, high - low))
        rows += [(pd.Timestamp(day), code, value, len(inside)) for code, value in values]
    return pd.DataFrame(rows, columns=[TIME, CODE, NUMBER, SAMPLES])
