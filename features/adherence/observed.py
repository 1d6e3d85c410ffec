"""Which days of a programme are known, and which of its sets count: nothing is taken for granted.

A day without a set is one without exercise only if it was looked at.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from types import MappingProxyType

from contracts.errors import ContractError
from contracts.exercise import Exercise, ExerciseSet, Programme, SetFile, Span

OBSERVED_HOURS = 10.0
"""Hours of recording that make a day known where the sensor is worn all day: the usual limit of
accelerometer studies (Troiano 2008)."""

DAY = timedelta(days=1)

UNKNOWN = "unknown movement"
NOT_PRESCRIBED = "not prescribed"
OTHER_SIDE = "other side"
NO_SIDE = "side not stated"
OTHER_DAYS = "other days"
NO_REPETITION = "no repetition"
"""Why a set does not count: no exercise that the recogniser knows; none of the programme; one that
is prescribed for the other side, or whose side nobody stated; before or after the programme."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """The days of a programme that are known, with what was done on them.

    Parameters
    ----------
    programme
        What is prescribed.
    last
        The last day that is looked at.
    days
        Days that are known, up to the last one.
    sets
        Sets that count, by day and exercise.
    left_out
        How many sets do not count, by reason.
    """

    programme: Programme
    last: date
    days: frozenset[date]
    sets: Mapping[tuple[date, Exercise], tuple[ExerciseSet, ...]]
    left_out: Mapping[str, int]

    def on(self, day: date, exercise: Exercise) -> tuple[ExerciseSet, ...]:
        """Return the sets of an exercise on a day."""
        return self.sets.get((day, exercise), ())


def observe(programme: Programme, file: SetFile, last: date | None = None) -> Observed:
    """Say which days of a programme are known, and which sets count.

    Parameters
    ----------
    last
        The last day to look at; by default the last with a set or a recording.

    Raises
    ------
    ContractError
        The sensor is worn all day and the file does not say when it recorded; there is nothing of
        the days of the programme; or sets are there, but none of the side that is prescribed.
    """
    if programme.recording == "all day" and file.recorded is None:
        raise ContractError(
            "the sets do not say when the sensor recorded, and the programme says that it is worn"
            " all day: a day without a set may be one that nobody recorded",
            "give sets as JSON with `recorded`, or write recording = \"in sessions\"",
        )  # fmt: skip
    last = last_day(file) if last is None else last
    if not programme.start <= last:
        raise ContractError(
            f"{last} is before the programme begins, on {programme.start}",
            "give sets of its days, or a later day",
        )
    last = min(last, programme.end)
    every = (programme.start + DAY * n for n in range((last - programme.start).days + 1))
    days = frozenset(every)
    if programme.recording == "all day":
        hours = hours_of_days(file.recorded or ())
        days = frozenset(day for day in days if hours.get(day, 0.0) >= OBSERVED_HOURS)
    counted, left_out = _counted(programme, file.sets, last)
    if not counted and (sideways := left_out[OTHER_SIDE] + left_out[NO_SIDE]):
        raise ContractError(
            f"no set is of the side that the programme prescribes: {sideways} are of the other"
            " side, or do not say theirs",
            "correct the side of the programme, or of the sensor when sets are recognised",
        )
    return Observed(
        programme=programme, last=last, days=days, sets=counted,
        left_out=MappingProxyType(dict(sorted(left_out.items()))),
    )  # fmt: skip


def last_day(file: SetFile) -> date:
    """Return the last day with a set or a recording, which may not be over yet.

    Raises
    ------
    ContractError
        There is none.
    """
    moments = [each.end for each in file.sets] + [span.end for span in file.recorded or ()]
    if not moments:
        raise ContractError(
            "there is no set and no recording", "give a file with some, or say the last day"
        )
    return max(moments).date()


def _counted(
    programme: Programme, sets: Iterable[ExerciseSet], last: date
) -> tuple[Mapping[tuple[date, Exercise], tuple[ExerciseSet, ...]], Counter[str]]:
    counted: dict[tuple[date, Exercise], list[ExerciseSet]] = defaultdict(list)
    left_out = Counter[str]()
    for each in sets:
        day = each.start.date()
        exercise = programme.exercise(each.exercise, each.side)
        if reason := _why_not(programme, each, exercise, last):
            left_out[reason] += 1
        elif exercise is not None:
            counted[day, exercise].append(each)
    return MappingProxyType({key: tuple(found) for key, found in counted.items()}), left_out


def _why_not(programme: Programme, each: ExerciseSet, exercise: Exercise | None, last: date) -> str:
    if each.exercise is None:
        return UNKNOWN
    if not programme.start <= each.start.date() <= last:
        return OTHER_DAYS
    if exercise is None:
        names = {other.name.casefold() for other in programme.exercises}
        if each.exercise.casefold() not in names:
            return NOT_PRESCRIBED
        return NO_SIDE if each.side is None else OTHER_SIDE
    return "" if each.repetitions else NO_REPETITION


def hours_of_days(spans: Iterable[Span]) -> dict[date, float]:
    """Return the hours of recording by day; no time counts twice."""
    hours: dict[date, float] = defaultdict(float)
    until = datetime.min
    for span in sorted(spans, key=lambda each: each.start):
        at = max(span.start, until)
        while at < span.end:
            midnight = datetime.combine(at.date() + DAY, time.min)
            part = min(midnight, span.end)
            hours[at.date()] += (part - at).total_seconds() / 3_600
            at = part
        until = max(until, span.end)
    return dict(hours)
