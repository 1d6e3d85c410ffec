"""Prediction tables with a planted disparity of known size: what the auditor itself is judged on.

The scenarios are those of the simulated cohort (F0 to F6), reduced to what reaches an audit: the
forecast's error in the group that is hit. All of it is SIMULATED. Letters: N rows, S subjects.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm

from audits.judging.judge import AuditInputs, judge, rows_of
from audits.judging.policy import Policy
from audits.judging.sensitivity import bracket_of
from audits.judging.validation import CHECK
from audits.measure.metrics import Metric
from contracts.forecast import QUANTILE_LEVELS
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
from contracts.verdict import Finding, Outcome

Array = NDArray[np.float64]

AXIS, HIT, OTHERS = "planted", "hit", "others"
HORIZONS = (21, 35, 42, 84, 182, 364)
SPREAD = 5.0
"""Standard deviation of the candidate's errors, score points; the comparators' is twice that."""

MAE_OF_SPREAD = float(np.sqrt(2 / np.pi))
"""Mean absolute value of a standard normal."""

AUDITED = AuditInputs(
    model_version="planted/1",
    bundle_digest="0" * 64,
    predictions_digest="0" * 64,
    data_digest="0" * 64,
    code_digest="0" * 64,
    simulated=True,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A disparity.

    Parameters
    ----------
    name, story
        Which of the scenarios, and what happened to the group.
    metric
        Where it must be found; None where there is nothing to find.
    share, subjects
        Of whom, of how many.
    bias
        Score points added to the medians of the group's forecasts, at each horizon.
    spread
        Standard deviation of the group's errors.
    label_bias
        Score points by which assessors score the group too high, forecasts following the labels.
    """

    name: str
    story: str
    metric: Metric | None = None
    share: float = 0.35
    subjects: int = 600
    bias: tuple[float, ...] = (0.0,) * len(HORIZONS)
    spread: float = SPREAD
    label_bias: float = 0.0


def scenarios(limit: float) -> tuple[Scenario, ...]:
    """Return the scenarios, each disparity twice a policy's limit (score points)."""
    twice = 2 * limit
    # So much noise makes the group's mean absolute error just that much larger than the rest's.
    noisy = SPREAD + twice / MAE_OF_SPREAD
    fading = np.exp(-np.arange(len(HORIZONS)) / 2)
    slow = tuple((twice * fading / fading.mean()).tolist())
    return (
        Scenario(name="F0", story="no disparity"),
        Scenario(
            name="F1", story="less therapy, later: promised too much", metric=Metric.SIGNED_ERROR,
            bias=(twice,) * len(HORIZONS),
        ),
        Scenario(
            name="F2", story="rollator hides steps: larger errors",
            metric=Metric.MEAN_ABSOLUTE_ERROR, spread=noisy,
        ),
        Scenario(
            name="F3", story="worn less, not at random: larger errors in one in five",
            metric=Metric.MEAN_ABSOLUTE_ERROR, share=0.2, spread=noisy,
        ),
        Scenario(name="F4", story="scored 4 points too low for their ability", label_bias=-4.0),
        Scenario(
            name="F5", story="a minority of 3 % of 2,000: promised too much",
            metric=Metric.SIGNED_ERROR, share=0.03, subjects=2000, bias=(twice,) * len(HORIZONS),
        ),
        Scenario(
            name="F6", story="recovers 1.4 times more slowly: promised too much, less and less",
            metric=Metric.SIGNED_ERROR, bias=slow,
        ),
    )  # fmt: skip


def planted_table(scenario: Scenario, *, seed: int) -> pd.DataFrame:
    """Return a prediction table of a scenario: the candidate, and two comparators as bad as ever.

    The `truth` is what assessors wrote down: with `label_bias` it is off from ability by as much.
    """
    rng = np.random.default_rng(seed)
    count, days = scenario.subjects, len(HORIZONS)
    is_hit_S = rng.permutation(count) < round(scenario.share * count)
    subject_N = np.repeat(np.arange(count, dtype=np.int64), days)
    is_hit_N = is_hit_S[subject_N]
    last_S, gain_S = rng.uniform(5, 40, count), rng.normal(10, 7, count)
    told_N = np.clip(last_S + gain_S, 0, 66)[subject_N] + rng.normal(0, 1, count * days)
    table = pd.DataFrame(
        {
            SUBJECT: subject_N,
            ORIGIN: 0,
            HORIZON: np.tile(HORIZONS, count),
            DAYS_SINCE_ONSET: np.repeat(rng.uniform(5, 60, count), days),
            FOLD: subject_N % 5,
            LAST_SCORE: last_S[subject_N],
            TRUTH: told_N + scenario.label_bias * is_hit_N,
            GROUP + AXIS: np.where(is_hit_N, HIT, OTHERS),
            GROUP + "sex": rng.choice(["female", "male"], count)[subject_N],
            GROUP + "hospital": rng.choice(["a", "b", "c"], count)[subject_N],
        }
    )
    bias_N = np.tile(scenario.bias, count) * is_hit_N
    spread_N = np.where(is_hit_N, scenario.spread, SPREAD)
    worse_N = np.full(len(table), 2 * max(SPREAD, scenario.spread))
    return pd.concat(
        [
            _forecasts(table, CANDIDATE, bias_N, spread_N, rng),
            *(_forecasts(table, name, bias_N, worse_N, rng) for name in
              ("last observation", "proportional recovery")),
        ],
        ignore_index=True,
    )  # fmt: skip


