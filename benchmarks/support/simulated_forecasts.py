"""Plain forecasts of simulated cohorts, computed in a second, to evaluate the auditor on.

A least-squares model, out of fold, without any sensitive attribute as input. SIMULATED people.
Letters: N subjects, V visits, D days since onset, F features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from contracts.forecast import QUANTILE_LEVELS
from contracts.groups import NO_WEARABLE, Bands
from contracts.predictions import (
    CANDIDATE,
    CHANCE,
    DAYS_SINCE_ONSET,
    FOLD,
    GROUP,
    HORIZON,
    LAST_SCORE,
    MODEL,
    ORIGIN,
    QUANTILE_COLUMNS,
    REACHED,
    SUBJECT,
    TRUTH,
)
from contracts.vocabulary import NOT_RECORDED
from contracts.vocabulary.instruments import published_recovery_rule
from features.published_recovery import BEST_SCORE
from features.simulate.channels import CHANNELS, STEPS
from features.simulate.people import AGE, AID, ETHNICITY, INCOME, SEX, SITE
from features.simulate.scales import FUGL_MEYER
from features.simulate.scenario import Scenario
from features.simulate.subjects import SHARD, Subjects, draw_subjects
from support.auditor_evaluation import ABILITY

Array = NDArray[np.float64]

FOLDS = 5

AGE_BANDS = Bands(edges=(55.0, 75.0))
WEAR_BANDS = Bands(edges=(0.6, 0.9), is_share=True, missing=NO_WEARABLE)

WALK_SPEED = "REHABCAST//WALK_TEST_SPEED"
ATTRIBUTES = {
    "sex": SEX,
    "hospital": SITE,
    "aphasia": "REHABCAST//APHASIA",
    "affected side": "REHABCAST//AFFECTED_ARM",
    "walking aid": AID,
    "ethnicity": ETHNICITY,
    "income": INCOME,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What the plain model forecasts, and from what.

    Parameters
    ----------
    target, high
        Code of the scale, and its upper end; the lower is 0.
    origin_day, horizon_days
        Days after enrolment, the horizons being planned visits.
    channels
        Codes of the daily channels that it reads, as means of the days worn before the origin.
    reads_scores
        Whether it also reads the target's past scores.
    milestone
        Score that counts as reached.
    limit
        By how much a group may differ: the important difference of the scale.
    """

    target: str
    high: float
    origin_day: int
    horizon_days: tuple[int, ...]
    channels: tuple[str, ...]
    reads_scores: bool
    milestone: float
    limit: float


ARM = Task(
    target=FUGL_MEYER.code, high=BEST_SCORE, origin_day=11, horizon_days=(84, 182), channels=(),
    reads_scores=True, milestone=50, limit=4.25,
)  # fmt: skip
ARM_EARLY = replace(ARM, origin_day=0, horizon_days=(21, 42, 84))
# 0.05 m/s is the smallest meaningful change of gait speed (Perera 2006); 0.4 m/s parts those who
# walk at home from those who walk outside (Perry 1995).
STEP_COUNTER = Task(
    target=WALK_SPEED, high=3.0, origin_day=21, horizon_days=(84, 182), channels=(STEPS.code,),
    reads_scores=False, milestone=0.4, limit=0.05,
)  # fmt: skip
WEARABLE = replace(
    STEP_COUNTER,
    channels=(STEPS.code, "REHABCAST//UPRIGHT_SHARE", "LOINC//40443-4"),
)


