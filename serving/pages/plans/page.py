"""Other plans of therapy and next week's dose, as the service's own route answers about them."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET

from inference.twin.plans import MOST_HOURS
from serving.formats.formatting import formatted_change, formatted_score
from serving.http import handlers
from serving.http.decoding import RequestInvalid
from serving.http.handlers import reply_of
from serving.pages.charts import intervals
from serving.pages.page import Answer, Field, Visit, go_back
from serving.pages.patient import (
    ask_on_page,
    is_unmeasured,
    snapshot_for,
    today_and_alerts,
)
from serving.pages.plans import form
from serving.pages.plans.form import within
from serving.pages.rendering import later
from serving.pages.words import chance
from serving.schemas import FeedbackRequest, WhatIfRequest
from serving.whatif import (
    ASSOCIATIONAL,
    PACE,
    PRIOR,
    LevelDifference,
    PlanSearch,
    WhatIf,
)

ONLY_WHAT_MAY_BE_ASKED = PlanSearch(most_hours_a_week=0.5, then_hours_a_week=0, most_weeks=1)
"""The smallest question about plans: its answer says what may be asked of this patient."""

OF_STANDING = {
    ASSOCIATIONAL: later("Associational unless randomised."),
    PRIOR: later(
        "The effect of dose is from trials of other people, not learned from these people."
    ),
    PACE: later("The pace under a dose was fitted to people whose doses nobody randomised."),
}
DIRECTIONS = {
    "better": later("Better"), "worse": later("Worse"), "not certain": later("Not certain"),
}  # fmt: skip
"""Which direction may be claimed of a difference (`inference.twin.compare.CLAIMED`)."""
ACTIONS = {
    "progress": later("More"), "hold": later("The same"), "regress": later("Less"),
    "stop and call": later("Stop, and call somebody who looks at the patient today"),
}  # fmt: skip
ACCEPT, CHANGE, REJECT = "accept", "change", "reject"
DECISIONS = (
    (ACCEPT, later("I accept this dose")),
    (CHANGE, later("I change it to other hours")),
    (REJECT, later("I reject it")),
)
DONE = {"dose": later("Your decision about next week's dose is on record.")}


def open_plans(visit: Visit) -> Answer:
    """Show the form, and what may be asked about this patient."""
    return _shown(visit, search=ONLY_WHAT_MAY_BE_ASKED)


def compare(visit: Visit) -> Answer:
    """Show the answer to what was typed."""
    plans, last_weeks = form.plans_typed(visit), form.last_weeks_typed(visit)
    if not plans and last_weeks is None:
        raise RequestInvalid(
            "nothing is asked",
            "write the hours of a plan, or for next week's dose how the last two weeks went",
        )
    return _shown(visit, plans=plans, last_weeks=last_weeks)


def dose_fields(_: Visit) -> list[Field]:
    """Return the fields of a decision about next week's dose."""
    return [
        Field(name="forecast", kind="hidden", longest=32),
        Field(name="decision", label=later("What do you decide?"), kind="choice",
              choices=DECISIONS),
        Field(name="hours", label=later("Hours a week instead"), kind="number", optional=True,
              longest=10, needed=later("needed if you change it")),
        Field(name="reason", label=later("Why"), kind="long", optional=True, longest=400,
              needed=later("needed unless you accept it")),
    ]  # fmt: skip


def decide_dose(visit: Visit) -> Answer:
    """Put a decision about next week's dose on record, as feedback on the answer that had it."""
    typed = visit.form
    decision, reason = typed["decision"], typed["reason"]
    if decision != ACCEPT and not reason:
        raise RequestInvalid("the reason is empty", "say in a sentence why")
    if (decision == CHANGE) != bool(typed["hours"]):
        raise RequestInvalid(
            "hours a week belong to a change of the dose, and to nothing else",
            "write them if you change the dose, and leave them empty if not",
        )
    hours = (
        within(typed["hours"], "the hours a week", 0, MOST_HOURS) if decision == CHANGE else None
    )
    request = msgspec.convert(
        {
            "forecast_id": typed["forecast"],
            "outcome": "accepted" if decision == ACCEPT else "overridden",
            "reason": reason,
            "hours_a_week": hours,
        },
        FeedbackRequest,
    )
    handlers.feedback(visit.call(request))
    return go_back(visit, "dose", page="/whatif")


def _shown(visit: Visit, **asked: Any) -> Answer:
    """Ask as the service's own route does, which puts its answer on record, and show that."""
    subject, record = visit.subject, visit.record()
    snapshot = snapshot_for(visit, record[1])
    name = snapshot.served.bundle.task.name
    today, _ = today_and_alerts(visit)
    request = WhatIfRequest(subject=subject, task=name, as_of_day=today, **asked)
    answer = ask_on_page(visit, snapshot, request, "whatif", record)
    found = None if answer.what_if is UNSET else answer.what_if
    facts: dict[str, Any] = {
        "subject": subject, "choices": visit.choices | {"task": name}, "answer": answer,
        "found": found,
        "unmeasured": is_unmeasured(answer, snapshot),
        "opened": "search" in asked, "values": visit.form,
        "plan_fields": [(n, form.plan_fields(visit, n)) for n in form.NUMBERS],
        "last_weeks_fields": form.last_weeks_fields(visit), "dose_fields": dose_fields(visit),
        "done": DONE.get(visit.query.get("done", ""), ""), "hours": _hours,
        "kind": lambda name: visit.say(form.KINDS[name]), "actions": ACTIONS,
        "score": lambda value: formatted_score(answer, value),
        "change": lambda points: visit.say.isolated(formatted_change(answer, points)),
        "moved": lambda points: visit.say.amount(
            answer.instrument_code, formatted_change(answer, points)
        ),
        "standing": [] if found is None else [OF_STANDING.get(s, s) for s in found.standing],
    }  # fmt: skip
    if found is not None:
        facts |= {"rows": _rows(found, visit), "pairs": _pairs(found, visit)}
    return Answer(template="plans.html", facts=facts, reply=reply_of(answer, answer))


def _rows(found: WhatIf, visit: Visit) -> list[dict[str, Any]]:
    """Return each plan with what is said of it at the week of the comparisons."""
    horizons = {
        plan.name: next(h for h in plan.horizons if h.weeks == found.weeks)
        for plan in found.plans if plan.supported
    }  # fmt: skip
    bars = dict(zip(horizons, intervals([
        (h.difference.low_80, h.difference.mean, h.difference.high_80) for h in horizons.values()
    ]), strict=True))  # fmt: skip
    return [
        {
            "plan": plan, "is_now": at == 0, "hours": _hours(plan.minutes_a_week / 60),
            "name": visit.say("Therapy as now") if at == 0 else plan.name,
            "at": horizons.get(plan.name), "bar": bars.get(plan.name),
            **(_chances(horizons[plan.name].difference, visit) if plan.supported else {}),
        }
        for at, plan in enumerate(found.plans)
    ]  # fmt: skip


def _pairs(found: WhatIf, visit: Visit) -> list[dict[str, Any]]:
    """Return the comparisons of plans that were typed, each with another."""
    if not found.plans:
        return []
    return [
        {"pair": pair, **_chances(pair.difference, visit)}
        for pair in found.comparisons
        if pair.other != found.plans[0].name
    ]


def _chances(difference: LevelDifference, visit: Visit) -> dict[str, str]:
    return {
        "direction": visit.say(DIRECTIONS[difference.direction]),
        "better": chance(difference.chance_important, visit.say).reach,
        "worse": chance(difference.chance_importantly_worse, visit.say).reach,
    }


def _hours(value: float) -> str:
    return f"{value:.3g}"
