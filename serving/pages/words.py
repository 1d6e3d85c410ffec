"""What facts are called on the pages; sentences are made from them in the reader's language."""

from __future__ import annotations

from dataclasses import dataclass

from contracts.naming.units import readable
from contracts.task import Milestone
from contracts.vocabulary import Kind, vocabulary
from contracts.vocabulary.changes import amount_in_words
from serving.forecast.behind import SUREST
from serving.forecast.explain import ALL_DAYS, EARLY_DAYS, RECENT_DAYS
from serving.monitoring import alert
from serving.pages.rendering import Say, is_in_points, later

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
    gain = milestone.gain_at_least
    if gain is not None and is_in_points(code):
        return say("at least %(points)s points better than now", points=readable(gain))
    if gain is not None:
        amount = say.isolated(amount_in_words(code, gain))
        return say("at least %(amount)s better than now", amount=amount)
    if milestone.at_least is not None:
        return say("a score of %(score)s or more", score=readable(milestone.at_least))
    return say("a score of %(score)s or less", score=readable(milestone.at_most or 0))


def reason_name(modality: str, window: str, say: Say) -> str:
    """Return what a contribution is from."""
    name = say(MODALITIES.get(modality, modality))
    words = WINDOWS.get(window, window)
    return f"{name}, {say(words)}" if words else name


def code_name(code: str) -> str:
    """Return a code's published name."""
    entry = vocabulary().get(code)
    return code if entry is None else entry.name


def is_kind(code: str, kind: Kind) -> bool:
    """Say whether a code is of a kind."""
    entry = vocabulary().get(code)
    return entry is not None and entry.kind is kind
