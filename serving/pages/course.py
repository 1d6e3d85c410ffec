"""What is on record of a patient, as the pages show it: scores by day, and daily values."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from statistics import median
from typing import Any

from contracts.naming.units import readable
from contracts.observation import Observation
from contracts.vocabulary import Kind
from serving.pages.charts import daily
from serving.pages.rendering import unit_of
from serving.pages.words import code_name, is_kind

WEEK = 7


def scores_of(record: Sequence[Observation], code: str, enrolment: int) -> list[tuple[int, float]]:
    """Return days after enrolment and values of a code, by day."""
    return sorted(
        (observation.day_since_onset - enrolment, observation.value)
        for observation in record
        if observation.code == code
        and observation.day_since_onset is not None
        and observation.value is not None
    )


def other_scores(
    record: Sequence[Observation], target: str, enrolment: int
) -> list[tuple[str, list[tuple[int, float]]]]:
    """Return what other assessments than the one that is forecast found, by name."""
    codes = {o.code for o in record if o.code != target and is_kind(o.code, Kind.ASSESSMENT)}
    return [(code_name(code), scores_of(record, code, enrolment)) for code in sorted(codes)]


def series_of(
    record: Sequence[Observation], enrolment: int
) -> list[tuple[str, list[tuple[int, float]]]]:
    """Return the daily values by code, those with most days first."""
    values: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for observation in record:
        if (
            observation.day_since_onset is not None
            and observation.value is not None
            and is_kind(observation.code, Kind.DAILY)
        ):
            day = observation.day_since_onset - enrolment
            values[observation.code].append((day, observation.value))
    return sorted(
        ((code, sorted(days)) for code, days in values.items()), key=lambda each: -len(each[1])
    )


def drawn(series: tuple[str, list[tuple[int, float]]]) -> dict[str, Any]:
    """Return a daily series as a chart, and by week as a table."""
    code, values = series
    weeks: dict[int, list[float]] = defaultdict(list)
    for day, value in values:
        weeks[day // WEEK].append(value)
    last = [value for day, value in values if day > values[-1][0] - WEEK]
    return {
        "name": code_name(code), "unit": unit_of(code), "chart": daily(values),
        "days": len(values), "span": values[-1][0] - values[0][0] + 1,
        "first": values[0][0], "last": values[-1][0], "middle": readable(median(last)),
        "weeks": [(week, len(found), readable(median(found))) for week, found in weeks.items()],
    }  # fmt: skip
