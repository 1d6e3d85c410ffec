"""The page of a patient's exercise at home: the weeks on record, and next week's step by rules."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from msgspec.structs import asdict

from contracts.doses.next_week import shipped_exercise_rules
from contracts.errors import ForecastRefused
from contracts.exercise.programme import DAYS_A_WEEK
from inference.twin.exercise import ExerciseStep, decision_of
from inference.twin.exercise_record import RecordedWeek, weeks_on_record
from inference.twin.next_week import facts_of
from serving.http.decoding import RequestInvalid
from serving.pages.exercise.words import WHY, for_therapist, percent, repetitions
from serving.pages.page import Answer, Field, Visit
from serving.pages.patient import today_and_alerts
from serving.pages.plans import form
from serving.pages.rendering import Say, later

OF_THE_SETS = {"adherence-0", "adherence-1", "borg"}
"""Fields of the last two weeks that are not asked for here: what was done is on record, and the
rules of exercise read no rating of exertion."""

TO_BE_KNOWN = (
    "ask the patient, and put the exercise of the last two weeks on record; what is not asked may"
    " be the reason to do less"
)
ACTIONS = {
    "progress": later("Next week, if the therapist agrees: about a tenth more repetitions."),
    "hold": later("Next week: the same."),
    "regress": later("Next week, if the therapist agrees: about a tenth fewer repetitions."),
    "stop and call": later("Stop exercising, and call somebody who looks at the patient today."),
}


def fields(visit: Visit) -> list[Field]:
    """Return what is asked of the last two weeks besides what was done."""
    return [each for each in form.last_weeks_fields(visit) if each.name not in OF_THE_SETS]


def open_exercise(visit: Visit) -> Answer:
    """Show the weeks of exercise on record."""
    return _shown(visit, None)


def ask_step(visit: Visit) -> Answer:
    """Show next week's step, by the record and what was typed."""
    whole = {**dict.fromkeys(OF_THE_SETS, ""), **visit.form}
    asked = form.last_weeks_typed(replace(visit, form=whole))
    if asked is None:
        raise RequestInvalid("nothing is said of the last two weeks", "write what is known of them")
    return _shown(visit, asdict(asked))


def _shown(visit: Visit, asked: dict[str, Any] | None) -> Answer:
    enrolment, record = visit.record()
    weeks = weeks_on_record(record)
    today, _ = today_and_alerts(visit)
    silent = 0 if today is None or not weeks else max(0, today - weeks[0].last)
    facts: dict[str, Any] = {
        "subject": visit.subject, "silent": silent, "step": None, "fields": fields(visit),
        "weeks": [(week, week.last - enrolment) for week in weeks],
        "said": list(_said(weeks, visit.say)), "values": dict(visit.form), "percent": percent,
    }  # fmt: skip
    if asked is not None and weeks:
        step = _step(weeks, silent, asked)
        rule = None if step.decision is None else step.decision.rule
        facts |= {
            "step": step, "for_therapist": for_therapist(step),
            "action": "" if rule is None else ACTIONS[rule.action],
            "why": "" if rule is None else WHY.get(rule.name, rule.name),
        }  # fmt: skip
    return Answer(template="exercise.html", facts=facts)


def _step(weeks: tuple[RecordedWeek, ...], silent: int, asked: dict[str, Any]) -> ExerciseStep:
    """Return what the rules say of the last two weeks; what is older is not known of them."""
    lately = [(week.adherence, week.as_shown) for week in weeks if silent < DAYS_A_WEEK]
    try:
        decision = decision_of(lately, shipped_exercise_rules(), facts_of(**asked))
    except ForecastRefused as refusal:
        return ExerciseStep(reason=refusal.reason, what_to_do=TO_BE_KNOWN)
    return ExerciseStep(decision=decision)


def _said(weeks: tuple[RecordedWeek, ...], say: Say) -> Iterator[str]:
    if not weeks:
        return
    week = weeks[0]
    yield say(
        "Last 7 days on record: %(repetitions)s; days known: %(days)s.",
        repetitions=repetitions(week.repetitions, say), days=week.days,
    )  # fmt: skip
    if week.adherence is not None:
        yield say("That is %(part)s%% of the plan.", part=percent(week.adherence))
    if week.as_shown is not None:
        yield say("Done as shown: %(part)s%% of the repetitions.", part=percent(week.as_shown))
        if len(weeks) > 1 and weeks[1].as_shown is not None:
            yield say("In the week before it was %(part)s%%.", part=percent(weeks[1].as_shown))
