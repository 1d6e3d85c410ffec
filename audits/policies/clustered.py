"""What it changed that people of one cluster, such as a hospital, were taken to be alike.

The board's rules are applied twice, with the clusters and as if everybody were independent, each
time as at a first attempt. The verdict stays the one with the clusters.
"""

from __future__ import annotations

import pandas as pd
from pydantic import BaseModel, ConfigDict

from audits.judging.lost.missing import Missing, violations
from audits.judging.policy import Policy
from audits.judging.rules import apply_rules, rows_of
from audits.measure.clustered.alike import FEW
from audits.measure.clustered.clusters import cluster_names
from audits.measure.disparity import Scope
from contracts.predictions import CANDIDATE, CLUSTER
from contracts.verdict import Finding, Outcome, Verdict


class Clustering(BaseModel):
    """What people were clustered by.

    Parameters
    ----------
    name, clusters
        As the task declares it, and how many there are; people of whom it is not recorded are one.
    are_few
        Whether they are too few to say for certain how alike their people are.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    clusters: int
    are_few: bool


class ClusterEffect(BaseModel):
    """What it changed that people were clustered.

    Parameters
    ----------
    clusterings
        What people were clustered by.
    binding, passing, passing_if_independent
        Findings of binding rules on everyone and on groups; those that pass; and those that would
        if everybody were independent.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    clusterings: tuple[Clustering, ...]
    binding: int
    passing: int
    passing_if_independent: int


def cluster_effect(
    predictions: pd.DataFrame, policy: Policy, verdict: Verdict, follow_up: pd.DataFrame | None
) -> ClusterEffect | None:
    """Return what it changed that people are clustered; None where the table has no clusters.

    Parameters
    ----------
    predictions
        The prediction table that the verdict is about; it keeps its contract.
    follow_up
        The follow-up table; None where there is none.
    """
    table = rows_of(predictions, CANDIDATE)
    names = cluster_names(table)
    if not names:
        return None
    clustered = _findings(predictions, policy, verdict, follow_up)
    columns = [CLUSTER + name for name in names]
    independent = _findings(
        predictions.drop(columns=columns), policy, verdict,
        None if follow_up is None else follow_up.drop(columns=columns, errors="ignore"),
    )  # fmt: skip
    counts = {name: int(table[CLUSTER + name].nunique()) for name in names}
    return ClusterEffect(
        clusterings=tuple(
            Clustering(name=name, clusters=count, are_few=count < FEW)
            for name, count in counts.items()
        ),
        binding=len(clustered),
        passing=_passing(clustered),
        passing_if_independent=_passing(independent),
    )


def _findings(
    predictions: pd.DataFrame, policy: Policy, verdict: Verdict, follow_up: pd.DataFrame | None
) -> list[Finding]:
    sound = (
        policy.lost is not None
        and follow_up is not None
        and not any(violations(follow_up, rows_of(predictions, CANDIDATE)))
    )
    missing = (
        Missing.of(follow_up, policy.lost)
        if sound and follow_up is not None and policy.lost is not None and len(follow_up)
        else None
    )
    found = apply_rules(
        predictions, policy, champion=verdict.champion, missing=missing,
        scopes=(Scope.OVERALL, Scope.AXES),
    ).findings  # fmt: skip
    return [finding for finding in found if finding.binding]


def _passing(findings: list[Finding]) -> int:
    return sum(finding.outcome is Outcome.PASS for finding in findings)
