"""All alerts of a record that need no model."""

from __future__ import annotations

from collections.abc import Iterable

from contracts.observation import Observation
from contracts.task import Target
from serving.monitoring.alert import Alert
from serving.monitoring.daily import daily_alerts
from serving.monitoring.scores import score_fall
from serving.monitoring.series import series_of


def alerts_of(observations: Iterable[Observation], today: int, target: Target) -> list[Alert]:
    """Return what should be looked at, the most urgent first, then what has lasted longest.

    Parameters
    ----------
    observations
        At least those of the last `serving.monitoring.series.WINDOW_DAYS` days; earlier ones are
        not read.
    today
        The day of the question, days since onset.
    """
    series = series_of(observations, today)
    fall = score_fall(series, target)
    found = [*([] if fall is None else [fall]), *daily_alerts(series)]
    return in_order(found)


def in_order(alerts: Iterable[Alert]) -> list[Alert]:
    """Sort alerts of one person: the most urgent first, then the oldest."""
    return sorted(alerts, key=lambda alert: (-alert.urgency, alert.since_day, alert.id))
