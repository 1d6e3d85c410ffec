"""Cohorts in blocks of complete subjects, so that the work on one block fits the CPU's cache."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd

from contracts.cohort import SUBJECT
from contracts.sequences import SequenceBatch

BLOCK_ROWS = 500_000


def blocks_of_subjects(events: pd.DataFrame, rows: int = BLOCK_ROWS) -> list[pd.DataFrame]:
    """Cut events that are grouped by subject into blocks of about `rows` rows.

    Returns
    -------
    Views of the events in their order; a single one if there are few or none.
    """
    subject_N = events[SUBJECT].to_numpy()
    starts = np.flatnonzero(subject_N[1:] != subject_N[:-1]) + 1
    _, first = np.unique(starts // rows, return_index=True)
    edges = [0, *starts[first].tolist(), len(events)] if len(events) > rows else [0, len(events)]
    return [events.iloc[start:end] for start, end in pairwise(edges)]


def joined(parts: list[SequenceBatch]) -> SequenceBatch:
    """Return the pairs of several batches of one layout, in their order."""
    names = [name for name in SequenceBatch.__slots__ if name not in {"layout", "groups_B"}]
    return SequenceBatch(
        layout=parts[0].layout,
        groups_B=pd.concat([part.groups_B for part in parts], ignore_index=True),
        **{name: np.concatenate([getattr(part, name) for part in parts]) for name in names},
    )
