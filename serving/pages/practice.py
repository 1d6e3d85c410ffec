"""Practice on ten SIMULATED patients: one's own prediction, then forecast, reasons and what came.

Nothing is kept: the model in service is asked directly, past the record of forecasts.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from contracts.naming.units import readable
from contracts.observation import Observation
from serving.forecast.question import Question
from serving.forecast.respond import respond
from serving.formats.formatting import formatted_score
from serving.http.decoding import from_query
from serving.http.refusals import RequestRefused
from serving.pages.charts import fan
from serving.pages.course import forecast_weeks, scores_of
from serving.pages.page import Answer, Visit
from serving.pages.patient import reasons_of
from serving.pages.rendering import later
from serving.pages.words import amounts_of, chances_of, code_name
from serving.schemas import HorizonForecast
from serving.state.champion import Snapshot

FILE = Path(__file__).with_name("practice.json")
NEAREST_DAYS = 14
"""How far the week that is forecast and the day that was measured may lie apart."""

LESSONS = (
    later("Was your number inside the range? A range that holds 8 of 10 people misses 2 of 10."),
    later("Which reason moved the forecast most? Would it have moved you?"),
    later("What do you know at a bedside that no row of the reasons can know?"),
    later("The middle is not a promise: half of people end above it and half below."),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What was measured later."""

    day: int
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PracticePatient:
    """A SIMULATED patient: the first weeks, and what was measured later."""

    enrolment_day: int
    observations: list[Observation]
    truth: Truth


@dataclass(frozen=True, slots=True, kw_only=True)
class PracticeFile:
    """The file of all of them."""

    simulated: bool
    instrument: str
    patients: list[PracticePatient]


@cache
def practice_patients() -> PracticeFile:
    """Return the patients to practise on."""
    return msgspec.json.decode(FILE.read_bytes(), type=PracticeFile)


def practice(visit: Visit) -> Answer:
    """List the patients."""
    file = practice_patients()
    facts = {
        "count": len(file.patients), "instrument": code_name(file.instrument),
        "possible": _snapshot(visit) is not None,
    }  # fmt: skip
    return Answer(template="practice.html", facts=facts)


def case(visit: Visit) -> Answer:
    """Show one of them; with a prediction of one's own, also the forecast and what came."""
    file, said = practice_patients(), visit.parameters["number"]
    if said not in map(str, range(1, len(file.patients) + 1)):
        raise RequestRefused(404, "there is no such patient to practise on", "choose from the list")
    snapshot = _snapshot(visit)
    if snapshot is None:
        raise RequestRefused(
            404, "no model in service forecasts this instrument", "practise with another service"
        )
    person = file.patients[int(said) - 1]
    target = snapshot.served.bundle.task.target
    guess = from_query(visit.query, "guess", float, "a number")
    if guess is not None and not target.low <= guess <= target.high:
        raise RequestRefused(
            422, "your prediction is not on the scale",
            "write a score from its low to its high end",
        )  # fmt: skip
    scores = scores_of(person.observations, file.instrument, person.enrolment_day)
    facts: dict[str, Any] = {
        "number_of": int(said), "count": len(file.patients),
        "instrument": code_name(file.instrument), "code": file.instrument,
        "scores": scores, "guess": guess, "truth": person.truth, "number": readable,
        "low": target.low, "high": target.high, "week": round(person.truth.day / 7),
        "person": [
            (code_name(o.code), o.label if o.value is None else readable(o.value))
            for o in person.observations
            if o.day_since_onset is None
        ],
        "lessons": LESSONS,
    }  # fmt: skip
    if guess is not None:
        facts |= _with_forecast(person, snapshot, scores, visit)
    return Answer(template="case.html", facts=facts)


def _with_forecast(
    person: PracticePatient, snapshot: Snapshot, scores: list[tuple[int, float]], visit: Visit
) -> dict[str, Any]:
    weeks = forecast_weeks(snapshot, person.truth.day)
    question = Question(
        subject="SIMULATED", enrolment_day=person.enrolment_day, observations=person.observations,
        weeks=weeks,
    )  # fmt: skip
    answer = respond(question, snapshot.served, now=visit.now, withdrawn=snapshot.withdrawn)
    if answer.status != "forecast":
        return {"answer": answer, "chart": None}
    horizon = _nearest(answer.horizons, person.truth.day)
    return {
        "answer": answer, "chart": fan(answer, scores), "horizon": horizon,
        "inside": horizon.low_80 <= person.truth.score <= horizon.high_80,
        "comparable": abs(horizon.day_after_enrolment - person.truth.day) <= NEAREST_DAYS,
        "reasons": reasons_of(answer, visit), "chances": chances_of(horizon, answer, visit.say),
        "score": lambda value: formatted_score(answer, value),
        "amount": amounts_of(answer, visit.say),
    }  # fmt: skip


def _nearest(horizons: list[HorizonForecast], day: int) -> HorizonForecast:
    return min(horizons, key=lambda each: abs(each.day_after_enrolment - day))


def _snapshot(visit: Visit) -> Snapshot | None:
    code = practice_patients().instrument
    return next(
        (s for s in visit.runtime.champions.current if s.served.bundle.task.target.code == code),
        None,
    )
