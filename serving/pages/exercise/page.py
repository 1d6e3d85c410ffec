"""The page of a patient's exercise at home: weeks on record, next week's step, and its decision."""

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
from serving.pages.page import Answer, Field, Visit, go_back
from serving.pages.patient import today_and_alerts
from serving.pages.plans import form
from serving.pages.plans.page import ACTIONS as CHOICES
from serving.pages.rendering import Say, later
from serving.state.people import exercise_decisions
from serving.state.people.exercise_decisions import ExerciseDecision

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
DONE = {"decided": later("Your decision about next week's exercise is on record.")}


def fields(visit: Visit) -> list[Field]:
    """Return what is asked of the last two weeks besides what was done."""
    return [each for each in form.last_weeks_fields(visit) if each.name not in OF_THE_SETS]


def decision_fields(visit: Visit) -> list[Field]:
    """Return the fields of a decision; what the advice was made from goes with it, hidden."""
    typed = [replace(each, kind="hidden", label="", help="") for each in fields(visit)]
    return [
        *typed,
        Field(name="advised", kind="hidden", optional=True, longest=20),
        Field(name="decision", label=later("What do you decide for next week?"), kind="choice",
              choices=tuple(CHOICES.items())),
        Field(name="reason", label=later("Why"), kind="long", optional=True, longest=400,
              needed=later("needed unless you do as the rules say")),
    ]  # fmt: skip


def open_exercise(visit: Visit) -> Answer:
    """Show the weeks of exercise on record."""
    return _shown(visit, None)


def ask_step(visit: Visit) -> Answer:
    """Show next week's step, by the record and what was typed."""
    return _shown(visit, _asked(visit))


def decide(visit: Visit) -> Answer:
    """Put a decision about next week's exercise on record, beside the advice that was shown."""
    _, record = visit.record()
    weeks = weeks_on_record(record)
    if not weeks:
        raise RequestInvalid("there is no exercise at home on record", "put it there first")
    step = _step(weeks, _silent(visit, weeks), _asked(visit))
    found, typed = step.decision, visit.form
    advised = "" if found is None else found.action
    if typed["advised"] != advised:
        raise RequestInvalid(
            "the advice is another one by now, as something came on record",
            "go back, ask for the step again, and decide then",
        )
    if typed["decision"] != advised and not typed["reason"]:
        raise RequestInvalid("the reason is empty", "say in a sentence why")
    exercise_decisions.put(
        visit.runtime.store.engine, visit.caller.tenant, visit.subject,
        ExerciseDecision(
            decision=typed["decision"], advised=advised, reason=typed["reason"],
            rule="" if found is None else found.rule.name,
            because={} if found is None else {str(k): v for k, v in found.because.items()},
            person=visit.person.person, last_day=weeks[0].last,
        ),
        actor=visit.caller.name, now=visit.now,
    )  # fmt: skip
    return go_back(visit, "decided", page="/exercise")


def _asked(visit: Visit) -> dict[str, Any]:
    whole = {**dict.fromkeys(OF_THE_SETS, ""), **visit.form}
    asked = form.last_weeks_typed(replace(visit, form=whole))
    if asked is None:
        raise RequestInvalid("nothing is said of the last two weeks", "write what is known of them")
    return asdict(asked)


def _silent(visit: Visit, weeks: tuple[RecordedWeek, ...]) -> int:
    """Return for how many days there has been no exercise on record."""
    today, _ = today_and_alerts(visit)
    return 0 if today is None or not weeks else max(0, today - weeks[0].last)


def _shown(visit: Visit, asked: dict[str, Any] | None) -> Answer:
    enrolment, record = visit.record()
    weeks = weeks_on_record(record)
    silent = _silent(visit, weeks)
    facts: dict[str, Any] = {
        "subject": visit.subject, "silent": silent, "step": None, "fields": fields(visit),
        "weeks": [(week, week.last - enrolment) for week in weeks],
        "said": list(_said(weeks, visit.say)), "percent": percent,
        "values": visit.form,
        "done": DONE.get(visit.query.get("done", ""), ""), "called": CHOICES,
        "decisions": exercise_decisions.decisions(
            visit.runtime.store.engine, visit.caller.tenant, visit.subject
        ),
    }  # fmt: skip
    if asked is not None and weeks:
        step = _step(weeks, silent, asked)
        rule = None if step.decision is None else step.decision.rule
        facts |= {
            "step": step, "for_therapist": for_therapist(step),
            "action": "" if rule is None else ACTIONS[rule.action],
            "why": "" if rule is None else WHY.get(rule.name, rule.name),
            "decision_fields": decision_fields(visit),
            "decision_values": {**visit.form, "advised": "" if rule is None else rule.action},
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
