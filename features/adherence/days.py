"""Daily biomarkers of home exercise, in the vocabulary's codes and units."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

from contracts.exercise import codes
from contracts.vocabulary import vocabulary
from features.adherence.observed import Observed
from features.adherence.quality import quality_of
from features.adherence.symmetry import asymmetry_of, both_sides
from features.adherence.weeks import adherence_of, exercise_week

COLUMNS = ("subject", "date", "code", "value", "unit")
"""Of the table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DayValue:
    """A day's value of a code."""

    day: date
    code: str
    value: float


def daily_values(observed: Observed) -> list[DayValue]:
    """Return the biomarkers of every known day, by day and code.

    What is not known, or is beyond what is plausible, has no value.
    """
    return [
        DayValue(day=day, code=code, value=value)
        for day in sorted(observed.days)
        for code, value in _values(observed, day)
        if value is not None and _is_plausible(code, value)
    ]


def as_table(subject: str, values: Iterable[DayValue]) -> str:
    """Return a person's values as a CSV table, a row a value, with units."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for each in values:
        unit = vocabulary()[each.code].unit
        table.writerow((subject, each.day.isoformat(), each.code, f"{each.value:.6g}", unit))
    return text.getvalue()


def _values(observed: Observed, day: date) -> Iterator[tuple[str, float | None]]:
    exercises = observed.programme.exercises
    done = [(exercise, each) for exercise in exercises for each in observed.on(day, exercise)]
    weeks = [exercise_week(observed, exercise, day) for exercise in exercises]
    yield codes.ADHERENCE, adherence_of(week for week in weeks if week is not None)
    yield codes.REPETITIONS, float(sum(len(each.repetitions) for _, each in done))
    quality = quality_of(done)
    yield codes.QUALITY, quality.as_shown
    yield codes.RANGE, quality.range_part
    yield codes.PACE, quality.pace_part
    yield codes.SMOOTHNESS, quality.smoothness
    yield codes.IRREGULARITY, quality.irregularity
    yield codes.FATIGUE, quality.fatigue
    yield codes.TRUNK, quality.trunk_deg
    pairs = both_sides(done)
    yield codes.RANGE_ASYMMETRY, asymmetry_of(each.range_deg for each in pairs)
    yield codes.TIME_ASYMMETRY, asymmetry_of(each.seconds for each in pairs)


def _is_plausible(code: str, value: float) -> bool:
    low, high = vocabulary()[code].kept_range
    return low <= value <= high
