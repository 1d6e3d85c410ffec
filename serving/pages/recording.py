"""What clinicians put on record: scores, corrections, decisions about alerts, feedback, patients.

Each form is decoded into the request of the service's own route, which judges it.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from contracts.cohort import ONSET
from contracts.errors import ForecastRefused
from contracts.naming.units import readable
from contracts.naming.worded import Worded
from contracts.observation import Observation
from contracts.vocabulary import Code, Kind, vocabulary
from contracts.vocabulary.changes import Amount
from serving.amendments import Correction, CorrectionRequest
from serving.http import handlers
from serving.http.alerts.handlers import decide_alert
from serving.http.decoding import RequestInvalid
from serving.monitoring.answers import AlertDecisionRequest
from serving.pages.forms import to_date, to_number, to_score, to_whole
from serving.pages.page import HOME, Answer, Field, Visit, go, go_back
from serving.pages.rendering import later
from serving.pages.words import DECISIONS, OUTCOMES, code_name, is_kind
from serving.schemas import FeedbackRequest, ObservationsRequest, SubjectId
from serving.state.watch.caseload import read_recent
from serving.state.watch.today import stated_today

WITHDRAWN, CHANGED = "withdrawn", "changed"
DAY_HELP = later("Days since the onset; the onset is day 0.")


def score_fields(visit: Visit) -> list[Field]:
    """Return the fields that put a score on record."""
    return [
        Field(name="code", label=later("Instrument"), kind="choice", choices=_instruments(visit)),
        Field(name="value", label=later("Score"), kind="number", longest=20),
        Field(name="day", label=later("Day of the score"), kind="number", longest=6, help=DAY_HELP),
        *_which_day_is_today(visit),
    ]  # fmt: skip


def _which_day_is_today(visit: Visit) -> list[Field]:
    """Return the field that asks for it; nothing where the record says it."""
    if _stated_today(visit) is not None:
        return []
    help = later("The record does not say it: a day that has not come yet would go unnoticed.")
    return [Field(name="today", label=later("Which day is today?"), kind="number", longest=6,
                  help=help)]  # fmt: skip


def _stated_today(visit: Visit) -> int | None:
    return stated_today(
        visit.runtime.store.engine, visit.caller.tenant, visit.subject, visit.now.date()
    )


def record_score(visit: Visit) -> Answer:
    """Put a score on record."""
    code, day = visit.form["code"], to_whole(visit.form["day"], "the day")
    value = to_score(visit.form["value"], code, "the score")
    _, record = visit.record()
    there = [o.value for o in record if (o.code, o.day_since_onset) == (code, day)]
    if there and there != [value]:
        found = Amount(code, f"{there[0]:g}")
        raise ForecastRefused(
            Worded("another score of that day is on record: %(score)s", score=found),
            "use “Correct a score” on the patient's page if that one is wrong",
        )
    observations = [Observation(code=code, day_since_onset=day, value=value)]
    today = _stated_today(visit)
    if today is None:
        today = to_whole(visit.form["today"], "the day of today")
    handlers.observe(
        visit.call(
            ObservationsRequest(subject=visit.subject, observations=observations, today=today)
        )
    )
    return go_back(visit, "recorded", code=code)


def correction_fields(
    visit: Visit, on_record: tuple[int, Sequence[Observation]] | None = None
) -> list[Field]:
    """Return the fields that correct a score on record, where it was read already or not."""
    enrolment, record = on_record or visit.record()
    scores = [
        (
            f"{o.code} {o.day_since_onset}",
            visit.say(
                "%(name)s, day %(day)s after the start: %(score)s",
                name=code_name(o.code), day=o.day_since_onset - enrolment,
                score=visit.say.amount(o.code, readable(o.value)),
            ),
        )
        for o in reversed(record)
        if o.value is not None and o.day_since_onset is not None
        and is_kind(o.code, Kind.ASSESSMENT)
    ]  # fmt: skip
    return [
        Field(name="which", label=later("Score that is wrong"), kind="choice", choices=scores),
        Field(
            name="what", label=later("What is right"), kind="choice",
            choices=[
                (CHANGED, later("Another score")), (WITHDRAWN, later("It was never measured")),
            ],
        ),
        Field(
            name="value", label=later("Right score"), kind="number", optional=True, longest=20,
        ),
        Field(name="reason", label=later("Why, in a sentence"), longest=500),
    ]  # fmt: skip


def correct_score(visit: Visit) -> Answer:
    """Correct a score on record."""
    code, _, day = visit.form["which"].rpartition(" ")
    withdrawn = visit.form["what"] == WITHDRAWN
    if not withdrawn and not visit.form["value"]:
        raise RequestInvalid("the right score is empty", "fill it in, or choose “never measured”")
    correction = Correction(
        code=code, day_since_onset=to_whole(day, "the day"), withdrawn=withdrawn,
        value=None if withdrawn else to_score(visit.form["value"], code, "the right score"),
    )  # fmt: skip
    handlers.correct_record(
        visit.call(
            CorrectionRequest(
                subject=visit.subject, corrections=[correction], reason=visit.form["reason"]
            )
        )
    )
    return go_back(visit, "corrected", code=code)


def feedback_fields(visit: Visit) -> list[Field]:
    """Return the fields that say what a clinician makes of a forecast."""
    return [
        Field(name="forecast", kind="hidden", longest=32),
        Field(name="outcome", label=later("What do you make of it?"), kind="choice",
              choices=[(value, visit.say(label)) for value, label in OUTCOMES]),
        Field(name="reason", label=later("Why"), kind="long", optional=True,
              needed=later("needed unless you agree")),
    ]  # fmt: skip


def give_feedback(visit: Visit) -> Answer:
    """Put a clinician's answer to a forecast on record."""
    if visit.form["outcome"] != "accepted" and not visit.form["reason"]:
        raise RequestInvalid("the reason is empty", "say in a sentence why")
    request = msgspec.convert(
        {
            "forecast_id": visit.form["forecast"], "outcome": visit.form["outcome"],
            "reason": visit.form["reason"],
        },
        FeedbackRequest,
    )  # fmt: skip
    handlers.feedback(visit.call(request))
    return go_back(visit, "feedback")


