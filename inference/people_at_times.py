"""How people stood at each time since onset: what one patient's functional profile is held against.

A bundle leaves the hospital, so it says of nobody whose value it holds: quartiles within broad
spans of time, each of at least `MINIMUM_SHOWN` people of whom not half are alike, rounded to
`DIGITS` digits, with the number of people rounded down as elsewhere (`inference.similar`). A person
counts once in a span, with the median of his or her values, so that whoever is measured often
weighs no more.

Letters: N timed events.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from contracts.cohort import SUBJECT, WEAR_TIME
from contracts.errors import IntegrityError
from contracts.groups import MINIMUM_SHOWN
from contracts.vocabulary import Domain, vocabulary
from features.past.groups import WORN_DAY_HOURS, is_of_wearable
from features.past.timeline import Timeline, timeline_of
from inference.similar import rounded_down

SPANS = (0, 7, 14, 28, 42, 63, 91, 126, 182, 273, 365, 547, 730, 1_095, 1_826, 3_660)
"""Days since onset on which a span begins and the one before ends: one or two weeks while recovery
is fast, years where it is not."""

DIGITS = 2
"""Significant digits of a quartile."""

QUARTILES = (0.25, 0.5, 0.75)

Array = NDArray[np.float64]


class PeopleAtTime(BaseModel):
    """How people stood within one span, by one code.

    Parameters
    ----------
    lower, middle, upper
        Quartiles over people, in the code's unit.
    people
        Rounded down to a multiple of 5; 11 stands for 11 to 14.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    lower: float
    middle: float
    upper: float
    people: int

    @model_validator(mode="after")
    def _makes_sense(self) -> PeopleAtTime:
        if not self.lower <= self.middle <= self.upper:
            raise ValueError("quartiles do not rise")
        if self.people < MINIMUM_SHOWN:
            raise ValueError("too few people")
        return self


class PeopleAtTimes(BaseModel):
    """How people stood at each time since onset.

    Parameters
    ----------
    spans
        As `SPANS`.
    codes
        By code, one entry for each span; None where nothing may be said.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    spans: tuple[int, ...]
    codes: dict[str, tuple[PeopleAtTime | None, ...]]

    @model_validator(mode="after")
    def _makes_sense(self) -> PeopleAtTimes:
        if any(start >= end for start, end in pairwise(self.spans)):
            raise ValueError("spans do not follow each other")
        if any(len(entries) != len(self.spans) - 1 for entries in self.codes.values()):
            raise ValueError("not one entry for each span")
        return self

    def at(self, code: str, day: int) -> PeopleAtTime | None:
        """Return how people stood on a day since onset; None where it is not known."""
        place = int(np.searchsorted(self.spans, day, side="right")) - 1
        entries = self.codes.get(code, ())
        return entries[place] if 0 <= place < len(entries) else None


def read_people_at_times(content: bytes | None) -> PeopleAtTimes | None:
    """Read a bundle's file; None where there is none.

    Raises
    ------
    IntegrityError
        It is not what a training writes.
    """
    if content is None:
        return None
    try:
        return PeopleAtTimes.model_validate_json(content)
    except ValidationError as error:
        raise IntegrityError(
            "the bundle's profile.json is not what a training writes",
            "restore the bundle from a backup, or train again",
        ) from error


def learn_people_at_times(events: pd.DataFrame) -> PeopleAtTimes:
    """Return how the people of a training stood at each time since onset.

    Parameters
    ----------
    events
        Theirs, and nobody else's.
    """
    if not events[SUBJECT].is_monotonic_increasing:
        events = events.sort_values(SUBJECT, kind="stable")
    person_values = _person_values(timeline_of(events))
    codes: dict[str, list[PeopleAtTime | None]] = {}
    for (code, span), values in person_values:
        entries = codes.setdefault(code, [None] * (len(SPANS) - 1))
        entries[span] = _quartiles(values)
    return PeopleAtTimes(
        spans=SPANS, codes={code: tuple(entries) for code, entries in sorted(codes.items())}
    )


def _person_values(timeline: Timeline) -> Iterator[tuple[tuple[str, int], Array]]:
    """Yield one value for each person, by code and span."""
    measured = [
        code for code in timeline.codes
        if code in vocabulary() and vocabulary()[code].domain is not Domain.NONE
    ]  # fmt: skip
    since_onset_N = timeline.day_N + timeline.enrolment_day_P[timeline.person_N]
    table = pd.DataFrame(
        {
            "code": timeline.places_in(measured),
            "span": np.searchsorted(SPANS, since_onset_N, side="right") - 1,
            "person": timeline.person_N,
            "value": timeline.value_N.astype(np.float64),
        }
    )
    kept_N = (table["code"] >= 0) & table["span"].between(0, len(SPANS) - 2)
    table = table[kept_N & ~_is_unworn(timeline)].dropna(subset="value")
    medians = table.groupby(["code", "span", "person"])["value"].median()
    cells = cast("Iterable[tuple[tuple[int, int], pd.Series]]", medians.groupby(["code", "span"]))
    for (code, span), values in cells:
        yield (measured[code], int(span)), values.to_numpy(dtype=np.float64)


def _is_unworn(timeline: Timeline) -> NDArray[np.bool_]:
    """Say of each event whether a wearable gave it on a day on which it was hardly worn, (N,)."""
    worn_codes = [code for code in timeline.codes if code in vocabulary() and is_of_wearable(code)]
    day_N = pd.MultiIndex.from_arrays([timeline.person_N, timeline.day_N])
    rows = timeline.rows_of(WEAR_TIME)
    hardly_worn = day_N[rows[timeline.value_N[rows] < WORN_DAY_HOURS]]
    return np.asarray((timeline.places_in(worn_codes) >= 0) & day_N.isin(hardly_worn))


def _quartiles(values: Array) -> PeopleAtTime | None:
    """Return rounded quartiles; None of few people, or where half have the same value."""
    if len(values) < MINIMUM_SHOWN:
        return None
    lower, middle, upper = (_rounded(value) for value in np.quantile(values, QUARTILES))
    if lower == upper:
        return None
    people = max(MINIMUM_SHOWN, int(rounded_down(np.array(len(values)))))
    return PeopleAtTime(lower=lower, middle=middle, upper=upper, people=people)


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")
