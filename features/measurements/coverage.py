"""Which of several sources covers a day best: the criteria of `features.measurements.days`.

Letters: N records, G groups (what one source states of one person, quantity and day), R recordings
(a source's day of one person), Q quantities (of one person and day).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from contracts.cohort import TIME
from features.measurements.amounts import hours_touched, number_groups
from features.measurements.records import AMOUNT, END, SOURCE, SUBJECT_LABEL, Amount
from features.measurements.versions import STATED

Rows = NDArray[np.int64]


def ranked_groups(
    records: pd.DataFrame,
    group_N: Rows,
    first_G: Rows,
    added_G: NDArray[np.bool_],
    total_G: NDArray[np.bool_],
    value_G: NDArray[np.float64],
) -> Rows:
    """Return the groups, the source that counts first within each quantity.

    Parameters
    ----------
    records
        With the columns `day` and `quantity`, the number of its person, code and day.
    group_N, first_G
        The group of each record, and each group's first record.
    added_G, total_G, value_G
        Whether the quantity is added up over a day, whether there is a figure of the whole day, and
        what the group comes to.
    """
    groups = len(first_G)
    quantity_G = records["quantity"].to_numpy()[first_G]
    recording_N, first_R = number_groups(
        *numbers_of(records, [SUBJECT_LABEL, SOURCE]), nanoseconds(records["day"])
    )
    timed = (records[AMOUNT] != str(Amount.TOTAL)).to_numpy()
    start, end = nanoseconds(records[TIME])[timed], ends(records)[timed]
    hours_G = _as_the_best(hours_touched(group_N[timed], start, end, groups), quantity_G, total_G)
    all_R = hours_touched(recording_N[timed], start, end, len(first_R))
    np.maximum.at(all_R, recording_N[first_G], hours_G)
    reading = (records[AMOUNT] == str(Amount.READING)).to_numpy()
    readings_G = np.bincount(group_N[reading], minlength=groups)
    readings_G = np.where(added_G, 0, _as_the_best(readings_G, quantity_G, total_G))
    held_G = np.bincount(group_N[reading], records[STATED].to_numpy()[reading], groups)
    held_G = np.where(added_G | total_G, 0, held_G)
    return np.lexsort(
        (
            np.where(added_G, -value_G, value_G),
            -held_G,
            ~total_G & ~added_G,
            -all_R[recording_N[first_G]],
            -readings_G,
            -hours_G,
            quantity_G,
        )
    )


def _as_the_best(count_G: Rows, quantity_G: Rows, total_G: NDArray[np.bool_]) -> Rows:
    """Give a figure of the whole day what the best source of that quantity has."""
    best_Q = np.zeros(quantity_G.max(initial=-1) + 1, dtype=np.int64)
    np.maximum.at(best_Q, quantity_G, count_G)
    return np.where(total_G, best_Q[quantity_G], count_G)


def numbers_of(records: pd.DataFrame, names: list[str]) -> list[Rows]:
    """Return a number for each different text of these columns."""
    return [pd.factorize(records[name])[0] for name in names]


def nanoseconds(times: pd.Series) -> Rows:
    """Return times as whole nanoseconds."""
    return times.to_numpy().astype("datetime64[ns]").astype(np.int64)


def ends(records: pd.DataFrame) -> Rows:
    """Return when each record ends, a moment when it is."""
    return nanoseconds(records[END].where(records[END].notna(), records[TIME]))
