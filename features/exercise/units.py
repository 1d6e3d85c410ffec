"""Whether a recording is in the unit that its map declares, as far as gravity can tell."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from contracts.errors import ContractError
from features.exercise.motion import Motion

MEDIAN_G = (0.32, 3.13)
"""Half of the time a limb accelerates by little more than gravity, 1 g; the quickest of 112 sets of
shoulder exercises has 2.4 (SPAR, Burns 2018). The nearest units that maps know are 9.8 times apart,
so that this is half way to the next on either side."""

EVERY = 10
"""Of so many samples one is looked at: a day's are 200,000 then, a fifth of a second of work."""


def require_declared_unit(motions: Sequence[Motion]) -> None:
    """Refuse a recording that is far from gravity half of the time.

    Rotation in another unit than declared is not noticed here.

    Raises
    ------
    ContractError
        Its acceleration is in another unit, or gravity was taken out of it.
    """
    if not motions:
        return
    acceleration_T3 = np.concatenate([each.values_T6[::EVERY, :3] for each in motions])
    pull = float(np.median(np.linalg.norm(acceleration_T3, axis=1)))
    if not MEDIAN_G[0] <= pull <= MEDIAN_G[1]:
        raise ContractError(
            f"the median of its acceleration is {pull:.2g} g, where gravity alone is 1 g",
            "correct the unit of the acceleration in [[signals]] of the map; where gravity was"
            " taken out of a recording, give it with gravity",
        )
