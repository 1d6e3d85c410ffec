"""Splits by subject, as a dataset declares or seeded: all pairs of a subject are on one side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import meds
import numpy as np
from numpy.typing import NDArray

from contracts.errors import ContractError
from contracts.sequences import SequenceBatch

HELD_OUT = -1
TUNING = -2
"""In no fold: its people only decide when a fit has learned enough."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """A cohort's pairs by what training may do with their people; no person is in two.

    Parameters
    ----------
    train
        To learn from and calibrate with, out of fold.
    tuning
        To stop a fit early, and nothing else; None where the dataset declares none, and a share of
        `train` is used.
    held_out
        Never used in training, calibration or selection.
    fold_of
        Fold of each subject, `HELD_OUT` or `TUNING`.
    """

    train: SequenceBatch
    tuning: SequenceBatch | None
    held_out: SequenceBatch
    fold_of: dict[int, int]


def parts_of(
    pairs: SequenceBatch,
    declared: Mapping[int, str],
    *,
    folds: int,
    held_out_share: float,
    seed: int,
) -> Parts:
    """Divide a cohort's pairs as its dataset declares; where it holds nobody out, at random.

    Parameters
    ----------
    declared
        Split of each subject (`contracts.cohort.Cohort.splits`). Who is not in it is trained on.
    held_out_share
        Share of the subjects to hold out where the dataset declares no held-out ones.
    """
    subjects = np.unique(pairs.subject_B)
    of_dataset = {
        int(subject): _DECLARED[declared[int(subject)]]
        for subject in subjects
        if declared.get(int(subject), meds.train_split) != meds.train_split
    }
    free = np.array([s for s in subjects.tolist() if s not in of_dataset], dtype=np.int64)
    share = 0.0 if meds.held_out_split in declared.values() else held_out_share
    fold_of = fold_of_subjects(free, folds, share, seed=seed) | of_dataset
    fold_B = fold_of_rows(pairs.subject_B, fold_of)
    tuning = pairs.take(fold_B == TUNING)
    return Parts(
        train=pairs.take(fold_B >= 0),
        tuning=tuning if len(tuning) else None,
        held_out=pairs.take(fold_B == HELD_OUT),
        fold_of=dict(sorted(fold_of.items())),
    )


_DECLARED = {meds.tuning_split: TUNING, meds.held_out_split: HELD_OUT}


def split_name(fold: int) -> str:
    """Return the name that MEDS has for where a person is."""
    names = {part: name for name, part in _DECLARED.items()}
    return str(names.get(fold, meds.train_split))


def fold_of_subjects(
    subjects: NDArray[np.int64], folds: int, held_out_share: float, *, seed: int
) -> dict[int, int]:
    """Assign the distinct subjects to folds at random, after holding out a share of them.

    Returns
    -------
    Fold 0 .. folds-1 of each subject, or `HELD_OUT`.
    """
    order = np.random.default_rng(seed).permutation(np.unique(subjects))
    held_out = round(held_out_share * len(order))
    return {
        int(subject): HELD_OUT if rank < held_out else (rank - held_out) % folds
        for rank, subject in enumerate(order)
    }


def fold_of_rows(subject_B: NDArray[np.int64], fold_of: dict[int, int]) -> NDArray[np.int64]:
    """Return the fold of each row, (B,)."""
    return np.array([fold_of[int(subject)] for subject in subject_B])


def fold_of_sites(
    subjects: NDArray[np.int64], sites: NDArray[np.object_]
) -> tuple[dict[int, int], tuple[str, ...]]:
    """Make each site a fold, for leave-one-site-out cross-validation.

    Returns
    -------
    Fold of each subject, and the sites in the order of their folds.

    Raises
    ------
    ContractError
        Fewer than two sites.
    """
    names = tuple(sorted(set(sites.tolist())))
    if len(names) < 2:
        raise ContractError(
            "leave-one-site-out cross-validation needs two sites or more", "split by subject"
        )
    return {
        int(subject): names.index(site) for subject, site in zip(subjects, sites, strict=True)
    }, names


def validation_subjects(
    subjects: NDArray[np.int64], share: float, *, seed: int
) -> NDArray[np.int64]:
    """Return the subjects whose loss early stopping monitors: a share of them, at least one."""
    order = np.random.default_rng([seed, 1]).permutation(np.unique(subjects))
    return order[: max(1, round(share * len(order)))]
