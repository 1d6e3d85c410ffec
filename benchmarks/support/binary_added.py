"""What some inputs add to the chances of a yes or no, for the same people with and without them.

Letters: B pairs, one for each person.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from contracts.sequences import SequenceBatch
from training.split import fold_of_rows, fold_of_subjects

Array = NDArray[np.float64]
FOLDS, REPLICATES = 5, 500


@dataclass(frozen=True, slots=True, kw_only=True)
class BinaryAdded:
    """What some inputs add.

    Parameters
    ----------
    where, model, what
        As in `support.without.Added`.
    people, without_outcome
        How many were judged, and how many of them did not have the better outcome.
    auroc, brier
        Without the inputs, with them, and the 95 % interval of the difference (bootstrap).
    """

    where: str
    model: str
    what: str
    people: int
    without_outcome: int
    auroc: tuple[float, float, float, float]
    brier: tuple[float, float, float, float]

    def row(self) -> dict[str, object]:
        """Return it for a table."""
        return {
            "model": self.model,
            "inputs": self.what,
            "people, without": f"{self.people}, {self.without_outcome}",
            "AUROC": _in_words(self.auroc),
            "Brier": _in_words(self.brier),
        }

    def record(self) -> dict[str, object]:
        """Return it for JSON."""
        return asdict(self)


def _in_words(figures: tuple[float, float, float, float]) -> str:
    without, with_them, low, high = figures
    return f"{without:.3f} to {with_them:.3f} [{low:+.4f}, {high:+.4f}]"


def out_of_fold(
    batch: SequenceBatch,
    good_B: NDArray[np.bool_],
    fit: Callable[[SequenceBatch, SequenceBatch, NDArray[np.bool_]], Array],
) -> Array:
    """Return the chance of the better outcome of each pair, by people of other folds, (B,)."""
    fold_B = fold_of_rows(batch.subject_B, fold_of_subjects(batch.subject_B, FOLDS, 0.0, seed=0))
    chance_B = np.empty(len(batch))
    for fold in range(FOLDS):
        own_B = fold_B == fold
        chance_B[own_B] = fit(batch.take(~own_B), batch.take(own_B), good_B[~own_B])
    return chance_B


def binary_added(
    without_B: Array, with_B: Array, good_B: NDArray[np.bool_], *, where: str, model: str,
    what: str, replicates: int = REPLICATES,
) -> BinaryAdded:  # fmt: skip
    """Compare the chances of the same people, of whom each has one outcome."""
    generator = np.random.default_rng(0)
    drawn_RB = generator.integers(0, len(good_B), (replicates, len(good_B)))

    def figures(
        score: Callable[[NDArray[np.bool_], Array], float],
    ) -> tuple[float, float, float, float]:
        change_R = [
            score(good_B[rows], with_B[rows]) - score(good_B[rows], without_B[rows])
            for rows in drawn_RB
        ]
        low, high = np.quantile(change_R, [0.025, 0.975])
        return score(good_B, without_B), score(good_B, with_B), float(low), float(high)

    return BinaryAdded(
        where=where, model=model, what=what, people=len(good_B),
        without_outcome=int((~good_B).sum()),
        auroc=figures(lambda good, chance: float(roc_auc_score(good, chance))),
        brier=figures(lambda good, chance: float(((chance - good) ** 2).mean())),
    )  # fmt: skip
