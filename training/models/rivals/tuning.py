"""The choice of a setting in folds by subject of the training people, never on judged ones.

Letters: B pairs, H horizons, Q quantile levels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from contracts.forecast import QUANTILE_LEVELS
from contracts.sequences import SequenceBatch
from contracts.task import Task
from training.models import Fit
from training.models.rivals.trajectories import a_sample
from training.split import fold_of_rows, fold_of_subjects

INNER_FOLDS = 3
MOST_SUBJECTS = 600
"""Of whom a setting is chosen: more would hardly choose another."""

Setting = TypeVar("Setting")


def chosen(
    fits: Sequence[tuple[Setting, Fit]], train: SequenceBatch, task: Task, *, seed: int
) -> Setting:
    """Return the setting whose fits have the lowest CRPS on training people they did not see."""
    some = train.take(a_sample(train.subject_B, MOST_SUBJECTS, seed=seed))
    fold_of = fold_of_subjects(some.subject_B, INNER_FOLDS, 0.0, seed=seed)
    fold_B = fold_of_rows(some.subject_B, fold_of)
    losses = [0.0] * len(fits)
    for fold in range(INNER_FOLDS):
        inside, unseen = some.take(fold_B != fold), some.take(fold_B == fold)
        for index, (_, fit) in enumerate(fits):
            quantiles_BHQ = fit(inside, task, seed=seed)(unseen)
            losses[index] += pinball(quantiles_BHQ, unseen.truth_BH)
    return fits[int(np.argmin(losses))][0]


def pinball(quantiles_BHQ: NDArray[np.float64], truth_BH: NDArray[np.float32]) -> float:
    """Return the sum of the pinball losses of the outcomes that are known, score points."""
    miss_BHQ = truth_BH[..., None] - quantiles_BHQ
    level_Q = np.array(QUANTILE_LEVELS)
    return float(np.nansum(np.maximum(level_Q * miss_BHQ, (level_Q - 1) * miss_BHQ)))
