"""Benchmark: does Group DRO or reweighing help a small minority? (SIMULATED, scenario F5).

A group of 3 % regains less of what is missing. One network is fitted per method and seed on the
same subjects and forecasts others. Prints one table and, as its last line, one JSON object;
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
from rehabcast.commands.output import stdout_console
from training.comparison.leaderboard import MINIMUM_SUBJECTS
from training.fitting.config import Robustness, TrainingConfig
from training.fitting.fit import fit_network, forward
from training.predictions import prediction_table
from training.scores import losses, paired_difference
from training.task import read_task

ROOT = Path(__file__).resolve().parent.parent
TRAINED, SCORED, SEEDS = 600, 2_000, (0, 1, 2)
MINORITY = ("ethnicity", "other")


def crps_table(
    method: Robustness, train: SequenceBatch, unseen: SequenceBatch, task: Task
) -> pd.DataFrame:
    """Return the prediction table of one method, all seeds, with its CRPS."""
    parts = []
    for seed in SEEDS:
        config = replace(TrainingConfig(), robustness=method, seed=seed)
        with tempfile.TemporaryDirectory() as folder:
            network = fit_network(train, task, config, seed=seed, folder=Path(folder))
        table = prediction_table(unseen, forward(network, unseen), task, model=method)
        parts.append(table.assign(crps=losses(table)["crps"]))
    return pd.concat(parts, ignore_index=True)


def groups_of(table: pd.DataFrame) -> dict[str, pd.Series]:
    """Return which rows belong to everybody, and to each group of enough subjects."""
    found = {"everybody": pd.Series(True, index=table.index)}
    for name in (name for name in table.columns if name.startswith(columns.GROUP)):
        for label in sorted(table[name].unique()):
            inside = table[name] == label
            if table.loc[inside, columns.SUBJECT].nunique() >= MINIMUM_SUBJECTS:
                found[f"{name.removeprefix(columns.GROUP)}: {label}"] = inside
    return found


def main() -> None:
    """Measure and print."""
    task = read_task(ROOT / "tasks" / "stroke-upper-limb.toml")
    scenario = read_scenario(ROOT / "scenarios" / "fairness-5-minority.toml")
    events, _ = simulate(subjects=TRAINED + SCORED, seed=5, scenario=scenario)
    batch = training_sequences(events, task)
    train, unseen = batch.take(batch.subject_B <= TRAINED), batch.take(batch.subject_B > TRAINED)
    tables = {name: crps_table(name, train, unseen, task) for name in get_args(Robustness)}
    plain = tables["none"]
    inside = groups_of(plain)
    worst = max(inside, key=lambda group: plain.loc[inside[group], "crps"].mean())
    shown = ["everybody", ": ".join(MINORITY), worst]
    printed = Table(
        "method", "group", "subjects", "CRPS", "minus plain",
        title=f"SIMULATED, {scenario.name}: trained on {TRAINED:,}, {len(SEEDS)} seeds",
        caption=f"worst group under the plain fit: {worst}",
    )  # fmt: skip
    record = []
    for method, table in tables.items():
        for group in dict.fromkeys(shown):
            rows = inside[group].to_numpy()
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
            told = "" if method == "none" else str(change)
            printed.add_row(method, group, str(subjects), f"{crps_N.mean():.2f}", told)
    stdout_console.print(printed)
    print(json.dumps(record))


if __name__ == "__main__":
    main()
