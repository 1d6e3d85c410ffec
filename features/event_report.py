"""Problems of a cohort's events, worded: of each wrong row, or of so many that they are counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from contracts.cohort import CODE, SUBJECT, label_of
from contracts.errors import Problem

ROW = "row"
"""Column of each event's row in its source."""

MOST_LISTED = 1000
"""Rows of one fault that become problems of their own; more are counted with the last of them."""

Mask = NDArray[np.bool_]
Wording = Callable[[Mapping[Any, Any]], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventReport:
    """Words the problems of one file's events.

    Parameters
    ----------
    file, labels
        As in `features.checks.check_events`.
    events
        With the column `ROW`.
    """

    file: str
    labels: Mapping[int, str] | None
    events: pd.DataFrame

    def who(self, row: Mapping[Any, Any]) -> str:
        """Return whose an event is, as a problem names the person."""
        if self.labels is None:
            # Whoever asks knows; a number of ours would be read as another person's.
            return "this person"
        return f"subject {label_of(row[SUBJECT], self.labels)}"

    def without(self, wrong_N: Mask) -> EventReport:
        """Leave out events of which nothing else can be said."""
        return replace(self, events=self.events[~wrong_N]) if wrong_N.any() else self

    def rows(
        self, wrong_N: Mask, field: str | None, found: Wording, advice: str, cause: str,
        *, names_whose: bool = False,
    ) -> list[Problem]:  # fmt: skip
        """Return a problem for each wrong row; without a field it is that of the row's code.

        `names_whose` says that `found` names the person by itself (`who`).
        """
        # Most often nothing is wrong, and then no part of the table needs to be made.
        if not wrong_N.any():
            return []
        rows = self.events[wrong_N]
        groups = [(field, rows)] if field else rows.groupby(CODE, sort=False, observed=True)
        return [
            problem
            for name, part in groups
            for problem in self._listed(
                part, str(name), found if names_whose else self._named(found), advice, cause
            )
        ]

    def _listed(
        self, rows: pd.DataFrame, field: str, found: Wording, advice: str, cause: str
    ) -> Iterator[Problem]:
        for number, row in enumerate(rows.head(MOST_LISTED).to_dict("records"), start=1):
            problem = Problem(
                file=self.file,
                row=int(row[ROW]),
                field=field,
                found=found(row),
                advice=advice,
                cause=cause,
            )
            last = number == MOST_LISTED
            yield replace(problem, count=len(rows) - MOST_LISTED + 1) if last else problem

    def _named(self, found: Wording) -> Wording:
        """Return the wording with whose the row is behind it, where that can be said."""

        def named(row: Mapping[Any, Any]) -> str:
            nobody = self.labels is None or pd.isna(row[SUBJECT])
            return found(row) if nobody else f"{found(row)} ({self.who(row)})"

        return named
