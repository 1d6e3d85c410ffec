"""Benchmark: forecasts on days between and after the landmarks that a model was trained on.

Each family is trained at the landmarks of the task and forecasts on other days; for comparison it
is also trained on those days. On SIMULATED subjects first, then, if ../shared exists, on the real
stroke cohort out of fold. Takes about 10 minutes on one idle core: `make bench NAME=origins`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import numpy as np
import pandas as pd
from sklearn.model_selection import KFold

from contracts import predictions as columns
from contracts.sequences import SequenceBatch
from features.sequences import training_sequences
from features.simulate import simulate
from features.sources.cohorts.stroke_specs import import_stroke_specs
from support.repository import REAL_DATA, UPPER_LIMB, print_frame, repository_task
from training.fitting.config import TrainingConfig
from training.fitting.crossfit import network_family
from training.models import Fit
from training.models.bedside_rules import last_observation
from training.models.boosted import boosted_quantiles
from training.predictions import prediction_table
from training.scores import with_losses

REAL = REAL_DATA / "stroke_specs"
TASK = repository_task(UPPER_LIMB)
FORECAST_DAYS = (0, 10, 21, 30, 42, 60, 84)
TRAINED, UNSEEN, SEED = 600, 400, 11
SCORES = ["crps", "mae", "coverage_80", "coverage_90", "width_80"]


def pairs(events: pd.DataFrame, days: tuple[int, ...]) -> SequenceBatch:
    """Return the subject-origin pairs at the given days after enrolment."""
    return training_sequences(events, TASK.model_copy(update={"origins_days": days}))


def forecasts(
    events: pd.DataFrame, splits: list[tuple[np.ndarray, np.ndarray]]
) -> Iterator[pd.DataFrame]:
    """Forecast the test subjects of each split on all days, by each family and training set."""
    task = TASK.model_copy(update={"origins_days": FORECAST_DAYS})
    landmarks, all_days = pairs(events, TASK.origins_days), pairs(events, FORECAST_DAYS)
    networks, trees = network_family(TrainingConfig()), boosted_quantiles
    trainings: dict[str, tuple[Fit, SequenceBatch]] = {
        "hybrid, landmarks": (networks, landmarks),
        "hybrid, all days": (networks, all_days),
        "boosted quantiles, landmarks": (trees, landmarks),
        "boosted quantiles, all days": (trees, all_days),
        "last observation": (last_observation, all_days),
    }
    for train_S, test_S in splits:
        unseen = all_days.take(np.isin(all_days.subject_B, test_S))
        for name, (fit, batch) in trainings.items():
            train = batch.take(np.isin(batch.subject_B, train_S))
            yield prediction_table(unseen, fit(train, task, seed=0)(unseen), task, model=name)


def print_scores(title: str, tables: Iterator[pd.DataFrame]) -> None:
    """Print the mean scores over all outcomes of each forecast day and model."""
    scored = with_losses(pd.concat(list(tables), ignore_index=True))
    by_model = scored.groupby([columns.ORIGIN, columns.MODEL])
    rows = by_model[SCORES].mean().join(by_model.size().rename("outcomes")).reset_index()
    print_frame(title, rows)


def main() -> None:
    """Run the benchmark on simulated and on real subjects."""
    events, _ = simulate(subjects=UNSEEN + TRAINED, seed=SEED)
    subjects = np.arange(1, UNSEEN + TRAINED + 1)
    split = [(subjects[UNSEEN:], subjects[:UNSEEN])]
    print_scores("SIMULATED, by day of the forecast", forecasts(events, split))
    if not REAL.exists():
        sys.exit(f"{REAL} does not exist: the real stroke cohort was left out")
    events, _ = import_stroke_specs(REAL)
    subjects = np.unique(pairs(events, FORECAST_DAYS).subject_B)
    folds = KFold(5, shuffle=True, random_state=0).split(subjects)
    splits = [(subjects[train], subjects[test]) for train, test in folds]
    print_scores("Real stroke patients, out of fold", forecasts(events, splits))


if __name__ == "__main__":
    main()
