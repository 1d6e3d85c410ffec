"""What was done of each prescribed exercise in a week, against the plan."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

from contracts.exercise import Exercise
from contracts.exercise.programme import DAYS_A_WEEK
from features.adherence.observed import DAY, Observed
from features.adherence.quality import Quality, quality_of

DAYS_NEEDED = 4
"""Known days of a week from which its adherence is said: the usual limit of accelerometer studies
(Trost 2005)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExerciseWeek:
    """One exercise in the seven days up to a day.

    Parameters
    ----------
    last
        The last of the seven days.
    known_days
        Days that were looked at.
    sets, repetitions
        What was done on them.
    counted, prescribed
        Repetitions that count, at most what is prescribed (of a day, or of a week for exercises
        that are prescribed by the week), and what is prescribed for the known days.
    adherence
        Share of the prescribed repetitions that was done; None where too few days are known.
    quality
        How well they were done.
    """

    last: date
    known_days: int
    sets: int
    repetitions: int
    counted: float
    prescribed: float
    adherence: float | None
    quality: Quality


def exercise_week(observed: Observed, exercise: Exercise, last: date) -> ExerciseWeek | None:
    """Return what was done of an exercise in a week; None where it is not a week of the programme.

    Parameters
    ----------
    last
        The last of its seven days.
    """
    if (days := days_of_week(observed, last)) is None:
        return None
    known = [day for day in days if day in observed.days]
    done = [observed.on(day, exercise) for day in known]
    by_day = [sum(len(each.repetitions) for each in sets) for sets in done]
    prescribed = exercise.repetitions_a_week * len(known) / DAYS_A_WEEK
    a_day = exercise.sets * exercise.repetitions
    counted = (
        sum(min(count, a_day) for count in by_day)
        if exercise.per == "day"
        else min(sum(by_day), prescribed)
    )
    return ExerciseWeek(
        last=last, known_days=len(known), sets=sum(map(len, done)), repetitions=sum(by_day),
        counted=counted, prescribed=prescribed,
        adherence=counted / prescribed if len(known) >= DAYS_NEEDED else None,
        quality=quality_of((exercise, each) for sets in done for each in sets),
    )  # fmt: skip


def days_of_week(observed: Observed, last: date) -> list[date] | None:
    """Return the seven days up to one; None where they are not all days of the programme."""
    days = [last - DAY * back for back in reversed(range(DAYS_A_WEEK))]
    is_within = observed.programme.start <= days[0] and last <= observed.last
    return days if is_within else None


def weeks_of(observed: Observed, exercise: Exercise) -> Iterator[ExerciseWeek]:
    """Yield the weeks of an exercise, the last first, as far back as the programme goes."""
    last = observed.last
    while (week := exercise_week(observed, exercise, last)) is not None:
        yield week
        last -= DAY * DAYS_A_WEEK


def adherence_of(weeks: Iterable[ExerciseWeek]) -> float | None:
    """Return the share of several exercises of one week; None where too few days are known.

    More of one exercise makes up for no other.
    """
    weeks = list(weeks)
    if not weeks or any(week.adherence is None for week in weeks):
        return None
    return sum(week.counted for week in weeks) / sum(week.prescribed for week in weeks)
