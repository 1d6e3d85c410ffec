"""The auditor on trial: it audits plain forecasts of simulated cohorts with a planted disparity.

A false alarm is something blocked although the population, that is a very large cohort of the same
scenario, keeps the limit. All of it is SIMULATED.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from audits.judging.judge import judge, rows_of
from audits.judging.policy import Policy
from audits.judging.sensitivity import bracket_of
from audits.measure.metrics import Metric
from contracts.predictions import CANDIDATE, GROUP
from contracts.verdict import Finding, Outcome
from features.simulate.scenario import Scenario, read_scenario
from support import planted
from support.simulated_forecasts import (
    ARM,
    ARM_EARLY,
    STEP_COUNTER,
    WEARABLE,
    Task,
    cohort,
    simulated_table,
)

SCENARIOS = Path(__file__).resolve().parents[2] / "scenarios"
POPULATION = 20_000
"""Subjects of the cohort whose gaps count as the truth."""

AUDITED = replace(planted.AUDITED, model_version="trial/1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A scenario, and what the auditor must find in it.

    Parameters
    ----------
    name, file
        Which of the scenarios; its file in `scenarios/`.
    task
        What is forecast.
    stronger
        Parameters of the file's disparity in place of its own, so that the gap is twice the limit.
    most_points
        Largest gain by therapy of each recovery group, where not the default.
    axis, group, metric
        Where the disparity must be found; no metric where there is nothing to find.
    subjects
        Of a cohort, a multiple of `SHARD`.
    """

    name: str
    file: str
    task: Task = ARM
    stronger: dict[str, Any] = field(default_factory=dict)
    most_points: tuple[float, ...] | None = None
    axis: str = "sex"
    group: str = "female"
    metric: Metric | None = None
    subjects: int = 750

    def scenario(self, *, as_shipped: bool = False) -> Scenario:
        """Return the scenario, with the trial's strength or as its file has it."""
        read = read_scenario(SCENARIOS / self.file)
        if as_shipped:
            return read
        disparity = replace(read.disparity, **self.stronger)
        therapy = read.therapy
        if self.most_points is not None:
            therapy = replace(therapy, most_points=self.most_points)
        return replace(read, disparity=disparity, therapy=therapy)


# The strengths were found by trying them on 20,000 subjects until the gap was twice the limit. The
# simulated sizes are mostly far smaller: see `Examined.gap_as_shipped`.
TRIALS: tuple[Trial, ...] = (
    Trial(name="F0", file="fairness-0-none.toml"),
    Trial(
        name="F1", file="fairness-1-access.toml", axis="income", group="low",
        metric=Metric.SIGNED_ERROR, stronger={"therapy_factor": 0.0},
        most_points=(11, 30, 30, 30, 22),
    ),
    Trial(
        name="F2", file="fairness-2-sensor.toml", task=STEP_COUNTER, axis="walking aid",
        group="rollator", metric=Metric.SIGNED_ERROR, subjects=3000,
        stronger={"steps_factor": 0.85, "steps_spread": 0.3},
    ),
    Trial(
        name="F3", file="fairness-3-missingness.toml", task=WEARABLE, axis="income", group="low",
        metric=Metric.MEAN_ABSOLUTE_ERROR, subjects=2000, stronger={"wear_shift": -8.0},
    ),
    Trial(name="F4", file="fairness-4-label-bias.toml", axis="aphasia", group="yes"),
    Trial(
        name="F5", file="fairness-5-minority.toml", axis="ethnicity", group="other",
        metric=Metric.SIGNED_ERROR, subjects=3000, stronger={"rate_shift": -4.5},
    ),
    Trial(
        name="F6", file="fairness-6-dynamics.toml", task=ARM_EARLY, metric=Metric.SIGNED_ERROR,
        stronger={"time_factor": 15.0},
    ),
)  # fmt: skip


