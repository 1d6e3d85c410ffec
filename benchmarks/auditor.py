"""Evaluates the auditor on disparities of known size, and on a real one: `make bench NAME=auditor`.

First the operating point of the whole verdict, on thousands of SIMULATED cohorts by a fast path
(`support.operating_table`; `python benchmarks/auditor.py operating-points` prints it alone, with
`--only WORDS`, `--people N`, `--cohorts N` and `--processes N` a part of it; `attempts` prints what
a second and a third version meet). Then (`scenarios`: this alone) 100 seeds (`--seeds N`) of each
scenario F0 to F6 of the simulated cohort, forecast by a plain model (`support.auditor_trials`); the
same scenarios reduced to planted tables (`support.planted`), and one exactly at the limit. Each
other disparity is twice the policy's limit. All SIMULATED. Then the gap of a plain logistic
regression between White and Black participants of NHANES 2003-2006, five-year mortality
(../shared/data/nhanes_2003_06, where available).
"""

from __future__ import annotations

import argparse
import os
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from audits.judging.judge import judge
from audits.judging.policy import Policy, load_policy
from contracts.verdict import Finding
from support.auditor_evaluation import INPUTS, DetectionRates, evaluate
from support.auditor_trials import TRIALS, Trial, TrialResult, run_trial
from support.operating_table import SIZES, attempt_rows
from support.operating_table import rows as operating_rows
from support.planted import Scenario, planted_case, scenarios

ROOT = Path(__file__).resolve().parent.parent
NHANES = ROOT.parent / "shared" / "data" / "nhanes_2003_06" / "subject_features.csv.gz"
NHANES_POLICY = Path(__file__).with_name("nhanes_policy.toml")
SEEDS, LIMIT = 100, 4.25
COHORTS = 1000
DEATH = "death within five years"


def at_the_limit() -> Scenario:
    """Return F1 with the disparity exactly at the limit: blocking it is a false alarm."""
    at_limit = next(s for s in scenarios(LIMIT / 2) if s.name == "F1")
    return replace(at_limit, name="F1 at the limit", story="promised too much, exactly the limit")


def rates_of(scenario: Scenario, *, seeds: int) -> tuple[Scenario, DetectionRates]:
    """Evaluate the auditor on one planted scenario, with the shipped policy."""
    return scenario, evaluate(planted_case(scenario, load_policy()), seeds=seeds)


def mortality_table(*, seed: int = 0) -> pd.DataFrame:
    """Return five-fold out-of-fold chances of death of a plain logistic, as a prediction table."""
    people = pd.read_csv(NHANES)
    people = people[people["yr5_mort"].notna()].reset_index(drop=True)
    numbers = people[["Age", "BMI", "TAC", "MVPA", "ST"]].astype(float)
    yes_no = ["Diabetes", "CHF", "Stroke", "Cancer", "MobilityProblem", "SmokeCigs"]
    features = pd.concat(
        [
            numbers.fillna(numbers.median()),
            pd.get_dummies(people[["Gender", *[c for c in yes_no if c in people]]].astype(str)),
        ],
        axis=1,
    ).astype(float)
    died_N = people["yr5_mort"].to_numpy().astype(bool)
    chance_N, fold_N = np.empty(len(people)), np.empty(len(people), dtype=int)
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    for fold, (seen, unseen) in enumerate(folds.split(features, died_N)):
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=2000))
        model.fit(features.iloc[seen], died_N[seen])
        chance_N[unseen] = model.predict_proba(features.iloc[unseen])[:, 1]
        fold_N[unseen] = fold
    age = people["Age"].to_numpy(dtype=float)
    base = died_N.mean()
    table = pd.DataFrame(
        {
            "model": "candidate", "subject_id": np.arange(len(people)), "origin_day": 0,
            "horizon_day": 5 * 365, "days_since_onset": 0.0, "fold": fold_N,
            f"chance:{DEATH}": chance_N, f"reached:{DEATH}": died_N,
            "group:race": people["Race"].fillna("not recorded").astype(str),
            "group:sex": people["Gender"].fillna("not recorded").astype(str),
            "group:age band": np.where(age < 60, "50-59", np.where(age < 70, "60-69", "70-85")),
        }
    )  # fmt: skip
    base_rate = table.assign(model="everyone alike", **{f"chance:{DEATH}": base})
    return pd.concat([table, base_rate], ignore_index=True)


