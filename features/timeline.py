"""Events on each subject's own clock, and how long ago each channel was last observed."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from contracts.cohort import CODE, ENROLMENT, NUMBER, ONSET, SUBJECT, TIME


def timeline_of(events: pd.DataFrame) -> pd.DataFrame:
    """Return timed events with `day` after enrolment and `enrolment_day` after onset.

    Returns
    -------
    Subject, code (as a category), number, day and enrolment day, in the order of the events.
    """
    dates = events[events[CODE].isin([ONSET, ENROLMENT])].pivot(
        index=SUBJECT, columns=CODE, values=TIME
    )
    day_of = dates.to_numpy().astype("datetime64[D]").astype(np.int64)
    enrolment_P = day_of[:, dates.columns.get_loc(ENROLMENT)]
    since_onset_P = enrolment_P - day_of[:, dates.columns.get_loc(ONSET)]
    timed = np.flatnonzero(events[TIME].notna().to_numpy())
    person_N = dates.index.get_indexer(pd.Index(events[SUBJECT]))[timed]
    day_N = events[TIME].to_numpy()[timed].astype("datetime64[D]").astype(np.int64)
    return pd.DataFrame(
        {
            SUBJECT: events[SUBJECT].to_numpy()[timed],
            # Few codes stand in millions of rows: as categories they compare as integers.
            CODE: events[CODE].astype("category").array[timed],
            NUMBER: events[NUMBER].to_numpy()[timed],
            "day": day_N - enrolment_P[person_N],
            "enrolment_day": since_onset_P[person_N],
        },
        copy=False,
    )


def days_since_observed(observed_BTC: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return for each day and channel how many days ago it was last observed.

    Parameters
    ----------
    observed_BTC
        The mask of a sequence batch, (B, T, C).

    Returns
    -------
    (B, T, C): 0 on a day that was observed, then counting on; NaN before the first observation.
    """
    day_T = np.arange(observed_BTC.shape[1], dtype=np.float32)[None, :, None]
    last_BTC = np.maximum.accumulate(np.where(observed_BTC, day_T, -np.inf), axis=1)
    since_BTC = np.where(np.isneginf(last_BTC), np.float32(np.nan), day_T - last_BTC)
    return np.asarray(since_BTC, dtype=np.float32)
