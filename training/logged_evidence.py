"""What a training leaves in its run of MLflow: tables, figures, scores and learning curves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from contracts.groups import MINIMUM_SHOWN
from contracts.predictions import CANDIDATE, MODEL, REFUSED
from contracts.sequences import SequenceBatch
from contracts.task import Task
from training.comparators import errors_of_models
from training.comparison.figures import (
    calibration_figure,
    error_figure,
    pit_figure,
    reliability_figure,
)
from training.fitting.crossfit import CrossFit, ensemble_quantiles
from training.predictions import prediction_table
from training.registry.bundle import TrainingProvenance
from training.registry.model_versions import FOLLOW_UP_FILE, PREDICTIONS_FILE, SPLITS_FILE
from training.scores import losses
from training.split import Parts, split_name
from training.tracking import Run

FIGURES = ("calibration.png", "error-by-horizon.png", "pit.png", "reliability.png")


def log_evidence(
    opened: Run,
    folder: Path,
    table: pd.DataFrame,
    parts: Parts,
    task: Task,
    fitted: CrossFit,
    provenance: TrainingProvenance,
) -> None:
    """Log a training's tables, figures, scores and learning curves to its run.

    Scores of fewer people than may be told are left out.

    Parameters
    ----------
    opened, folder
        The run, and a folder that holds the prediction and the follow-up table.
    table, parts
        Out-of-fold forecasts, and who is in which part.
    """
    names = [split_name(fold) for fold in parts.fold_of.values()]
    splits = pd.DataFrame({"subject_id": list(parts.fold_of), "split": names})
    splits = splits.sort_values("subject_id")
    splits.to_parquet(folder / SPLITS_FILE, index=False)
    title = "SIMULATED cohort" if provenance.simulated else provenance.cohort_name
    # The report counts no refused forecast: with them, its errors would tell those of the refused.
    given = table[~table[REFUSED].astype("bool")]
    calibration_figure(table, folder / "calibration.png", title=title)
    error_figure(given, folder / "error-by-horizon.png", title=title)
    candidate = table[table[MODEL] == CANDIDATE]
    pit_figure(candidate, folder / "pit.png", title=title)
    reliability_figure(candidate, folder / "reliability.png", title=title)
    for name in (PREDICTIONS_FILE, FOLLOW_UP_FILE, SPLITS_FILE, *FIGURES):
        opened.log_file(folder / name)
    opened.log_metrics(_metrics(table))
    for name, curve in fitted.curves.items():
        opened.log_curve(curve, name)
    if len(np.unique(parts.held_out.subject_B)) >= MINIMUM_SHOWN:
        opened.log_metrics(_held_out_metrics(parts.held_out, task, fitted))


def _metrics(table: pd.DataFrame) -> dict[str, float]:
    return {
        f"out_of_fold/{str(model).replace(' ', '_')}/{name}": float(value)
        for model, row in errors_of_models(table).iterrows()
        for name, value in row.items()
    }


def _held_out_metrics(held_out: SequenceBatch, task: Task, fitted: CrossFit) -> dict[str, float]:
    quantiles_BHQ = ensemble_quantiles(held_out, task, fitted)
    scored = losses(prediction_table(held_out, quantiles_BHQ, task, model=CANDIDATE))
    return {f"held_out/{name}": float(value) for name, value in scored.mean().items()}
