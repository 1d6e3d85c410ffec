"""The report: one JSON from which every edition is made, signed and digested as it is.

Values of groups of fewer than 11 people are hidden in it; they were judged all the same, and can be
computed again from the prediction table whose digest it carries.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict

from audits.judging.judge import rows_of
from audits.judging.performance import Performance, performance, unavailable
from audits.judging.policy import Policy
from audits.judging.sensitivity import LabelSensitivity, label_sensitivity
from audits.measure.measures import Metric
from audits.measure.partitions import EVERYONE
from audits.report.disclosure import disclosed, disclosed_performance, disclosed_sensitivity
from contracts.predictions import CANDIDATE, MODEL, SUBJECT
from contracts.verdict import Verdict

FORMAT = "rehabcast-audit-report/1"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelFacts(_Strict):
    """What the report tells of the model, from its bundle; None is "not available".

    Parameters
    ----------
    developer, contact, funding
        Who made it, whom to ask, and who paid.
    family, condition, target, horizon_weeks, milestones, inputs
        What it is, and what it forecasts from what.
    target_low, target_high
        Ends of the target's scale.
    cohort_name, simulated, subjects, seed, created
        What it was trained on, and when.
    decision_use
        What a forecast may be used for, and what not.
    """

    developer: str | None
    contact: str | None
    funding: str | None
    family: str
    condition: str
    target: str
    target_low: float
    target_high: float
    horizon_weeks: tuple[int, ...]
    milestones: tuple[str, ...]
    inputs: tuple[str, ...]
    audited_attributes: dict[str, str]
    cohort_name: str
    simulated: bool
    subjects: int
    seed: int
    created: str


class Report(_Strict):
    """All that an audit tells.

    Parameters
    ----------
    format
        Of this record; `rehabcast ledger schema` prints its JSON schema.
    verdict, policy
        What was decided by which rules.
    facts
        About the model.
    made_at, valid_until
        UTC, ISO 8601.
    people, forecasts, comparators
        In the candidate's part of the prediction table, and the models beside it.
    performance, unavailable
        Every metric of every group, and the metrics that the table could not give.
    label_sensitivity
        What biased labels could hide.
    """

    format: Literal["rehabcast-audit-report/1"] = "rehabcast-audit-report/1"
    verdict: Verdict
    policy: Policy
    facts: ModelFacts
    made_at: str
    valid_until: str
    people: int
    forecasts: int
    comparators: tuple[str, ...]
    performance: tuple[Performance, ...]
    unavailable: tuple[str, ...]
    label_sensitivity: tuple[LabelSensitivity, ...]


def compose(
    predictions: pd.DataFrame,
    verdict: Verdict,
    policy: Policy,
    facts: ModelFacts,
    *,
    made_at: str,
    valid_until: str,
) -> Report:
    """Put a report together; a table that broke its contract is told by the verdict alone."""
    table = rows_of(predictions, CANDIDATE) if MODEL in predictions.columns else pd.DataFrame()
    scored = len(table) > 0 and len(verdict.findings) > 1
    return Report(
        verdict=disclosed(verdict),
        policy=policy,
        facts=facts,
        made_at=made_at,
        valid_until=valid_until,
        people=table[SUBJECT].nunique() if scored else 0,
        forecasts=len(table) if scored else 0,
        comparators=tuple(str(name) for name in predictions[MODEL].unique() if name != CANDIDATE)
        if scored
        else (),
        performance=disclosed_performance(performance(table, policy)) if scored else (),
        unavailable=unavailable(table) if scored else (),
        label_sensitivity=disclosed_sensitivity(label_sensitivity(table, policy)) if scored else (),
    )


def pooled(report: Report, metric: Metric) -> list[Performance]:
    """Return a metric over all horizons: everyone, and each group that has another to differ from.

    An attribute with everyone in one group would only repeat everyone's line.
    """
    told = [r for r in report.performance if r.metric == metric and r.horizon_day is None]
    return [row for row in told if row.axis in varied_axes(told)]


def varied_axes(rows: Iterable[Performance]) -> set[str]:
    """Return the attributes with more than one group, and everyone."""
    groups: dict[str, set[str]] = {}
    for row in rows:
        groups.setdefault(row.axis, set()).add(row.group)
    return {axis for axis, labels in groups.items() if axis == EVERYONE or len(labels) > 1}
