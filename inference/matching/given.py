"""A forecast as it was given, and what came to be known of its outcome."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from contracts.predictions import OutcomeStatus
from contracts.task import Horizon, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenHorizon:
    """What was forecast for one horizon.

    Parameters
    ----------
    day
        Days after enrolment.
    quantiles
        By the names of `contracts.predictions.QUANTILE_COLUMNS`.
    chances
        Of each milestone, by its name.
    last_observation, proportional_recovery
        The comparators' forecasts in score points; None where nobody published a recovery rule.
    """

    day: int
    quantiles: Mapping[str, float]
    chances: Mapping[str, float]
    last_observation: float
    proportional_recovery: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenForecast:
    """One forecast on record.

    Parameters
    ----------
    tenant, subject, number
        Whose it is, and the person's number in tables.
    given_on
        Date on which it was given.
    origin_day
        Days after enrolment.
    enrolled_on
        The latest date that the enrolment can have been on.
    groups
        The person's label by sensitive attribute.
    was_assessed
        Whether a past score was observed, so that milestones can be reached.
    horizons
        In ascending order of days.
    """

    tenant: str
    subject: str
    number: int
    given_on: date
    origin_day: int
    enrolled_on: date
    groups: Mapping[str, str]
    was_assessed: bool
    horizons: Sequence[GivenHorizon]


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownOutcomes:
    """What is on record of a person after a forecast; days are days after enrolment.

    Parameters
    ----------
    enrolment_day
        Days after onset; None where the person is not on the running record.
    scores
        Scores of the target's instrument by day.
    death, withdrawal
        First day of each; None where there is none.
    traced
        Days of the scores that were obtained by tracing.
    has_withdrawn
        Whether consent is withdrawn, so that no value may be used.
    """

    enrolment_day: int | None = None
    scores: Mapping[int, float] = field(default_factory=dict)
    death: int | None = None
    withdrawal: int | None = None
    traced: frozenset[int] = frozenset()
    has_withdrawn: bool = False


NOTHING_KNOWN = KnownOutcomes()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of an outcome; the score, where one was observed in the window."""

    status: OutcomeStatus
    score: float | None = None


def outcome_of(known: KnownOutcomes, task: Task, horizon: Horizon, origin_day: int) -> Outcome:
    """Return what became of the outcome at a horizon, by the rule of training and audit.

    The score nearest to the horizon inside its window, of two equally near the earlier; only one
    after the forecast counts. Whoever has none died, withdrew, was assessed at a later horizon
    (missed) or is lost.
    """
    start, end = horizon.window_days
    if known.has_withdrawn:
        return Outcome(status=OutcomeStatus.WITHDREW)
    inside = [day for day in known.scores if start <= day < end and day > origin_day]
    if inside:
        day = min(inside, key=lambda day: (abs(day - horizon.day), day))
        traced = any(start <= day < end for day in known.traced)
        status = OutcomeStatus.TRACED if traced else OutcomeStatus.OBSERVED
        return Outcome(status=status, score=known.scores[day])
    if known.death is not None and known.death < end:
        return Outcome(status=OutcomeStatus.DIED)
    if known.withdrawal is not None and known.withdrawal < end:
        return Outcome(status=OutcomeStatus.WITHDREW)
    later = (other.window_days for other in task.horizons if other.day > horizon.day)
    if any(first <= day < last for first, last in later for day in known.scores):
        return Outcome(status=OutcomeStatus.MISSED)
    return Outcome(status=OutcomeStatus.LOST)


def followed_horizon(forecast: GivenForecast, task: Task) -> Horizon | None:
    """Return the horizon by which a person counts: the primary one, or the first one after it.

    None where the forecast has neither: it does not count, a later one of the person may.
    """
    return followed_of({horizon.day for horizon in forecast.horizons}, task)


def followed_of(days: Collection[int], task: Task) -> Horizon | None:
    """Return the horizon of `followed_horizon` among those of a forecast, days after enrolment."""
    ahead = (h for h in task.horizons if h.weeks >= task.primary_horizon_weeks and h.day in days)
    return next(ahead, None)


def due_on(forecast: GivenForecast, horizon: Horizon, grace_days: int) -> date:
    """Return the date on which an outcome is due: its window is over, and it had time to come."""
    return forecast.enrolled_on + timedelta(days=horizon.window_days[1] + grace_days)
