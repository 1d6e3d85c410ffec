"""Draws a shard of subjects with everything hidden and recorded about them.

Letters: N subjects of a shard, P plans, V visits, D days since onset (0, 1, ...).
A shard is always drawn completely, so subject i of a seed is the same in a cohort of any size.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.published_recovery import BEST_SCORE
from features.simulate.care import draw_minutes, points_gained
from features.simulate.channels import AIDS, USE_SLOWNESS, Days
from features.simulate.daily import Devices, draw_daily, draw_exchanges, draw_walked
from features.simulate.latent import LATENT, Shift, latents_from_draws
from features.simulate.people import (
    AID,
    COMORBIDITIES,
    aid_chance,
    draw_people,
    draw_recorded,
)
from features.simulate.recovery import arm_level, walking
from features.simulate.scales import ARM_TEST_SLOWNESS, FUGL_MEYER, SCALES, State
from features.simulate.scenario import Scenario
from features.simulate.streams import draw_index, stream
from features.simulate.therapy import plan_log_chance
from features.simulate.visits import draw_enrolment, draw_visits
from features.simulate.wear import Worn, draw_wear

Array = NDArray[np.float64]

SHARD = 250
"""Subjects that are drawn and written together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subjects:
    """A shard of subjects.

    Parameters
    ----------
    facts
        One row per subject, one column per code, and `owns` (a wearable).
    recorded
        Whose fact is on record, by code, where it is not on record for all, (N,).
    onset_day
        Calendar day of onset, counted from the nominal onset, (N,).
    enrolment
        Days from onset to enrolment, (N,).
    group, latent, member
        Hidden group (N,), hidden numbers (N, 9), and membership of the planted group (N,).
    plan, minutes, gained
        Index of the plan followed, (N,); minutes of therapy a day under each, and points gained
        over usual care by each day, (N, P, D).
    visit_day, kept
        Days since onset of the visits, (N, V), and whether they took place.
    level, score
        Arm level at each visit under each plan, and the score with the visit's own noise and
        without any assessor's bias, (N, P, V).
    scores
        Recorded scores by code, (N, V).
    worn, exchange
        Wear; day of the exchange of the device, or -1, (N,).
    walked, daily
        Days with a measurable bout of walking, (N, D); readings by code, worn or not, (N, D).
    """

    facts: pd.DataFrame
    recorded: dict[str, NDArray[np.bool_]]
    onset_day: NDArray[np.int64]
    enrolment: NDArray[np.int64]
    group: NDArray[np.int64]
    latent: Array
    member: NDArray[np.bool_]
    plan: NDArray[np.int64]
    minutes: Array
    gained: Array
    visit_day: NDArray[np.int64]
    kept: NDArray[np.bool_]
    level: Array
    score: Array
    scores: dict[str, Array]
    worn: Worn
    exchange: NDArray[np.int64]
    walked: NDArray[np.bool_]
    daily: dict[str, Array]


def day_count(scenario: Scenario) -> int:
    """Return D: days since onset that the wearables or the therapy of anybody can reach."""
    return scenario.visits.enrolment_days[1] + scenario.wear.last_day


def is_weekend(onset_day: NDArray[np.int64], days: int) -> NDArray[np.bool_]:
    """Return which days since onset, (N, D), are Saturdays or Sundays.

    The nominal onset, 2000-01-01, is a Saturday.
    """
    return (onset_day[:, None] + np.arange(days)) % 7 < 2


