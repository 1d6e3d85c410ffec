"""What the routes of monitoring do: plain functions of a call."""

from __future__ import annotations

import base64
from dataclasses import astuple
from datetime import UTC, date, datetime, timedelta
from typing import Annotated

import msgspec
from msgspec import Meta

from serving.formats.fhir.flags import flags
from serving.http.calls import Call, Reply
from serving.http.decoding import RequestInvalid, from_query
from serving.http.decoding.tasks import chosen
from serving.monitoring.alert import Alert
from serving.monitoring.answers import (
    AlertDecision,
    AlertDecisionRequest,
    AlertRow,
    AlertsAnswer,
    SubjectAlerts,
    row_of,
)
from serving.schemas import Acknowledgement, SubjectId
from serving.state.alerting.looking import look_at, look_at_waiting
from serving.state.champions import targets_of
from serving.state.consent import ConsentWithdrawn
from serving.state.store import NotOnRecord
from serving.state.watch.caseload import Place, Watched, keep, page, read_recent
from serving.state.watch.decisions import MUTED, Decision, decide, decisions_of

PAGE, LARGEST_PAGE = 100, 500
"""Alerts of a page: where none is asked for, and at most."""

LOOK_SECONDS = 0.3
"""How long a request for the caseload looks at records that wait for it, at most."""

LONGEST_MUTE = timedelta(days=366)
_Urgency = Annotated[int, Meta(ge=-9, le=0)]
_Short = Annotated[str, Meta(max_length=250, pattern="^[^\\x00]*$")]
DECIDED = Acknowledgement(message="the decision was put on record")


def answer_alerts(call: Call) -> Reply:
    """Return the alerts of the caller's patients."""
    limit = from_query(call.query, "limit", int, "a whole number")
    limit = PAGE if limit is None else limit
    if not 1 <= limit <= LARGEST_PAGE:
        raise RequestInvalid(f"limit is not a whole number from 1 to {LARGEST_PAGE}")
    after = _after(call.query.get("cursor", ""))
    runtime, tenant, now = call.runtime, call.caller.tenant, datetime.now(UTC)
    snapshots = runtime.champions.current
    task = call.query.get("task", "")
    code = chosen(runtime.champions, task).served.bundle.task.target.code if task else None
    left = look_at_waiting(runtime.store, tenant, snapshots, now, LOOK_SECONDS)
    found = page(runtime.store.engine, tenant, now.date(), after, limit, code)
    targets = targets_of(snapshots)
    rows = [
        row_of(place.subject, alert, targets)
        for place, alert in found
        if not _has_withdrawn(call, tenant, place.subject)
    ]
    cursor = _cursor(found[-1][0]) if len(found) == limit else None
    return Reply(AlertsAnswer(alerts=rows, cursor=cursor, waiting=left))


def answer_subject_alerts(call: Call) -> Reply:
    """Return the alerts of a person."""
    watched, rows = _of_subject(call)
    return Reply(SubjectAlerts(subject=watched.subject, day=watched.today, alerts=rows))


def answer_flags(call: Call) -> Reply:
    """Return the alerts of a person that nobody has acknowledged or muted, as FHIR Flags."""
    watched, rows = _of_subject(call)
    shown = [row for row in rows if not row.hidden]
    return Reply(flags(call.caller.tenant, watched.subject, shown, datetime.now(UTC)))


def decide_alert(call: Call) -> Reply:
    """Put a decision about an alert on record."""
    request: AlertDecisionRequest = call.body
    now = datetime.now(UTC)
    if (request.decision == MUTED) != (request.until is not None):
        raise RequestInvalid(
            "until is for an alert that is muted, and only for that", "send a date with muted"
        )
    if request.until is not None and not now.date() < request.until <= now.date() + LONGEST_MUTE:
        raise RequestInvalid(
            "until is not a day of the coming 366", "send a date from tomorrow on, at most a year"
        )
    watched, alerts = _alerts(call, request.subject, now)
    alert = next((alert for alert in alerts if alert.id == request.alert), None)
    if alert is None or watched.today is None:
        raise NotOnRecord(
            "there is no such alert of this subject now",
            "send the alert as /v1/subjects/{subject}/alerts names it",
        )
    decide(
        call.runtime.store.engine, call.caller.tenant, request.subject, alert,
        Decision(
            decision=request.decision, person=request.by, reason=request.reason,
            until="" if request.until is None else request.until.isoformat(),
            day=watched.today, urgency=int(alert.urgency),
            time=now.isoformat(timespec="seconds"),
        ),
        actor=call.caller.name, now=now,
    )  # fmt: skip
    return Reply(DECIDED)


def _of_subject(call: Call) -> tuple[Watched, list[AlertRow]]:
    try:
        subject = msgspec.convert(call.parameters["subject"], SubjectId)
    except msgspec.ValidationError:
        raise RequestInvalid("the subject id is not valid") from None
    now = datetime.now(UTC)
    watched, alerts = _alerts(call, subject, now)
    decisions = decisions_of(call.runtime.store.engine, call.caller.tenant, subject)
    targets = targets_of(call.runtime.champions.current)
    rows = []
    for alert in alerts:
        decision = decisions.get(alert.id)
        hidden = decision is not None and decision.hides(alert, now.date())
        rows.append(row_of(subject, alert, targets, _shown(decision), hidden=hidden))
    return watched, rows


def _alerts(call: Call, subject: str, now: datetime) -> tuple[Watched, list[Alert]]:
    runtime, tenant = call.runtime, call.caller.tenant
    runtime.consents.require(tenant, subject)
    watched = read_recent(runtime.store.engine, tenant, subject, now.date())
    if watched is None:
        raise NotOnRecord(
            "nothing is on record for this subject", "send observations to /v1/observations first"
        )
    alerts = look_at(runtime.store, watched, runtime.champions.current, now)
    keep(runtime.store.engine, [(watched, alerts)], now.date())
    return watched, alerts


def _has_withdrawn(call: Call, tenant: str, subject: str) -> bool:
    try:
        call.runtime.consents.require(tenant, subject)
    except ConsentWithdrawn:
        return True
    return False


def _shown(decision: Decision | None) -> AlertDecision | None:
    if decision is None:
        return None
    return AlertDecision(
        decision=decision.decision, by=decision.person, reason=decision.reason,
        until=_date(decision.until), time=decision.time,
    )  # fmt: skip


def _date(text: str) -> date | None:
    return date.fromisoformat(text) if text else None


def _cursor(place: Place) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(astuple(place))).decode()


def _after(cursor: str) -> Place | None:
    """Return where a page begins.

    Raises
    ------
    RequestInvalid
        The cursor is not one that the service gave.
    """
    if not cursor:
        return None
    try:
        text = base64.b64decode(cursor.encode("ascii"), altchars=b"-_", validate=True)
        return Place(*msgspec.json.decode(text, type=tuple[_Urgency, _Short, _Short, _Short]))
    except (ValueError, msgspec.MsgspecError):
        raise RequestInvalid(
            "the cursor is not one of this service", "send the cursor of the page before, or none"
        ) from None
