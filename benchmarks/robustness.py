"""Benchmark: does Group DRO or reweighing help a small minority? (SIMULATED, scenario F5).

A group of 3 % recovers a smaller share of its impairment. One network per method and seed is fitted
on the same subjects and forecasts others. Prints one table and, as its last line, one JSON object;
differences are the method minus the plain fit of the same seeds, paired by subject.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd
from rich.table import Table

from contracts import predictions as columns
from contracts.sequences import SequenceBatch
from contracts.task import Task
from features.sequences import training_sequences
from features.simulate import simulate
from features.simulate.scenario import read_scenario
from rehabcast.output import stdout_console
from support.repository import ROOT, UPPER_LIMB, repository_task
from training.comparison.bayes_floor import MINIMUM_SUBJECTS
from training.fitting.config import Robustness, TrainingConfig
from training.fitting.network_fit import fit_network, forward
from training.predictions import prediction_table
from training.scores import losses, paired_difference

TRAINED, SCORED, SEEDS = 600, 2_000, (0, 1, 2)
MINORITY = ("ethnicity", "other")


def crps_table(
    method: Robustness, train: SequenceBatch, unseen: SequenceBatch, task: Task
) -> pd.DataFrame:
    """Return the prediction tables of one method for all seeds, with their CRPS."""
    parts = []
    for seed in SEEDS:
        config = replace(TrainingConfig(), robustness=method, seed=seed)
        with tempfile.TemporaryDirectory() as folder:
            network = fit_network(train, task, config, seed=seed, folder=Path(folder))
        table = prediction_table(unseen, forward(network, unseen), task, model=method)
        parts.append(table.assign(crps=losses(table)["crps"]))
    return pd.concat(parts, ignore_index=True)


def groups_of(table: pd.DataFrame) -> dict[str, pd.Series]:
    """Return which rows belong to everybody, and to each group with enough subjects."""
    rows_of = {"everybody": pd.Series(True, index=table.index)}
    for name in (name for name in table.columns if name.startswith(columns.GROUP)):
        for label in sorted(table[name].unique()):
            inside = table[name] == label
            if table.loc[inside, columns.SUBJECT].nunique() >= MINIMUM_SUBJECTS:
                rows_of[f"{name.removeprefix(columns.GROUP)}: {label}"] = inside
    return rows_of


def main() -> None:
    """Run the benchmark and print the results."""
    task = repository_task(UPPER_LIMB)
    scenario = read_scenario(ROOT / "scenarios" / "fairness-5-minority.toml")
    events, _ = simulate(subjects=TRAINED + SCORED, seed=5, scenario=scenario)
    batch = training_sequences(events, task)
    train, unseen = batch.take(batch.subject_B <= TRAINED), batch.take(batch.subject_B > TRAINED)
    tables = {name: crps_table(name, train, unseen, task) for name in get_args(Robustness)}
    plain = tables["none"]
    rows_of = groups_of(plain)
    worst = max(rows_of, key=lambda group: plain.loc[rows_of[group], "crps"].mean())
    groups = ["everybody", ": ".join(MINORITY), worst]
    printed = Table(
        "method", "group", "subjects", "CRPS", "minus plain",
        title=f"SIMULATED, {scenario.name}: trained on {TRAINED:,}, {len(SEEDS)} seeds",
        caption=f"worst group with the plain fit: {worst}",
    )  # fmt: skip
    record = []
    for method, table in tables.items():
        for group in dict.fromkeys(groups):
            rows = rows_of[group].to_numpy()
            crps_N, plain_N = (x["crps"].to_numpy()[rows] for x in (table, plain))
            subject_N = plain[columns.SUBJECT].to_numpy()[rows]
            change = paired_difference(crps_N, plain_N, subject_N)
            subjects = len(np.unique(subject_N))
            record.append(
                {
                    "method": method, "group": group, "subjects": subjects,
                    "crps": float(crps_N.mean()), "minus_plain": asdict(change),
                }
            )  # fmt: skip
            difference = "" if method == "none" else str(change)
            printed.add_row(method, group, str(subjects), f"{crps_N.mean():.2f}", difference)
    stdout_console.print(printed)
    print(json.dumps(record))


if __name__ == "__main__":
    main()
