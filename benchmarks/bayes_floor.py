"""Benchmark: how far each model goes from the last observation to the Bayes floor (SIMULATED).

Trains on 500 and on 5,000 subjects and forecasts 400 others on days 0 and 14, whose best possible
forecast is worked out. Takes about 20 minutes on one idle core. Prints one table, horizons counting
alike, and, as its last line, the same as JSON. Without arguments both sizes;
`python benchmarks/bayes_floor.py 500` for one.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pandas as pd
from rich.table import Table

from contracts import predictions as columns
from contracts.sequences import SequenceBatch
from contracts.task import Task
from features.sequences import training_sequences
from features.simulate import simulate
from features.simulate.floor import bayes_floor
from features.simulate.scenario import Scenario
from rehabcast.commands.output import stdout_console
from training.comparison.bayes_floor import floor_predictions
from training.comparison.benchmark import score
from training.comparison.leaderboard import BASE, FLOOR
from training.fitting.config import TrainingConfig
from training.fitting.crossfit import network_family
from training.models import Fit
from training.models.bedside_rules import last_observation
from training.models.boosted import boosted_quantiles
from training.models.five_groups import recovery_groups
from training.predictions import prediction_table
from training.task import read_task

TASK = Path(__file__).resolve().parent.parent / "tasks" / "stroke-upper-limb.toml"
ORIGINS_DAYS = (0, 14)
SCORED, SIZES, SEED = 400, (500, 5_000), 11
LARGE = TrainingConfig(
    batch_size=256, learning_rate=2e-3, mechanistic_pace=5, max_epochs=24, patience=24
)
SMALLEST_GROUP = 50
"""Subjects from which on a group's coverage is printed."""


def measure(
    size: int, train: SequenceBatch, unseen: SequenceBatch, task: Task, floor: pd.DataFrame
) -> pd.DataFrame:
    """Return every forecast's scores of one training size, floor included."""
    competing: dict[str, Fit] = {
        "hybrid": network_family(TrainingConfig() if size < 1_000 else LARGE),
        "boosted quantiles": boosted_quantiles,
        "recovery groups": recovery_groups,
        BASE: last_observation,
    }
    tables = [
        prediction_table(unseen, fit(train, task, seed=0)(unseen), task, model=name)
        for name, fit in competing.items()
    ]
    return score(pd.concat([*tables, floor], ignore_index=True))


def summed_up(scored: pd.DataFrame) -> pd.DataFrame:
    """Return one row per origin and model, each horizon counting alike."""
    by_horizon = scored.groupby([columns.ORIGIN, columns.HORIZON, columns.MODEL])[
        ["crps", "mae", "coverage_80", "coverage_90", "width_80"]
    ].mean()
    rows = by_horizon.groupby([columns.ORIGIN, columns.MODEL]).mean()
    by_model = rows["crps"].unstack()
    gap = by_model[BASE] - by_model[FLOOR]
    rows["skill"] = by_model.rsub(by_model[BASE], axis=0).div(gap, axis=0).stack()
    widths = rows["width_80"].unstack()
    rows["width over floor's"] = widths.div(widths[FLOOR], axis=0).stack()
    lowest = {"lowest group 80 %": "coverage_80", "lowest group 90 %": "coverage_90"}
    for name, coverage in lowest.items():
        rows[name] = lowest_group(scored, coverage)
    return rows


def lowest_group(scored: pd.DataFrame, coverage: str) -> pd.Series:
    """Return the lowest coverage of a group of at least `SMALLEST_GROUP` subjects."""
    found = []
    for name in [name for name in scored if str(name).startswith(columns.GROUP)]:
        by_group = scored.groupby([columns.ORIGIN, columns.MODEL, name])
        enough = by_group[columns.SUBJECT].nunique() >= SMALLEST_GROUP
        found.append(by_group[coverage].mean()[enough].groupby(level=[0, 1]).min())
    return pd.concat(found, axis=1).min(axis=1)


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
    parts = {}
    for size in sizes:
        train = batch.take((batch.subject_B > SCORED) & (batch.subject_B <= SCORED + size))
        parts[size] = summed_up(measure(size, train, unseen, task, best))
    found = pd.concat(parts, names=["trained on"]).reset_index()
    table = Table(title="SIMULATED: from the last observation (0) to the floor (1)")
    for name in found:
        table.add_column(str(name).replace("_", " "))
    for row in found.itertuples(index=False):
        table.add_row(*(f"{x:.2f}" if isinstance(x, float) else str(x) for x in row))
    stdout_console.print(table)
    print(json.dumps(found.to_dict(orient="records")))


if __name__ == "__main__":
    main()
