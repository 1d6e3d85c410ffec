"""The best possible forecast of a simulated subject: the Bayes floor that no sound model beats.

Given the posterior of what is hidden, the rest of the therapy and the visits are drawn as the
simulator draws them, and the score's distribution is summed in closed form over its steps.

Letters: B pairs, P draws, V visits, H horizons, Q quantile levels, G scores of the scale.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit, ndtr
from threadpoolctl import threadpool_limits

from contracts import predictions as columns
from contracts.errors import ContractError
from contracts.forecast import QUANTILE_LEVELS
from contracts.sequences import SequenceBatch
from contracts.task import Task
from features.simulate.latent import TOLERANCE
from features.simulate.likelihood import course, due_days, plan_log_weights
from features.simulate.posterior import Posterior, posterior
from features.simulate.record import Record, records
from features.simulate.scales import FUGL_MEYER, SCALES, Scale
from features.simulate.scenario import Scenario
from features.simulate.streams import draw_index, stream
from features.simulate.therapy import PLANS, SESSION_SPREAD
from features.simulate.visits import draw_visits

Array = NDArray[np.float64]

DRAWS = 1_000
"""Equally weighted draws of the hidden numbers that a forecast is summed over."""

EFFECTIVE, MEAN, MEAN_ERROR = "effective_draws", "mean", "mean_error"


def bayes_floor(
    batch: SequenceBatch,
    events: pd.DataFrame,
    task: Task,
    scenario: Scenario,
    *,
    seed: int,
    workers: int = 1,
    advance: Callable[[str], None] = lambda _: None,
) -> pd.DataFrame:
    """Return the best possible forecast of every pair and horizon.

    Parameters
    ----------
    batch, events
        What models are given, and the cohort's events it was made from.
    task, scenario
        What is forecast, and what the cohort was simulated from.
    seed
        Seed of the Monte-Carlo draws.
    workers
        Processes; the result is the same for any number.
    advance
        Called after each pair with its number.

    Returns
    -------
    `subject_id, origin_day, horizon_day, q05 ... q95`, the mean in score points, its Monte-Carlo
    standard error `mean_error`, and `effective_draws` of the posterior. A horizon that no visit
    can fall into, or that is not after the origin, has no row.

    Raises
    ------
    ContractError
        The simulator has no truth for the task's target, or the batch lacks an input.
    """
    scale = {scale.code: scale for scale in SCALES}.get(task.target.code)
    if scale is None:
        raise ContractError(
            f"{task.target.code} is not simulated, so its best possible forecast is not known",
            "use a task with a simulated target, such as tasks/stroke-upper-limb.toml",
        )
    jobs = (
        _Job(record, scale, task, scenario, seed, int(subject))
        for record, subject in zip(records(batch, events, scenario), batch.subject_B, strict=True)
    )
    parts = []
    for row, part in enumerate(_forecasts(jobs, workers)):
        pair = {columns.SUBJECT: batch.subject_B[row], columns.ORIGIN: batch.origin_day_B[row]}
        parts.append(part.assign(**pair))
        advance(f"pair {row + 1}")
    names = [columns.SUBJECT, columns.ORIGIN, columns.HORIZON, *columns.QUANTILE_COLUMNS]
    return pd.concat(parts, ignore_index=True)[[*names, MEAN, MEAN_ERROR, EFFECTIVE]]


class _Job(NamedTuple):
    record: Record
    scale: Scale
    task: Task
    scenario: Scenario
    seed: int
    subject: int


def _forecasts(jobs: Iterator[_Job], workers: int) -> Iterator[pd.DataFrame]:
    # Small matrices: threads of the linear algebra would only wait for each other.
    if workers == 1:
        with threadpool_limits(1):
            yield from map(_forecast, jobs)
        return
    with ProcessPoolExecutor(
        workers, get_context("spawn"), initializer=threadpool_limits, initargs=(1,)
    ) as pool:
        yield from pool.map(_forecast, jobs, chunksize=20)


def _forecast(job: _Job) -> pd.DataFrame:
    record, scale, scenario = job.record, job.scale, job.scenario
    generator = stream(job.seed, job.subject, f"floor from day {record.origin}")
    known = posterior(record, scenario, generator)
    rows = known.resample(DRAWS, generator)
    visit_PV, kept_PV = draw_visits(DRAWS, generator, scenario.visits)
    day_PH = _outcome_days(visit_PV, kept_PV, job.task, record.origin - record.enrolment)
    score_G = np.arange(scale.low, scale.high + scale.step / 2, scale.step)
    below_PHG = np.full((*day_PH.shape, len(score_G)), np.nan)
    for member in np.unique(known.member[rows]):
        same_group = known.member[rows] == member
        below_PHG[same_group] = _chance_of_at_most(
            known.latent[rows[same_group]],
            day_PH[same_group],
            score_G,
            bool(member),
            job,
            generator,
        )
    return _summary(below_PHG, day_PH, score_G, known, job)


def _outcome_days(
    visit_PV: NDArray[np.int64], kept_PV: NDArray[np.bool_], task: Task, origin: int
) -> NDArray[np.int64]:
    """Return the day after enrolment of the score that counts at each horizon, (P, H), or -1.

    As in `features.sequences`: the score nearest to the horizon inside its window, if the horizon
    is still ahead; of two as near, the earlier.
    """
    day_PH = np.full((len(visit_PV), len(task.horizons)), -1)
    for h, horizon in enumerate(task.horizons):
        start, end = horizon.window_days
        inside = kept_PV & (visit_PV >= start) & (visit_PV < end) & (visit_PV > origin)
        if horizon.day > origin:
            distance = np.where(inside, np.abs(visit_PV - horizon.day), np.iinfo(np.int64).max)
            nearest = distance.argmin(axis=1)
            visited = inside.any(axis=1)
            day_PH[visited, h] = visit_PV[visited, nearest[visited]]
    return day_PH


def _chance_of_at_most(
    latent: Array,
    day_PH: NDArray[np.int64],
    score_G: Array,
    member: bool,
    job: _Job,
    generator: np.random.Generator,
) -> Array:
    """Return the chance of at most each score, (P, H, G), NaN where there is no visit."""
    record, scale, scenario = job.record, job.scale, job.scenario
    minutes = _minutes(latent, member, job, generator)
    since_onset = np.where(day_PH >= 0, day_PH + record.enrolment, record.origin)
    days = np.unique(since_onset)
    hidden = course(latent, minutes, days, record, member, scenario)
    level_PK = np.stack([scale.reads(hidden.state(int(day))) for day in days], axis=1)
    level_PH = np.take_along_axis(level_PK, np.searchsorted(days, since_onset), axis=1)
    if member and scale is FUGL_MEYER:
        level_PH = level_PH + scenario.disparity.score_bias
    noisier = scenario.disparity.noise_factor if member else 1.0
    spread_PH = noisier * scale.noise(level_PH)
    away = (score_G + scale.step / 2 - level_PH[..., None]) / spread_PH[..., None]
    below_PHG = ndtr(away)
    below_PHG[..., -1] = 1.0
    below_PHG[day_PH < 0] = np.nan
    return np.asarray(below_PHG)


def _minutes(latent: Array, member: bool, job: _Job, generator: np.random.Generator) -> Array:
    """Return minutes of therapy a day, (P, D): on record up to the origin, drawn from then on."""
    record, scenario = job.record, job.scenario
    log_weight = plan_log_weights(latent, record, member, scenario)
    chance = np.exp(log_weight - log_weight.max(axis=1, keepdims=True))
    plan = draw_index(chance / chance.sum(axis=1, keepdims=True), generator)
    due = due_days(record, member, scenario)
    due[: record.origin + 1] = False
    ahead = np.flatnonzero(due)
    attended = generator.random((len(latent), len(ahead))) < expit(latent[:, TOLERANCE, None])
    shape = 1 / SESSION_SPREAD**2
    factor = scenario.disparity.therapy_factor if member else 1.0
    length = generator.gamma(shape, factor / shape, attended.shape)
    minutes = np.tile(record.minutes, (len(latent), 1))
    usual = np.array(list(PLANS.values()))[plan, None]
    minutes[:, ahead] = np.round(attended * length * usual)
    return minutes


def _summary(
    below_PHG: Array, day_PH: NDArray[np.int64], score_G: Array, known: Posterior, job: _Job
) -> pd.DataFrame:
    rows = []
    for h, horizon in enumerate(job.task.horizons):
        visited = day_PH[:, h] >= 0
        if not visited.any():
            continue
        below_PG = below_PHG[visited, h]
        below_G = below_PG.mean(axis=0)
        quantile = score_G[[int((below_G < level).sum()) for level in QUANTILE_LEVELS]]
        # The mean of a score is the sum of the chances to exceed each lower one.
        mean_P = score_G[0] + job.scale.step * (1 - below_PG[:, :-1]).sum(axis=1)
        rows.append(
            {
                columns.HORIZON: horizon.day,
                **dict(zip(columns.QUANTILE_COLUMNS, quantile, strict=True)),
                MEAN: mean_P.mean(),
                MEAN_ERROR: mean_P.std() / np.sqrt(min(known.effective, visited.sum())),
                EFFECTIVE: known.effective,
            }
        )
    return pd.DataFrame(rows)