def cohort(scenario: Scenario, subjects: int, *, seed: int) -> list[Subjects]:
    """Draw a cohort, shard by shard."""
    return [draw_subjects(shard, seed, scenario) for shard in range(-(-subjects // SHARD))]


def simulated_table(task: Task, shards: Sequence[Subjects]) -> pd.DataFrame:
    """Return the out-of-fold prediction table of the plain model and its two comparators.

    `ability`, beside the columns of the contract, is the score without any assessor's bias.
    """
    people = pd.concat([_people(task, shard) for shard in shards], ignore_index=True)
    people[SUBJECT] = np.arange(len(people))
    people[FOLD] = people[SUBJECT] % FOLDS
    feature_NF = np.concatenate([_features(task, shard) for shard in shards])
    parts: list[pd.DataFrame] = []
    for day in task.horizon_days:
        truth_N, ability_N = (
            np.concatenate([_at_visit(shard, task, day)[k] for shard in shards]) for k in (0, 1)
        )
        is_observed_N = np.isfinite(truth_N)
        truth_N, ability_N = truth_N[is_observed_N], ability_N[is_observed_N]
        observed = people[is_observed_N].assign(
            **{HORIZON: day, TRUTH: truth_N, ABILITY: ability_N}
        )
        quantiles = _forecasts(task, observed, feature_NF[is_observed_N], truth_N)
        for model, quantile_NQ in quantiles.items():
            forecasts = observed.assign(**{MODEL: model})
            forecasts[list(QUANTILE_COLUMNS)] = quantile_NQ
            forecasts[CHANCE + "milestone"] = _chance(quantile_NQ, task.milestone)
            forecasts[REACHED + "milestone"] = forecasts[TRUTH] >= task.milestone
            parts.append(forecasts)
    return pd.concat(parts, ignore_index=True)


def _people(task: Task, drawn: Subjects) -> pd.DataFrame:
    """Return the columns that are the same in every row of a subject."""
    last_N = _past_scores(task, drawn)[1] if task.reads_scores else np.zeros(SHARD)
    people = pd.DataFrame(
        {
            ORIGIN: task.origin_day,
            DAYS_SINCE_ONSET: (drawn.enrolment + task.origin_day).astype(float),
            LAST_SCORE: last_N,
            GROUP + "age band": AGE_BANDS.label(drawn.facts[AGE].to_numpy(float)),
            GROUP + "wear band": WEAR_BANDS.label(_worn_share(task, drawn)),
        }
    )
    for axis, code in ATTRIBUTES.items():
        recorded_N = drawn.recorded.get(code, np.ones(SHARD, dtype=np.bool_))
        people[GROUP + axis] = drawn.facts[code].where(recorded_N, NOT_RECORDED)
    return people


def _until_origin(task: Task, drawn: Subjects) -> NDArray[np.bool_]:
    since_ND = np.arange(drawn.worn.valid.shape[1]) - drawn.enrolment[:, None]
    return np.asarray((since_ND >= 0) & (since_ND <= task.origin_day))


def _worn_share(task: Task, drawn: Subjects) -> Array:
    share_N = (drawn.worn.valid & _until_origin(task, drawn)).sum(axis=1) / (task.origin_day + 1)
    return np.where(drawn.facts["owns"], share_N, np.nan)


def _past_scores(task: Task, drawn: Subjects) -> tuple[Array, Array]:
    """Return the first and the last score up to the origin, (N,); the first is always known."""
    since_NV = drawn.visit_day - drawn.enrolment[:, None]
    known_NV = drawn.kept & (since_NV <= task.origin_day)
    last_N = known_NV.shape[1] - 1 - known_NV[:, ::-1].argmax(axis=1)
    scores_NV = drawn.scores[task.target]
    return scores_NV[:, 0], scores_NV[np.arange(SHARD), last_N]


def _features(task: Task, drawn: Subjects) -> Array:
    parts: list[Array] = [drawn.enrolment.astype(float)]
    if task.reads_scores:
        first_N, last_N = _past_scores(task, drawn)
        parts += [last_N, last_N**2, last_N - first_N, (last_N - first_N) * last_N]
    worn_ND = (
        drawn.worn.valid & _until_origin(task, drawn) & drawn.facts["owns"].to_numpy()[:, None]
    )
    for channel in (channel for channel in CHANNELS if channel.code in task.channels):
        days_N = worn_ND.sum(axis=1)
        read_ND = np.where(worn_ND, channel.to_scale(drawn.daily[channel.code]), 0)
        mean_N = read_ND.sum(axis=1) / days_N.clip(min=1)
        # Whoever was not measured gets the mean of everyone, and an indicator as another feature.
        known_N = days_N > 0
        overall_mean = mean_N[known_N].mean() if known_N.any() else 0.0
        centred_N = np.where(known_N, mean_N - overall_mean, 0.0)
        parts += [centred_N, centred_N**2, (~known_N).astype(float)]
    return np.stack(parts, axis=1)


def _forecasts(
    task: Task, people: pd.DataFrame, feature_NF: Array, truth_N: Array
) -> dict[str, Array]:
    """Return each model's quantiles, (N, 19), for people of the folds that it was not fitted on.

    The spread of the comparators, too, is that of their errors on the other folds.
    """
    fold_N = people[FOLD].to_numpy()
    last_N = people[LAST_SCORE].to_numpy(float)
    x_NF = np.column_stack([np.ones(len(feature_NF)), feature_NF])
    rule = published_recovery_rule("REHABCAST//FUGL_MEYER_UE")
    share = 0.0 if rule is None else rule.share
    medians = {
        CANDIDATE: _least_squares(x_NF, truth_N, fold_N),
        "last observation": last_N,
        "proportional recovery": last_N + share * (task.high - last_N),
    }
    return {
        name: np.clip(_with_spread(median_N, truth_N, fold_N), 0, task.high)
        for name, median_N in medians.items()
    }


def _least_squares(x_NF: Array, truth_N: Array, fold_N: NDArray[np.int64]) -> Array:
    fitted_N = np.empty(len(x_NF))
    for fold in range(FOLDS):
        seen_N = fold_N != fold
        weight_F = np.linalg.lstsq(x_NF[seen_N], truth_N[seen_N], rcond=None)[0]
        fitted_N[~seen_N] = x_NF[~seen_N] @ weight_F
    return fitted_N


def _with_spread(median_N: Array, truth_N: Array, fold_N: NDArray[np.int64]) -> Array:
    """Add the quantiles of the errors on the other folds."""
    error_FQ = np.stack(
        [np.quantile((truth_N - median_N)[fold_N != f], QUANTILE_LEVELS) for f in range(FOLDS)]
    )
    return np.asarray(median_N[:, None] + error_FQ[fold_N])


def _chance(quantile_NQ: Array, needed: float) -> Array:
    """Return the chance of at least `needed`: the share of quantiles that reach it."""
    return np.asarray((quantile_NQ >= needed).mean(axis=1))


def _at_visit(drawn: Subjects, task: Task, day: int) -> tuple[Array, Array]:
    """Return the scores of a planned visit as recorded and without bias, NaN where missed."""
    visit = Scenario().visits.days.index(day)
    kept_N = drawn.kept[:, visit]
    recorded_N = drawn.scores[task.target][:, visit]
    ability_N = recorded_N
    if task.target == FUGL_MEYER.code:
        ability_N = drawn.score[np.arange(SHARD), drawn.plan, visit]
    return np.where(kept_N, recorded_N, np.nan), np.where(kept_N, ability_N, np.nan)
