"""What facts are called on the pages; sentences are made from them in the reader's language."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from contracts.groups import MINIMUM_SHOWN
from contracts.naming.units import readable
from contracts.task import Milestone
from contracts.vocabulary import Kind, vocabulary
from serving.forecast.behind import SUREST
from serving.forecast.explain import ALL_DAYS, EARLY_DAYS, RECENT_DAYS
from serving.formats.formatting import formatted_score
from serving.monitoring import alert
from serving.pages.rendering import Say, later
from serving.schemas import ForecastAnswer, HorizonForecast

ALERTS = {
    alert.Kind.SCORE_FELL: later("Score became worse"),
    alert.Kind.OFF_COURSE: later("Off the expected course"),
    alert.Kind.BIOMARKER: later("Daily value changed"),
    alert.Kind.WEAR: later("Wearable worn less"),
    alert.Kind.THERAPY: later("Less therapy"),
    alert.Kind.SILENCE: later("No data come"),
    alert.Kind.NOT_WORN: later("Wearable not worn"),
}
URGENCIES = {
    alert.Urgency.TODAY: later("today"),
    alert.Urgency.THIS_WEEK: later("this week"),
    alert.Urgency.NEXT_VISIT: later("next visit"),
}
TONES = {
    alert.Urgency.TODAY: "now", alert.Urgency.THIS_WEEK: "soon", alert.Urgency.NEXT_VISIT: "visit",
}  # fmt: skip
MODALITIES = {
    "activity": later("activity"),
    "arm use": later("use of the arm"),
    "assessments": later("scores so far"),
    "cardiovascular": later("heart rate"),
    "exercise": later("exercise at home"),
    "gait": later("walking"),
    "muscle activity": later("muscle activity"),
    "person": later("age, sex and diagnosis"),
    "posture": later("posture"),
    "range of motion": later("range of motion"),
    "sleep": later("sleep"),
    "therapy": later("therapy sessions"),
    "time since onset": later("time since onset"),
    "wear": later("time that the device was worn"),
}
WINDOWS = {
    ALL_DAYS: "",
    EARLY_DAYS: later("earlier on"),
    RECENT_DAYS: later("in the last 14 days"),
}
OUTCOMES = (
    ("accepted", later("I agree: I will plan with it")),
    ("overridden", later("I plan otherwise")),
    ("wrong", later("I reject it: it is wrong")),
    ("unclear", later("I do not understand it")),
)
DECISIONS = (
    ("acknowledged", later("Seen, I take care of it")),
    ("muted", later("Do not show it until a date")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chance:
    """A chance as people of ten and in per cent, both ways.

    Parameters
    ----------
    filled
        Icons of ten that are filled.
    reach, miss
        How many of ten reach it, and how many do not, with the percentage.
    """

    filled: int
    reach: str
    miss: str


def chance(value: float, say: Say) -> Chance:
    """Say a chance; never as sure as nobody can be (as `serving.forecast.behind`)."""
    percent = round(100 * value)
    return Chance(
        filled=round(10 * value), reach=_of_ten(percent, value, say),
        miss=_of_ten(100 - percent, 1 - value, say),
    )  # fmt: skip


def chances_of(
    horizon: HorizonForecast, answer: ForecastAnswer, say: Say
) -> list[tuple[str, Chance | None]]:
    """Return each milestone with its chance at a horizon; None where it is reached already."""
    return [
        (name, None if name in answer.milestones_reached else chance(value, say))
        for name, value in horizon.milestones.items()
    ]


def _of_ten(percent: int, value: float, say: Say) -> str:
    if percent > SUREST:
        return say("more than 9 of 10 (over %(percent)s%%)", percent=SUREST)
    if percent < 100 - SUREST:
        return say("fewer than 1 of 10 (under %(percent)s%%)", percent=100 - SUREST)
    tenths = round(10 * value)
    if tenths == 10:
        return say("more than 9 of 10 (%(percent)s%%)", percent=percent)
    if tenths == 0:
        return say("fewer than 1 of 10 (%(percent)s%%)", percent=percent)
    return say("%(tenths)s of 10 (%(percent)s%%)", tenths=tenths, percent=percent)


def milestone_meaning(milestone: Milestone, code: str, say: Say) -> str:
    """Say what has to be reached for a milestone, a gain in the unit of the instrument."""
    if milestone.gain_at_least is not None:
        amount = say.amount(code, readable(milestone.gain_at_least))
        return say("at least %(amount)s better than now", amount=amount)
    if milestone.at_least is not None:
        score = say.amount(code, readable(milestone.at_least))
        return say("a score of %(score)s or more", score=score)
    return say(
        "a score of %(score)s or less", score=say.amount(code, readable(milestone.at_most or 0))
    )


def modality_name(modality: str, say: Say) -> str:
    """Return what a group of inputs is called."""
    return say(MODALITIES.get(modality, modality))


def reason_name(modality: str, window: str, say: Say) -> str:
    """Return what a contribution is from."""
    name = modality_name(modality, say)
    words = WINDOWS.get(window, window)
    return f"{name}, {say(words)}" if words else name


def amounts_of(answer: ForecastAnswer, say: Say) -> Callable[[float], str]:
    """Return how a score of an answer is said in a sentence: with its unit."""
    amount = partial(say.amount, answer.instrument_code)
    return lambda value: amount(formatted_score(answer, value))


def people_in_words(number_of: int | None, say: Say) -> str:
    """Say how many people there are, as the answer tells it: none of a few (`shown_number`)."""
    if number_of is None:
        return say("fewer than %(people)s", people=MINIMUM_SHOWN)
    return say("%(people)s or more", people=number_of)


def code_name(code: str) -> str:
    """Return a code's published name."""
    entry = vocabulary().get(code)
    return code if entry is None else entry.name


def is_kind(code: str, kind: Kind) -> bool:
    """Say whether a code is of a kind."""
    entry = vocabulary().get(code)
    return entry is not None and entry.kind is kind
