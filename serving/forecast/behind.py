"""Who stands behind a forecast, what follows where they are few, and how both are said.

Letters: H horizons; the last entry along H of a count is of people with an outcome at any.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from contracts.errors import ForecastRefused
from contracts.groups import MINIMUM_SHOWN
from contracts.predictions import PATTERN
from contracts.sequences import SequenceBatch
from contracts.task import Task
from contracts.vocabulary import vocabulary
from contracts.vocabulary.changes import amount_in_words, least_change, noise_in_words
from inference.bundle import Bundle
from inference.moments import Moments, moments, worsened
from inference.similar import FEWEST, LEAST_OUTCOMES, Rarity, shown_number
from serving.forecast.audit_status import ServedModel
from serving.schemas import HorizonForecast

FEW = 20
"""With fewer similar people it is said that the range is wider; from here on the level of an 80 %
range is at most that of 84 % (`inference.widening`)."""

SUREST = 99
"""Per cent: no chance is said to be surer than this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Behind:
    """The people behind one forecast.

    Parameters
    ----------
    similar_H
        People alike, rounded down: for the arithmetic, only `shown_number` leaves the service.
    given_H
        At which horizons there is a forecast.
    at
        Where the subject stands.
    """

    similar_H: NDArray[np.int32]
    given_H: NDArray[np.bool_]
    at: Moments


def people_behind(bundle: Bundle, batch: SequenceBatch) -> Behind:
    """Count the people behind a subject's forecast.

    Raises
    ------
    ForecastRefused
        There are too few at every horizon ahead.
    """
    seen, task = bundle.calibration.seen, bundle.task
    similar_BH = seen.similar(batch, task)
    behind = Behind(
        similar_H=similar_BH[0], given_H=seen.given(similar_BH, batch)[0], at=moments(batch, task)
    )
    if not behind.given_H.any():
        raise _refusal(bundle, batch, behind)
    return behind


def _refusal(bundle: Bundle, batch: SequenceBatch, behind: Behind) -> ForecastRefused:
    task, origin = bundle.task, int(batch.origin_day_B[0])
    ahead = [h for h, horizon in enumerate(task.horizons) if horizon.day > origin]
    if not ahead:
        return ForecastRefused(
            f"every week that this model forecasts is past on day {origin} after enrolment",
            "decide without the forecast",
        )
    if behind.similar_H[-1] >= FEWEST:
        # There are people alike, but nobody knows what became of them so late.
        return ForecastRefused(
            "; ".join(_not_forecast(bundle, batch, behind)),
            f"decide without the forecast; it needs the outcomes of at least {FEWEST} people like"
            " this one, and of more in all",
        )
    rarity = bundle.calibration.seen.rarity(batch, task)
    reason, advice = _IN_WORDS[rarity](task, behind.at)
    return ForecastRefused(
        f"{reason}, and the model learned from fewer than {FEWEST} similar people",
        f"{advice}; the forecast needs the outcomes of at least {FEWEST} such people",
    )


def _such_a_course(task: Task, at: Moments) -> tuple[str, str]:
    change = _change(task, at)
    if at.change_B[0] < 0:
        return change, (
            "look for what the patient lost the points to (a new event, pain, an error of the"
            " assessment), and decide without the forecast"
        )
    return change, "check the scores; if they are right, decide without the forecast"


def _such_a_score(task: Task, at: Moments) -> tuple[str, str]:
    last = task.target.worst + at.score_B[0] * (task.target.best - task.target.worst)
    return (
        f"few had a score like {amount_in_words(task.target.code, last)} about"
        f" {at.days_B[0]:.0f} days after the onset",
        "check the score; if it is right, decide without the forecast",
    )


def _such_a_time(_: Task, at: Moments) -> tuple[str, str]:
    return (
        f"few were seen about {at.days_B[0]:.0f} days after the onset",
        "check the date of the onset; if it is right, decide without the forecast, or ask again"
        " when more people were seen",
    )


_IN_WORDS: dict[Rarity, Callable[[Task, Moments], tuple[str, str]]] = {
    Rarity.COURSE: _such_a_course,
    Rarity.SCORE: _such_a_score,
    Rarity.TIME: _such_a_time,
}


def _change(task: Task, at: Moments) -> str:
    reference, change = float(at.reference_B[0]), float(at.change_B[0])
    last = reference + task.target.direction * change
    how = "became worse" if change < 0 else "improved"
    code = task.target.code
    return (
        f"the {vocabulary()[code].name} {how} by {amount_in_words(code, abs(change))}, from"
        f" {reference:g} to {amount_in_words(code, last)}, within {task.inputs.past_days} days"
    )


