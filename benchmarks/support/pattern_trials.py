"""How often a rule on patterns of the course holds a sound model up, and catches one that fails.

Plain forecasts of SIMULATED people (`support.simulated_forecasts`) on three days, with ranges that
in each pattern hold in four of five of a population; in one pattern they are narrowed until they
hold in 55 of 100. Cohorts are drawn from the population without replacement.
Letters: N rows, Q quantile levels.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audits.judging.policy import Policy, Rule
from audits.judging.rules import apply_rules
from audits.measure.disparity import Scope
from audits.measure.metrics import Metric
from contracts.forecast import QUANTILE_LEVELS
from contracts.predictions import (
    CANDIDATE,
    DAYS_SINCE_ONSET,
    HORIZON,
    LAST_SCORE,
    MODEL,
    ORIGIN,
    PATTERN,
    QUANTILE_COLUMNS,
    SUBJECT,
    TRUTH,
)
from contracts.verdict import Finding, Outcome
from features.simulate.scenario import Scenario
from inference.patterns import (
    BETTER,
    CEILING,
    EARLY,
    EARLY_DAYS,
    FLOOR,
    LATER,
    MIDDLE,
    NEAR_END,
    ONE_SCORE,
    STEADY,
    WORSE,
)
from support.auditor_evaluation import ABILITY
from support.simulated_forecasts import ARM, cohort, simulated_table

STATED, PLANTED = 0.8, 0.55
ORIGINS = {0: (21, 42, 84), 21: (42, 84, 182), 42: (84, 182)}
"""Days of forecasts after enrolment, and their horizons: planned visits of the simulation."""

POPULATION, POPULATION_SEED = 10_000, 20_000_000
FAILING: Mapping[str, tuple[str, str]] = {
    "worsening": ("course", WORSE),
    "one score only": ("course", ONE_SCORE),
    "very early": ("time since onset", EARLY),
    "floor": ("place on the scale", FLOOR),
    "ceiling": ("place on the scale", CEILING),
}
"""Patterns in which the ranges fail, in the words of the issue and of the table."""

Array = NDArray[np.float64]


HOLDS_BACK: Mapping[str, frozenset[Outcome]] = {
    "where shown to fail": frozenset({Outcome.BLOCKED}),
    "where suspected": frozenset({Outcome.BLOCKED, Outcome.REVIEW}),
    "unless shown to hold": frozenset({Outcome.BLOCKED, Outcome.REVIEW, Outcome.INSUFFICIENT}),
}
"""Findings of a pattern that hold a model back, by the way in which a rule may bind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Shares of cohorts in which a model is held back because of a pattern, by way.

    Parameters
    ----------
    failing, people
        The pattern in which the range fails, None for a sound model; people of a cohort.
    of_pattern
        People of a cohort who show that pattern, on average.
    back
        Because of any pattern; and where one fails, because of that one.
    """

    failing: str | None
    people: int
    of_pattern: float
    back: Mapping[str, float]


def population(people: int = POPULATION) -> pd.DataFrame:
    """Return a sound model's forecasts of many people, with the patterns of each."""
    shards = cohort(Scenario(), people, seed=POPULATION_SEED)
    parts, first = [], None
    for origin, days in ORIGINS.items():
        task = replace(ARM, origin_day=origin, horizon_days=days)
        table = simulated_table(task, shards).drop(columns=ABILITY)
        table = table[table[MODEL] == CANDIDATE]
        scores = table.groupby(SUBJECT)[LAST_SCORE].first()
        # A score before the first is none.
        change_N: Array | None = None
        if first is not None:
            change_N = table[SUBJECT].map(scores - first).to_numpy(float)
        parts.append(table.assign(**_labels(table, change_N)))
        first = scores if first is None else first
    return recalibrated(pd.concat(parts, ignore_index=True), None)


def _labels(table: pd.DataFrame, change_N: Array | None) -> dict[str, NDArray[np.object_]]:
    noise = ARM.limit
    course = (
        np.full(len(table), ONE_SCORE, dtype=object)
        if change_N is None
        else np.select(
            [np.isnan(change_N), change_N < -noise, change_N > noise],
            [ONE_SCORE, WORSE, BETTER],
            STEADY,
        )
    )
    place_N = table[LAST_SCORE].to_numpy(float) / ARM.high
    return {
        f"{PATTERN}course": course,
        f"{PATTERN}time since onset": np.where(
            table[DAYS_SINCE_ONSET] < EARLY_DAYS, EARLY, LATER
        ).astype(object),
        f"{PATTERN}place on the scale": np.select(
            [place_N <= NEAR_END, place_N >= 1 - NEAR_END], [FLOOR, CEILING], MIDDLE
        ).astype(object),
    }


