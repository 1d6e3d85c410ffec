"""The fast path of the auditor's benchmark says what the product says of the same people."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from audits.judging.judge import judge
from audits.judging.policy import load_policy
from contracts.forecast import QUANTILE_LEVELS
from contracts.verdict import Outcome
from support.auditor_evaluation import INPUTS
from support.operating_point import SHARES, SPREAD, People, audit, draw, draw_labels
from support.operating_table import SCENARIOS, bounded, cell, rows


def table_of(cohort: People) -> pd.DataFrame:
    """Lay a cohort out as a prediction table, with two comparators that are far worse."""
    people, horizons = cohort.error_SH.shape
    subject_N = np.repeat(np.arange(people), horizons)
    error_N = cohort.error_SH.ravel()
    # The truth is away from the ends of the scale, so that no error is cut off.
    truth_N = 30.0 + np.linspace(0, 10, people)[subject_N] + np.tile(np.arange(horizons), people)
    table = pd.DataFrame(
        {
            "subject_id": subject_N, "origin_day": 0,
            "horizon_day": np.tile(42 * np.arange(1, horizons + 1), people),
            "days_since_onset": 20.0, "fold": subject_N % 5, "last_score": 20.0, "truth": truth_N,
            "reached:gain": cohort.reached_SH.ravel(),
            "chance:gain": np.where(cohort.reached_SH & ~cohort.missed_SH, 0.9, 0.1).ravel(),
            **{
                f"group:{name}": [f"label {x}" for x in cohort.label_SA[subject_N, a]]
                for a, name in enumerate(SHARES)
            },
        }
    )  # fmt: skip
    quantiles = [f"q{round(100 * level):02d}" for level in QUANTILE_LEVELS]
    models = []
    for model, times in (
        ("candidate", 1.0),
        ("last observation", 3.0),
        ("proportional recovery", 3.0),
    ):
        made = table.assign(model=model)
        made[quantiles] = (truth_N + times * error_N)[:, None] + SPREAD * norm.ppf(QUANTILE_LEVELS)
        models.append(made)
    return pd.concat(models, ignore_index=True)


@pytest.mark.parametrize(
    ("people", "times", "seed"), [(150, 0.0, 1), (400, 0.0, 2), (500, 0.7, 3), (400, 1.2, 4)]
)
def test_the_fast_path_and_the_product_judge_the_same_people_alike(
    people: int, times: float, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Its comparison with MetricFrame takes seconds, and has tests of its own.
    monkeypatch.setattr("audits.judging.judge.check_against_metric_frame", lambda *_: 0.0)
    policy = load_policy()
    binding = tuple(
        rule for rule in policy.rules if rule.binding or rule.excludes_unless is not None
    )
    policy = policy.model_copy(update={"rules": binding, "required": (), "lost": None})
    rng = np.random.default_rng(seed)
    label_SA = draw_labels(people, rng)
    harmed_S = 4.25 * times * (label_SA[:, 8] == 1)
    cohort = draw(people, rng, harmed_S=harmed_S, label_SA=label_SA)
    fast, table = audit(cohort, policy), table_of(cohort)
    verdict = judge(table, policy, INPUTS)
    assert fast.blocked == (verdict.outcome is Outcome.BLOCKED)
    assert fast.passed == verdict.outcome.is_pass
    if verdict.scope is not None:
        names = [name for name in table.columns if name.startswith("group:")]
        first = table[table["model"] == "candidate"].drop_duplicates("subject_id")[names]
        served = [
            not verdict.scope.outside({
                name.removeprefix("group:"): label
                for name, label in zip(names, labels, strict=True)
            })
            for labels in first.itertuples(index=False, name=None)
        ]  # fmt: skip
        assert served == fast.served_S.tolist()


def test_a_cell_counts_what_happened_to_the_harmed() -> None:
    twice = next(s for s in SCENARIOS if s.people == 30)
    found = cell(twice, 300, 6, seed=1)
    assert found.cohorts == 6
    assert found.blocked >= 4
    assert found.harmed_served == 0
    assert bounded(0, 1000) == "0.0% (at most 0.3%)"


def test_the_table_has_every_scenario_at_every_size() -> None:
    with ThreadPoolExecutor(1) as pool:
        lines = list(rows(pool, cohorts=1))
    assert len(lines) == 2 + 5 * len(SCENARIOS)
    assert all("SIMULATED" in line for line in lines[:1])
