"""The benchmark of the International Stroke Trial, on a made-up table with the trial's columns."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from audits.judging.further.external import FurtherEvidence
from audits.judging.judge import judge
from audits.judging.policy import load_policy
from contracts.verdict import Outcome
from features.cohort import write_cohort
from features.sources.cohorts.ist import LABELS, import_ist
from support.auditor_evaluation import INPUTS
from support.ist_models import (
    ALIKE,
    LOGISTIC,
    TRIALISTS,
    Trial,
    as_audited,
    pooled_countries,
    trialists_chance_B,
)
from support.ist_tables import group_rows, of_bad_outcome
from support.repository import ROOT, repository_task
from training.models.bedside_rules import last_observation

PEOPLE = 900
POLICY = ROOT / "benchmarks" / "ist_policy.toml"


def made_up(seed: int = 0) -> pd.DataFrame:
    """Return people whose outcome follows age; in Sweden half of the bad ones end well instead."""
    rng = np.random.default_rng(seed)
    age_N = rng.integers(40, 95, PEOPLE)
    country_N = rng.choice(["UK", "SWED", "ITAL"], PEOPLE, p=[0.5, 0.25, 0.25])
    # The only one of a country; and a country that no list knows.
    country_N[0], country_N[1:20] = "FRAN", "ATLA"
    bad_N = rng.random(PEOPLE) < 1 / (1 + np.exp(-(age_N - 68) / 8))
    spared_N = (country_N == "SWED") & (rng.random(PEOPLE) < 0.6)
    outcome_N = np.where(bad_N & ~spared_N, 2, 4).astype(object)
    outcome_N[20:30] = 9
    table = pd.DataFrame({column: rng.choice(["Y", "N"], PEOPLE) for column in LABELS})
    table = table.assign(
        HOSPNUM=rng.integers(1, 9, PEOPLE), COUNTRY=country_N, OCCODE=outcome_N, RXASP="Y",
        RXHEP="N", RCT="Y", AGE=age_N, RDELAY=rng.integers(1, 48, PEOPLE),
        RSBP=rng.integers(100, 220, PEOPLE).astype(object), RCONSC=rng.choice(["F", "D"], PEOPLE),
        SEX=rng.choice(["M", "F"], PEOPLE), STYPE=rng.choice(["LACS", "PACS"], PEOPLE),
        EXPDD=np.where(age_N > 90, np.nan, 1 / (1 + np.exp(-(age_N - 68) / 8))),
    )  # fmt: skip
    table.loc[40:60, ["SEX", "RSBP", "STYPE"]] = ""
    return table


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trial")
    made_up().to_csv(folder / "trial.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def trial(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Trial:
    folder = tmp_path_factory.mktemp("cohort")
    cohort = write_cohort(*import_ist(source), folder / "cohort")
    return Trial.of(cohort, repository_task("stroke-independence"))


def test_the_audit_finds_the_country_whose_chances_are_wrong_and_passes_sex(trial: Trial) -> None:
    table = trial.chances(trial.logistic_chance_B(trial.fold_B), LOGISTIC)
    both = as_audited(table, trial.family(last_observation, ALIKE))
    inputs = replace(INPUTS, model_version="ist/1", simulated=False)
    policy = load_policy(POLICY).model_copy(update={"replicates": 200})
    verdict = judge(both, policy, inputs, FurtherEvidence(follow_up=trial.followed(table)))
    chances = {
        (f.axis, f.group): f for f in verdict.findings if f.rule.startswith("chances as promised")
    }
    assert verdict.outcome is Outcome.BLOCKED
    sweden = chances["country", "Sweden"]
    assert sweden.outcome is Outcome.BLOCKED
    assert sweden.value is not None
    assert sweden.value < -policy.rules[3].limit
    assert chances["sex", "female"].outcome is not Outcome.BLOCKED
    # Of one person nothing can be said.
    assert chances["country", "France"].outcome is Outcome.INSUFFICIENT
    assert ("country", "ATLA") in chances
    assert not [f for f in verdict.findings if "check of the" in f.rule and f.outcome != "pass"]


def test_the_shipped_policy_does_not_let_a_cohort_without_ethnicity_pass(trial: Trial) -> None:
    target = trial.task.target
    shipped = load_policy().carried_over(target.code, target.minimal_important_difference)
    assert "ethnicity" in {each.attribute for each in shipped.required}
    assert "ethnicity" not in {each.attribute for each in load_policy(POLICY).required}
    assert set(trial.batch.groups_B["ethnicity"]) == {"not recorded"}


def test_whom_the_trialists_gave_no_risk_is_left_out_of_their_table(
    trial: Trial, source: Path
) -> None:
    chance_B = trialists_chance_B(trial, source)
    table = trial.chances(chance_B, TRIALISTS)
    assert 0 < np.isnan(chance_B).sum() == len(trial.batch) - len(table)
    lost = trial.follow_up["status"] == "lost"
    assert lost.sum() == 10
    followed = trial.followed(table)
    assert set(table["subject_id"]) <= set(followed["subject_id"])
    assert len(followed) == len(table) + lost.sum()


def test_ratios_are_those_of_the_bad_outcome_and_small_countries_are_pooled(trial: Trial) -> None:
    table = trial.chances(np.full(len(trial.batch), 0.4), LOGISTIC)
    bad = of_bad_outcome(table, trial.milestone)
    pooled = pooled_countries(trial.country_B.tolist(), 100)
    rows = {name: cells for name, *cells in group_rows(bad, {"country": pooled})}
    assert set(rows) == {"everyone", "Italy", "Sweden", "United Kingdom", "other countries"}
    expected = (~trial.reached_B).mean() / 0.6
    assert float(rows["everyone"][3].split()[0]) == pytest.approx(expected, abs=0.001)
