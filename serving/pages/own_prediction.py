"""A clinician's own prediction, asked for before a patient's forecast is shown, and compared later.

Whoever saw the forecast first cannot know any more what they would have said themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from contracts.naming.units import readable
from serving.http.decoding import RequestInvalid
from serving.pages.course import WEEK, weeks_ahead
from serving.pages.forms import to_number
from serving.pages.page import HOME, Answer, Field, Visit, go, with_choices
from serving.pages.rendering import later
from serving.pages.words import code_name
from serving.state.champion import Snapshot
from serving.state.people.predictions import Prediction, predictions, put

NEAREST_DAYS = 14
"""How far the week that was predicted and the day that was measured may lie apart."""

WITHOUT = "without"
"""In a page's address: of which task its reader goes on without a prediction, and on which day."""

Scores = Sequence[tuple[int, float]]


def ask(
    visit: Visit, snapshot: Snapshot, scores: Scores, day: int | None, made: Sequence[Prediction]
) -> Answer | None:
    """Return the page that asks for a prediction; None where none is asked for.

    Parameters
    ----------
    scores, day
        Days after enrolment and values so far, and today; None where it is not known.
    """
    task = snapshot.served.bundle.task
    without = f"{task.name} {visit.now.date()}"
    if visit.query.get(WITHOUT) == without or not is_due(visit, snapshot, day, made):
        return None
    facts: dict[str, Any] = {
        "subject": visit.subject, "scores": scores, "number": readable,
        "code": task.target.code, "instrument": code_name(task.target.code), "low": task.target.low,
        "high": task.target.high, "fields": _fields(visit, snapshot, day),
        "simulated": snapshot.served.bundle.manifest.simulated, "task": task.name,
        "choices": visit.choices | {"task": task.name}, "without": without,
    }  # fmt: skip
    return Answer(template="own_prediction.html", facts=facts)


def is_due(visit: Visit, snapshot: Snapshot, day: int | None, made: Sequence[Prediction]) -> bool:
    """Whether this clinician has yet to predict an instrument that is shown only after that."""
    # A model that was withdrawn has no forecast to wait for.
    asked = visit.runtime.predict_first and snapshot.withdrawn is None
    return asked and not _is_made_today(visit, made) and bool(weeks_ahead(snapshot, day))


def prediction_fields(visit: Visit) -> list[Field]:
    """Return the fields of a prediction."""
    snapshot = _snapshot(visit)
    return _fields(visit, snapshot, None)


def predict(visit: Visit) -> Answer:
    """Put a prediction on record, and show the forecast."""
    snapshot = _snapshot(visit)
    target = snapshot.served.bundle.task.target
    score = to_number(visit.form["score"], visit.say("your prediction"))
    if not target.low <= score <= target.high:
        raise RequestInvalid(
            "your prediction is not on the scale", "write a score from its low to its high end"
        )
    visit.record()
    put(
        visit.runtime.store, visit.caller.tenant, visit.subject, code=target.code,
        weeks=int(visit.form["weeks"]), score=score, actor=visit.caller.name, now=visit.now,
        model_version=snapshot.served.audit_status.model_version,
    )  # fmt: skip
    return go(with_choices(f"{HOME}/patients/{visit.subject}", visit.choices, done="predicted"))


def made_of(visit: Visit, snapshot: Snapshot) -> Sequence[Prediction]:
    """Return the predictions of the patient in the path."""
    code = snapshot.served.bundle.task.target.code
    return predictions(visit.runtime.store.engine, visit.caller.tenant, visit.subject, code)


def compared(made: Sequence[Prediction], scores: Scores) -> list[dict[str, Any]]:
    """Return each prediction beside the forecast that followed and what was measured."""
    return [{"made": each, "came": _measured(each.weeks * WEEK, scores)} for each in made]


def _measured(day: int, scores: Scores) -> float | None:
    near = [(abs(when - day), value) for when, value in scores if abs(when - day) <= NEAREST_DAYS]
    return min(near)[1] if near else None


def _is_made_today(visit: Visit, made: Sequence[Prediction]) -> bool:
    today, name = visit.now.date().isoformat(), visit.caller.name
    return any(each.date == today and each.actor == name for each in made)


def _fields(visit: Visit, snapshot: Snapshot, day: int | None) -> list[Field]:
    target = snapshot.served.bundle.task.target
    weeks = [
        (str(each), visit.say("Week %(week)s", week=each)) for each in weeks_ahead(snapshot, day)
    ]
    return [
        Field(name="weeks", label=later("In which week after the start of rehabilitation?"),
              kind="choice", choices=weeks),
        Field(name="score", kind="number", longest=20, label=visit.say(
            "Score, from %(low)s to %(high)s", low=readable(target.low),
            high=visit.say.amount(target.code, readable(target.high)))),
    ]  # fmt: skip


def _snapshot(visit: Visit) -> Snapshot:
    current = visit.runtime.champions.current
    asked = visit.query.get("task", "")
    found = next((s for s in current if s.served.bundle.task.name == asked), None)
    if found is None:
        raise RequestInvalid("this task is not in service now", "open the patient again")
    return found
