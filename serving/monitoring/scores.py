"""A fall of the score at once: told on the day that it is measured."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri

from contracts.task import Target
from contracts.vocabulary.changes import standard_error
from serving.monitoring.alert import Alert, Kind, Urgency
from serving.monitoring.limits import FALSE_ALARMS_A_SCORE
from serving.monitoring.series import Series

EARLIER_SCORES = 2
"""Scores before the newest one that it is compared with: a loss in small steps is one as well."""


def score_fall(series: Series, target: Target) -> Alert | None:
    """Return the alert that the newest score is worse than one of the last ones before it.

    A score without change differs from an earlier one by sqrt(2) standard errors of measurement.
    The chance that it seems to have worsened from any of the earlier ones is at most
    `FALSE_ALARMS_A_SCORE` (Bonferroni); with two earlier scores that is the minimal detectable
    change (95 %). Where no error was published, the minimal important difference stands in.
    """
    scores = series.scores.get(target.code, [])
    if len(scores) < 2:
        return None
    (day, newest), earlier = scores[-1], scores[:-1][-EARLIER_SCORES:]
    sign = 1.0 if target.better == "higher" else -1.0
    limit = limit_of_fall(target, len(earlier))
    lost = [sign * (score - newest) for _, score in earlier]
    worst = int(np.argmax(lost))
    if lost[worst] < limit:
        return None
    return Alert(
        kind=Kind.SCORE_FELL,
        code=target.code,
        urgency=Urgency.TODAY,
        since_day=day,
        last_day=day,
        rises=sign < 0,
        before=earlier[worst][1],
        now=newest,
        days_before=len(earlier),
        days_now=1,
        limit=limit,
        false_alarms=FALSE_ALARMS_A_SCORE if standard_error(target.code) is not None else None,
    )


def limit_of_fall(target: Target, compared: int) -> float:
    """Return how many points a score must have worsened, compared with so many earlier ones."""
    error = standard_error(target.code)
    if error is None:
        return target.minimal_important_difference
    return float(-ndtri(FALSE_ALARMS_A_SCORE / compared) * np.sqrt(2) * error)
