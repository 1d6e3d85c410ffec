"""External validation: scores of a registered bundle's forecasts on any cohort."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from contracts import predictions as columns
from training.scores import with_losses


@dataclass(frozen=True, slots=True, kw_only=True)
class HorizonScore:
    """Scores of one model at one horizon.

    Parameters
    ----------
    weeks, subjects, outcomes
        Horizon, number of subjects and number of outcomes.
    mae, crps, width_80
        Means, in score points.
    bias
        Mean of forecast median minus truth.
    coverage_80
        Share of truths inside the 80 % interval.
    """

    weeks: float
    subjects: int
    outcomes: int
    mae: float
    crps: float
    bias: float
    coverage_80: float
    width_80: float


def scores_by_horizon(table: pd.DataFrame) -> list[HorizonScore]:
    """Score a prediction table of one model, per horizon."""
    scored = with_losses(table)
    names = ["mae", "crps", "bias", "coverage_80", "width_80"]
    return [
        HorizonScore(
            weeks=float(str(day)) / 7,
            subjects=rows[columns.SUBJECT].nunique(),
            outcomes=len(rows),
            **{name: float(rows[name].mean()) for name in names},
        )
        for day, rows in scored.groupby(columns.HORIZON)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Forecasts that the service would refuse for one reason (`inference.refusals`).

    Parameters
    ----------
    reason
        The first that holds.
    people, forecasts
        Of how many people, and how many forecasts of them; a question is one forecast.
    """

    reason: str
    people: int
    forecasts: int


def refused_by_reason(table: pd.DataFrame) -> list[Refused]:
    """Count what the service would refuse in a table of forecasts or of questions, by reason."""
    refused = table[table[columns.REFUSAL] != ""]
    by_reason = refused.groupby(columns.REFUSAL)
    pairs = refused.drop_duplicates([columns.SUBJECT, columns.ORIGIN]).groupby(columns.REFUSAL)
    forecasts = pairs.size()
    people = by_reason[columns.SUBJECT].nunique()
    return [
        Refused(reason=str(reason), people=int(people[reason]), forecasts=int(forecasts[reason]))
        for reason in people.sort_values(ascending=False).index
    ]
