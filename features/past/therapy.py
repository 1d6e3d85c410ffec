"""The day's therapy of a record of observations, as an import and a document have it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from contracts.observation import Observation
from contracts.therapy import KINDS, THERAPY, DayOfTherapy, day_of_therapy
from contracts.vocabulary import vocabulary

OF_THERAPY = frozenset({THERAPY, *KINDS})


def with_therapy(observations: Sequence[Observation]) -> Sequence[Observation]:
    """Return a record with the day's therapy added up where only its disciplines are known.

    What is at odds with the therapy that is stated of a day is left out with it, and a sum that no
    day can have is not added.
    """
    found = days_of_therapy(observations)
    if not found:
        return observations
    sums = [
        Observation(code=THERAPY, day_since_onset=day, value=of_day.added_up)
        for day, of_day in found.items()
        if of_day.added_up is not None and is_possible(of_day.added_up)
    ]
    wrong = {
        (code, day)
        for day, of_day in found.items()
        if of_day.at_odds
        for code in (THERAPY, *of_day.at_odds)
    }
    kept = [each for each in observations if (each.code, each.day_since_onset) not in wrong]
    return [*kept, *sums]


def days_of_therapy(observations: Iterable[Observation]) -> Mapping[int, DayOfTherapy]:
    """Return what the minutes come to, by day; nothing where no kind of therapy is on record."""
    minutes: dict[int, dict[str, float]] = {}
    with_kinds = False
    for each in observations:
        if each.code in OF_THERAPY and each.day_since_onset is not None and each.value is not None:
            minutes.setdefault(each.day_since_onset, {})[each.code] = each.value
            with_kinds |= each.code != THERAPY
    return {day: day_of_therapy(of_day) for day, of_day in minutes.items()} if with_kinds else {}


def is_possible(minutes: float) -> bool:
    """Return whether a day can have so much therapy."""
    most = vocabulary()[THERAPY].high
    return most is None or minutes <= most
