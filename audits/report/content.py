"""The report: one JSON that is signed, and from which every edition is written.

Values of groups of fewer than 11 people are hidden in it. They were judged nevertheless, and can be
computed again from the prediction table whose digest it carries.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict

from audits.judging.performance import Performance, performance, unavailable
from audits.judging.policy import Policy
from audits.judging.rules import rows_of
from audits.judging.sensitivity import LabelSensitivity, label_sensitivity
from audits.judging.validation import breaks_contract
from audits.measure.groups import EVERYONE
from audits.measure.metrics import Metric
from audits.report.disclosure import (
    suppress_in_performance,
    suppress_in_sensitivity,
    suppress_in_verdict,
)
from contracts.predictions import CANDIDATE, MODEL, SUBJECT
from contracts.verdict import Verdict

FORMAT = "rehabcast-audit-report/1"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelFacts(_Strict):
    """Facts about the model, from its bundle; None means not available.

    Parameters
    ----------
    developer, contact, funding
        Who developed it, whom to contact, and who funded it.
    family, condition, target, horizon_weeks, milestones, inputs
        What it is, what it forecasts, and from which inputs.
    target_low, target_high
        Ends of the target's scale.
    cohort_name, simulated, subjects, seed, created
        What it was trained on, and when.
    audited_attributes
        The attributes that the audit compares people by, each with its reason.
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
    """Everything that an audit reports.

    Parameters
    ----------
    format
        Format of this record; `rehabcast ledger schema` prints its JSON schema.
    verdict, policy
        What was decided, by which rules.
    facts
        About the model.
    made_at, valid_until
        UTC, ISO 8601.
    people, forecasts, comparators
        Numbers of people and of the candidate's forecasts, and the models compared with it.
    performance, unavailable
        Every metric of every group, and the metrics that the table has no columns for.
    label_sensitivity
        What biased labels could hide.
    names_verified
        Whether people sign approvals with their own keys; else names are as somebody typed them.
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
    names_verified: bool = False


def compose(
    predictions: pd.DataFrame,
    verdict: Verdict,
    policy: Policy,
    facts: ModelFacts,
    *,
    made_at: str,
    valid_until: str,
    names_verified: bool = False,
) -> Report:
    """Put a report together; for a table that broke its contract it holds the verdict alone."""
    table = rows_of(predictions, CANDIDATE) if MODEL in predictions.columns else pd.DataFrame()
    scored = len(table) > 0 and not breaks_contract(verdict.findings)
    return Report(
        verdict=suppress_in_verdict(verdict),
        policy=policy,
        facts=facts,
        made_at=made_at,
        valid_until=valid_until,
        people=table[SUBJECT].nunique() if scored else 0,
        forecasts=len(table) if scored else 0,
        comparators=tuple(str(name) for name in predictions[MODEL].unique() if name != CANDIDATE)
        if scored
        else (),
        performance=suppress_in_performance(performance(table, policy)) if scored else (),
        unavailable=unavailable(table) if scored else (),
        label_sensitivity=suppress_in_sensitivity(label_sensitivity(table, policy))
        if scored
        else (),
        names_verified=names_verified,
    )


def over_all_horizons(report: Report, metric: Metric) -> list[Performance]:
    """Return a metric over all horizons: for everyone, and for each group of varied attributes.

    An attribute with everyone in one group would only repeat the line of everyone.
    """
    rows = [r for r in report.performance if r.metric == metric and r.horizon_day is None]
    return [row for row in rows if row.axis in varied_axes(rows)]


def varied_axes(rows: Iterable[Performance]) -> set[str]:
    """Return the attributes with more than one group, and everyone."""
    groups: dict[str, set[str]] = {}
    for row in rows:
        groups.setdefault(row.axis, set()).add(row.group)
    return {axis for axis, labels in groups.items() if axis == EVERYONE or len(labels) > 1}
