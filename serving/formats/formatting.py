"""Scores and contributions, rounded for people."""

from __future__ import annotations

from datetime import date

from contracts.vocabulary.changes import amount_in_words, with_unit
from serving.forecast.reasons import CHANCE_UNIT
from serving.model_info import ModelInfo
from serving.schemas import ForecastAnswer, HorizonForecast

WHOLE_POINTS = 20
"""Scales at least this long are shown in whole points; gait speed has 3 m/s."""
MOST_NAMED = 6
"""Of more groups without a forecast an answer gives the number: nobody reads the list at a bed."""
PART_ONLY = "It passed for a part of the people only"


def formatted_score(answer: ForecastAnswer, score: float, *, extra_decimals: int = 0) -> str:
    """Return a score in whole points, or in hundredths on a scale of a few points."""
    return f"{score:.{_decimals(answer) + extra_decimals}f}"


def said_score(answer: ForecastAnswer, score: float, *, extra_decimals: int = 0) -> str:
    """Return a score as a sentence says it: with its unit."""
    shown = formatted_score(answer, score, extra_decimals=extra_decimals)
    return with_unit(answer.instrument_code, shown)


def said_range(answer: ForecastAnswer, horizon: HorizonForecast) -> str:
    """Return the 80 % range of a horizon as a sentence says it: with its unit."""
    low, high = formatted_score(answer, horizon.low_80), said_score(answer, horizon.high_80)
    return f"{low} to {high}"


def said_change(answer: ForecastAnswer, points: float) -> str:
    """Return a contribution as a sentence says it: with its sign, and its unit or "chance"."""
    shown = formatted_change(answer, points)
    of_chance = answer.reasons is not None and answer.reasons.unit == CHANCE_UNIT
    return f"{shown} {CHANCE_UNIT}" if of_chance else with_unit(answer.instrument_code, shown)


def formatted_range(answer: ForecastAnswer, horizon: HorizonForecast) -> str:
    """Return the 80 % range of a horizon, for a column."""
    return (
        f"{formatted_score(answer, horizon.low_80)} to {formatted_score(answer, horizon.high_80)}"
    )


def formatted_change(answer: ForecastAnswer, points: float) -> str:
    """Return a contribution with its sign and one more decimal than a score."""
    return f"{points:+.{_decimals(answer) + 1}f}"


def formatted_date(day: date) -> str:
    """Return a date as people write it, with the month in letters."""
    return f"{day.day} {day:%B %Y}"


def formatted_start(answer: ForecastAnswer) -> str:
    """Say what the forecast starts from: the last score, when it was taken, and the day itself."""
    day = f"day {answer.origin_day} after enrolment"
    start = day if answer.as_of is None else f"{formatted_date(answer.as_of)}, {day}"
    if answer.last_score is None or answer.last_score_day is None or answer.origin_day is None:
        return f"no recent score; forecast of {start}"
    age = answer.origin_day - answer.last_score_day
    old = "on that day" if age == 0 else "1 day before" if age == 1 else f"{age} days before"
    taken = answer.last_score_date
    when = old if taken is None else f"{formatted_date(taken)}, {old}"
    last = amount_in_words(answer.instrument_code, answer.last_score)
    return f"last score {last} ({when}); forecast of {start}"


def start_sentence(answer: ForecastAnswer) -> str:
    """Say what the forecast starts from, as a sentence."""
    start = formatted_start(answer)
    return f"{start[0].upper()}{start[1:]}."


def formatted_horizon(horizon: HorizonForecast) -> str:
    """Return a horizon's week, with its date where that is known."""
    day = horizon.calendar_date
    return f"{horizon.weeks}" if day is None else f"{horizon.weeks} ({formatted_date(day)})"


def scope_sentence(model: ModelInfo) -> str:
    """Say that the model may not be used for everyone, where it may not; else nothing.

    Whoever reads a forecast is inside: the sentence keeps the answer from being taken as one for
    the next patient. Of many groups it gives the number, and where they are listed.
    """
    outside = groups_outside(model)
    if not outside:
        return ""
    if len(outside) <= MOST_NAMED:
        return f" {PART_ONLY}, and not for: {'; '.join(outside)}."
    return f" {PART_ONLY}: {len(outside)} groups get no forecast; the page /about lists them."


def groups_outside(model: ModelInfo) -> list[str]:
    """Name every group, and every pair of groups, that the model did not pass for."""
    if model.scope is None or model.scope.everyone:
        return []
    return [
        f"{attribute}: {label}"
        for attribute, labels in model.scope.outside.items()
        for label in labels
    ] + [" with ".join(pair) for pair in model.scope.pairs_outside]


def _decimals(answer: ForecastAnswer) -> int:
    low, high = answer.scale
    return 0 if high - low >= WHOLE_POINTS else 2


def shortened(text: str, most: int, mark: str = "…") -> str:
    """Return the first words of a text, and a mark where some are left out."""
    words = text.split()
    return text if len(words) <= most else f"{' '.join(words[:most])}{mark}"
