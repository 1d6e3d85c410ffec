"""Figures of a training run: calibration, and error by horizon."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from contracts import predictions as columns
from contracts.forecast import QUANTILE_LEVELS
from training.scores import losses

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00")
"""Okabe and Ito (2008), readable with colour-vision deficiency."""


def calibration_figure(table: pd.DataFrame, path: Path, *, title: str) -> None:
    """Draw, per model, how often the truth lies at or below each forecast quantile."""
    figure = Figure(figsize=(5, 5))
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="grey", linewidth=1, label="perfect")
    for colour, (model, rows) in zip(COLOURS, table.groupby(columns.MODEL), strict=False):
        quantiles_NQ = rows[list(columns.QUANTILE_COLUMNS)].to_numpy()
        share_Q = (rows[columns.TRUTH].to_numpy()[:, None] <= quantiles_NQ).mean(axis=0)
        axes.plot(QUANTILE_LEVELS, share_Q, marker="o", color=colour, label=str(model))
    axes.set(xlabel="quantile level", ylabel="share of truths at or below", title=title)
    axes.legend()
    figure.savefig(path, dpi=120, bbox_inches="tight")


def error_figure(table: pd.DataFrame, path: Path, *, title: str) -> None:
    """Draw the mean absolute error of each model by horizon."""
    figure = Figure(figsize=(6, 4))
    axes = figure.subplots()
    table = table.assign(error=losses(table)["mae"])
    for colour, (model, rows) in zip(COLOURS, table.groupby(columns.MODEL), strict=False):
        mean = rows.groupby(columns.HORIZON)["error"].mean()
        weeks = np.asarray(mean.index, dtype=np.float64) / 7
        axes.plot(weeks, mean.to_numpy(), marker="o", color=colour, label=str(model))
    axes.set(xlabel="weeks after enrolment", ylabel="mean absolute error (points)", title=title)
    axes.set_ylim(bottom=0)
    axes.legend()
    figure.savefig(path, dpi=120, bbox_inches="tight")
