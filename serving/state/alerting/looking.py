"""Looks at records for alerts: their own, and whether the scores left the forecast's range."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from contracts.errors import ForecastRefused
from serving.faults import place_of
from serving.forecast.audit_status import ServedModel
from serving.forecast.course import ALERT_DAYS, course
from serving.forecast.question import Question
from serving.monitoring.alert import Alert
from serving.monitoring.course import off_course
from serving.monitoring.watch import alerts_of, continuing, in_order
from serving.state.champion import Snapshot
from serving.state.champions import targets_of
from serving.state.store import NotOnRecord, Store
from serving.state.watch.caseload import Watched, keep, kept, read_recent, waiting

LOOKS = 50
"""Records that are looked at in one go, at most."""

log = logging.getLogger("rehabcast.alerts")


def look_at(
    store: Store, watched: Watched, snapshots: Sequence[Snapshot], now: datetime
) -> list[Alert]:
    """Return the alerts of a record, the most urgent first: a person's, of every task at once.

    What a withdrawn model forecast is compared with nothing; falls of its score are told.
    """
    if watched.today is None:
        return []
    targets = [target for _, target in targets_of(snapshots).values()]
    found = alerts_of(watched.observations, watched.today, targets)
    courses = [
        _off_course(store, watched, snapshot.served, now)
        for snapshot in snapshots
        if not snapshot.withdrawn
    ]
    before = kept(store.engine, watched, now.date())
    # By what names it: a champion of a moment ago may have had another one's instrument.
    one_of_each = {alert.id: alert for alert in (*found, *filter(None, courses))}
    return in_order(continuing(one_of_each.values(), before))


def look_at_waiting(
    store: Store, tenant: str | None, snapshots: Sequence[Snapshot], now: datetime,
    seconds: float = float("inf"),
) -> int:  # fmt: skip
    """Look at those who wait for it, at most `LOOKS` of them; return how many wait still.

    Parameters
    ----------
    seconds
        After which no further look begins: where the course is compared each is a forecast.
    """
    people, count = waiting(store.engine, tenant, now.date(), LOOKS)
    looked: list[tuple[Watched, list[Alert] | None]] = []
    began = time.monotonic()
    for whose, subject in people:
        if looked and time.monotonic() - began >= seconds:
            break
        watched = read_recent(store.engine, whose, subject, now.date())
        if watched is not None:
            looked.append((watched, _look_at_any(store, watched, snapshots, now)))
    keep(store.engine, looked, now.date())
    return count - len(looked)


def _look_at_any(
    store: Store, watched: Watched, snapshots: Sequence[Snapshot], now: datetime
) -> list[Alert] | None:
    """Look at a record; None where that fails, which must keep nobody from the others."""
    try:
        return look_at(store, watched, snapshots, now)
    except sa.exc.SQLAlchemyError:
        raise
    except Exception as error:
        log.error("a record cannot be looked at for alerts: %s", place_of(error))
        return None


def _off_course(store: Store, watched: Watched, served: ServedModel, now: datetime) -> Alert | None:
    """Return the alert of the course; the whole record is read only where there can be one."""
    target = served.bundle.task.target
    days = sorted(o.day_since_onset or 0 for o in watched.observations if o.code == target.code)
    if len(days) < 2 or days[-1] - days[0] + 1 < ALERT_DAYS:
        return None
    try:
        enrolment_day, observations = store.record(watched.tenant, watched.subject)
        question = Question(
            subject=watched.subject, enrolment_day=enrolment_day, observations=observations,
            explain=False,
        )  # fmt: skip
        seen = course(question, served, now=now, alert_days=ALERT_DAYS)
    except (ForecastRefused, NotOnRecord):
        return None
    return off_course(
        seen.points, seen.days_outside, enrolment_day=enrolment_day, target=target,
        alert_days=ALERT_DAYS,
    )  # fmt: skip
