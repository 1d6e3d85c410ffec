"""Reads the split that a dataset declares: whom to train on, to tune with, and to keep unseen."""

from __future__ import annotations

from pathlib import Path

import meds
import pyarrow as pa

from contracts.cohort import SUBJECT
from contracts.errors import CohortInvalid, Problem
from features.cohort.stored import faults_as_problems, read_stored

SPLIT = "split"
SPLITS = (meds.train_split, meds.tuning_split, meds.held_out_split)


def read_splits(folder: Path) -> dict[int, str]:
    """Return the declared split of each subject; empty where the cohort declares none.

    Raises
    ------
    CohortInvalid
        The file is damaged, or a subject is in two splits, or in one that MEDS does not name:
        whether such people may be trained on nobody can tell.
    """
    file = folder / meds.subject_splits_filepath
    if not file.exists() and not file.is_symlink():
        return {}
    problems: list[Problem] = []
    table = pa.table({SUBJECT: [], SPLIT: []})
    with faults_as_problems(meds.subject_splits_filepath, folder, problems):
        table = meds.SubjectSplitSchema.align(read_stored(file))
    if problems:
        raise CohortInvalid(problems)
    splits: dict[int, str] = {}
    pairs = zip(table[SUBJECT].to_pylist(), table[SPLIT].to_pylist(), strict=True)
    for row, (subject, split) in enumerate(pairs, start=2):
        if split not in SPLITS:
            problems.append(_about(f"{split!r} is not one of {', '.join(SPLITS)}", row, SPLIT))
        if subject in splits:
            problems.append(_about(f"subject {subject} has a split already", row, SUBJECT))
        splits[subject] = split
    if problems:
        raise CohortInvalid(problems)
    return splits


def _about(found: str, row: int, field: str) -> Problem:
    return Problem(
        file=meds.subject_splits_filepath,
        row=row,
        field=field,
        found=found,
        advice="give every subject one of these splits, once",
        cause="subjects whose split is not clear",
    )
