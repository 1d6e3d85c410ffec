"""Whether a recording is in the units that its map declares, as far as gravity can tell.

Letters: T samples, B blocks of S samples, 6 channels as of `Motion`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from contracts.errors import ContractError
from features.exercise.motion import RATE_HZ, Array, Motion, has_rotation

MEDIAN_G = (0.32, 3.13)
"""Half of the time a limb accelerates by little more than gravity, 1 g; the quickest of 112 sets of
shoulder exercises has 2.4 (SPAR, Burns 2018). The nearest units that maps know are 9.8 times apart,
so that this is half way to the next on either side."""

EVERY = 10
"""Of so many samples one is looked at: a day's are 200,000 then, a fifth of a second of work."""


BLOCK = round(0.6 * RATE_HZ)
"""Samples of which the mean acceleration says where gravity is."""

SEEN_DEG, ENOUGH_DEG = 5.0, 90.0
"""From block to block what is less may be no turn; all together, what is less tells no unit."""

MOST_TURNED = 3.0
"""How many times as far as its rotation adds up to gravity may turn in a recording. It turns no
farther than the limb, but for what movement itself adds: in 110 sets of shoulder exercises (SPAR,
Burns 2018) at most 1.0 times as far, and read as deg/s instead of rad/s at least 4.3 times."""


MOST_ROTATED = 40.0
"""How many times as far as gravity turns a limb's rotation may add up to in a recording: it also
turns about the vertical, which gravity does not show. In 112 sets of shoulder exercises (SPAR,
Burns 2018) at most 13.4 times as far, and read as rad/s instead of deg/s at least 55 times."""


def require_declared_unit(motions: Sequence[Motion]) -> None:
    """Refuse a recording that is far from gravity half of the time, or turns unlike gravity.

    One in which the limb hardly turns, or turns about the vertical alone, is not noticed here
    (`features.exercise.measures` notices the latter by its ranges). A limb that is slid to and fro
    without turning, as on a rail, looks like a gyroscope in a smaller unit and is refused too.

    Raises
    ------
    ContractError
        Its acceleration is in another unit, or gravity was taken out of it; or its rotation is in a
        smaller or larger unit.
    """
    if not motions:
        return
    _require_gravity(motions)
    turned, rotated = np.sum([_turns(each.values_T6) for each in motions], axis=0)
    if turned >= ENOUGH_DEG and turned > MOST_TURNED * rotated:
        raise ContractError(
            f"gravity turns by {turned:.0f} degrees in it, and its rotation adds up to no more than"
            f" {rotated:.0f} in the same time",
            "correct the unit of the rotation in [[signals]] of the map; where the gyroscope did"
            " not work, or the limb was slid without turning, leave its columns out",
        )
    if turned >= ENOUGH_DEG and rotated > MOST_ROTATED * turned:
        raise ContractError(
            f"its rotation adds up to {rotated:.0f} degrees where gravity turns by {turned:.0f} in"
            " the same time, which no limb does",
            "correct the unit of the rotation in [[signals]] of the map: it looks like deg/s that"
            " are declared as rad/s",
        )


def _turns(values_T6: Array) -> tuple[float, float]:
    """Return how far gravity turns, and the limb in the same time, in degrees; 0 without rotation.

    Summed over neighbouring blocks between which gravity is seen to turn.
    """
    count = len(values_T6) // BLOCK
    if count < 2 or not has_rotation(values_T6):
        return 0.0, 0.0
    values_BS6 = values_T6[: count * BLOCK].reshape(count, BLOCK, 6)
    pull_B3 = values_BS6[:, :, :3].mean(axis=1)
    pull_B3 /= np.maximum(np.linalg.norm(pull_B3, axis=1, keepdims=True), 1e-6)
    rotated_B = np.linalg.norm(values_BS6[:, :, 3:], axis=2).mean(axis=1) * BLOCK / RATE_HZ
    cosine_B = np.sum(pull_B3[1:] * pull_B3[:-1], axis=1)
    turned_B = np.degrees(np.arccos(np.clip(cosine_B, -1, 1)))
    seen_B = turned_B > SEEN_DEG
    both_B = (rotated_B[1:] + rotated_B[:-1]) / 2
    return float(turned_B[seen_B].sum()), float(both_B[seen_B].sum())


def _require_gravity(motions: Sequence[Motion]) -> None:
    acceleration_T3 = np.concatenate([each.values_T6[::EVERY, :3] for each in motions])
    pull = float(np.median(np.linalg.norm(acceleration_T3, axis=1)))
    if not MEDIAN_G[0] <= pull <= MEDIAN_G[1]:
        raise ContractError(
            f"the median of its acceleration is {pull:.2g} g, where gravity alone is 1 g",
            "correct the unit of the acceleration in [[signals]] of the map; where gravity was"
            " taken out of a recording, give it with gravity",
        )
