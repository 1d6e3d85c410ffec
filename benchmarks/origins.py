"""Benchmark: forecasts on days between and after the landmarks that a model was trained on.

The task trains on the landmarks of its file and is asked on other days; beside it the same family
trained on those days too. SIMULATED subjects first, then, where ../shared is, the real stroke
cohort out of fold. Takes about 10 minutes on one idle core: `make bench NAME=origins`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from rich.table import Table
from sklearn.model_selection import KFold

from contracts import predictions as columns
from contracts.sequences import SequenceBatch
from features.sequences import training_sequences
from features.simulate import simulate
from features.sources.cohorts.stroke_specs import import_stroke_specs
from rehabcast.commands.output import stdout_console
from training.comparison.benchmark import score
from training.fitting.config import TrainingConfig
from training.fitting.crossfit import network_family
from training.models import Fit
from training.models.bedside_rules import last_observation
from training.models.boosted import boosted_quantiles
from training.predictions import prediction_table
from training.task import read_task

ROOT = Path(__file__).resolve().parent.parent
REAL = ROOT.parent / "shared" / "data" / "stroke_specs"
TASK = read_task(ROOT / "tasks" / "stroke-upper-limb.toml")
ASKED_DAYS = (0, 10, 21, 30, 42, 60, 84)
TRAINED, UNSEEN, SEED = 600, 400, 11
SCORES = ["crps", "mae", "coverage_80", "coverage_90", "width_80"]


def pairs(events: pd.DataFrame, days: tuple[int, ...]) -> SequenceBatch:
    """Return the subject-origin pairs at the given days after enrolment."""
    return training_sequences(events, TASK.model_copy(update={"origins_days": days}))


def forecasts(
    events: pd.DataFrame, splits: list[tuple[np.ndarray, np.ndarray]]
) -> Iterator[pd.DataFrame]:
    """Forecast the unseen subjects of each split on the asked days, by each family and training."""
    task = TASK.model_copy(update={"origins_days": ASKED_DAYS})
    asked = pairs(events, ASKED_DAYS)
    networks, trees = network_family(TrainingConfig()), boosted_quantiles
    landmarks, everywhere = pairs(events, TASK.origins_days), asked
    competing: dict[str, tuple[Fit, SequenceBatch]] = {
        "hybrid, landmarks": (networks, landmarks),
        "hybrid, asked days": (networks, everywhere),
        "boosted quantiles, landmarks": (trees, landmarks),
        "boosted quantiles, asked days": (trees, everywhere),
        "last observation": (last_observation, everywhere),
    }
    for known_S, unseen_S in splits:
        unseen = asked.take(np.isin(asked.subject_B, unseen_S))
        for name, (fit, batch) in competing.items():
            train = batch.take(np.isin(batch.subject_B, known_S))
            yield prediction_table(unseen, fit(train, task, seed=0)(unseen), task, model=name)


def show(title: str, tables: Iterator[pd.DataFrame]) -> None:
    """Print the scores of each forecast day and model, each outcome counting alike."""
    scored = score(pd.concat(list(tables), ignore_index=True))
    by_model = scored.groupby([columns.ORIGIN, columns.MODEL])
    rows = by_model[SCORES].mean().join(by_model.size().rename("outcomes")).reset_index()
    table = Table(title=title)
    for name in rows:
        table.add_column(str(name).replace("_", " "))
    for row in rows.itertuples(index=False):
        table.add_row(*(f"{x:.2f}" if isinstance(x, float) else str(x) for x in row))
    stdout_console.print(table)


def main() -> None:
    """Measure on simulated and on real subjects."""
    events, _ = simulate(subjects=UNSEEN + TRAINED, seed=SEED)
    subjects = np.arange(1, UNSEEN + TRAINED + 1)
    split = [(subjects[UNSEEN:], subjects[:UNSEEN])]
    show("SIMULATED, by day of the forecast", forecasts(events, split))
    if not REAL.exists():
        sys.exit("the real stroke cohort is not here (../shared/data/stroke_specs): left out")
    events, _ = import_stroke_specs(REAL)
    people = np.unique(pairs(events, ASKED_DAYS).subject_B)
    folds = KFold(5, shuffle=True, random_state=0).split(people)
    splits = [(people[known], people[unseen]) for known, unseen in folds]
    show("Real stroke patients, out of fold", forecasts(events, splits))


if __name__ == "__main__":
    main()
