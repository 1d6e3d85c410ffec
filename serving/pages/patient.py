"""One patient: course, forecast, chances, reasons, what it rests on; and the sheet for a family."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from contracts.errors import ForecastRefused
from contracts.naming.units import readable
from contracts.observation import Observation
from serving.forecast.measured_again.facts import in_words, share_narrower
from serving.forecast.question import is_measured
from serving.formats.formatting import formatted_change, formatted_score
from serving.http.alerts.handlers import answer_subject_alerts
from serving.http.handlers import reply_of
from serving.http.runtime import forecast
from serving.monitoring.answers import AlertRow, SubjectAlerts, row_of
from serving.pages import own_prediction
from serving.pages.charts import fan, waterfall
from serving.pages.course import drawn, other_scores, scores_of, series_of, week_chosen
from serving.pages.page import Answer, Visit
from serving.pages.recording import alert_fields, correction_fields, feedback_fields, score_fields
from serving.pages.rendering import later
from serving.pages.words import (
    amounts_of,
    chances_of,
    code_name,
    milestone_meaning,
    modality_name,
    people_in_words,
    reason_name,
)
from serving.schemas import ForecastAnswer, ForecastRequest, HorizonForecast
from serving.state.champion import Snapshot
from serving.state.champions import targets_of
from serving.state.watch.patients import found_today

DONE = {
    "recorded": later("The score is on record."),
    "corrected": later("The correction is on record; what was there stays on the chain."),
    "feedback": later("Thank you. Your answer is on record with the version of the model."),
    "predicted": later("Your prediction is on record; here is the forecast."),
    "decided": later("Your decision about the alert is on record."),
}
MOST_SERIES = 3
"""Daily values that are drawn at first: those with most days."""


def patient(visit: Visit) -> Answer:
    """Show a patient."""
    subject = visit.subject
    enrolment, record = visit.record()
    snapshot = snapshot_for(visit, record)
    worth = "worth" in visit.query
    today, alerts = today_and_alerts(visit)
    week = week_chosen(visit, snapshot, (enrolment, record), today)
    target = snapshot.served.bundle.task.target.code
    scores = scores_of(record, target, enrolment)
    made = own_prediction.made_of(visit, snapshot)
    day = None if today is None else today - enrolment
    measured = is_measured(snapshot.served.bundle.task, record)
    if measured and (asked := own_prediction.ask(visit, snapshot, scores, day, made)) is not None:
        return asked
    answer = _forecast(visit, snapshot, week, worth, (enrolment, record), today)
    beside = _beside(visit, snapshot, worth, (enrolment, record), today)
    given = [answer, *(a for each in beside if (a := each["answer"]))]
    reply = replace(reply_of(answer, answer), answered=given)
    everything, series = "all" in visit.query, series_of(record, enrolment)
    facts: dict[str, Any] = {
        "subject": subject, "answer": answer, "enrolment": enrolment,
        "unmeasured": is_unmeasured(answer, snapshot),
        "scores": scores, "alerts": alerts, "today": today,
        "predictions": own_prediction.compared(made, scores),
        "others": other_scores(record, target, enrolment),
        "series": [drawn(each) for each in (series if everything else series[:MOST_SERIES])],
        "more_series": 0 if everything else max(0, len(series) - MOST_SERIES),
        "tasks": [
            (task.name, code_name(task.target.code))
            for task in (each.served.bundle.task for each in visit.runtime.champions.current)
        ],
        "task": snapshot.served.bundle.task.name, "beside": beside,
        "choices": visit.choices | {"task": snapshot.served.bundle.task.name},
        "worth": _worth(visit, answer, beside) if worth else None,
        "absent": list(visit.runtime.champions.absent),
        "score_fields": score_fields(visit),
        "correction_fields": correction_fields(visit, (enrolment, record)),
        "feedback_fields": feedback_fields(visit), "alert_fields": alert_fields(visit),
        "done": DONE.get(visit.query.get("done", ""), ""),
        "number": readable, "score": lambda value: formatted_score(answer, value),
        "amount": amounts_of(answer, visit.say), "people": partial(people_in_words, say=visit.say),
        "modality": partial(modality_name, say=visit.say),
    }  # fmt: skip
    if answer.status == "forecast":
        facts |= _forecast_facts(answer, scores, visit)
        facts["meaning"] = meanings_of(snapshot, visit)
    return Answer(template="patient.html", facts=facts, reply=reply)


def family_sheet(visit: Visit) -> Answer:
    """Show a patient's forecast in plain words, for one printed page."""
    subject = visit.subject
    enrolment, record = visit.record()
    snapshot = snapshot_for(visit, record)
    today, _ = today_and_alerts(visit)
    week = week_chosen(visit, snapshot, (enrolment, record), today)
    answer = _forecast(visit, snapshot, week, False, (enrolment, record), today)
    facts: dict[str, Any] = {
        "subject": subject, "answer": answer, "unmeasured": is_unmeasured(answer, snapshot),
        "choices": visit.choices | {"task": snapshot.served.bundle.task.name},
    }  # fmt: skip
    if answer.status == "forecast":
        horizon = _explained(answer)
        facts |= {
            "horizon": horizon,
            "chances": chances_of(horizon, answer, visit.say),
            "meaning": meanings_of(snapshot, visit),
            "score": lambda value: formatted_score(answer, value),
            "amount": amounts_of(answer, visit.say),
        }
    return Answer(template="family.html", facts=facts, reply=reply_of(answer, answer))


