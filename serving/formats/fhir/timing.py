"""FHIR R4 Timing of sessions: how many hours a week, and from when to when, if it says so plainly.

FHIR says the same in many ways, and several have more than one reading: days of the week beside a
frequency, ranges, codes such as BID, months. Those are refused, never interpreted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

from contracts.errors import ForecastRefused
from features.sources.records.json_shapes import mapping
from inference.twin.plans import MOST_HOURS

HOURS_OF = {"min": Fraction(1, 60), "h": Fraction(1)}
WEEKS_OF = {"d": Fraction(1, 7), "wk": Fraction(1)}
"""FHIR R4, units-of-time, of those whose length in hours or weeks is exact and is used."""

READ = {"repeat", "id", "extension"}
READ_OF_REPEAT = {
    "boundsPeriod", "frequency", "period", "periodUnit", "duration", "durationUnit", "id",
    "extension",
}  # fmt: skip
"""Elements that are read, and those without a meaning of their own (FHIR R4, extensibility)."""

WHEN = (
    "write scheduledTiming.repeat with frequency, period and periodUnit (d or wk), duration and"
    " durationUnit (min or h), as 5 times a week 45 min, and boundsPeriod"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheduled:
    """What a Timing says of sessions.

    Parameters
    ----------
    hours_a_week
        Exactly.
    start, after
        The first day, and the first day after the last; None where it goes on.
    repeat
        As it was written.
    """

    hours_a_week: Fraction
    start: date
    after: date | None
    repeat: dict[str, Any]

    def holds_on(self, day: date) -> bool:
        """Return whether there are sessions at that time."""
        return self.start <= day and (self.after is None or day < self.after)


def scheduled(timing: Any, at: str, plan_start: date) -> Scheduled:
    """Read a Timing that was checked against FHIR.

    Parameters
    ----------
    at
        Where it stands.
    plan_start
        From when it holds where it has no bounds.

    Raises
    ------
    ForecastRefused
        It does not say how much therapy there is, or not plainly: which element, what to write.
    """
    given = mapping(timing)
    repeat = mapping(given.get("repeat"))
    unread = [*sorted(given.keys() - READ), *sorted(repeat.keys() - READ_OF_REPEAT)]
    if unread:
        under = f"{at}.{unread[0]}" if unread[0] in given else f"{at}.repeat.{unread[0]}"
        raise _refused(under, "this is not read, and may change how much therapy there is")
    if not repeat:
        raise _refused(at, "there is no schedule")
    at = f"{at}.repeat"
    start, after = _bounds(repeat.get("boundsPeriod"), f"{at}.boundsPeriod", plan_start)
    return Scheduled(hours_a_week=_hours(repeat, at), start=start, after=after, repeat=repeat)


def whole_day(written: Any, at: str) -> date:
    """Read a date.

    Raises
    ------
    ForecastRefused
        It is missing, only a month or a year, or has a time of day.
    """
    try:
        if isinstance(written, str) and len(written) == len("2026-03-31"):
            return date.fromisoformat(written)
    except ValueError:
        pass
    raise ForecastRefused(f"{at}: this is not a whole day", "give the day, as 2026-03-31")


def _bounds(period: Any, at: str, plan_start: date) -> tuple[date, date | None]:
    if period is None:
        return plan_start, None
    given = mapping(period)
    start = whole_day(given.get("start"), f"{at}.start")
    if start < plan_start:
        raise ForecastRefused(
            f"{at}.start: this is before the plan begins", "correct it, or CarePlan.period.start"
        )
    if "end" not in given:
        return start, None
    end = whole_day(given["end"], f"{at}.end")
    if end < start:
        raise ForecastRefused(f"{at}.end: this is before its start", "correct one of them")
    # FHIR R4, Period: an end of a day includes that day.
    return start, end + timedelta(days=1)


def _hours(repeat: dict[str, Any], at: str) -> Fraction:
    frequency = _number(repeat, "frequency", at)
    period = _number(repeat, "period", at)
    duration = _number(repeat, "duration", at)
    for name, units in (("periodUnit", WEEKS_OF), ("durationUnit", HOURS_OF)):
        if repeat.get(name) not in units:
            raise _refused(f"{at}.{name}", f"this is not {' or '.join(units)}")
    if frequency <= 0 or period <= 0:
        raise _refused(at, "frequency or period is 0")
    weeks = period * WEEKS_OF[repeat["periodUnit"]]
    hours = frequency * duration * HOURS_OF[repeat["durationUnit"]] / weeks
    if not 0 <= hours <= MOST_HOURS:
        raise _refused(at, f"this is less than 0 or more than {MOST_HOURS:g} hours a week")
    return hours


def _number(repeat: dict[str, Any], name: str, at: str) -> Fraction:
    value = repeat.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise _refused(f"{at}.{name}", "this is not a number, or missing")
    # As it was written in decimals: 0.1 is a tenth.
    return Fraction(str(value))


def _refused(at: str, found: str) -> ForecastRefused:
    return ForecastRefused(f"{at}: {found}", WHEN)
