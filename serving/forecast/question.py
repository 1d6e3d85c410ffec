"""What a clinician asks about a record."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import msgspec

from contracts.errors import ForecastRefused
from contracts.observation import Observation
from serving.schemas import SCORE


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked about a record.

    Parameters
    ----------
    subject, enrolment_day, observations
        The record.
    as_of_day
        The day that is asked about, in days since onset; None where no date of onset is known: then
        it is the newest day with a measurement.
    onset
        Its date, if known.
    explain, weeks, output, days_of
        Whether to explain; which horizon (None: the task's primary one), which output, and the
        days of which modality.
    notes
        What must be known of the record to read the answer.
    """

    subject: str
    enrolment_day: int
    observations: Sequence[Observation]
    as_of_day: int | None = None
    onset: date | None = None
    explain: bool = True
    weeks: int | None = None
    output: str = SCORE
    days_of: str | None = None
    notes: Sequence[str] = ()


def input_digest(question: Question) -> str:
    """Return the SHA-256 of what a model reads to answer: the record and what is asked about it.

    The order of the observations does not matter, and neither does how they came here: inline, in a
    document or from the running record.
    """
    observations = sorted(map(msgspec.json.encode, question.observations))
    asked = (
        question.enrolment_day, question.as_of_day, question.explain, question.weeks,
        question.output, question.days_of,
    )  # fmt: skip
    content = b"\n".join([msgspec.json.encode(asked), *observations])
    return hashlib.sha256(content).hexdigest()


def day_asked(
    onset: date | None, as_of: date | None, observations: Sequence[Observation], now: datetime
) -> int | None:
    """Return the day that is asked about, in days since onset: today, unless the request says.

    Where the newest observation is dated tomorrow, it is tomorrow already where it was made.

    Returns
    -------
    None where there is no date of onset: nobody knows which day of the record is today.

    Raises
    ------
    ForecastRefused
        A date is asked about and there is no date of onset, or it is before the onset or to come.
    """
    if onset is None:
        if as_of is None:
            return None
        raise ForecastRefused(
            "a date is asked about, but the record has no date of onset",
            "send onset_date beside as_of, or leave out both",
        )
    today = now.date()
    if onset > today + timedelta(days=1):
        raise ForecastRefused(
            f"the date of onset, {onset}, is still to come", "correct the date of onset"
        )
    if as_of is None:
        days = (o.day_since_onset for o in observations if o.day_since_onset is not None)
        newest, asked = max(days, default=0), (today - onset).days
        return newest if newest == asked + 1 else asked
    if as_of > today + timedelta(days=1):
        raise ForecastRefused(
            f"the forecast is asked for {as_of}, which is still to come",
            "ask for today or an earlier day; leave out as_of for today",
        )
    if as_of < onset:
        raise ForecastRefused(
            f"the forecast is asked for {as_of}, before the onset on {onset}",
            "correct as_of or the date of onset",
        )
    return (as_of - onset).days
