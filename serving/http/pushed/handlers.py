"""What the route of device gateways does: a plain function of a call."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime

import msgspec

from contracts.observation import Day
from features.measurements.wall_clock import known_zone
from serving.formats.pushed.judging import judged
from serving.formats.pushed.reading import read
from serving.http.calls import Call, Reply
from serving.http.decoding import RequestInvalid, from_query
from serving.pushed import Point, PointAnswer, PushedAnswer
from serving.schemas import SubjectId
from serving.state.pushed.record import Pushed, Wearer, push

BEFORE_ONSET = ("time", "it lies before the onset", "check the date, or the date of the onset")


def push_points(call: Call) -> Reply:
    """Put points of a wearable on record, and say of each what became of it."""
    now = datetime.now(UTC)
    wearer = _wearer(call)
    call.runtime.consents.require(wearer.tenant, wearer.subject)
    zone = _zone(call)
    judgements = judged(read(call.body, wearer.subject, zone), wearer.subject, zone, now)
    points = [each for each in judgements if isinstance(each, Point)]
    pushed = Pushed(statuses=[])
    if points:
        pushed = push(call.runtime.store, wearer, points, actor=call.caller.name, now=now)
    became = iter(pushed.statuses)
    answers = [
        each if isinstance(each, PointAnswer) else _answer(each, next(became))
        for each in judgements
    ]
    answer = _summed(wearer.subject, answers, pushed)
    return Reply(answer, 422 if answer.reason else 200)


def _wearer(call: Call) -> Wearer:
    try:
        subject = msgspec.convert(call.parameters["subject"], SubjectId)
    except msgspec.ValidationError:
        raise RequestInvalid("the subject id is not valid") from None
    return Wearer(
        tenant=call.caller.tenant,
        subject=subject,
        onset_date=from_query(call.query, "onset_date", date, "a date such as 2026-01-05"),
        enrolment_day=from_query(call.query, "enrolment_day", Day, "a whole number of days"),
    )


def _zone(call: Call) -> str:
    try:
        return known_zone(call.query.get("time_zone", "")[:100])
    except ValueError:
        raise RequestInvalid(
            "time_zone is not an IANA time zone", "use one such as Europe/Oslo"
        ) from None


def _answer(point: Point, status: str | None) -> PointAnswer:
    if status is None:
        field, reason, what_to_do = BEFORE_ONSET
        return PointAnswer(
            index=point.index, status="refused", field=field, reason=reason, what_to_do=what_to_do
        )
    return msgspec.convert({"index": point.index, "status": status}, PointAnswer)


def _summed(subject: str, answers: Sequence[PointAnswer], pushed: Pushed) -> PushedAnswer:
    found = [answer.status for answer in answers]
    refused = [answer for answer in answers if answer.status == "refused"]
    nothing = (
        refused[0] if len(refused) + found.count("not used") == len(answers) and refused else None
    )
    reason = (
        "" if nothing is None else f"no point can be used; point {nothing.index}: {nothing.reason}"
    )
    what_to_do = "" if nothing is None else nothing.what_to_do or "send other points"
    return PushedAnswer(
        subject=subject,
        sent=len(answers),
        recorded=found.count("recorded"),
        corrected=found.count("corrected"),
        already_known=found.count("already known"),
        superseded=found.count("superseded"),
        not_used=found.count("not used"),
        refused=len(refused),
        days_added=pushed.added,
        days_changed=pushed.changed,
        stated=list(pushed.stated),
        points=list(answers),
        error=f"{reason}: {what_to_do}" if reason else "",
        reason=reason,
        what_to_do=what_to_do,
    )
