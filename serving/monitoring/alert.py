"""What an alert is: facts only. Nothing here, and nothing that reads it, acts on a patient."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum


class Kind(StrEnum):
    """What an alert is about."""

    SCORE_FELL = "score fell"
    """The newest score is worse than an earlier one, beyond the error of measurement."""
    OFF_COURSE = "off course"
    """The scores have left the forecast's range on one side."""
    BIOMARKER = "biomarker changed"
    """A daily biomarker has left the person's own earlier level."""
    WEAR = "worn less"
    """The wearable is worn less than before."""
    THERAPY = "less therapy"
    """Less therapy than planned, or than the person had before."""
    SILENCE = "no data"
    """Nothing has come from the wearable, where it came on most days before."""
    NOT_WORN = "not worn"
    """The wearable sends, and is not worn, where it was worn on most days before."""


class Urgency(IntEnum):
    """How soon somebody should look; more is sooner."""

    NEXT_VISIT = 1
    THIS_WEEK = 2
    TODAY = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alert, days counted since onset.

    Parameters
    ----------
    kind, code
        What it is about; a person has one of each at a time.
    urgency
        How soon somebody should look.
    since_day, last_day
        First and last day of what it tells of.
    rises
        Whether the value went up, or the scores are above the range; else down, or stopped.
    before, now
        Values that are compared, in the unit of the code: medians of days, or two scores. Of
        silence the shares of days with data. Of a course the middle of the forecast and the score.
    days_before, days_now
        How many days or scores each rests on; none before where the plan is what was not kept.
    week_before, week
        Medians of the seven days before the last seven, and of the last seven; None where there are
        fewer than three values in either.
    limit
        What was exceeded, in units of `before`; for changes of daily values in standard errors.
    false_alarms
        Declared rate at which people whose level did not change get this alert: per patient and
        month of daily values, per score of scores; None where nothing was declared.
    """

    kind: Kind
    code: str
    urgency: Urgency
    since_day: int
    last_day: int
    rises: bool
    before: float
    now: float
    days_before: int
    days_now: int
    week_before: float | None = None
    week: float | None = None
    limit: float
    false_alarms: float | None = None

    @property
    def id(self) -> str:
        """What names the alert among those of a person."""
        return f"{self.kind}:{self.code}"
