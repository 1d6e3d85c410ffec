"""FHIR R4 out: what other plans would change becomes a draft CarePlan and a RiskAssessment each.

Nothing here is an order: a CarePlan is a draft and a proposal, its RiskAssessment is preliminary,
or cancelled where nothing can be said of the plan. Each says that its numbers are associational
unless randomised, and that the effect of dose is from trials.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from serving.forecast.audit_status import Standing
from serving.formats.fhir.assessment import (
    Basis,
    address_of,
    collected,
    device_address,
    said_by,
    standing_notes,
)
from serving.formats.fhir.care_plans import Activity, CarePlanAsked
from serving.formats.fhir.device import labelled
from serving.formats.fhir.predictions import (
    between,
    chance,
    in_points,
    outcome,
    percent,
    period,
    predictions,
)
from serving.schemas import ForecastAnswer
from serving.whatif import PlanAnswer, PlanHorizon, WhatIf

PLAN_DIFFERENCE = "urn:rehabcast:extension:plan-difference"
"""Extension of a prediction: by how much the level under the plan is better than if therapy goes on
as now, points of improvement: `mean` (Quantity), `interval` (Range) with `coverage` twice, and
`standing`, of what kind these numbers are."""

PLAN_STANDING = "urn:rehabcast:extension:plan-standing"
"""Extension of both resources, once for each sentence of `serving.whatif.STANDING`."""

COMPARED = "if therapy goes on as now"


def proposals(
    answer: ForecastAnswer,
    found: WhatIf,
    asked: Sequence[CarePlanAsked],
    basis: Basis,
    now: datetime,
) -> dict[str, Any]:
    """Write an answer about plans as a Bundle: a CarePlan and a RiskAssessment of each.

    Parameters
    ----------
    answer, found
        The forecast, and what is said of the plans.
    asked
        The plans, as they were asked about.
    """
    answers = {plan.name: plan for plan in found.plans}
    asserted: dict[str, dict[str, Any]] = {}
    for number, plan in enumerate(asked):
        draft, risk = (address_of(answer, f"{kind} {number}") for kind in ("plan", "risk"))
        said = answers[plan.plan.name]
        asserted[draft] = _draft(answer, found, plan, basis, now, (draft, risk))
        asserted[risk] = {
            **_assessment(answer, found, said, basis, now, risk), "basedOn": {"reference": draft}
        }  # fmt: skip
    return collected(answer, basis, now, asserted)


def _draft(
    answer: ForecastAnswer,
    found: WhatIf,
    asked: CarePlanAsked,
    basis: Basis,
    now: datetime,
    addresses: tuple[str, str],
) -> dict[str, Any]:
    """Return the plan as it was read: sent again, it asks the same."""
    own, risk = addresses
    condition = basis.condition()
    return {
        "resourceType": "CarePlan",
        "id": own.removeprefix("urn:uuid:"),
        "meta": labelled(),
        "extension": _standing(found),
        "basedOn": [basis.references.to(asked.record_id)] if asked.record_id else [],
        "status": "draft",
        "intent": "proposal",
        "title": asked.plan.name,
        "subject": basis.references.subject(),
        "period": {"start": asked.start.isoformat()},
        "created": now.isoformat(timespec="seconds"),
        "author": {"reference": device_address(answer)},
        "addresses": [] if condition is None else [condition],
        "supportingInfo": [{"reference": risk}],
        "activity": [{"detail": _detail(activity)} for activity in asked.activities],
        "note": _notes(answer, found, []),
    }


def _detail(activity: Activity) -> dict[str, Any]:
    codings = [
        {name: coding[name] for name in ("system", "code") if name in coding}
        for coding in activity.codings
    ]
    return {
        "code": {"coding": codings},
        "status": "not-started",
        "scheduledTiming": {"repeat": activity.when.repeat},
    }


def _assessment(
    answer: ForecastAnswer,
    found: WhatIf,
    plan: PlanAnswer,
    basis: Basis,
    now: datetime,
    url: str,
) -> dict[str, Any]:
    status = "preliminary" if plan.supported else "cancelled"
    dates = {each.weeks: each.calendar_date for each in answer.horizons}
    about = [f"This is of the plan {plan.name!r}, beside therapy as now."]
    if not plan.supported:
        about.append(f"Nothing is said of it: {plan.why_not}.")
    return {
        **said_by(answer, basis, now, url=url, status=status),
        "extension": _standing(found),
        "basis": basis.inputs(),
        "prediction": [
            prediction
            for horizon in plan.horizons
            for prediction in _of_plan(answer, found, horizon, dates, basis)
        ],
        "mitigation": str(Standing.THERAPY),
        "note": _notes(answer, found, about),
    }


def _of_plan(
    answer: ForecastAnswer,
    found: WhatIf,
    horizon: PlanHorizon,
    dates: Mapping[int, date | None],
    basis: Basis,
) -> list[dict[str, Any]]:
    """Return forecast and milestones under a plan at a horizon, and what it changes by then."""
    than, target, day = horizon.difference, basis.target, dates[horizon.weeks]
    parts = [
        {"url": "mean", "valueQuantity": in_points(than.mean, target)},
        between("interval", than.low_80, than.high_80, target),
        {"url": "coverage", "valueQuantity": percent(80)},
        between("interval", than.low_90, than.high_90, target),
        {"url": "coverage", "valueQuantity": percent(90)},
        {"url": "direction", "valueCode": than.direction.replace(" ", "-")},
        *({"url": "standing", "valueString": sentence} for sentence in found.standing),
    ]
    least = found.important_difference
    important = "an important difference" + ("" if least is None else f" ({least:g} points)")
    return [
        *predictions(answer, horizon, day, target),
        {
            "extension": [{"url": PLAN_DIFFERENCE, "extension": parts}],
            "outcome": outcome(
                "difference of plan", f"Level under the plan, points better than {COMPARED}"
            ),
            **period(day, day),
        },
        chance(
            "importantly better", f"Better by {important} than {COMPARED}",
            than.chance_important, period(day, day),
        ),
        chance(
            "importantly worse", f"Worse by {important} than {COMPARED}",
            than.chance_importantly_worse, period(day, day),
        ),
    ]  # fmt: skip


def _standing(found: WhatIf) -> list[dict[str, str]]:
    return [{"url": PLAN_STANDING, "valueString": sentence} for sentence in found.standing]


def _notes(answer: ForecastAnswer, found: WhatIf, about: Sequence[str]) -> list[dict[str, str]]:
    standing = f"{'; '.join(found.standing)}."
    said = [*about, standing, answer.banner, *found.in_words, *standing_notes(answer)]
    return [{"text": text} for text in said if text]
