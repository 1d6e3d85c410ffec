"""One frame for either side and for a watch that is put on the other way round.

The frame is that of a right wrist. A left wrist is its mirror image: the axis along the forearm
changes its sign, and as rotation turns the other way in a mirror, the two other axes of rotation
do. A watch turned round on the same wrist is turned by half a turn about the axis out of its face,
so that the axes along and across the forearm change sign. Which way it sits is read from gravity
over the set: fingers hang and thumbs point up more than the reverse.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

MIRROR = np.array([-1, 1, 1, 1, -1, -1], dtype=np.float32)
HALF_TURN = np.array([-1, -1, 1, -1, -1, 1], dtype=np.float32)


def as_right(values_T6: Array, side: str | None) -> Array:
    """Return what a right wrist would have recorded; without a stated side it is taken for one."""
    return values_T6 * MIRROR if side == "left" else values_T6


def upright(values_T6: Array) -> Array:
    """Return a set as recorded with the watch the usual way round."""
    along, across = values_T6[:, :2].mean(axis=0)
    return values_T6 if across - along >= 0 else values_T6 * HALF_TURN


def handedness(values_T6: Array) -> float:
    """Return which hand a set in the frame of a right wrist looks like: its mirror image has -this.

    The product of gravity along and across the forearm, which half a turn of the watch leaves.
    """
    along, across = values_T6[:, :2].mean(axis=0)
    return float(along * across)