def recalibrated(table: pd.DataFrame, failing: str | None) -> pd.DataFrame:
    """Return ranges that hold as stated in every pattern of a population but one.

    Parameters
    ----------
    failing
        Name of the pattern in which the 80 % range is to hold in 55 of 100.
    """
    patterns = [str(name) for name in table.columns if str(name).startswith(PATTERN)]
    error_N = (table[TRUTH] - table[QUANTILE_COLUMNS[len(QUANTILE_COLUMNS) // 2]]).to_numpy()
    level_Q = np.array(QUANTILE_LEVELS)
    narrow_Q = 0.5 + (level_Q - 0.5) * PLANTED / STATED
    fails_N = np.zeros(len(table), dtype=np.bool_)
    if failing is not None:
        axis, label = FAILING[failing]
        fails_N = (table[PATTERN + axis] == label).to_numpy()
    median_N = table[QUANTILE_COLUMNS[len(QUANTILE_COLUMNS) // 2]].to_numpy()
    quantile_NQ = np.empty((len(table), len(level_Q)))
    for rows in table.groupby([*patterns, ORIGIN, HORIZON]).indices.values():
        sound_Q, narrowed_Q = np.quantile(error_N[rows], [level_Q, narrow_Q])
        spread_NQ = np.where(fails_N[rows][:, None], narrowed_Q, sound_Q)
        quantile_NQ[rows] = median_N[rows, None] + spread_NQ
    return table.assign(**dict(zip(QUANTILE_COLUMNS, quantile_NQ.T, strict=True)))


def rules_for(policy: Policy, on_patterns: Rule) -> Policy:
    """Return the binding rules that a table without comparators can be judged by, and the one."""
    kept = [
        rule
        for rule in policy.rules
        if rule.binding and rule.comparator is None and rule.scope is not Scope.PATTERNS
    ]
    return policy.model_copy(update={"rules": (*kept, on_patterns), "lost": None})


def held(
    table: pd.DataFrame,
    policy: Policy,
    failing: str | None,
    *,
    people: int,
    cohorts: int,
    seed: int,
) -> Held:
    """Judge cohorts of so many people, drawn from a population."""
    everybody = table[SUBJECT].unique()
    rows_of = table.groupby(SUBJECT).indices
    back: dict[str, list[bool]] = {way: [] for way in HOLDS_BACK}
    shown = []
    for number in range(cohorts):
        drawn = np.random.default_rng([seed, number]).choice(everybody, people, replace=False)
        own = table.iloc[np.concatenate([rows_of[each] for each in drawn])].reset_index(drop=True)
        found = apply_rules(own, policy, champion=None).findings
        counted = list(_of_patterns(found, failing))
        for way, outcomes in HOLDS_BACK.items():
            back[way].append(any(f.outcome in outcomes for f in counted))
        shown.append(sum(f.subjects or 0 for f in counted) if failing else people)
    return Held(
        failing=failing, people=people, of_pattern=float(np.mean(shown)),
        back={way: float(np.mean(held_back)) for way, held_back in back.items()},
    )  # fmt: skip


def _of_patterns(found: Sequence[Finding], failing: str | None) -> Iterator[Finding]:
    """Yield the findings of patterns; where one fails, of that one."""
    for finding in found:
        if not finding.axis.startswith(PATTERN):
            continue
        if (
            failing is None
            or (finding.axis.removeprefix(PATTERN), finding.group) == FAILING[failing]
        ):
            yield finding


def pattern_rule(policy: Policy) -> Rule:
    """Return the rule on patterns of a policy; of one without, as its groups are asked."""
    for rule in policy.rules:
        if rule.scope is Scope.PATTERNS:
            return rule
    (of_groups,) = (
        rule for rule in policy.rules
        if rule.scope is Scope.AXES and rule.binding and rule.metric is Metric.COVERAGE
    )  # fmt: skip
    return of_groups.model_copy(update={"name": "patterns", "scope": Scope.PATTERNS})