def snapshot_for(visit: Visit, record: Sequence[Observation]) -> Snapshot:
    """Return the model of the task that is asked for, or of the first with a score on record."""
    current, asked = visit.runtime.champions.current, visit.query.get("task", "")
    codes = {observation.code for observation in record}
    for snapshot in current:
        task = snapshot.served.bundle.task
        if task.name == asked or (not asked and task.target.code in codes):
            return snapshot
    if asked or not current:
        raise ForecastRefused("this task is not in service now", "open the patient without it")
    return current[0]


def _beside(
    visit: Visit, shown: Snapshot, worth: bool, record: tuple[int, Sequence[Observation]],
    today: int | None,
) -> list[dict[str, Any]]:  # fmt: skip
    """Return what each other model in service says of today; None until a prediction is made."""
    cards = []
    for snapshot in visit.runtime.champions.current:
        task = snapshot.served.bundle.task
        if task.name == shown.served.bundle.task.name:
            continue
        card: dict[str, Any] = {
            "task": task.name, "instrument": code_name(task.target.code), "answer": None,
        }  # fmt: skip
        cards.append(card)
        day = None if today is None else today - record[0]
        # Who went on without a prediction did so for the instrument that is open.
        made = own_prediction.made_of(visit, snapshot)
        if is_measured(task, record[1]) and own_prediction.is_due(visit, snapshot, day, made):
            continue
        answer = card["answer"] = _forecast(
            visit, snapshot, None, worth, record, today, explain=False
        )
        card["unmeasured"] = is_unmeasured(answer, snapshot)
        if answer.status == "forecast":
            primary = task.primary_horizon_weeks
            horizon = next((h for h in answer.horizons if h.weeks == primary), answer.horizons[0])
            scores = scores_of(record[1], task.target.code, record[0])
            card |= {"chart": fan(answer, scores), "horizon": horizon}
            card |= {
                "score": partial(formatted_score, answer),
                "amount": amounts_of(answer, visit.say),
            }
    return cards


