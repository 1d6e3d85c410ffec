"""Evaluates the auditor on tables with a planted disparity: how often it detects what is there.

What differs between simulated cohorts (`support.auditor_trials`) and planted tables
(`support.planted`) is in a `Case`; the loop over seeds is the same for both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from audits.judging.judge import AuditInputs, judge
from audits.judging.policy import Policy
from audits.judging.rules import rows_of
from audits.judging.sensitivity import bracket_of
from audits.measure.metric_definitions import MEDIAN
from audits.measure.metrics import Metric
from contracts.predictions import CANDIDATE, GROUP
from contracts.verdict import Finding, Outcome

ABILITY = "ability"
"""Column of the tables, beside those of the contract: the score without any assessor's bias."""

INPUTS = AuditInputs(
    model_version="planted/1",
    bundle_digest="0" * 64,
    predictions_digest="0" * 64,
    data_digest="0" * 64,
    code_digest="0" * 64,
    simulated=True,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A planted disparity, and what counts as detecting it.

    Parameters
    ----------
    table_of
        From a seed to a prediction table with the column `ability`, each time of other people.
    policy
        The policy that judges.
    axis, group, metric
        Where the disparity must be detected; no metric where there is nothing to detect.
    is_false_alarm
        Whether a binding finding that is blocked is a false alarm.
    has_biased_labels
        Whether assessors' scores are biased, so that the bracket is compared with the true gap.
    """

    table_of: Callable[[int], pd.DataFrame]
    policy: Policy
    axis: str
    group: str
    metric: Metric | None
    is_false_alarm: Callable[[Finding], bool]
    has_biased_labels: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectionRates:
    """How the auditor did on a case, as shares of the seeds.

    Parameters
    ----------
    seeds
        How many tables were audited.
    detected, suspected
        The planted group was blocked on the planted metric; or needs review at least. None where
        there is nothing to detect.
    false_alarm
        A binding finding was blocked although it should not be.
    bracketed
        The label-bias bracket of the group's signed error contains the true gap; None without
        biased labels.
    """

    seeds: int
    detected: float | None
    suspected: float | None
    false_alarm: float
    bracketed: float | None


def evaluate(
    case: Case, *, seeds: int, advance: Callable[[], None] = lambda: None
) -> DetectionRates:
    """Audit a case once per seed."""
    detected, suspected, false_alarms, bracketed = [], [], [], []
    for seed in range(seeds):
        table = case.table_of(seed)
        findings = judge(table.drop(columns=ABILITY), case.policy, INPUTS).findings
        binding = [finding for finding in findings if finding.binding]
        planted = {finding.outcome for finding in binding if _is_planted(case, finding)}
        detected.append(Outcome.BLOCKED in planted)
        suspected.append(bool({Outcome.BLOCKED, Outcome.REVIEW} & planted))
        blocked = [finding for finding in binding if finding.outcome is Outcome.BLOCKED]
        false_alarms.append(any(case.is_false_alarm(finding) for finding in blocked))
        if case.has_biased_labels:
            bracketed.append(_is_bracketed(case, table))
        advance()
    return DetectionRates(
        seeds=seeds,
        detected=None if case.metric is None else float(np.mean(detected)),
        suspected=None if case.metric is None else float(np.mean(suspected)),
        false_alarm=float(np.mean(false_alarms)),
        bracketed=float(np.mean(bracketed)) if bracketed else None,
    )


def _is_planted(case: Case, finding: Finding) -> bool:
    return (finding.axis, finding.group, finding.metric) == (case.axis, case.group, case.metric)


def _is_bracketed(case: Case, table: pd.DataFrame) -> bool:
    rows = rows_of(table, CANDIDATE)
    is_member_N = (rows[GROUP + case.axis] == case.group).to_numpy()
    error_N = (rows[MEDIAN] - rows[ABILITY]).to_numpy()
    true_gap = error_N[is_member_N].mean() - error_N[~is_member_N].mean()
    bracket = bracket_of(rows.drop(columns=ABILITY), case.policy, case.axis, case.group)
    # Within rounding: where forecasts follow the labels, the true gap is an end of the bracket.
    return bool(bracket.low - 1e-9 <= true_gap <= bracket.high + 1e-9)
