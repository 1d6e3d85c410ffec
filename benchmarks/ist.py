"""Benchmark: forecasts and audits of 14,845 real people, the International Stroke Trial.

`make bench NAME=ist` reads ../shared/data/ist_stroke_trial; `python benchmarks/ist.py FOLDER` reads
the table of another folder. The same people and folds for all models. Prints the models side by
side, by sex and by country, countries left out in turn, and what the audit says of each by the
board's policy (`ist_policy.toml`) and by the shipped one, with its time.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import torch

from audits.judging.further.external import FurtherEvidence
from audits.judging.judge import judge
from audits.judging.policy import Policy, load_policy
from audits.report.content import ModelFacts, compose
from audits.report.editions import write_editions
from contracts.predictions import SUBJECT
from contracts.verdict import Finding, Outcome, Verdict
from features.cohort import write_cohort
from features.sources.cohorts.ist import import_ist
from support.auditor_evaluation import INPUTS
from support.ist_models import (
    ALIKE,
    COUNTRY,
    HYBRID,
    LOGISTIC,
    TRIALISTS,
    Trial,
    as_audited,
    forecasts,
    pooled_countries,
)
from support.ist_tables import COLUMNS, group_rows, of_bad_outcome
from support.repository import REAL_DATA, repository_task

REAL = REAL_DATA / "ist_stroke_trial"
POLICY = Path(__file__).with_name("ist_policy.toml")
TASK = "stroke-independence"
MINIMUM_SHOWN = 200
"""Countries with fewer people are shown together: their intervals would say nothing."""


def print_table(title: str, header: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    """Print a table in Markdown."""
    names = tuple(header)
    print(f"\n{title}\n\n| {' | '.join(names)} |\n|{'---|' * len(names)}")
    for row in rows:
        print(f"| {' | '.join(row)} |", flush=True)


def print_models(trial: Trial, tables: dict[str, pd.DataFrame]) -> None:
    """Print the models side by side: on everyone, by sex and by country."""
    country = dict(zip(trial.batch.subject_B.tolist(), trial.country_B, strict=True))
    rows = []
    for name, table in tables.items():
        countries = [country[subject] for subject in table[SUBJECT].tolist()]
        axes = {"sex": None, COUNTRY: pooled_countries(countries, MINIMUM_SHOWN)}
        bad = of_bad_outcome(table, trial.milestone)
        rows += [(group, name, *cells) for group, *cells in group_rows(bad, axes)]
    order = list(dict.fromkeys(group for group, *_ in rows))
    rows.sort(key=lambda row: order.index(row[0]))
    print_table(
        "Out of fold; observed/expected of the dead or dependent",
        ("group", "model", "people", *COLUMNS), rows,
    )  # fmt: skip


def print_left_out(trial: Trial) -> None:
    """Print how a logistic does in a country that it was not fitted in."""
    pooled_B = pooled_countries(trial.country_B.tolist(), MINIMUM_SHOWN)
    part_B = pd.factorize(pooled_B)[0]
    if not part_B.any():
        print("\nAll people are of one country, or of small ones: none can be left out")
        return
    table = trial.chances(trial.logistic_chance_B(part_B), LOGISTIC)
    bad = of_bad_outcome(table, trial.milestone)
    rows = list(group_rows(bad, {COUNTRY: pooled_B}))
    print_table(
        "Each country forecast by a plain logistic of all others",
        ("country left out", "people", *COLUMNS[:3]), [row[:5] for row in rows],
    )  # fmt: skip


def facts(trial: Trial, family: str) -> ModelFacts:
    """Return what a report says of a model."""
    return ModelFacts(
        developer=None, contact=None, funding=None, family=family,
        condition=trial.task.condition, target=trial.task.target.code,
        target_low=trial.task.target.low, target_high=trial.task.target.high, horizon_weeks=(26,),
        milestones=(trial.milestone,), inputs=trial.task.inputs.person,
        audited_attributes={a.name: a.reason for a in trial.task.sensitive}, cohort_name="ist",
        simulated=False, subjects=len(trial.batch), seed=0, created="",
    )  # fmt: skip


def audited(trial: Trial, table: pd.DataFrame, policy: Policy, family: str) -> tuple[Verdict, str]:
    """Judge a table and write every edition of its report; return the verdict, and the seconds."""
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        start = time.process_time()
        inputs = replace(INPUTS, model_version="ist/1", simulated=False)
        further = FurtherEvidence(follow_up=trial.followed(table))
        verdict = judge(table, policy, inputs, further)
        judged = time.process_time()
        report = compose(
            table, verdict, policy, facts(trial, family), made_at="2026-11-27T00:00:00+00:00",
            valid_until="2027-05-26T00:00:00+00:00", follow_up=further.follow_up,
        )  # fmt: skip
        composed = time.process_time()
        for missing in write_editions(report, Path(folder)):
            print(f"not made: {missing.edition} ({missing.found})")
        end = time.process_time()
    parts = " + ".join(f"{s:.1f}" for s in (judged - start, composed - judged, end - composed))
    clock = time.perf_counter() - started
    return verdict, f"{parts} = {end - start:.1f} s, {clock:.0f} s by the clock"


def told(findings: Iterable[Finding]) -> str:
    """Return which groups did not pass, by outcome."""
    groups: dict[Outcome, list[str]] = {}
    for finding in findings:
        groups.setdefault(finding.outcome, [])
        if finding.group not in groups[finding.outcome]:
            groups[finding.outcome].append(finding.group)
    said = [
        f"{outcome}: {', '.join(groups[outcome])}"
        for outcome in (Outcome.BLOCKED, Outcome.REVIEW, Outcome.INSUFFICIENT)
        if outcome in groups
    ]
    return "; ".join(said) or "all pass"


def print_audits(trial: Trial, tables: dict[str, pd.DataFrame]) -> None:
    """Print the verdict on each model, and how long it took."""
    board = load_policy(POLICY)
    target = trial.task.target
    shipped = load_policy().carried_over(target.code, target.minimal_important_difference)
    timed = []
    for title, policy, names in (
        ("the board's policy", board, (LOGISTIC, TRIALISTS, HYBRID)),
        ("the shipped policy, carried over", shipped, (HYBRID,)),
    ):
        for name in names:
            table = as_audited(tables[name], tables[ALIKE])
            verdict, seconds = audited(trial, table, policy, name)
            timed.append((name, title, str(verdict.outcome), seconds))
            binding = [f for f in verdict.findings if f.binding]
            rules = dict.fromkeys((f.rule, f.axis) for f in binding if f.axis in GROUPED)
            print_table(
                f"{name} by {title}: {verdict.outcome} {dict(Counter(f.outcome for f in binding))}",
                ("binding rule", "by", "what did not pass"),
                (
                    (rule, axis, told(f for f in binding if (f.rule, f.axis) == (rule, axis)))
                    for rule, axis in rules
                ),
            )
    print_table(
        "Processor time of an audit: judged + report composed + its editions written",
        ("model", "policy", "verdict", "seconds"), timed,
    )  # fmt: skip


GROUPED = ("everyone", "sex", "age band", COUNTRY)


def main() -> None:
    """Run the benchmark and print the tables."""
    source = Path(sys.argv[1]) if len(sys.argv) > 1 else REAL
    if not source.exists():
        sys.exit(f"{source} does not exist: there is nothing to run on")
    torch.set_num_threads(1)
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        cohort = write_cohort(*import_ist(source), Path(folder) / "cohort")
        trial = Trial.of(cohort, repository_task(TASK))
        print(
            f"International Stroke Trial: {cohort.events[SUBJECT].nunique():,} people,"
            f" {len(trial.batch):,} with an outcome, {len(set(trial.country_B))} countries;"
            f" {trial.reached_B.mean():.1%} alive and independent"
        )
        tables = forecasts(trial, source, Path(folder))
    print(f"imported, fitted and forecast in {time.perf_counter() - start:.0f} s", flush=True)
    print_models(trial, tables)
    print_left_out(trial)
    print_audits(trial, tables)


if __name__ == "__main__":
    main()
