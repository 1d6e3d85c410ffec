"""Values that a cohort can't hold: impossible ones, those before the onset, and repeated ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from contracts.cohort import CODE, NUMBER, ONSET, SUBJECT, TIME, label_of
from contracts.errors import MOST_PLACES, Problem
from contracts.vocabulary import Kind, vocabulary
from features.measurements.lookups import looked_up

IMPOSSIBLE = "outside the plausible range"
BEFORE_ONSET = "before the onset"
REPEATED = "that are a day's second value of the same code"
CAUSES = {reason: f"values {reason}" for reason in (IMPOSSIBLE, BEFORE_ONSET, REPEATED)}
ADVICE = {
    IMPOSSIBLE: "check the entries and their units in the source",
    BEFORE_ONSET: "check these dates and the date of the onset",
    REPEATED: "keep one value a day in the source if the first is not the right one",
}
"""What to do about values that were left out, by the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExcludedValues:
    """Values of one code that were left out for one reason.

    Parameters
    ----------
    values, subjects
        How many, and of how many people.
    first
        The first of them: whose, and when.
    """

    code: str
    reason: str
    values: int
    subjects: int
    first: tuple[tuple[int, pd.Timestamp], ...] = ()

    def as_problem(self, labels: Mapping[int, str] | None = None) -> Problem:
        """Return it as an import reports it.

        Parameters
        ----------
        labels
            The source's identifier of each subject; None where there is only one whom the reader
            knows.
        """
        found = f"values {self.reason} were left out, of {self.subjects} subject(s)"
        return Problem(
            file="*",
            row=None,
            field=self.code,
            found=found,
            advice=ADVICE[self.reason],
            cause=CAUSES[self.reason],
            count=self.values,
            places=tuple(_place(subject, at, labels) for subject, at in self.first),
        )


def _place(subject: int, at: pd.Timestamp, labels: Mapping[int, str] | None) -> str:
    day = "" if pd.isna(at) else f"{at:%Y-%m-%d}"
    whose = "" if labels is None else repr(label_of(subject, labels))
    return ", ".join(part for part in (whose, day) if part)


def plausible_events(events: pd.DataFrame) -> tuple[pd.DataFrame, list[ExcludedValues]]:
    """Return the events that a cohort can hold, and what was left out, by code and reason.

    Parameters
    ----------
    events
        Columns of `contracts.cohort.COLUMNS`, codes of the vocabulary, an onset for everybody.
    """
    words = vocabulary()
    code = events[CODE]
    low, high = (
        looked_up(code, {c: getattr(e, end) for c, e in words.items()}, "float64", np.nan)
        for end in ("low", "high")
    )
    numeric = looked_up(code, {c: e.is_numeric for c, e in words.items()}, "bool", missing=False)
    person = looked_up(
        code, {c: e.kind is Kind.PERSON for c, e in words.items()}, "bool", missing=False
    )
    onsets = events[code == ONSET].set_index(SUBJECT)[TIME].dt.normalize()
    day = events[TIME].dt.normalize()
    impossible = numeric & ~events[NUMBER].astype(float).between(low, high)
    early = ~impossible & ~person & (day < events[SUBJECT].map(onsets))
    excluded = impossible | early
    again = events.assign(day=day)[~excluded].duplicated([SUBJECT, CODE, "day"], keep="first")
    again = again.reindex(events.index, fill_value=False)
    counts = [
        *_counted(events[impossible], IMPOSSIBLE),
        *_counted(events[early], BEFORE_ONSET),
        *_counted(events[again], REPEATED),
    ]
    return events[~excluded & ~again].reset_index(drop=True), counts


def _counted(events: pd.DataFrame, reason: str) -> list[ExcludedValues]:
    return [
        ExcludedValues(
            code=str(code),
            reason=reason,
            values=len(rows),
            subjects=rows[SUBJECT].nunique(),
            first=tuple(rows[[SUBJECT, TIME]].head(MOST_PLACES).itertuples(index=False, name=None)),
        )
        for code, rows in events.groupby(CODE)
    ]
