"""Alerts as the service answers with them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Literal

from msgspec import Meta

from contracts.task import Target
from contracts.vocabulary import vocabulary
from serving.monitoring.alert import Alert, Kind
from serving.monitoring.words import URGENCIES, UrgencyName, sentence
from serving.schemas import Strict, SubjectId


class AlertRestsOn(Strict, frozen=True, kw_only=True):
    """The numbers behind an alert.

    Of a biomarker, wear or therapy the person's own earlier and present level over so many days,
    and medians of the last seven days and the seven before. Of a score the earlier and the newest
    one. Of a course the middle of the forecast and the score. Of silence the shares of days with
    data. `limit` is what was exceeded: standard errors of a change, points of a score, the end of a
    range, days of silence. `false_alarms` is the declared rate among people in whom nothing
    changed: per patient and month, of scores per score.
    """

    before: float
    now: float
    unit: str
    days_before: int
    days_now: int
    week_before: float | None
    week: float | None
    limit: float
    false_alarms: float | None


class AlertDecision(Strict, frozen=True, kw_only=True):
    """What somebody has decided about an alert."""

    decision: Literal["acknowledged", "muted", "shown again"]
    by: str
    reason: str
    until: date | None
    time: str


class AlertRow(Strict, frozen=True, kw_only=True):
    """One alert: what, which days, what it rests on. It acts on nobody by itself.

    Days are counted since onset: the record has no dates, and none is guessed.
    """

    subject: str
    alert: str
    kind: str
    code: str
    name: str
    urgency: UrgencyName
    says: str
    since_day: int
    last_day: int
    rests_on: AlertRestsOn
    decision: AlertDecision | None = None
    hidden: bool = False
    """Whether it is left out of the caseload, because of the decision."""
    task: str = ""
    """The task whose score it is about; empty where no task in service has that score."""


class AlertsAnswer(Strict, frozen=True, kw_only=True):
    """A page of a caseload's alerts, the most urgent first, then the oldest.

    `cursor` is sent for the next page, and is null on the last one. `waiting` counts people whose
    record has not been looked at yet today: ask again until it is 0.
    """

    alerts: list[AlertRow]
    cursor: str | None
    waiting: int


class SubjectAlerts(Strict, frozen=True, kw_only=True):
    """A person's alerts, those that are acknowledged or muted as well.

    `day` is today in days since onset, as far as the record tells; null where nothing is dated.
    """

    subject: str
    day: int | None
    alerts: list[AlertRow]


class AlertDecisionRequest(Strict, frozen=True, kw_only=True):
    """A decision about an alert, by the name of who decides; `until` only where it is muted."""

    subject: SubjectId
    alert: Annotated[str, Meta(min_length=1, max_length=130)]
    decision: Literal["acknowledged", "muted", "shown again"]
    by: Annotated[str, Meta(min_length=1, max_length=100)]
    reason: Annotated[str, Meta(min_length=1, max_length=500)]
    until: date | None = None


def row_of(
    subject: str, alert: Alert, targets: Mapping[str, tuple[str, Target]],
    decision: AlertDecision | None = None, *, hidden: bool = False,
) -> AlertRow:  # fmt: skip
    """Return an alert as the service answers with it.

    Parameters
    ----------
    targets
        Task and target by the code of what is forecast now.
    """
    entry = vocabulary()[alert.code]
    task, target = targets.get(alert.code, ("", None))
    silent = alert.kind in {Kind.SILENCE, Kind.NOT_WORN}
    return AlertRow(
        subject=subject,
        alert=alert.id,
        kind=alert.kind.value,
        code=alert.code,
        name=entry.name,
        urgency=URGENCIES[alert.urgency],
        says=sentence(alert, better=entry.better if target is None else target.better),
        since_day=alert.since_day,
        last_day=alert.last_day,
        rests_on=AlertRestsOn(
            before=alert.before,
            now=alert.now,
            unit="1" if silent else entry.unit,
            days_before=alert.days_before,
            days_now=alert.days_now,
            week_before=alert.week_before,
            week=alert.week,
            limit=alert.limit,
            false_alarms=alert.false_alarms,
        ),
        decision=decision,
        hidden=hidden,
        task=task,
    )