def alert_fields(visit: Visit) -> list[Field]:
    """Return the fields of a decision about an alert."""
    return [
        Field(name="alert", kind="hidden", longest=130),
        Field(name="decision", label=later("What do you do?"), kind="choice",
              choices=[(value, visit.say(label)) for value, label in DECISIONS]),
        Field(name="until", label=later("Until"), kind="date", optional=True, longest=10,
              needed=later("needed if it is not to be shown")),
        Field(name="reason", label=later("Why, in a sentence")),
    ]  # fmt: skip


def decide(visit: Visit) -> Answer:
    """Put a decision about an alert on record."""
    until = visit.form["until"]
    request = msgspec.convert(
        {
            "subject": visit.subject, "alert": visit.form["alert"], "by": visit.person.person,
            "decision": visit.form["decision"], "reason": visit.form["reason"],
            "until": to_date(until, "the date") if until else None,
        },
        AlertDecisionRequest,
    )  # fmt: skip
    decide_alert(visit.call(request))
    return go_back(visit, "decided")


def patient_fields(visit: Visit) -> list[Field]:
    """Return the fields of a new patient: what the model and its audit ask about a person."""
    about = [
        Field(
            name=f"fact-{number_of}", label=entry.name, optional=True, longest=100,
            kind="choice" if entry.labels else "number" if entry.is_numeric else "text",
            choices=[(label, label) for label in entry.labels],
        )
        for number_of, entry in enumerate(_facts(visit))
    ]  # fmt: skip
    return [
        Field(name="subject", label=later("Pseudonym"), longest=64,
              help=later("Letters, digits, - and _. No name: nobody here needs it.")),
        Field(name="onset", label=later("Date of onset"), kind="date", longest=10),
        Field(name="enrolled", label=later("Start of rehabilitation"), kind="date", longest=10),
        Field(name="code", label=later("Instrument"), kind="choice", choices=_instruments(visit)),
        Field(name="value", label=later("First score"), kind="number", longest=20),
        Field(name="scored", label=later("Date of the score"), kind="date", longest=10),
        *about,
    ]  # fmt: skip


def new_patient(visit: Visit) -> Answer:
    """Show the form of a new patient."""
    return Answer(template="new_patient.html", facts={"fields": patient_fields(visit)})


def add_patient(visit: Visit) -> Answer:
    """Put a new patient on record: dates become days since the onset, and are not kept."""
    form = visit.form
    onset = to_date(form["onset"], "the date of onset")
    enrolled = (to_date(form["enrolled"], "the start of rehabilitation") - onset).days
    scored_on = to_date(form["scored"], "the date of the score")
    scored = (scored_on - onset).days
    if min(enrolled, scored) < 0:
        raise RequestInvalid("a date is before the onset", "correct the dates")
    if scored_on > visit.now.date() or enrolled > (visit.now.date() - onset).days:
        raise RequestInvalid("a date has not come yet", "correct the dates")
    observations = [
        Observation(
            code=form["code"],
            day_since_onset=scored,
            value=to_score(form["value"], form["code"], "the score"),
        )
    ]
    for index, entry in enumerate(_facts(visit)):
        if said := form[f"fact-{index}"]:
            value = to_number(said, entry.name) if entry.is_numeric else None
            observations.append(
                Observation(code=entry.code, value=value, label=None if value is not None else said)
            )
    try:
        subject = msgspec.convert(form["subject"], SubjectId)
    except msgspec.ValidationError:
        raise RequestInvalid(
            "the pseudonym is not one", "use up to 64 letters, digits, - and _"
        ) from None
    try:
        request = msgspec.convert(
            {"subject": subject, "enrolment_day": enrolled,
             "observations": msgspec.to_builtins(observations),
             "today": (visit.now.date() - onset).days},
            ObservationsRequest,
        )  # fmt: skip
    except msgspec.ValidationError:
        raise RequestInvalid(
            "the onset is longer ago than a record can hold", "correct the date of onset"
        ) from None
    if _is_known(visit, form["subject"]):
        raise RequestInvalid(
            "a patient of this pseudonym is on record",
            "open them from the caseload, or choose another",
        )
    handlers.observe(visit.call(request))
    return go(f"{HOME}/patients/{form['subject']}?done=recorded")


def _is_known(visit: Visit, subject: str) -> bool:
    return read_recent(
        visit.runtime.store.engine, visit.caller.tenant, subject, visit.now.date()
    ) is not None  # fmt: skip


def _instruments(visit: Visit) -> list[tuple[str, str]]:
    """Return the instruments that models in service read, those that they forecast first."""
    tasks = [snapshot.served.bundle.task for snapshot in visit.runtime.champions.current]
    codes = [task.target.code for task in tasks]
    codes += [code for task in tasks for code in task.inputs.assessments]
    return [(code, code_name(code)) for code in dict.fromkeys(codes)]


def _facts(visit: Visit) -> list[Code]:
    tasks = [snapshot.served.bundle.task for snapshot in visit.runtime.champions.current]
    codes = [code for task in tasks for code in task.inputs.person]
    codes += [each.code for task in tasks for each in task.sensitive]
    known = vocabulary()
    return [
        known[code]
        for code in dict.fromkeys(codes)
        if code in known and known[code].kind is Kind.PERSON and code != ONSET
    ]
