"""The chance of a record given hidden numbers: closed form, whatever is missing from the record.

Letters: P particles, V assessments, K days with readings, D days since onset.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular
from scipy.special import log_expit, logsumexp
from scipy.stats import gamma

from features.published_recovery import BEST_SCORE
from features.simulate.channels import (
    AIDS,
    BAD_DAY_GAP,
    BAD_DAY_STEPS,
    STEPS,
    USE_SLOWNESS,
    Days,
    extra_step_noise,
    walked_chance,
)
from features.simulate.latent import TOLERANCE
from features.simulate.people import aid_chance
from features.simulate.record import ChannelReadings, Record
from features.simulate.recovery import arm_level, walking
from features.simulate.scales import ARM_TEST_SLOWNESS, FUGL_MEYER, State
from features.simulate.scenario import Scenario
from features.simulate.therapy import (
    PLANS,
    SESSION_SPREAD,
    effective_hours,
    gain_over_usual_care,
    plan_log_chance,
    session_planned,
    usual_care_minutes,
)

Array = NDArray[np.float64]

NO_AID, ROLLATOR = AIDS.index("none"), AIDS.index("rollator")
SMALLEST = 1e-300
"""Keeps the log of a vanishing chance finite."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """The hidden state on some days since onset, (K,) in rising order, each (P, K).

    Parameters
    ----------
    arm, slow_arm, quick_arm
        Arm level in points: as is, and with the time constants of capacity and of daily use.
    walk
        Walking ability, 0 to 1.
    """

    latent: Array
    day: NDArray[np.int64]
    arm: Array
    slow_arm: Array
    quick_arm: Array
    walk: Array

    def state(self, day: int) -> State:
        """Return the state on one day, for the scales."""
        k = int(np.searchsorted(self.day, day))
        return State(
            latent=self.latent,
            arm=self.arm[:, k],
            slow_arm=self.slow_arm[:, k],
            walk=self.walk[:, k],
        )

    def days(self, day: NDArray[np.int64], aid: int) -> Days:
        """Return the state on several days, for the channels."""
        k = np.searchsorted(self.day, day)
        return Days(
            latent=self.latent,
            arm=self.arm[:, k],
            quick_arm=self.quick_arm[:, k],
            walk=self.walk[:, k],
            aid=np.array([aid]),
        )


def course(
    latent: Array,
    minutes: Array,
    day: NDArray[np.int64],
    record: Record,
    member: bool,
    scenario: Scenario,
) -> Course:
    """Return the hidden state on given days (K,), of minutes of therapy a day (P or 1, D)."""
    at = day[None].astype(float)
    every = np.arange(len(record.weekend), dtype=float)
    start = np.array([[float(record.enrolment)]])
    usual = usual_care_minutes(every[None], start, record.weekend[None], scenario.groups)
    known = np.minimum(day, len(every) - 1)
    more = gain_over_usual_care(
        latent,
        effective_hours(minutes, every, scenario.therapy)[:, known],
        effective_hours(usual, every, scenario.therapy)[:, known],
        scenario.groups,
        scenario.shift(member=member),
        scenario.therapy,
    )

    def arm(slowness: float) -> Array:
        return np.clip(arm_level(latent, at, slowness=slowness) + more, 0, BEST_SCORE)

    return Course(
        latent=latent,
        day=day,
        arm=arm(1.0),
        slow_arm=arm(ARM_TEST_SLOWNESS),
        quick_arm=arm(USE_SLOWNESS),
        walk=walking(latent, at),
    )


def log_likelihood(latent: Array, record: Record, member: bool, scenario: Scenario) -> Array:
    """Return the log chance of a record at hidden numbers (P, 9), up to a constant, (P,)."""
    total = _sessions(latent, record, member, scenario) + _plans(latent, record, member, scenario)
    days = [np.array([day for _, day, _ in record.scores]), record.worn]
    day = np.unique(np.concatenate([*days, *(reading.day for reading in record.readings)]))
    hidden = course(latent, record.minutes[None], day, record, member, scenario)
    total += _assessments(hidden, record, member, scenario)
    total += _walked(hidden, record)
    return np.asarray(total + _channels(hidden, record, member, scenario))


def due_days(record: Record, member: bool, scenario: Scenario) -> NDArray[np.bool_]:
    """Return the days since onset, (D,), on which a session is due."""
    start = record.enrolment + scenario.disparity.start_delay_days * member
    day = np.arange(len(record.weekend), dtype=float)
    return session_planned(day, np.array(float(start)), record.weekend)


def plan_log_weights(latent: Array, record: Record, member: bool, scenario: Scenario) -> Array:
    """Return the log chance of each plan and of the lengths of the sessions under it, (P, 4)."""
    before = plan_log_chance(
        np.array([record.first_score]), latent, scenario.groups, scenario.therapy
    )
    attended = record.minutes[record.minutes > 0]
    shape = 1 / SESSION_SPREAD**2
    factor = scenario.disparity.therapy_factor if member else 1.0
    lengths = [
        gamma.logpdf(attended, shape, scale=SESSION_SPREAD**2 * factor * minutes).sum()
        for minutes in PLANS.values()
    ]
    return np.asarray(before + np.array(lengths))


def _plans(latent: Array, record: Record, member: bool, scenario: Scenario) -> Array:
    return np.asarray(logsumexp(plan_log_weights(latent, record, member, scenario), axis=1))


def _sessions(latent: Array, record: Record, member: bool, scenario: Scenario) -> Array:
    due = due_days(record, member, scenario)
    due[record.origin + 1 :] = False
    if (record.minutes[~due] > 0).any():
        return np.full(len(latent), -np.inf)
    attended = int((record.minutes[due] > 0).sum())
    missed = int(due.sum()) - attended
    logit = latent[:, TOLERANCE]
    return np.asarray(attended * log_expit(logit) + missed * log_expit(-logit))


def _assessments(hidden: Course, record: Record, member: bool, scenario: Scenario) -> Array:
    total = np.zeros(len(hidden.latent))
    noisier = scenario.disparity.noise_factor if member else 1.0
    for scale, day, score in record.scores:
        value = scale.reads(hidden.state(day))
        if scale is FUGL_MEYER and member:
            value = value + scenario.disparity.score_bias
        total += scale.log_likelihood(score, value, noisier=noisier)
    return total


def _walked(hidden: Course, record: Record) -> Array:
    chance = walked_chance(hidden.days(record.worn, 0).walk)
    kept = np.maximum(np.where(record.walked, chance, 1 - chance), SMALLEST)
    return np.asarray(np.log(kept).sum(axis=1))


def _channels(hidden: Course, record: Record, member: bool, scenario: Scenario) -> Array:
    """Sum over the channels; an aid that isn't seen is summed out, rollator or none."""
    then = walking(hidden.latent, np.array([[float(record.enrolment)]]))[:, 0]
    chance = np.log(np.maximum(aid_chance(then), SMALLEST))
    others, without, with_rollator = np.zeros((3, len(then)))
    for reading in record.readings:
        if reading.channel.reads is None:
            continue
        if reading.channel is STEPS:
            without += _fits(reading, hidden, NO_AID, record, member, scenario)
            with_rollator += _fits(reading, hidden, ROLLATOR, record, member, scenario)
        else:
            others += _fits(reading, hidden, NO_AID, record, member, scenario)
    if record.aid is not None:
        counted = with_rollator if record.aid == ROLLATOR else without
        return np.asarray(others + counted + chance[:, record.aid])
    rollator = chance[:, ROLLATOR]
    return np.asarray(
        others + np.logaddexp(with_rollator + rollator, without + np.log1p(-np.exp(rollator)))
    )


