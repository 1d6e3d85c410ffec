"""The part of a record that monitoring reads: the last days, as one array for each code.

Letters: T days of the window, oldest first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from contracts.cohort import WEAR_TIME
from contracts.exercise import codes
from contracts.observation import Observation
from contracts.therapy import ADHERENCE, THERAPY
from contracts.vocabulary import Kind, vocabulary
from features.past.groups import is_of_wearable
from features.past.therapy import with_therapy

WINDOW_DAYS = 56
"""Days that are read: a change of at most four weeks, and at least as long before it."""

WORN_HOURS = 10.0
"""Hours of a day on which a wearable was worn long enough for its values to count."""

PLANS = {ADHERENCE: THERAPY, codes.ADHERENCE: codes.REPETITIONS}
"""Shares of a plan that was done, each with what is done of it."""
CARE = frozenset({*PLANS, *PLANS.values()})
"""Daily codes of care that are watched: of therapy the whole, or each kind would say it again. None
of them is a sign that a wearable sends."""

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """The last days of a record.

    Parameters
    ----------
    today
        The day of the question, days since onset; the last one of the window.
    daily
        Values by code, (T,); not a number on days without.
    scores
        Day and score by code, by day.
    """

    today: int
    daily: Mapping[str, Array]
    scores: Mapping[str, list[tuple[int, float]]]

    @property
    def first_day(self) -> int:
        """First day of the window."""
        return self.today - WINDOW_DAYS + 1

    def _length(self) -> int:
        return max((len(value_T) for value_T in self.daily.values()), default=WINDOW_DAYS)

    def worn(self) -> NDArray[np.bool_]:
        """Return on which days the wearable gave data that count, (T,)."""
        some = np.zeros(self._length(), dtype=np.bool_)
        for code, value_T in self.daily.items():
            if code not in CARE and code != WEAR_TIME:
                some |= np.isfinite(value_T)
        if WEAR_TIME not in self.daily:
            return some
        hours_T = self.daily[WEAR_TIME]
        return np.where(np.isfinite(hours_T), hours_T >= WORN_HOURS, some)

    def sent(self) -> NDArray[np.bool_]:
        """Return on which days anything came from the wearable, worn or not, (T,)."""
        some = np.zeros(self._length(), dtype=np.bool_)
        for code, value_T in self.daily.items():
            if code not in CARE:
                some |= np.isfinite(value_T)
        return some


def series_of(observations: Iterable[Observation], today: int) -> Series:
    """Return the last days of a record, seen on a day; what is later is not known yet."""
    entries = vocabulary()
    first = today - WINDOW_DAYS + 1
    daily: dict[str, Array] = {}
    scores: dict[str, list[tuple[int, float]]] = {}
    for one in with_therapy(list(observations)):
        day, value = one.day_since_onset, one.value
        if day is None or value is None or not first <= day <= today or one.code not in entries:
            continue
        if not np.isfinite(value):
            continue
        low, high = entries[one.code].low, entries[one.code].high
        if low is None or high is None or not low <= value <= high:
            # A typing error is no change of the patient.
            continue
        kind = entries[one.code].kind
        if kind is Kind.DAILY and (one.code in CARE or is_of_wearable(one.code)):
            daily.setdefault(one.code, np.full(WINDOW_DAYS, np.nan))[day - first] = value
        elif kind is Kind.ASSESSMENT:
            scores.setdefault(one.code, []).append((day, value))
    return Series(today=today, daily=daily, scores={c: sorted(s) for c, s in scores.items()})
