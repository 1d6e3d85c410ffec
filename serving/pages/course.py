"""What is on record of a patient, as the pages show it: scores by day, and daily values."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from statistics import median
from typing import Any

from contracts.naming.units import readable
from contracts.observation import Observation
from contracts.vocabulary import Kind
from serving.http.decoding import from_query
from serving.pages.charts import daily
from serving.pages.page import Visit
from serving.pages.words import code_name, is_kind
from serving.state.champion import Snapshot

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
) -> list[tuple[str, str, list[tuple[int, float]]]]:
    """Return name and code of each assessment besides the one that is forecast, and its scores."""
    codes = {o.code for o in record if o.code != target and is_kind(o.code, Kind.ASSESSMENT)}
    return [(code_name(code), code, scores_of(record, code, enrolment)) for code in sorted(codes)]


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
        "name": code_name(code), "code": code, "chart": daily(values),
        "days": len(values), "span": values[-1][0] - values[0][0] + 1,
        "first": values[0][0], "last": values[-1][0], "middle": readable(median(last)),
        "weeks": [(week, len(found), readable(median(found))) for week, found in weeks.items()],
    }  # fmt: skip


def forecast_weeks(snapshot: Snapshot, day: int) -> int:
    """Return the week of the task's horizons that is nearest to a day after enrolment."""
    weeks = [horizon.weeks for horizon in snapshot.served.bundle.task.horizons]
    return min(weeks, key=lambda each: abs(each * WEEK - day))


def weeks_ahead(snapshot: Snapshot, day: int | None) -> list[int]:
    """Return the weeks of a task's horizons that are still to come; all where no day is known."""
    weeks = [horizon.weeks for horizon in snapshot.served.bundle.task.horizons]
    return [each for each in weeks if day is None or each * WEEK > day]


def week_chosen(
    visit: Visit, snapshot: Snapshot, record: tuple[int, Sequence[Observation]], today: int | None
) -> int | None:  # fmt: skip
    """Return the week that was chosen, if the model forecasts it from here on.

    It may have been chosen of another instrument, or before a newer score came.
    """
    asked = from_query(visit.query, "week", int, "a whole number of weeks")
    enrolment, observations = record
    days = [o.day_since_onset for o in observations if o.day_since_onset is not None]
    now = max(days, default=enrolment) if today is None else today
    ahead = weeks_ahead(snapshot, now - enrolment)
    return asked if asked in ahead else None