def draw_subjects(shard: int, seed: int, scenario: Scenario) -> Subjects:
    """Draw subjects `shard * SHARD + 1` and following, `SHARD` of them."""

    def chance(name: str) -> np.random.Generator:
        return stream(seed, shard, name)

    facts = draw_people(SHARD, chance("people"), scenario.mixed_people())
    onset_day = chance("onset").integers(0, 364, SHARD)
    enrolment = draw_enrolment(SHARD, chance("enrolment"), scenario.visits)
    uniform, normal = (
        chance("group").random(SHARD),
        chance("latent").normal(size=(SHARD, len(LATENT))),
    )
    drawn = [latents_from_draws(uniform, normal, scenario.groups, s) for s in _shifts(scenario)]
    walk_then = walking(drawn[0][1], enrolment[:, None].astype(float))[:, 0]
    facts[AID] = np.array(AIDS, dtype=object)[draw_index(aid_chance(walk_then), chance("aid"))]
    member = scenario.disparity.members(facts)
    group = np.where(member, drawn[1][0], drawn[0][0])
    latent = np.where(member[:, None], drawn[1][1], drawn[0][1])

    visit_day, kept = draw_visits(SHARD, chance("visits"), scenario.visits)
    visit_day = visit_day + enrolment[:, None]
    noise = {scale.code: chance(scale.code).normal(size=visit_day.shape) for scale in SCALES}
    first = arm_level(latent, visit_day[:, :1].astype(float))
    bias, noisier = _assessor(member, scenario)
    first_score = FUGL_MEYER.scored(first[:, 0] + bias, noise[FUGL_MEYER.code][:, 0] * noisier)

    weekend = is_weekend(onset_day, day_count(scenario))
    chances = np.exp(plan_log_chance(first_score, latent, scenario.groups, scenario.therapy))
    plan = draw_index(chances, chance("plan"))
    minutes = draw_minutes(latent, enrolment, weekend, member, chance("therapy"), scenario)
    more = points_gained(latent, minutes, enrolment, weekend, member, scenario)

    gained = more[np.arange(SHARD), plan]
    level, score = _outcomes(latent, visit_day, more, noise[FUGL_MEYER.code])
    scores = _scores(latent, visit_day, gained, noise, bias, noisier)
    since = np.arange(day_count(scenario)) - enrolment[:, None]
    worn = draw_wear(
        since.astype(float),
        weekend,
        facts[COMORBIDITIES].to_numpy() >= 2,
        np.where(member, scenario.disparity.wear_shift, 0.0),
        chance("wear"),
        scenario.wear,
    )
    exchange = draw_exchanges(enrolment, scenario.wear.last_day, chance("exchange"))
    days = hidden_days(latent, gained, pd.Index(AIDS).get_indexer(pd.Index(facts[AID])))
    devices = Devices(weekend=weekend, badness=worn.badness, member=member, exchange=exchange)
    return Subjects(
        facts=facts,
        recorded=draw_recorded(SHARD, chance("recorded"), scenario.people),
        onset_day=onset_day,
        enrolment=enrolment,
        group=group,
        latent=latent,
        member=member,
        plan=plan,
        minutes=minutes,
        gained=more,
        visit_day=visit_day,
        kept=kept,
        level=level,
        score=score,
        scores=scores,
        worn=worn,
        exchange=exchange,
        walked=draw_walked(days.walk, chance("walked")),
        daily=draw_daily(days, devices, scenario.disparity, seed, shard),
    )


def hidden_days(latent: Array, more: Array, aid: NDArray[np.int64]) -> Days:
    """Return the hidden state on days since onset 0, 1, ..., given the points gained, (N, D)."""
    day = np.arange(more.shape[1], dtype=float)[None]
    return Days(
        latent=latent,
        arm=_held(arm_level(latent, day) + more),
        quick_arm=_held(arm_level(latent, day, slowness=USE_SLOWNESS) + more),
        walk=walking(latent, day),
        aid=aid,
    )


def _shifts(scenario: Scenario) -> tuple[Shift, Shift]:
    return scenario.shift(member=False), scenario.shift(member=True)


def _assessor(member: NDArray[np.bool_], scenario: Scenario) -> tuple[Array, Array]:
    """Return the bias in points and the factor of the noise, each (N,)."""
    planted = scenario.disparity
    bias = np.where(member, planted.score_bias, 0.0)
    return bias, np.where(member, planted.noise_factor, 1.0)


def on_days(daily: Array, day: NDArray[np.int64]) -> Array:
    """Return the values (N, V) of a daily series (N, D) on given days; later days get its last."""
    return np.take_along_axis(daily, np.minimum(day, daily.shape[1] - 1), axis=1)


def _held(level: Array) -> Array:
    return np.clip(level, 0, BEST_SCORE)


def _outcomes(
    latent: Array, visit_day: NDArray[np.int64], more: Array, normal: Array
) -> tuple[Array, Array]:
    base = arm_level(latent, visit_day.astype(float))
    level = np.stack(
        [_held(base + on_days(more[:, p], visit_day)) for p in range(more.shape[1])], axis=1
    )
    return level, FUGL_MEYER.scored(level, np.broadcast_to(normal[:, None], level.shape))


def _scores(
    latent: Array,
    visit_day: NDArray[np.int64],
    more: Array,
    noise: dict[str, Array],
    bias: Array,
    noisier: Array,
) -> dict[str, Array]:
    day, extra = visit_day.astype(float), on_days(more, visit_day)
    arm, walk = _held(arm_level(latent, day) + extra), walking(latent, day)
    slow = _held(arm_level(latent, day, slowness=ARM_TEST_SLOWNESS) + extra)
    scores = {scale.code: np.empty(day.shape) for scale in SCALES}
    for v in range(day.shape[1]):
        state = State(latent=latent, arm=arm[:, v], slow_arm=slow[:, v], walk=walk[:, v])
        for scale in SCALES:
            hidden = scale.reads(state) + (bias if scale is FUGL_MEYER else 0.0)
            scores[scale.code][:, v] = scale.scored(hidden, noise[scale.code][:, v] * noisier)
    return scores
