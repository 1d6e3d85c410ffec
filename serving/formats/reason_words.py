"""What a forecast rests on, in words that a clinician would use."""

from __future__ import annotations

from contracts.vocabulary import vocabulary
from serving.forecast.explain import ALL_DAYS, EARLY_DAYS, RECENT_DAYS, RECENT_WINDOW_DAYS
from serving.schemas import Contribution, ForecastAnswer

SCORES = {
    "Fugl-Meyer upper extremity": "arm score",
    "comfortable gait speed over 10 m": "walking speed",
    "Barthel index": "Barthel score",
    "Montgomery-Asberg Depression Rating Scale": "depression score",
}
"""By the vocabulary's name of an instrument; any other one is called by that name."""

MODALITIES = {
    "person": "age, sex and diagnosis",
    "gait": "walking",
    "range of motion": "range of motion",
    "cardiovascular": "heart rate",
    "arm use": "use of the arm",
    "exercise": "exercise at home",
    "therapy": "therapy sessions",
    "wear": "time that the device was worn",
}
"""By the vocabulary's name of a modality; any other one is called by that name."""

WINDOWS = {
    ALL_DAYS: "",
    EARLY_DAYS: " earlier on",
    RECENT_DAYS: f" in the last {RECENT_WINDOW_DAYS} days",
}

ASSESSMENTS = "assessments"


def score_in_words(answer: ForecastAnswer) -> str:
    """Return what the score is called, and which way is better where that is down."""
    entry = vocabulary().get(answer.instrument_code)
    lower = entry is not None and entry.better == "lower"
    return _score(answer) + (", lower is better" if lower else "")


def _score(answer: ForecastAnswer) -> str:
    entry = vocabulary().get(answer.instrument_code)
    name = answer.instrument if entry is None else entry.name
    return SCORES.get(name, name)


def reason_in_words(answer: ForecastAnswer, contribution: Contribution) -> str:
    """Return what a contribution is from: `the last arm score`, `walking in the last 14 days`."""
    name = contribution.modality
    if name == ASSESSMENTS:
        several = answer.rests_on is not None and answer.rests_on.assessments > 1
        words = f"the last {_score(answer)}" + (" and others" if several else "")
        if answer.last_score is None:
            words = "the scores"
    else:
        words = MODALITIES.get(name, name)
    return words + WINDOWS.get(contribution.window, f", {contribution.window}")