def _fits(
    reading: ChannelReadings,
    hidden: Course,
    aid: int,
    record: Record,
    member: bool,
    scenario: Scenario,
) -> Array:
    """Return the log density of a reading whose noise carries over between its days, (P,)."""
    channel, day = reading.channel, reading.day
    mean = channel.mean(hidden.days(day, aid)) + channel.weekend * record.weekend[day]
    within = channel.within**2 * channel.carried ** np.abs(np.subtract.outer(day, day))
    after = ((record.exchange >= 0) & (day >= record.exchange)).astype(float)
    covariance = within + channel.between**2 + channel.exchange**2 * np.outer(after, after)
    if channel is STEPS:
        planted = scenario.disparity
        mean = mean - BAD_DAY_STEPS * BAD_DAY_GAP / 2
        covariance = covariance + BAD_DAY_STEPS**2 * np.eye(len(day))
        covariance = covariance + float(extra_step_noise(np.array([aid]))[0]) ** 2
        if member:
            mean = mean + np.log(planted.steps_factor)
            covariance = covariance + planted.steps_spread**2
    root = cholesky(covariance, lower=True)
    away = solve_triangular(root, (reading.scaled - mean).T, lower=True, check_finite=False)
    return np.asarray(-0.5 * (away**2).sum(axis=0) - np.log(np.diag(root)).sum())
