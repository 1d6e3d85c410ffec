"""The people about whom a model is first asked in a week, in levels of what is known of them.

Letters: N people, Q quantities.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEVELS = 32
"""Of each quantity: of a channel a quarter of a standard deviation, finer than what matters."""

ABSENT = -1
"""Level of who has no number of a quantity, and does not count for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrivals:
    """The people of a week, in the order of their numbers.

    Parameters
    ----------
    quantities
        Names of Q.
    level_NQ
        From 0 to `LEVELS` - 1, or `ABSENT`.
    groups
        Label of each person by attribute, (N,).
    """

    quantities: tuple[str, ...]
    level_NQ: NDArray[np.int64]
    groups: Mapping[str, NDArray[Any]]
