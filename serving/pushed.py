"""What a gateway pushes: points as they were read, and what the answer says of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Literal

from msgspec import Meta, field

from contracts.observation import Day
from serving.schemas import Strict

MAX_POINTS = 1_000
"""Points of one request: bodies of data points, or resources."""

KEPT_DAYS = 30
"""How old a point may be, and for how long points are kept to add later ones of the same day."""

EXTRA = timedelta(days=3)
"""A night, or a clock of another zone, joins a day with those around it: so far points are kept
beyond `KEPT_DAYS`, and read around the days that change."""

Status = Literal["recorded", "corrected", "already known", "superseded", "not used", "refused"]


class PointAnswer(Strict, frozen=True, kw_only=True):
    """What became of one point, by its place in the request, from 0."""

    index: int
    status: Status
    field: str = ""
    """What of the point is meant, such as a unit."""
    reason: str = ""
    what_to_do: str = ""


class StatedDay(Strict, frozen=True, kw_only=True):
    """A day's value that somebody stated or corrected: pushed points do not change it."""

    code: str
    day_since_onset: Day


class PushedAnswer(Strict, frozen=True, kw_only=True):
    """What became of each point: those that were refused changed nothing, the others are kept.

    A point is `recorded`; `corrected` if it replaces an earlier version of itself; `already known`
    by its identifier or by code, time and value; `superseded` if a later version is known or two
    versions contradict each other; `not used` if no forecast reads such resources.
    """

    subject: str
    sent: int
    recorded: int
    corrected: int
    already_known: int
    superseded: int
    not_used: int
    refused: int
    days_added: int
    """Values by day and code that are new on the running record."""
    days_changed: int
    """Values that these points changed or took away."""
    stated: list[StatedDay] = field(default_factory=list)
    points: Annotated[list[PointAnswer], Meta(max_length=MAX_POINTS)]
    error: str = ""
    """Where no point could be used (422): the first reason and what to do, as in other refusals."""
    reason: str = ""
    what_to_do: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A point that can be kept.

    Parameters
    ----------
    index
        Its place in the request.
    digest
        Of all that it says.
    statement
        Digest of its identifier; empty where it has none.
    first_date, last_date
        ISO dates of its days on the wearer's clock; "" for one that only withdraws.
    rows
        Its records, with names of `features.measurements.records.RECORD_COLUMNS`, ready for JSON.
    """

    index: int
    digest: str
    statement: str
    first_date: str
    last_date: str
    rows: Sequence[dict[str, Any]]
