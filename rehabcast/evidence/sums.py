"""What the outcomes of a week add to the tests of a version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from audits.judging.policy import Policy
from audits.sequential.hypotheses import Hypothesis
from audits.sequential.payoffs import week_of_outcomes
from inference.matching.tables import MonitoringTables


def sums_of(
    tables: MonitoringTables, policy: Policy, tested: tuple[Hypothesis, ...]
) -> Mapping[str, Any]:
    """Return what a week's people add to the tests, as it is kept."""
    return asdict(week_of_outcomes(tables.predictions, tables.follow_up, policy, tested))
