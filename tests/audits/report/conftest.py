"""One report on a small simulated table with a planted disparity and a group of seven."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from audits.judging.judge import AuditInputs, judge
from audits.judging.policy import Policy
from audits.report.content import ModelFacts, Report, compose
from audits.report.editions import write_editions, write_report
from contracts.verdict import Verdict

FACTS = ModelFacts(
    developer=None,
    contact="someone@example.org",
    funding=None,
    family="recurrent network",
    condition="upper-limb paresis after stroke",
    target="REHABCAST//FUGL_MEYER_UE",
    target_low=0,
    target_high=66,
    horizon_weeks=(6, 12),
    milestones=("important gain",),
    inputs=("steps", "age"),
    audited_attributes={"sex": "women start later"},
    cohort_name="made-up <b>cohort</b>",
    simulated=True,
    subjects=90,
    seed=0,
    created="2026-11-24T09:00:00+00:00",
)


@pytest.fixture(scope="session")
def facts() -> ModelFacts:
    return FACTS


@pytest.fixture(scope="session")
def table(table_of: Callable[..., pd.DataFrame]) -> pd.DataFrame:
    made = table_of(
        90,
        groups={"sex": ("female", "male"), "wear band": ("no wearable",)},
        extra_error={("sex", "female"): 9.0},
    )
    return made.assign(
        **{"group:sex": made["group:sex"].mask(made["subject_id"] < 7, "not recorded")}
    )


@pytest.fixture(scope="session")
def verdict(table: pd.DataFrame, quick_policy: Policy, inputs: AuditInputs) -> Verdict:
    return judge(table, quick_policy, inputs)


@pytest.fixture(scope="session")
def report(table: pd.DataFrame, verdict: Verdict, quick_policy: Policy) -> Report:
    return compose(
        table,
        verdict,
        quick_policy,
        FACTS,
        made_at="2026-11-24T10:00:00+00:00",
        valid_until="2027-05-23T10:00:00+00:00",
    )


@pytest.fixture(scope="session")
def editions(report: Report, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("editions")
    write_report(report, folder)
    assert write_editions(report, folder) == ()
    return folder
