"""A forecast as cards of CDS Hooks 2.0: one for the team, and one for the patient and family.

A card is read in seconds, or not at all: it has fewer than `MOST_WORDS` words, and says where the
rest is. What must be said comes first; what does not fit any more is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from serving.forecast.audit_status import Standing
from serving.forecast.behind import chance_in_words
from serving.formats.cds.fitting import in_at_most, words_of
from serving.formats.cds.override import override_line
from serving.formats.formatting import (
    formatted_change,
    formatted_date,
    formatted_horizon,
    formatted_score,
    said_range,
    scope_sentence,
    shortened,
)
from serving.formats.profile_words import profile_lines
from serving.formats.reason_words import reason_in_words, score_in_words
from serving.schemas import ForecastAnswer, HorizonForecast

MAX_SUMMARY_LENGTH = 139
MOST_WORDS = 79
"""Of summary and detail together."""

MOST_REASONS, MOST_MISSING = 2, 2
SHORTEST_NOTE = 8
"""Words: less of a note says nothing."""

SIMULATED = "SIMULATED: no real people."
NO_REASON = "No reason to withhold therapy."

NO_FORECAST = "No forecast of recovery"
REASON, WHAT_TO_DO = "**Reason:**", "**What to do:**"

OVERRIDE_SYSTEM = "urn:rehabcast:override"
OVERRIDE_REASONS = {
    "knows-better": "I know something that the record does not say",
    "data-wrong": "The record behind it is wrong",
    "not-useful": "Not useful for this decision",
}
"""Why a card may be overridden: code and what the clinician reads."""

TOPIC = {
    "system": "urn:rehabcast:topic",
    "code": "recoveryForecast",
    "display": "Forecast of recovery",
}
"""Record systems remember by its code, of letters only, whom a card was shown."""

Cards = dict[str, list[dict[str, Any]]]

NO_CARDS: Cards = {"cards": []}


def cards(answer: ForecastAnswer, about: str) -> Cards:
    """Write an answer as cards: for the team, and for the patient and family.

    A refusal is one card. Its summary says so, and the detail why, and what to do: in as many words
    as fit, the answer of the forecast's own route has all.

    Parameters
    ----------
    about
        Address of the page about the model, for a clinician's browser; empty where there is none,
        and then a card has no links.
    """
    if answer.status == "no forecast":
        return {"cards": [_refusal(answer, about)]}
    team = _card(
        answer, about, _summary(answer), *_for_team(answer), answer.forecast_id,
        held_back=answer.held_back,
    )  # fmt: skip
    family = _card(
        answer,
        about,
        "For patient and family: how recovery usually goes from here",
        [[_for_family(answer)], [_simulated(answer)]],
        [],
        [],
        family_card(answer.forecast_id),
        held_back=[],
    )
    return {"cards": [team, family]}


def family_card(forecast_id: str) -> str:
    """Return the id of the second card: forecasts' ids are even, this is the next one."""
    return f"{int(forecast_id, 16) | 1:032x}"


def forecast_of_card(card: str) -> str:
    """Return the id of the forecast that a card shows."""
    return f"{UUID(card).int & ~1:032x}"


def _card(
    answer: ForecastAnswer,
    about: str,
    summary: str,
    must: Iterable[Sequence[str]],
    notes: Sequence[str],
    may: Iterable[Sequence[str]],
    card_id: str,
    *,
    held_back: Sequence[str],
) -> dict[str, Any]:
    """Write a card of what must be said, and of the rest as far as it fits.

    Parameters
    ----------
    must, may
        Lines in their order, each in as many words as fit: ways to say it, the longest first.
    notes
        What was left out of the record: the first stands between the two, cut if need be.
    held_back
        What the audit would have held this patient back for, who is served under an override.
    """
    if len(summary) > MAX_SUMMARY_LENGTH:
        summary = summary[: MAX_SUMMARY_LENGTH - 1] + "…"
    fewest = words_of(override_line(answer, 0, about, held_back))
    left = MOST_WORDS - words_of(summary) - fewest
    lines = in_at_most(left, must)
    left -= sum(map(words_of, lines))
    if override := override_line(answer, fewest + max(left, 0), about, held_back):
        lines.insert(0, override)
        left -= words_of(override) - fewest
    if notes and left >= SHORTEST_NOTE:
        lines.append(_first(notes, left))
        left -= len(lines[-1].split())
    for ways in may:
        line = next((way for way in ways if len(way.split()) <= left), None)
        if line is not None:
            lines.append(line)
            left -= len(line.split())
    source = {"label": f"rehabcast {answer.model.model_version}", "topic": TOPIC}
    card: dict[str, Any] = {
        "uuid": str(UUID(hex=card_id)),
        "summary": summary,
        "indicator": "warning" if answer.banner else "info",
        "detail": "\n\n".join(lines),
        "source": {**source, "url": about} if about else source,
        "overrideReasons": [
            {"code": code, "system": OVERRIDE_SYSTEM, "display": display}
            for code, display in OVERRIDE_REASONS.items()
        ],
    }
    if about:
        link = {"label": "Model, audit and limits of use", "url": about, "type": "absolute"}
        card["links"] = [link]
    return card


