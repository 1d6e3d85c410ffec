"""Seeded splits by subject: all pairs of a subject are on one side."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from contracts.errors import ContractError

HELD_OUT = -1


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


def rows_held_out(subject_B: NDArray[np.int64], fold_of: dict[int, int]) -> NDArray[np.bool_]:
    """Return which rows, (B,), are of held-out subjects."""
    held_out = [subject for subject, fold in fold_of.items() if fold == HELD_OUT]
    return np.isin(subject_B, np.array(held_out, dtype=np.int64))


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
