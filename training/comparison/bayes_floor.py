"""Compares forecasts with the best possible ones, which are known for simulated cohorts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from contracts import predictions as columns
from contracts.errors import ContractError, IntegrityError
from contracts.sequences import SequenceBatch
from contracts.task import Task
from training.comparison.leaderboard import FLOOR
from training.predictions import prediction_table
from training.scores import losses

KEYS = [columns.SUBJECT, columns.ORIGIN, columns.HORIZON]

MINIMUM_SUBJECTS = 20
"""With fewer, a standard error is too uncertain to accuse a model of a leak."""

TOLERATED_STANDARD_ERRORS = 3.0
"""How far a model may be below the floor by chance; beyond that it has seen the outcome."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FloorComparison:
    """A model compared with the floor on the same forecasts.

    Parameters
    ----------
    model_crps, floor_crps
        Mean CRPS, score points.
    excess, standard_error
        Mean of model minus floor, and its standard error with subjects as the unit.
    subjects
        Number of subjects.
    """

    model_crps: float
    floor_crps: float
    excess: float
    standard_error: float
    subjects: int

    @property
    def is_impossible(self) -> bool:
        """True if the model is better than possible: a leak, or a floor of another cohort."""
        return self.excess < -TOLERATED_STANDARD_ERRORS * self.standard_error


def compare_with_floor(table: pd.DataFrame, floor: pd.DataFrame) -> FloorComparison:
    """Compare one model's prediction table with the floor of the same cohort and task.

    Raises
    ------
    ContractError
        A forecast of the table has no floor.
    """
    both = table[[*KEYS, columns.TRUTH, *columns.QUANTILE_COLUMNS]].merge(
        floor[[*KEYS, *columns.QUANTILE_COLUMNS]], on=KEYS, how="left", suffixes=("", " floor")
    )
    best = both[[f"{name} floor" for name in columns.QUANTILE_COLUMNS]]
    if best.isna().any(axis=None):
        missing = int(best.isna().any(axis=1).sum())
        raise ContractError(
            f"{missing} of {len(both)} forecasts have no floor",
            "compute it for this cohort and task (rehabcast cohort floor)",
        )
    best = best.set_axis(list(columns.QUANTILE_COLUMNS), axis=1)
    model_N = losses(both)["crps"].to_numpy()
    floor_N = losses(best.assign(**{columns.TRUTH: both[columns.TRUTH]}))["crps"].to_numpy()
    excess_S = (
        pd.Series(model_N - floor_N).groupby(both[columns.SUBJECT].to_numpy()).mean().to_numpy()
    )
    return FloorComparison(
        model_crps=float(model_N.mean()),
        floor_crps=float(floor_N.mean()),
        excess=float(excess_S.mean()),
        standard_error=float(excess_S.std(ddof=1) / np.sqrt(len(excess_S))),
        subjects=len(excess_S),
    )


def check_floor(table: pd.DataFrame, floor: pd.DataFrame) -> None:
    """Refuse a model that beats the floor where there is one: its prediction table can't be true.

    Raises
    ------
    IntegrityError
        The model beats the floor beyond chance, on `MINIMUM_SUBJECTS` subjects or more.
    """
    has_floor = pd.MultiIndex.from_frame(table[KEYS]).isin(pd.MultiIndex.from_frame(floor[KEYS]))
    compared = table[has_floor]
    if compared[columns.SUBJECT].nunique() < MINIMUM_SUBJECTS:
        return
    result = compare_with_floor(compared, floor)
    if result.is_impossible:
        raise IntegrityError(
            f"leak: {table[columns.MODEL].iloc[0]} has CRPS {result.model_crps:.2f} where the best"
            f" possible forecast has {result.floor_crps:.2f} ({result.subjects} subjects,"
            f" {-result.excess / result.standard_error:.1f} standard errors)",
            "check whether its inputs contain the outcome, and whether the floor was computed for"
            " this cohort (rehabcast cohort floor)",
        )


def floor_scores(floor: pd.DataFrame, batch: SequenceBatch, task: Task) -> pd.DataFrame:
    """Return the errors of the best possible forecast by origin and horizon, and of no change."""
    both = floor_predictions(floor, batch, task)
    both = both.join(losses(both)).merge(floor[[*KEYS, "mean_error"]], on=KEYS)
    both["last"] = (both[columns.LAST_SCORE] - both[columns.TRUTH]).abs()
    grouped = both.groupby([columns.ORIGIN, columns.HORIZON])
    means = grouped[["mae", "crps", "width_80", "last", "mean_error"]].mean()
    named = means.rename(
        columns={
            "mae": "MAE",
            "crps": "CRPS",
            "width_80": "80 % width",
            "last": "MAE of no change",
            "mean_error": "MC error",
        }
    )
    named.insert(0, "subjects", grouped[columns.SUBJECT].nunique())
    return named.reset_index().rename(
        columns={columns.ORIGIN: "origin day", columns.HORIZON: "horizon day"}
    )


def floor_predictions(floor: pd.DataFrame, batch: SequenceBatch, task: Task) -> pd.DataFrame:
    """Return the floor as the prediction table of another model, where an outcome was observed."""
    pair = pd.MultiIndex.from_arrays([batch.subject_B, batch.origin_day_B])
    row_N = pair.get_indexer(pd.MultiIndex.from_frame(floor[[columns.SUBJECT, columns.ORIGIN]]))
    days = pd.Index([horizon.day for horizon in task.horizons])
    horizon_N = days.get_indexer(pd.Index(floor[columns.HORIZON]))
    known_N = (row_N >= 0) & (horizon_N >= 0)
    quantiles_BHQ = np.full((*batch.truth_BH.shape, len(columns.QUANTILE_COLUMNS)), np.nan)
    quantiles_NQ = floor[list(columns.QUANTILE_COLUMNS)].to_numpy(dtype=np.float64)
    quantiles_BHQ[row_N[known_N], horizon_N[known_N]] = quantiles_NQ[known_N]
    table = prediction_table(batch, quantiles_BHQ, task, model=FLOOR)
    return table.dropna(subset=list(columns.QUANTILE_COLUMNS), ignore_index=True)
