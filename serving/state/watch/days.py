"""Which day of a record is today, as far as the record itself tells.

A record counts days since onset, and has no dates. But a value of day 30 that came on 1 March says
that the onset was on 30 January at the latest. So today is at least so many days after it; with
data that come as they are measured it is exactly that day. A value that a correction withdraws no
longer counts (`serving.state.replay`).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta

NO_DATE = ""
"""Where nothing with a day is on record yet."""


def onset_by(known: str, days: Iterable[int | None], received: str) -> str:
    """Return the latest date that the onset can have had, after more values came.

    Parameters
    ----------
    known
        As it was before, or `NO_DATE`.
    days
        Days since onset of the values; None of a fact about the person.
    received
        When they came: UTC, ISO 8601.
    """
    newest = max((day for day in days if day is not None), default=None)
    if newest is None:
        return known
    latest = (datetime.fromisoformat(received).date() - timedelta(days=newest)).isoformat()
    return latest if known == NO_DATE else min(known, latest)


def day_on(onset: str, today: date) -> int | None:
    """Return today as a day since onset, at the least; None where nothing is dated."""
    return None if onset == NO_DATE else (today - date.fromisoformat(onset)).days