def _refusal(answer: ForecastAnswer, about: str) -> dict[str, Any]:
    override = override_line(answer, 0, about)
    room = MOST_WORDS - sum(map(words_of, (override, NO_FORECAST, REASON, WHAT_TO_DO)))
    # Of a long reason and a long advice each has half; what one does not need the other has.
    for_advice = min(len(answer.what_to_do.split()), room // 2)
    reason = shortened(answer.reason, room - for_advice)
    advice = shortened(answer.what_to_do, room - len(reason.split()))
    must = [[f"{REASON} {reason}"], [f"{WHAT_TO_DO} {advice}"]]
    return _card(
        answer, about, NO_FORECAST, must, answer.notes, [], answer.forecast_id, held_back=[]
    )


def _summary(answer: ForecastAnswer) -> str:
    horizon = _main_horizon(answer)
    return (
        f"Week {formatted_horizon(horizon)}: {score_in_words(answer)}"
        f" {said_range(answer, horizon)} in 8 of 10 people,"
        f" most likely {formatted_score(answer, horizon.median)}"
    )


def _main_horizon(answer: ForecastAnswer) -> HorizonForecast:
    weeks = answer.reasons.horizon_weeks if answer.reasons is not None else None
    return next((h for h in answer.horizons if h.weeks == weeks), answer.horizons[0])


def _for_team(
    answer: ForecastAnswer,
) -> tuple[list[Sequence[str]], list[str], list[Sequence[str]]]:
    """Return what the team must read, what was left out of the record, and what it may read."""
    horizon = _main_horizon(answer)
    chances = [
        f"{name}: reached" if name in answer.milestones_reached
        else f"{name}: {chance_in_words(chance)}"
        for name, chance in horizon.milestones.items()
    ]  # fmt: skip
    must: list[Sequence[str]] = [
        [_start(answer)],
        [f"Chances: {'; '.join(chances[:n])}." for n in range(len(chances), 0, -1)],
        _reasons(answer),
        _missing(answer),
        [_simulated(answer)],
        [NO_REASON],
    ]
    own = [limit for limit in answer.limits if not isinstance(limit, Standing)]
    later = [
        f"Week {formatted_horizon(h)}: {said_range(answer, h)}."
        for h in answer.horizons
        if h.weeks > horizon.weeks
    ]
    scope = scope_sentence(answer.model).strip()
    people = horizon.similar_people_in_words
    # A note on the record, or who overrode the gate, is more important.
    behind = [f"From {people} similar people."] if people else []
    profile = profile_lines(answer.profile, without=answer.instrument_code)
    limits = [*behind, *own, *([scope] if scope else [])]
    return must, answer.notes, [*([each] for each in limits), profile, *([each] for each in later)]


def _start(answer: ForecastAnswer) -> str:
    """Say of which day the forecast is, and from which score."""
    of = "this day" if answer.as_of is None else formatted_date(answer.as_of)
    if answer.last_score is None or answer.last_score_day is None or answer.origin_day is None:
        return f"Forecast of {of}, without a recent score."
    age = answer.origin_day - answer.last_score_day
    old = "the same day" if age == 0 else "1 day before" if age == 1 else f"{age} days before"
    when = old if answer.last_score_date is None else _near(answer.last_score_date, answer.as_of)
    # In the unit that the summary says: a word more would push the use of an override out.
    start = f"Forecast of {of} from {answer.last_score:g} {when}"
    return f"{start} ({old})." if age > OLD_DAYS else f"{start}."


OLD_DAYS = 7
"""From here on a card says how old the last score is, beside its date."""


def _near(day: date, other: date | None) -> str:
    """Return a date beside another one, without the year that both have."""
    is_same = other is not None and day.year == other.year
    return f"on {day.day} {day:%B}" if is_same else f"on {formatted_date(day)}"


def _reasons(answer: ForecastAnswer) -> list[str]:
    if answer.reasons is None:
        return [""]
    # In the unit that the summary says: three words more would push a reason out.
    reasons = [
        f"{reason_in_words(answer, each)} ({formatted_change(answer, each.points)})"
        for each in answer.reasons.contributions
        if each.observed
    ]
    # Beside a note on the record, or an override, there is no room for more than one.
    most = 1 if answer.notes or answer.model.override else MOST_REASONS
    ways = [f"Why: {', '.join(reasons[:number])}." for number in range(most, 0, -1)]
    return [*ways, ""] if reasons else [""]


def _missing(answer: ForecastAnswer) -> list[str]:
    names = [] if answer.rests_on is None else answer.rests_on.missing_modalities
    if not names:
        return [""]
    ways = []
    for most in range(min(MOST_MISSING, len(names)), 0, -1):
        rest = len(names) - most
        more = f" and {rest} more" if rest else ""
        ways.append(f"Missing: {', '.join(names[:most])}{more}.")
    return [*ways, ""]


def _first(notes: Sequence[str], most: int) -> str:
    """Return the first note on the record in so many words, and how many there are besides.

    It is for the team: a family can't change it.
    """
    more = f" (and {len(notes) - 1} more)" if len(notes) > 1 else ""
    return shortened(f"Note: {notes[0]}", most - len(more.split())) + more


def _simulated(answer: ForecastAnswer) -> str:
    return SIMULATED if answer.model.simulated else ""


def _for_family(answer: ForecastAnswer) -> str:
    horizon = _main_horizon(answer)
    day = horizon.calendar_date
    when = f"after {horizon.weeks} weeks" if day is None else f"by {formatted_date(day)}"
    return (
        f"Of ten people like this, about eight reach a score of {said_range(answer, horizon)}"
        f" (of {answer.scale[1]:g}) {when}. Nobody can say which of the ten a"
        " person will be: it is neither a promise nor a limit, nor a reason for less therapy."
    )
