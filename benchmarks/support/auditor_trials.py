"""Trials of the auditor: plain forecasts of simulated cohorts with a planted disparity.

A false alarm is a finding that is blocked although the population, that is a very large cohort of
the same scenario, keeps the limit. Everything is SIMULATED.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from audits.judging.judge import judge
from audits.judging.policy import Policy
from audits.measure.metrics import Metric
from contracts.verdict import Finding
from features.simulate.scenario import Scenario, read_scenario
from support.auditor_evaluation import ABILITY, INPUTS, Case, DetectionRates, evaluate
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A scenario, and what the auditor must detect in it.

    Parameters
    ----------
    name, file
        Which of the scenarios; its file in `scenarios/`.
    task
        What is forecast.
    stronger
        Parameters that replace those of the file's disparity, so that the gap is twice the limit.
    most_points
        Largest gain by therapy of each recovery group, where not the default.
    axis, group, metric
        Where the disparity must be detected; no metric where there is nothing to detect.
    subjects
        Number in a cohort, a multiple of `SHARD`.
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
        """Return the scenario, with the trial's strength or as in its file."""
        shipped = read_scenario(SCENARIOS / self.file)
        if as_shipped:
            return shipped
        disparity = replace(shipped.disparity, **self.stronger)
        therapy = shipped.therapy
        if self.most_points is not None:
            therapy = replace(therapy, most_points=self.most_points)
        return replace(shipped, disparity=disparity, therapy=therapy)


# The strengths were tuned on 20,000 subjects until the gap was twice the limit. The gaps of the
# shipped scenarios are mostly far smaller: see `TrialResult.gap_as_shipped`.
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
    """Return a policy's binding rules except ratios, carried over to a task's scale."""
    carried = policy.carried_over(task.target, task.limit)
    rules = [rule for rule in carried.rules if rule.binding and not rule.statistic.is_ratio]
    return carried.model_copy(update={"rules": tuple(rules)})


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialResult:
    """How the auditor did on a trial.

    Parameters
    ----------
    trial, rates
        Which, and how often it detected what was planted.
    gap, gap_as_shipped
        The planted gap in the population, as tried and as in the scenario's file; None without, or
        where it was not asked for.
    """

    trial: Trial
    rates: DetectionRates
    gap: float | None
    gap_as_shipped: float | None


def run_trial(
    trial: Trial,
    policy: Policy,
    *,
    seeds: int,
    population: int = POPULATION,
    as_shipped: bool = True,
    advance: Callable[[], None] = lambda: None,
) -> TrialResult:
    """Audit a trial's forecasts once per seed, each time of other people."""
    policy = policy_for(trial.task, policy)
    true_values = _true_values(trial, policy, population, as_shipped=False)
    scenario = trial.scenario()
    case = Case(
        table_of=lambda seed: simulated_table(
            trial.task, cohort(scenario, trial.subjects, seed=seed)
        ),
        policy=policy,
        axis=trial.axis,
        group=trial.group,
        metric=trial.metric,
        is_false_alarm=lambda finding: _keeps_limit(finding, true_values, policy),
        has_biased_labels=scenario.disparity.score_bias != 0,
    )
    rates = evaluate(case, seeds=seeds, advance=advance)
    if trial.metric is None:
        return TrialResult(trial=trial, rates=rates, gap=None, gap_as_shipped=None)
    shipped = _true_values(trial, policy, population, as_shipped=True) if as_shipped else None
    return TrialResult(
        trial=trial,
        rates=rates,
        gap=_planted_gap(trial, true_values),
        gap_as_shipped=None if shipped is None else _planted_gap(trial, shipped),
    )


Key = tuple[str, str, str, str]


def _key(finding: Finding) -> Key:
    return finding.rule, finding.metric, finding.axis, finding.group


def _true_values(
    trial: Trial, policy: Policy, population: int, *, as_shipped: bool
) -> dict[Key, float | None]:
    """Return the value of each finding in a cohort as large as a population."""
    # Seeds of the trials count up from 0; these people are in none of them.
    shards = cohort(trial.scenario(as_shipped=as_shipped), population, seed=10_000_000)
    table = simulated_table(trial.task, shards).drop(columns=ABILITY)
    few_replicates = policy.model_copy(update={"replicates": 200})
    return {_key(f): f.value for f in judge(table, few_replicates, INPUTS).findings}


def _planted_gap(trial: Trial, values: dict[Key, float | None]) -> float | None:
    (gap,) = (
        value
        for (_, metric, axis, group), value in values.items()
        if (metric, axis, group) == (trial.metric, trial.axis, trial.group)
    )
    return gap


def _keeps_limit(finding: Finding, true_values: dict[Key, float | None], policy: Policy) -> bool:
    """Return whether a blocked finding is a false alarm: the population is within the limit."""
    value = true_values.get(_key(finding))
    rules = {rule.name: rule for rule in policy.rules}
    if value is None or finding.rule not in rules:
        return True
    rule = rules[finding.rule]
    return rule.direction.excess(value, rule.limit) <= 0
