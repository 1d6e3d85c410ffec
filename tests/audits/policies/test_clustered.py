"""What an audit and its report say of clusters, from table to board's edition."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from audits.judging.judge import AuditInputs, judge
from audits.judging.policy import Policy
from audits.measure.prediction_table import contract_violations
from audits.policies.clustered import cluster_effect
from audits.report.board.governance import governance_edition
from audits.report.content import ModelFacts, Report, compose
from audits.report.technical import technical_edition
from contracts.verdict import Finding

FACTS = ModelFacts(
    developer=None, contact=None, funding=None, family="f", condition="c", target="t",
    target_low=0, target_high=66, horizon_weeks=(12,), milestones=(), inputs=(),
    audited_attributes={}, cohort_name="made up", simulated=True, subjects=9, seed=0,
    created="2026-11-27",
)  # fmt: skip


@pytest.fixture(scope="module")
def table(table_of: Callable[..., pd.DataFrame]) -> pd.DataFrame:
    return table_of(160, seed=5)


def clustered(table: pd.DataFrame, clusters: int, shift: float = 6.0) -> pd.DataFrame:
    """Return the table with hospitals, of each of which all forecasts are off alike."""
    rng = np.random.default_rng(clusters)
    hospital_S = rng.integers(clusters, size=table["subject_id"].max() + 1)
    hospital_N = hospital_S[table["subject_id"]]
    quantiles = [name for name in table if name[0] == "q" and name[1:].isdigit()]
    moved = table.assign(**{"cluster:hospital": [f"h{number}" for number in hospital_N]})
    off_N = rng.normal(0, shift, clusters)[hospital_N] * (table["model"] == "candidate")
    moved[quantiles] = moved[quantiles].add(off_N, axis=0)
    return moved


def made(table: pd.DataFrame, policy: Policy, inputs: AuditInputs) -> Report:
    verdict = judge(table, policy, inputs)
    return compose(table, verdict, policy, FACTS, made_at="now", valid_until="then")


def errors(report: Report) -> dict[tuple[str, str], Finding]:
    return {
        (f.axis, f.group): f
        for f in report.verdict.findings
        if f.metric == "signed error" and f.axis == "sex"
    }


@pytest.mark.parametrize("clusters", [4, 12])
def test_report_and_board_say_that_clusters_count_and_what_they_changed(
    table: pd.DataFrame, quick_policy: Policy, inputs: AuditInputs, clusters: int
) -> None:
    hospitals = clustered(table, clusters)
    report = made(hospitals, quick_policy, inputs)
    plain = made(hospitals.drop(columns="cluster:hospital"), quick_policy, inputs)
    effect = report.clusters
    assert effect is not None
    assert plain.clusters is None
    assert "clusters" not in plain.model_dump()
    (clustering,) = effect.clusterings
    assert (clustering.name, clustering.clusters) == ("hospital", clusters)
    assert clustering.are_few is (clusters < 8)
    assert effect.passing <= effect.passing_if_independent - (clusters == 4)
    for key, finding in errors(report).items():
        before = errors(plain)[key]
        assert finding.value == before.value
        assert None not in (finding.low, finding.high, before.low, before.high)
        assert finding.high - finding.low > before.high - before.low  # type: ignore[operator]
        assert f"Clusters by hospital: {clusters} with people of this group" in finding.reason
        assert ("too few to show" in finding.reason) is (clusters < 8)
    for edition in (governance_edition(report, ()), technical_edition(report, ())):
        text = str(edition.as_record())
        assert f"clustered by hospital ({clusters})" in text
        assert ("are too few to say for certain" in text) is (clusters < 8)
    assert "clustered by" not in str(governance_edition(plain, ()).as_record())
    for before_row, row in zip(plain.performance, report.performance, strict=True):
        assert row.value == before_row.value
        if row.low is not None and before_row.low is not None:
            assert row.low <= before_row.low


def test_everybody_in_one_cluster_changes_nothing_and_is_said(
    table: pd.DataFrame, quick_policy: Policy, inputs: AuditInputs
) -> None:
    one = table.assign(**{"cluster:hospital": "not recorded"})
    verdict = judge(one, quick_policy, inputs)
    effect = cluster_effect(one, quick_policy, verdict, None)
    assert effect is not None
    assert effect.passing == effect.passing_if_independent
    assert "Everybody belongs to one cluster" in str(
        governance_edition(made(one, quick_policy, inputs), ()).as_record()
    )


def test_nobody_is_in_two_clusters_or_in_none(table: pd.DataFrame) -> None:
    sound = clustered(table, 9)
    assert contract_violations(sound) == []
    torn = sound.copy()
    torn.loc[0, "cluster:hospital"] = "elsewhere"
    assert contract_violations(torn) == ["cluster:hospital: 1 person(s) are in more than one"]
    torn.loc[[0, 1], "cluster:hospital"] = None
    assert "have no label" in contract_violations(torn)[0]
    # Comparators, such as an older champion, need none.
    older = sound.copy()
    older.loc[older["model"] != "candidate", "cluster:hospital"] = None
    assert contract_violations(older) == []