def sentences(bundle: Bundle, batch: SequenceBatch, behind: Behind, horizon: int) -> list[str]:
    """Say who stands behind a forecast, by the horizon that is reported first.

    Also which weeks are not forecast.
    """
    said = [_similar(int(behind.similar_H[horizon]), bundle.task.horizons[horizon].weeks)]
    said += [f"No forecast for {weeks}." for weeks in _not_forecast(bundle, batch, behind)]
    return said


def course_notes(bundle: Bundle, batch: SequenceBatch) -> list[str]:
    """Say that the patient has become worse, whether there is a forecast or not."""
    at = moments(batch, bundle.task)
    if not worsened(at.change_B, bundle.task.target)[0]:
        return []
    change, code = _change(bundle.task, at), bundle.task.target.code
    lost, reference = float(at.change_B[0]), float(at.reference_B[0])
    noise = noise_in_words(code, lost, reference)
    judged = noise or (
        "which is more than a score errs by"
        if least_change(code, reference)
        else "which matters to a patient"
    )
    then = "score again, and look for the cause" if noise else "look for the cause first"
    return [f"{change[0].upper()}{change[1:]}, {judged}: {then}"]


def doubted(served: ServedModel, labels: Mapping[str, str]) -> list[str]:
    """Say for which patterns of a subject the audit leaves open whether ranges hold.

    Parameters
    ----------
    labels
        The subject's pattern by `PATTERN` and its name.
    """
    found = [(a, b) for a, b in labels.items() if (a, b) in served.audit_status.in_doubt]
    named = "; ".join(f"{axis.removeprefix(PATTERN)}: {label}" for axis, label in found)
    words = f"The audit leaves open how often the 80 % range holds for such people ({named})."
    return [words] if found else []


def how_many(people: int) -> str:
    """Say how many people there are behind a forecast: no number under `MINIMUM_SHOWN` is told."""
    number = shown_number(people)
    return f"fewer than {MINIMUM_SHOWN}" if number is None else f"{number} or more"


def _similar(people: int, weeks: int) -> str:
    few = "; because they are few, the range is wider" if people < FEW else ""
    return (
        f"The forecast for week {weeks} rests on {how_many(people)} people like this one (a similar"
        f" score, a similar time since the onset, a similar course) with a score of that week{few}."
    )


def _not_forecast(bundle: Bundle, batch: SequenceBatch, behind: Behind) -> list[str]:
    """Say which weeks ahead are not forecast, and why, one a reason: "weeks 6, 52: nobody ..."."""
    seen, origin = bundle.calibration.seen, int(batch.origin_day_B[0])
    weeks: dict[str, list[str]] = {}
    for h, horizon in enumerate(bundle.task.horizons):
        if horizon.day > origin and not behind.given_H[h]:
            why = (
                f"fewer than {FEWEST} people like this one have an outcome there"
                if seen.served_H[h]
                else f"{_number(int(seen.outcomes_H[h]))} people of the training data have an"
                f" outcome there, and {LEAST_OUTCOMES} are needed"
            )
            weeks.setdefault(why, []).append(str(horizon.weeks))
    return [
        f"week{'s' if len(which) > 1 else ''} {', '.join(which)}: {why}"
        for why, which in weeks.items()
    ]


def _number(outcomes: int) -> str:
    """Write a number of people of whom fewer than `LEAST_OUTCOMES` are not told."""
    return f"fewer than {LEAST_OUTCOMES}" if outcomes else "0"


def milestone_sentences(horizon: HorizonForecast, reached: Collection[str]) -> list[str]:
    """Return a sentence for each milestone of a horizon."""
    return [
        milestone_sentence(name, chance, horizon.weeks, reached=name in reached)
        for name, chance in horizon.milestones.items()
    ]


def milestone_sentence(name: str, chance: float, weeks: int, *, reached: bool) -> str:
    """Say how likely a milestone is."""
    if reached:
        return f"{name}: reached already."
    return f"{name} by week {weeks}, of people like this one: {chance_in_words(chance)}."


def chance_in_words(chance: float) -> str:
    """Say a chance as people of ten, as it is understood best (Gigerenzer 1995), and in per cent.

    Never as sure: no forecast from some hundred people is. `7 of 10 (70 %)`.
    """
    tenths, percent = round(10 * chance), round(100 * chance)
    if percent > SUREST:
        return f"more than 9 of 10 (over {SUREST} %)"
    if percent < 100 - SUREST:
        return f"fewer than 1 of 10 (under {100 - SUREST} %)"
    how_many = {0: "fewer than 1", 10: "more than 9"}.get(tenths, str(tenths))
    return f"{how_many} of 10 ({percent} %)"
