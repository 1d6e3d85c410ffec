"""Benchmark: how far each model goes from the last observation to the Bayes floor (SIMULATED).

Trains on 500 and on 5,000 subjects and forecasts 400 others on days 0 and 14, whose best possible
forecast is worked out. Takes about 20 minutes on one idle core. Prints one table and, as its last
line, one JSON object. Without arguments both sizes; `python benchmarks/bayes_floor.py 500` for one.
"""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
from rich.table import Table

from contracts.sequences import SequenceBatch
from contracts.task import Task
from features.sequences import training_sequences
from features.simulate import simulate
from features.simulate.floor import bayes_floor
from features.simulate.scenario import Scenario
from rehabcast.output import results
from training.bayes_floor import floor_predictions
from training.benchmark import score
from training.config import TrainingConfig
from training.crossfit import network_family
from training.fit import fit_network, forward
from training.leaderboard import BASE, FLOOR, REPEAT, Row, leaderboard_rows
from training.models import Fit, Predict
from training.models.boosted import boosted_quantiles
from training.models.groups import recovery_groups
from training.models.rules import last_observation
from training.predictions import prediction_table
from training.task import read_task

TASK = Path(__file__).resolve().parent.parent / "tasks" / "stroke-upper-limb.toml"
ORIGINS_DAYS = (0, 14)
SCORED, SIZES, SEED = 400, (500, 5_000), 11
LARGE = TrainingConfig(batch_size=256, max_epochs=30, patience=6)


def one_network(train: SequenceBatch, task: Task, *, seed: int) -> Predict:
    """Fit one network, neither averaged nor calibrated: the large training takes long enough."""
    with tempfile.TemporaryDirectory() as folder:
        network = fit_network(train, task, LARGE, seed=seed, folder=Path(folder))
    return lambda batch: forward(network, batch)


def measure(
    size: int, train: SequenceBatch, unseen: SequenceBatch, task: Task, floor: pd.DataFrame
) -> list[Row]:
    """Return the leaderboard of one training size, floor included."""
    hybrid: Fit = network_family(TrainingConfig()) if size < 1_000 else one_network
    competing: dict[str, Fit] = {
        "hybrid": hybrid,
        "boosted quantiles": boosted_quantiles,
        "recovery groups": recovery_groups,
        BASE: last_observation,
    }
    tables = [
        prediction_table(unseen, fit(train, task, seed=0)(unseen), task, model=name)
        for name, fit in competing.items()
    ]
    scored = score(pd.concat([*tables, floor], ignore_index=True)).assign(**{REPEAT: 0})
    return leaderboard_rows(scored, task, [*competing, FLOOR])


def main() -> None:
    """Measure each size and print."""
    sizes = [int(size) for size in sys.argv[1:]] or list(SIZES)
    task = read_task(TASK).model_copy(update={"origins_days": ORIGINS_DAYS})
    events, _ = simulate(subjects=SCORED + max(sizes), seed=SEED)
    batch = training_sequences(events, task)
    unseen = batch.take(batch.subject_B <= SCORED)
    known = events[events["subject_id"] <= SCORED]
    floor = bayes_floor(unseen, known, task, Scenario(), seed=0)
    best = floor_predictions(floor, unseen, task)
    table = Table(
        "trained on", "origin", "week", "model", "n", "CRPS", "skill", "MAE", "80 %", "90 %",
        "width over floor's", title="SIMULATED: from the last observation (0) to the floor (1)",
    )  # fmt: skip
    record = {}
    for size in sizes:
        train = batch.take((batch.subject_B > SCORED) & (batch.subject_B <= SCORED + size))
        rows = [row for row in measure(size, train, unseen, task, best) if row.population == "all"]
        record[size] = [asdict(row) for row in rows]
        widths = {(r.origin_day, r.weeks): r.width_80 for r in rows if r.model == FLOOR}
        for row in rows:
            width = row.width_80 / widths[row.origin_day, row.weeks]
            table.add_row(
                f"{size:,}", str(row.origin_day), str(row.weeks), row.model, str(row.subjects),
                f"{row.crps:.2f}", f"{row.skill:.2f}", f"{row.mae:.2f}", f"{row.coverage_80:.0%}",
                f"{row.coverage_90:.0%}", f"{width:.2f}",
            )  # fmt: skip
        for origin in ORIGINS_DAYS:
            mean = {
                name: np.mean([r.crps for r in rows if (r.model, r.origin_day) == (name, origin)])
                for name in ("hybrid", "boosted quantiles", BASE, FLOOR)
            }
            gap = mean[BASE] - mean[FLOOR]
            for name in ("hybrid", "boosted quantiles"):
                skill = (mean[BASE] - mean[name]) / gap
                record[f"skill of {name}, {size} subjects, day {origin}"] = float(skill)
    results.print(table)
    print(json.dumps(record))


if __name__ == "__main__":
    main()
