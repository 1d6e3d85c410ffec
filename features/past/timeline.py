"""Events on days counted from each subject's enrolment, as columns.

Letters: P subjects, N timed events.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from contracts.cohort import CODE, ENROLMENT, NUMBER, ONSET, SUBJECT, TIME

DAY_US = 86_400_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """Timed events of some subjects, on days counted from each one's enrolment.

    Parameters
    ----------
    subjects_P
        Subject ids, ascending.
    enrolment_day_P
        Days from onset to enrolment.
    codes
        Every code that occurs.
    person_N, code_N
        Index into `subjects_P` and into `codes` of each event.
    day_N
        Days after enrolment.
    value_N
        Numbers, NaN where an event has none.
    """

    subjects_P: NDArray[np.int64]
    enrolment_day_P: NDArray[np.int64]
    codes: tuple[str, ...]
    person_N: NDArray[np.int32]
    code_N: NDArray[np.int64]
    day_N: NDArray[np.int32]
    value_N: NDArray[np.float32]

    def places_in(self, codes: Iterable[str]) -> NDArray[np.int32]:
        """Return the index of each event's code among `codes`, -1 where it is none of them."""
        index_of = {code: index for index, code in enumerate(codes)}
        index_K = np.array([index_of.get(code, -1) for code in self.codes], dtype=np.int32)
        return index_K[self.code_N]

    def rows_of(self, code: str) -> NDArray[np.int64]:
        """Return the events of one code."""
        if code not in self.codes:
            return np.array([], dtype=np.int64)
        return np.flatnonzero(self.code_N == self.codes.index(code))

    def up_to(self, day: int) -> Timeline:
        """Return the events up to a day, that day included."""
        kept = self.day_N <= day
        return Timeline(
            subjects_P=self.subjects_P,
            enrolment_day_P=self.enrolment_day_P,
            codes=self.codes,
            person_N=self.person_N[kept],
            code_N=self.code_N[kept],
            day_N=self.day_N[kept],
            value_N=self.value_N[kept],
        )


def timeline_of(events: pd.DataFrame) -> Timeline:
    """Return the timed events of subjects who each have an onset and an enrolment.

    Parameters
    ----------
    events
        Sorted by subject; the order within a subject does not matter.
    """
    timed = events[TIME].notna().to_numpy()
    subject_N = events[SUBJECT].to_numpy()[timed]
    day_N = events[TIME].to_numpy()[timed].astype("datetime64[us]").view(np.int64) // DAY_US
    code_N, codes = pd.factorize(events[CODE].array[timed])
    is_new_N = np.diff(subject_N, prepend=subject_N[:1] - 1) != 0
    person_N = np.cumsum(is_new_N, dtype=np.int32) - np.int32(1)
    subjects_P = subject_N[is_new_N]
    dated = {}
    for code in (ONSET, ENROLMENT):
        dated[code] = np.zeros(len(subjects_P), dtype=np.int64)
        rows = np.flatnonzero(code_N == list(codes).index(code))
        dated[code][person_N[rows]] = day_N[rows]
    return Timeline(
        subjects_P=subjects_P.astype(np.int64),
        enrolment_day_P=dated[ENROLMENT] - dated[ONSET],
        codes=tuple(codes),
        person_N=person_N,
        code_N=code_N,
        day_N=(day_N - dated[ENROLMENT][person_N]).astype(np.int32),
        value_N=events[NUMBER].to_numpy()[timed].astype(np.float32),
    )
