"""Prediction tables with a planted disparity of known size, to evaluate the auditor on.

The scenarios are those of the simulated cohort (F0 to F6), reduced to what reaches an audit: the
forecast's error in the affected group. Everything is SIMULATED. Letters: N rows, S subjects.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm

from audits.judging.policy import Policy
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
from contracts.verdict import Finding
from support.auditor_evaluation import ABILITY, Case

Array = NDArray[np.float64]

AXIS, AFFECTED, OTHERS = "planted", "affected", "others"
UNAFFECTED = {"sex": ["female", "male"], "hospital": ["a", "b", "c"]}
"""Attributes without a planted disparity."""

HORIZONS = (21, 35, 42, 84, 182, 364)
SPREAD = 5.0
"""Standard deviation of the candidate's errors, score points; the comparators' is twice that."""

MAE_OF_SPREAD = float(np.sqrt(2 / np.pi))
"""Mean absolute value of a standard normal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A disparity.

    Parameters
    ----------
    name, story
        Which of the scenarios, and what happened to the group.
    metric
        The metric to detect it by; None where there is nothing to detect.
    share, subjects
        Share of the people who are affected, and how many people there are.
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
    # With this spread the group's mean absolute error is larger than the rest's by twice the limit.
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
    """Return a prediction table of a scenario: the candidate, and two comparators that are worse.

    The `truth` is the assessors' score: with `label_bias` it differs from the ability by as much.
    """
    rng = np.random.default_rng(seed)
    count, days = scenario.subjects, len(HORIZONS)
    is_affected_S = rng.permutation(count) < round(scenario.share * count)
    subject_N = np.repeat(np.arange(count, dtype=np.int64), days)
    is_affected_N = is_affected_S[subject_N]
    last_S, gain_S = rng.uniform(5, 40, count), rng.normal(10, 7, count)
    ability_N = np.clip(last_S + gain_S, 0, 66)[subject_N] + rng.normal(0, 1, count * days)
    table = pd.DataFrame(
        {
            SUBJECT: subject_N,
            ORIGIN: 0,
            HORIZON: np.tile(HORIZONS, count),
            DAYS_SINCE_ONSET: np.repeat(rng.uniform(5, 60, count), days),
            FOLD: subject_N % 5,
            LAST_SCORE: last_S[subject_N],
            TRUTH: ability_N + scenario.label_bias * is_affected_N,
            ABILITY: ability_N,
            GROUP + AXIS: np.where(is_affected_N, AFFECTED, OTHERS),
            **{
                GROUP + name: rng.choice(labels, count)[subject_N]
                for name, labels in UNAFFECTED.items()
            },
        }
    )
    bias_N = np.tile(scenario.bias, count) * is_affected_N
    spread_N = np.where(is_affected_N, scenario.spread, SPREAD)
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
    # A person's errors are correlated over the horizons: that is why the bootstrap is by subject.
    person_S = rng.normal(size=int(table[SUBJECT].max()) + 1)
    noise_N = 0.8 * person_S[table[SUBJECT]] + 0.6 * rng.normal(size=len(table))
    median_N = table[TRUTH].to_numpy() + bias_N + spread_N * noise_N
    needed_N = table[LAST_SCORE].to_numpy() + 4.25
    forecasts = table.assign(**{MODEL: model})
    forecasts[list(QUANTILE_COLUMNS)] = median_N[:, None] + spread_N[:, None] * norm.ppf(
        QUANTILE_LEVELS
    )
    forecasts[CHANCE + "important gain"] = norm.sf((needed_N - median_N) / spread_N)
    forecasts[REACHED + "important gain"] = table[TRUTH].to_numpy() >= needed_N
    return forecasts


def planted_case(scenario: Scenario, policy: Policy) -> Case:
    """Return a scenario as a case of the evaluation.

    Judged by the policy's binding rules only: the others change neither verdict nor adjusted
    p-values.
    """
    binding = tuple(rule for rule in policy.rules if rule.binding)
    return Case(
        table_of=lambda seed: planted_table(scenario, seed=seed),
        policy=policy.model_copy(update={"rules": binding}),
        axis=AXIS,
        group=AFFECTED,
        metric=scenario.metric,
        is_false_alarm=lambda finding: _is_false_alarm(scenario, finding),
        has_biased_labels=scenario.label_bias != 0,
    )


def _is_false_alarm(scenario: Scenario, finding: Finding) -> bool:
    """Return whether a blocked finding is on something else than what was planted.

    A planted disparity also changes everyone's numbers and those of the group's counterpart;
    without one, nothing may be blocked anywhere.
    """
    return scenario.metric is None or finding.axis in UNAFFECTED or finding.metric == CHECK
