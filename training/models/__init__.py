"""Model families behind one interface.

A family is a function that is fitted to a batch of sequences and returns a function that forecasts:
`Fit = (train, task, seed) -> Predict`, `Predict = (batch) -> quantiles (B, H, Q)` in score points,
rising along Q and within the scale. Letters: B pairs, H horizons, Q quantile levels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from contracts.sequences import SequenceBatch
from contracts.task import Task

Predict = Callable[[SequenceBatch], NDArray[np.float64]]


class Fit(Protocol):
    """Fits one family to training pairs."""

    def __call__(self, train: SequenceBatch, task: Task, *, seed: int) -> Predict:
        """Return the fitted forecast function."""
        ...
