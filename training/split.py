"""Splits by subject, seeded: all of a person's pairs lie on one side."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from contracts.errors import ContractError

HELD_OUT = -1


def fold_of_subjects(
    subjects: NDArray[np.int64], folds: int, held_out_share: float, *, seed: int
) -> dict[int, int]:
    """Deal the distinct subjects into folds, after setting a share aside.

    Returns
    -------
    Fold 0 .. folds-1 of each subject, or `HELD_OUT`.
    """
    order = np.random.default_rng(seed).permutation(np.unique(subjects))
    aside = round(held_out_share * len(order))
    return {
        int(subject): HELD_OUT if rank < aside else (rank - aside) % folds
        for rank, subject in enumerate(order)
    }


def rows_held_out(subject_B: NDArray[np.int64], dealt: dict[int, int]) -> NDArray[np.bool_]:
    """Tell which pairs, (B,), are of subjects that `fold_of_subjects` set aside."""
    aside = [subject for subject, fold in dealt.items() if fold == HELD_OUT]
    return np.isin(subject_B, np.array(aside, dtype=np.int64))


def fold_of_sites(
    subjects: NDArray[np.int64], sites: NDArray[np.object_]
) -> tuple[dict[int, int], tuple[str, ...]]:
    """Make each site a fold, for leave-one-site-out.

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
        raise ContractError("leave-one-site-out needs two sites or more: split by subject")
    return {
        int(subject): names.index(site) for subject, site in zip(subjects, sites, strict=True)
    }, names


def validation_subjects(
    subjects: NDArray[np.int64], share: float, *, seed: int
) -> NDArray[np.int64]:
    """Return the subjects that early stopping watches: a share, at least one."""
    order = np.random.default_rng([seed, 1]).permutation(np.unique(subjects))
    return order[: max(1, round(share * len(order)))]
