"""Weeks of home exercise as a running record has them: daily values, of all exercises together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import fmean, median

from contracts.exercise import codes
from contracts.exercise.programme import DAYS_A_WEEK
from contracts.observation import Observation

MOST_WEEKS = 8
"""Weeks that are looked back on."""

Days = Mapping[int, float]
"""Values of a code by the day since onset."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedWeek:
    """Seven days of home exercise; None where it is not on record.

    Parameters
    ----------
    last
        Their last day, since onset.
    days
        Of them with a value.
    repetitions
        In all.
    adherence
        Share of what is prescribed, as recorded of the last day.
    as_shown
        Share of repetitions done as shown: the days' shares, by their repetitions.
    range_part, pace_part
        Median of the days' range and time, of their goals.
    range_asymmetry, time_asymmetry, trunk_deg
        Median of the days' difference of the sides, and movement of the trunk in degrees.
    """

    last: int
    days: int
    repetitions: int
    adherence: float | None
    as_shown: float | None
    range_part: float | None
    pace_part: float | None
    range_asymmetry: float | None
    time_asymmetry: float | None
    trunk_deg: float | None


def weeks_on_record(record: Iterable[Observation]) -> tuple[RecordedWeek, ...]:
    """Return the weeks of exercise on a record, the last first; none where there is no exercise."""
    values: dict[str, dict[int, float]] = defaultdict(dict)
    for one in record:
        if one.code in codes.CODES and one.day_since_onset is not None and one.value is not None:
            values[one.code][one.day_since_onset] = one.value
    done = values[codes.REPETITIONS]
    if not done:
        return ()
    newest, oldest = max(done), min(done)
    lasts = [newest - DAYS_A_WEEK * back for back in range(MOST_WEEKS)]
    return tuple(_week(values, last) for last in lasts if last >= oldest)


def _week(values: Mapping[str, Days], last: int) -> RecordedWeek:
    def of(code: str) -> dict[int, float]:
        days = range(last - DAYS_A_WEEK + 1, last + 1)
        return {day: values[code][day] for day in days if day in values.get(code, {})}

    done, well = of(codes.REPETITIONS), of(codes.QUALITY)
    weights = {day: done[day] for day in well if done.get(day)}
    return RecordedWeek(
        last=last, days=len(done), repetitions=round(sum(done.values())),
        adherence=values.get(codes.ADHERENCE, {}).get(last),
        as_shown=fmean((well[day] for day in weights), weights.values()) if weights else None,
        range_part=_middle(of(codes.RANGE)), pace_part=_middle(of(codes.PACE)),
        range_asymmetry=_middle(of(codes.RANGE_ASYMMETRY)),
        time_asymmetry=_middle(of(codes.TIME_ASYMMETRY)), trunk_deg=_middle(of(codes.TRUNK)),
    )  # fmt: skip


def _middle(days: Days) -> float | None:
    return median(days.values()) if days else None
