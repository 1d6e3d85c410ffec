"""What a cohort can't hold, left out and told: impossible values, and values before the onset."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from contracts.cohort import CODE, NUMBER, ONSET, SUBJECT, TIME
from contracts.errors import Problem
from contracts.vocabulary import Kind, vocabulary

REPEATED = "a day's second value of the same code: the first is kept"


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """Values of one code that were left out for one reason."""

    code: str
    reason: str
    values: int
    subjects: int

    def as_problem(self) -> Problem:
        """Return it as an import tells it."""
        message = f"{self.values} value(s) of {self.subjects} subject(s) {self.reason}"
        return Problem(file="*", row=None, field=self.code, found=message)


def plausible_events(events: pd.DataFrame) -> tuple[pd.DataFrame, list[LeftOut]]:
    """Return the events that a cohort can hold, and what was left out, by code and reason.

    Parameters
    ----------
    events
        Columns of `contracts.cohort.COLUMNS`, codes of the vocabulary, an onset for everybody.
    """
    words = vocabulary()
    code = events[CODE]
    low, high = (
        code.map({c: getattr(e, end) for c, e in words.items()}).astype(float)
        for end in ("low", "high")
    )
    numeric = code.map({c: e.is_numeric for c, e in words.items()}).astype(bool)
    person = code.map({c: e.kind is Kind.PERSON for c, e in words.items()}).astype(bool)
    onsets = events[code == ONSET].set_index(SUBJECT)[TIME].dt.normalize()
    day = events[TIME].dt.normalize()
    impossible = numeric & ~events[NUMBER].astype(float).between(low, high)
    early = ~impossible & ~person & (day < events[SUBJECT].map(onsets))
    left = impossible | early
    again = events.assign(day=day)[~left].duplicated([SUBJECT, CODE, "day"], keep="first")
    again = again.reindex(events.index, fill_value=False)
    dropped = [
        *_told(events[impossible], "outside the plausible range: left out"),
        *_told(events[early], "before the onset: left out"),
        *_told(events[again], REPEATED),
    ]
    return events[~left & ~again].reset_index(drop=True), dropped


def _told(events: pd.DataFrame, reason: str) -> list[LeftOut]:
    return [
        LeftOut(code=str(code), reason=reason, values=len(rows), subjects=rows[SUBJECT].nunique())
        for code, rows in events.groupby(CODE)
    ]
