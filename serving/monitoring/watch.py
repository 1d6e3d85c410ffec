"""All alerts of a record that need no model."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from contracts.observation import Observation
from contracts.task import Target
from serving.monitoring.alert import Alert, Kind
from serving.monitoring.daily import daily_alerts
from serving.monitoring.scores import score_fall
from serving.monitoring.series import series_of


def alerts_of(
    observations: Iterable[Observation], today: int, targets: Iterable[Target]
) -> list[Alert]:
    """Return what should be looked at, the most urgent first, then what has lasted longest.

    Parameters
    ----------
    observations
        At least those of the last `serving.monitoring.series.WINDOW_DAYS` days; earlier ones are
        not read.
    today
        The day of the question, days since onset.
    targets
        Scores of which a fall is told.
    """
    series = series_of(observations, today)
    falls = (score_fall(series, target) for target in targets)
    return in_order([*filter(None, falls), *daily_alerts(series)])


LASTS = frozenset({Kind.BIOMARKER, Kind.WEAR, Kind.THERAPY})
"""Alerts of a level that lasts: when it began is seen for three weeks only, and then forgotten."""


def continuing(alerts: Iterable[Alert], before: Iterable[Alert]) -> list[Alert]:
    """Return alerts with the first day that they had when they were looked at before.

    A level that was left weeks ago is still the same alert, and nobody who has acknowledged it is
    told of it again.
    """
    first = {alert.id: alert.since_day for alert in before if alert.kind in LASTS}
    return [
        replace(alert, since_day=min(alert.since_day, first.get(alert.id, alert.since_day)))
        for alert in alerts
    ]


def in_order(alerts: Iterable[Alert]) -> list[Alert]:
    """Sort alerts of one person: the most urgent first, then the oldest."""
    return sorted(alerts, key=lambda alert: (-alert.urgency, alert.since_day, alert.id))