def _forecasts(
    table: pd.DataFrame, model: str, bias_N: Array, spread_N: Array, rng: np.random.Generator
) -> pd.DataFrame:
    # A person's errors go together over the horizons: that is why the bootstrap is by subject.
    person_S = rng.normal(size=int(table[SUBJECT].max()) + 1)
    noise_N = 0.8 * person_S[table[SUBJECT]] + 0.6 * rng.normal(size=len(table))
    median_N = table[TRUTH].to_numpy() + bias_N + spread_N * noise_N
    needed_N = table[LAST_SCORE].to_numpy() + 4.25
    made = table.assign(**{MODEL: model})
    made[list(QUANTILE_COLUMNS)] = median_N[:, None] + spread_N[:, None] * norm.ppf(QUANTILE_LEVELS)
    made[CHANCE + "important gain"] = norm.sf((needed_N - median_N) / spread_N)
    made[REACHED + "important gain"] = table[TRUTH].to_numpy() >= needed_N
    return made


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """How the auditor did on a scenario, as shares of the seeds.

    Parameters
    ----------
    scenario, seeds
        Which, and how often.
    found
        The planted group was blocked on the planted metric.
    suspected
        The same, or needs review.
    false_alarm
        Something that binds was blocked where nothing was planted.
    bracketed
        The label-bias bracket of the group's signed error holds the true one; None without.
    """

    scenario: Scenario
    seeds: int
    found: float | None
    suspected: float | None
    false_alarm: float
    bracketed: float | None


def examine(
    scenario: Scenario, policy: Policy, *, seeds: int, advance: Callable[[], None] = lambda: None
) -> Examined:
    """Audit a scenario again and again, each time with other people.

    By the policy's binding rules only: the others change neither verdict nor adjusted p-values.
    """
    binds = tuple(rule for rule in policy.rules if rule.binding)
    policy = policy.model_copy(update={"rules": binds})
    found, suspected, alarms, bracketed = [], [], [], []
    for seed in range(seeds):
        table = planted_table(scenario, seed=seed)
        binding = [f for f in judge(table, policy, AUDITED).findings if f.binding]
        here = [f.outcome for f in binding if _is_planted(scenario, f)]
        found.append(Outcome.BLOCKED in here)
        suspected.append(bool({Outcome.BLOCKED, Outcome.REVIEW} & set(here)))
        alarms.append(any(_is_false(scenario, f) for f in binding))
        if scenario.label_bias:
            bracketed.append(_is_bracketed(scenario, table, policy))
        advance()
    return Examined(
        scenario=scenario,
        seeds=seeds,
        found=None if scenario.metric is None else float(np.mean(found)),
        suspected=None if scenario.metric is None else float(np.mean(suspected)),
        false_alarm=float(np.mean(alarms)),
        bracketed=float(np.mean(bracketed)) if bracketed else None,
    )


def _is_planted(scenario: Scenario, finding: Finding) -> bool:
    return (finding.axis, finding.group, finding.metric) == (AXIS, HIT, scenario.metric)


def _is_false(scenario: Scenario, finding: Finding) -> bool:
    """Tell whether a finding blocks where nothing was planted.

    A planted disparity also moves everyone's numbers and those of the group's counterpart; without
    one, nothing may block anywhere.
    """
    if finding.outcome is not Outcome.BLOCKED:
        return False
    is_elsewhere = finding.axis in {"sex", "hospital"} or finding.rule.startswith(CHECK)
    return scenario.metric is None or is_elsewhere


def _is_bracketed(scenario: Scenario, table: pd.DataFrame, policy: Policy) -> bool:
    rows = rows_of(table, CANDIDATE)
    hit_N = (rows[GROUP + AXIS] == HIT).to_numpy()
    ability_N = rows[TRUTH].to_numpy() - scenario.label_bias * hit_N
    error_N = rows["q50"].to_numpy() - ability_N
    true_gap = error_N[hit_N].mean() - error_N[~hit_N].mean()
    told = bracket_of(rows, policy, AXIS, HIT)
    return bool(told.low - 1e-9 <= true_gap <= told.high + 1e-9)