def nhanes(policy: Policy) -> list[Finding]:
    """Return the findings on race."""
    inputs = replace(INPUTS, model_version="nhanes/1", simulated=False)
    return [f for f in judge(mortality_table(), policy, inputs).findings if f.axis == "race"]


def result_of(trial: Trial, *, seeds: int) -> TrialResult:
    """Evaluate the auditor on one scenario of the simulated cohort."""
    return run_trial(trial, load_policy(), seeds=seeds)


def share(number: float | None) -> str:
    """Return a share in per cent; empty for None."""
    return "" if number is None else f"{number:.0%}"


def print_trials(pool: Executor, seeds: int) -> None:
    """Print how the auditor did on simulated cohorts."""
    print(f"SIMULATED cohorts, {seeds} seeds each, forecast by least squares")
    print("| scenario | subjects | group | metric | limit | gap planted | gap of the scenario as"
          " shipped | detected | false alarm | true gap in the bracket |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|---|---|")
    for result in pool.map(partial(result_of, seeds=seeds), TRIALS):
        trial, rates = result.trial, result.rates
        group = "" if trial.name == "F0" else f"{trial.axis}: {trial.group}"
        limit = f"{trial.task.limit:g}"
        gaps = ["" if gap is None else f"{gap:+.2f}" for gap in (result.gap, result.gap_as_shipped)]
        shares = [share(s) for s in (rates.detected, rates.false_alarm, rates.bracketed)]
        cells = [trial.name, str(trial.subjects), group, trial.metric or "", limit, *gaps, *shares]
        print(f"| {' | '.join(cells)} |", flush=True)


def print_planted(pool: Executor, seeds: int) -> None:
    """Print how the auditor did on planted tables."""
    print(f"\nSIMULATED tables, {seeds} seeds each, disparity twice the limit of {LIMIT} points")
    print("| scenario | what happened to the group | detected | at least suspected | false alarm"
          " elsewhere | true gap in the bracket |")  # fmt: skip
    print("|---|---|---|---|---|---|")
    planted = (*scenarios(LIMIT), at_the_limit())
    for scenario, rates in pool.map(partial(rates_of, seeds=seeds), planted):
        shares = (rates.detected, rates.suspected, rates.false_alarm, rates.bracketed)
        cells = " | ".join(share(s) for s in shares)
        print(f"| {scenario.name} | {scenario.story} | {cells} |", flush=True)


def print_operating_points(pool: Executor, options: argparse.Namespace) -> None:
    """Print how often the whole verdict is right."""
    cohorts = options.cohorts
    print(f"SIMULATED, {cohorts} cohorts a row, 9 attributes with 32 labels; upper bounds 95 %")
    sizes = options.people or SIZES
    for line in operating_rows(pool, cohorts=cohorts, only=options.only, sizes=sizes):
        print(line, flush=True)


def asked() -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", nargs="?", choices=["operating-points", "attempts", "scenarios"])
    parser.add_argument("--only", default="", help="words in the names of the scenarios")
    parser.add_argument("--people", type=int, nargs="*", choices=SIZES)
    parser.add_argument("--cohorts", type=int, default=COHORTS)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--processes", type=int, default=min(2, os.cpu_count() or 1))
    return parser.parse_args()


def main() -> None:
    """Print the tables."""
    options = asked()
    if options.part == "attempts":
        for line in attempt_rows(cohorts=options.cohorts):
            print(line, flush=True)
        return
    with ProcessPoolExecutor(options.processes) as pool:
        if options.part != "scenarios":
            print_operating_points(pool, options)
            print()
        if options.part == "operating-points":
            return
        print_trials(pool, options.seeds)
        print_planted(pool, options.seeds)
    if not NHANES.exists():
        print(f"NHANES: {NHANES} not found, skipped")
        return
    print("\nNHANES 2003-2006, five-year mortality, plain logistic, out of fold")
    for finding in nhanes(load_policy(NHANES_POLICY)):
        print(f"- {finding.outcome}: {finding.reason}")


if __name__ == "__main__":
    main()