def _worth(
    visit: Visit, answer: ForecastAnswer, beside: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Return what one more score of each instrument is worth: what narrows its range most, first.

    Points of two instruments cannot be compared, so it is the share of the range that goes. Behind
    those whose worth is known, be it that a range widens, are those of which nobody can say it, and
    last those without a forecast.
    """
    current = [each.served.bundle.task for each in visit.runtime.champions.current]
    targets = {task.name: task.target for task in current}
    found = []
    for each in (answer, *(card["answer"] for card in beside)):
        if each is None or each.model.task not in targets:
            continue
        fact, target = each.next_measurement, targets[each.model.task]
        found.append({
            "instrument": code_name(target.code),
            "share": share_narrower(fact) if fact else None,
            "words": in_words(fact, target.code, target.step) if fact else "",
        })  # fmt: skip
    return sorted(found, key=_worth_order)


def _worth_order(row: dict[str, Any]) -> tuple[bool, bool, float]:
    return not row["words"], row["share"] is None, -(row["share"] or 0.0)


def _forecast(
    visit: Visit, snapshot: Snapshot, week: int | None, worth: bool,
    record: tuple[int, Sequence[Observation]], today: int | None, explain: bool = True,
) -> ForecastAnswer:  # fmt: skip
    """Forecast of today as the service's own route does, which puts what was measured on record."""
    request = ForecastRequest(
        subject=visit.subject, task=snapshot.served.bundle.task.name, explain_horizon_weeks=week,
        next_measurement=worth, as_of_day=today, explain=explain,
    )  # fmt: skip
    return ask_on_page(visit, snapshot, request, "forecast", record)


def ask_on_page(
    visit: Visit, snapshot: Snapshot, request: ForecastRequest, route: str,
    record: tuple[int, Sequence[Observation]],
) -> ForecastAnswer:  # fmt: skip
    """Answer what a page shows: nobody asked by name for what was never measured."""
    return forecast(
        visit.runtime, snapshot, request, route=route, caller=visit.caller,
        records={visit.subject: record}, by_name=False,
    )  # fmt: skip


def is_unmeasured(answer: ForecastAnswer, snapshot: Snapshot) -> bool:
    """Whether there is no forecast because there was never a score; a model withdrawn says that."""
    return not answer.forecast_id and snapshot.withdrawn is None


def _forecast_facts(
    answer: ForecastAnswer, scores: Sequence[tuple[int, float]], visit: Visit
) -> dict[str, Any]:
    horizon = _explained(answer)
    return {
        "chart": fan(answer, scores), "horizon": horizon,
        "chances": chances_of(horizon, answer, visit.say),
        "all_chances": [
            (each, chances_of(each, answer, visit.say)) for each in answer.horizons
        ],
        "reasons": reasons_of(answer, visit), "said": _said(answer),
        "change": lambda points: formatted_change(answer, points),
    }  # fmt: skip


def _explained(answer: ForecastAnswer) -> HorizonForecast:
    """Return the horizon that the reasons are of, or else the last one."""
    weeks = answer.reasons.horizon_weeks if answer.reasons is not None else None
    return next((h for h in answer.horizons if h.weeks == weeks), answer.horizons[-1])


def meanings_of(snapshot: Snapshot, visit: Visit) -> dict[str, str]:
    """Return what has to be reached for each milestone, by its name."""
    task = snapshot.served.bundle.task
    return {
        each.name: milestone_meaning(each, task.target.code, visit.say) for each in task.milestones
    }


def reasons_of(answer: ForecastAnswer, visit: Visit) -> list[dict[str, Any]]:
    """Return the steps from what is forecast of nobody known to the forecast, largest first."""
    reasons = answer.reasons
    if reasons is None:
        return []
    named, rest = [], 0.0
    for each in sorted(reasons.contributions, key=lambda each: -abs(each.points)):
        if each.observed and float(formatted_change(answer, each.points)) != 0:
            named.append((reason_name(each.modality, each.window, visit.say), each.points))
        else:
            rest += each.points
    if float(formatted_change(answer, rest)) != 0:
        named.append((visit.say("everything else"), rest))
    bars = waterfall(reasons, [points for _, points in named])
    return [
        {"name": name, "points": formatted_change(answer, points), "bar": bar}
        for (name, points), bar in zip(named, bars, strict=True)
    ]


def _said(answer: ForecastAnswer) -> list[str]:
    """Return what the answer says in words, without what the page shows itself.

    Which is the milestones and the worth of a score, in their place (`serving.forecast.respond`).
    """
    again, settled = answer.next_measurement, answer.uncertainty
    last = len(answer.in_words) - (settled is not None and settled.by_more_people is not None)
    shown = len(_explained(answer).milestones) + (again is not None)
    return [*answer.in_words[: last - shown], *answer.in_words[last:]]


def today_and_alerts(visit: Visit) -> tuple[int | None, list[AlertRow]]:
    """Return today and the open alerts: as the caseload found them today, or by the route."""
    store, tenant = visit.runtime.store, visit.caller.tenant
    found = found_today(store.engine, tenant, visit.subject, visit.now.date())
    if found is None:
        content: SubjectAlerts = answer_subject_alerts(visit.call()).content
        return content.day, [row for row in content.alerts if not row.hidden]
    targets = targets_of(visit.runtime.champions.current)
    return found[0], [row_of(visit.subject, alert, targets) for alert in found[1]]