def policy_for(task: Task, policy: Policy) -> Policy:
    """Return a policy's binding rules but ratios, carried over to a task's scale."""
    carried = policy.carried_over(task.target, task.limit)
    rules = [rule for rule in carried.rules if rule.binding and not rule.statistic.is_ratio]
    return carried.model_copy(update={"rules": tuple(rules)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """How the auditor did on a trial, as shares of the seeds.

    Parameters
    ----------
    trial, seeds
        Which, and how often.
    gap, gap_as_shipped
        The planted gap in the population, as tried and as the scenario's file has it; None without.
    found
        The planted group was blocked on the planted metric; None where there is nothing to find.
    false_alarm
        Something that binds was blocked though the population keeps its limit.
    bracketed
        The label-bias bracket holds the group's true gap; None without biased labels.
    """

    trial: Trial
    seeds: int
    gap: float | None
    gap_as_shipped: float | None
    found: float | None
    false_alarm: float
    bracketed: float | None


def examine(
    trial: Trial,
    policy: Policy,
    *,
    seeds: int,
    population: int = POPULATION,
    advance: Callable[[], None] = lambda: None,
) -> Examined:
    """Audit a trial's forecasts again and again, each time of other people."""
    policy = policy_for(trial.task, policy)
    true = _true_values(trial, policy, population, as_shipped=False)
    scenario = trial.scenario()
    found, alarms, bracketed = [], [], []
    for seed in range(seeds):
        shards = cohort(scenario, trial.subjects, seed=seed)
        table = simulated_table(trial.task, shards)
        findings = judge(table.drop(columns="ability"), policy, AUDITED).findings
        blocked = [f for f in findings if f.binding and f.outcome is Outcome.BLOCKED]
        found.append(any(_is_planted(trial, finding) for finding in blocked))
        alarms.append(any(_keeps_limit(finding, true, policy) for finding in blocked))
        if scenario.disparity.score_bias:
            bracketed.append(_is_bracketed(trial, table, policy))
        advance()
    gaps = None
    if trial.metric is not None:
        gaps = [
            _planted_gap(trial, values)
            for values in (true, _true_values(trial, policy, population, as_shipped=True))
        ]
    return Examined(
        trial=trial,
        seeds=seeds,
        gap=gaps[0] if gaps else None,
        gap_as_shipped=gaps[1] if gaps else None,
        found=float(np.mean(found)) if gaps else None,
        false_alarm=float(np.mean(alarms)),
        bracketed=float(np.mean(bracketed)) if bracketed else None,
    )


Key = tuple[str, str, str, str]


def _key(finding: Finding) -> Key:
    return finding.rule, finding.metric, finding.axis, finding.group


def _true_values(
    trial: Trial, policy: Policy, population: int, *, as_shipped: bool
) -> dict[Key, float | None]:
    """Return what each binding finding would be with (nearly) everybody in the cohort."""
    # Seeds of the trials count up from 0; these people are in none of them.
    shards = cohort(trial.scenario(as_shipped=as_shipped), population, seed=10_000_000)
    table = simulated_table(trial.task, shards).drop(columns="ability")
    few = policy.model_copy(update={"replicates": 200})
    return {_key(f): f.value for f in judge(table, few, AUDITED).findings}


def _planted_gap(trial: Trial, values: dict[Key, float | None]) -> float | None:
    (gap,) = (
        value
        for (_, metric, axis, group), value in values.items()
        if (metric, axis, group) == (trial.metric, trial.axis, trial.group)
    )
    return gap


def _is_planted(trial: Trial, finding: Finding) -> bool:
    here = (finding.metric, finding.axis, finding.group)
    return here == (trial.metric, trial.axis, trial.group)


def _keeps_limit(finding: Finding, true: dict[Key, float | None], policy: Policy) -> bool:
    """Tell whether a blocked finding is a false alarm: the population is within the limit."""
    value = true.get(_key(finding))
    rules = {rule.name: rule for rule in policy.rules}
    if value is None or finding.rule not in rules:
        return True
    rule = rules[finding.rule]
    return rule.direction.excess(value, rule.limit) <= 0


def _is_bracketed(trial: Trial, table: pd.DataFrame, policy: Policy) -> bool:
    rows = rows_of(table, CANDIDATE)
    hit_N = (rows[GROUP + trial.axis] == trial.group).to_numpy()
    error_N = (rows["q50"] - rows["ability"]).to_numpy()
    true_gap = error_N[hit_N].mean() - error_N[~hit_N].mean()
    told = bracket_of(rows.drop(columns="ability"), policy, trial.axis, trial.group)
    return bool(told.low <= true_gap <= told.high)
