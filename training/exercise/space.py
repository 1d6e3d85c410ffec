"""The space in which sets lie: people who do the same, and parts of a set, are together in it.

Letters: S sets, R parts of sets, P main components of the features, D dimensions, E exercises.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SHRINKAGE = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Sets:
    """Where sets lie, and how far from it a few repetitions of them do; whose they are."""

    place_SP: Array
    exercise_S: NDArray[np.int64]
    person_S: NDArray[np.int64]
    part_RP: Array
    person_R: NDArray[np.int64]

    def of(self, person: int) -> Sets:
        """Return those of a person."""
        return self._only(self.person_S == person, self.person_R == person)

    def without(self, person: int) -> Sets:
        """Return those of the others."""
        return self._only(self.person_S != person, self.person_R != person)

    def away(self, whitening_PD: Array, centre_ED: Array) -> Array:
        """Return how far each set is from the centre of its exercise, (S)."""
        off_SD = self.place_SP @ whitening_PD - centre_ED[self.exercise_S]
        return np.asarray(np.linalg.norm(off_SD, axis=1))

    def _only(self, kept_S: NDArray[np.bool_], kept_R: NDArray[np.bool_]) -> Sets:
        return Sets(
            place_SP=self.place_SP[kept_S], exercise_S=self.exercise_S[kept_S],
            person_S=self.person_S[kept_S], part_RP=self.part_RP[kept_R],
            person_R=self.person_R[kept_R],
        )  # fmt: skip


def space(sets: Sets) -> tuple[Array, Array]:
    """Return what brings those who do the same, and parts of a set, together; and the centres."""
    count = int(sets.exercise_S.max()) + 1
    centre_EP = np.array([sets.place_SP[sets.exercise_S == e].mean(axis=0) for e in range(count)])
    within_PP = np.cov((sets.place_SP - centre_EP[sets.exercise_S]).T) + np.cov(sets.part_RP.T)
    average = np.trace(within_PP) / len(within_PP)
    spread_P, axes_PP = np.linalg.eigh(within_PP + SHRINKAGE * average * np.eye(len(within_PP)))
    whitening_PD = axes_PP / np.sqrt(spread_P)
    return whitening_PD, centre_EP @ whitening_PD
