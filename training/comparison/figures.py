"""Figures of training runs and benchmarks, drawn from prediction tables.

Letters: N rows of a table, Q quantile levels.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from contracts import predictions as columns
from contracts.forecast import QUANTILE_LEVELS
from contracts.groups import MINIMUM_SHOWN
from training.comparison.leaderboard import LeaderboardRow
from training.scores import losses

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")
"""Okabe and Ito (2008), readable with colour-vision deficiency."""

BINS = 10


def calibration_figure(table: pd.DataFrame, path: Path, *, title: str) -> None:
    """Draw, per model, how often the truth is below each forecast quantile.

    Computed from `probability_integral_transform`, which spreads a truth that equals several
    quantiles evenly among them; else every forecast on a scale of few scores would seem biased.
    """
    figure = Figure(figsize=(5, 5))
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="grey", linewidth=1, label="perfect")
    for number, (model, rows) in enumerate(table.groupby(columns.MODEL, sort=False)):
        pit_N1 = probability_integral_transform(rows)[:, None]
        share_Q = (pit_N1 <= np.array(QUANTILE_LEVELS)).mean(axis=0)
        axes.plot(QUANTILE_LEVELS, share_Q, label=str(model), **_style(number))
    axes.set(xlabel="quantile level", ylabel="share of truths at or below", title=title)
    _legend_below(figure)
    figure.savefig(path, dpi=120, bbox_inches="tight")


def error_figure(table: pd.DataFrame, path: Path, *, title: str) -> None:
    """Draw the mean absolute error of each model by horizon.

    Horizons of few people are left out, and so many of the next smallest that those left out cannot
    be worked out from the error over all horizons.
    """
    figure = Figure(figsize=(6, 4))
    axes = figure.subplots()
    table = table.assign(error=losses(table)["mae"])
    table = table[~table[columns.HORIZON].isin(horizons_of_few(table))]
    for number, (model, rows) in enumerate(table.groupby(columns.MODEL, sort=False)):
        mean = rows.groupby(columns.HORIZON)["error"].mean()
        weeks = np.asarray(mean.index, dtype=np.float64) / 7
        axes.plot(weeks, mean.to_numpy(), label=str(model), **_style(number))
    axes.set(xlabel="weeks after enrolment", ylabel="mean absolute error (points)", title=title)
    axes.set_xticks(sorted(table[columns.HORIZON].unique() / 7))
    axes.autoscale()
    axes.set_ylim(0, 1.05 * axes.get_ylim()[1])
    _legend_below(figure)
    figure.savefig(path, dpi=120, bbox_inches="tight")


def horizons_of_few(table: pd.DataFrame) -> list[int]:
    """Return the horizons that may not be shown: none, or several of 11 people or more together."""
    people = table.groupby(columns.HORIZON)[columns.SUBJECT].nunique().sort_values(kind="stable")
    few = int((people < MINIMUM_SHOWN).sum())
    if not few:
        return []
    together = [
        table.loc[table[columns.HORIZON].isin(people.index[:count]), columns.SUBJECT].nunique()
        for count in range(1, len(people) + 1)
    ]
    count = next(
        (n for n, held in enumerate(together, 1) if n >= max(few, 2) and held >= MINIMUM_SHOWN),
        len(people),
    )
    return [int(day) for day in people.index[:count]]


def pit_figure(table: pd.DataFrame, path: Path, *, title: str) -> None:
    """Draw the histogram of the probability integral transform of one model; flat is calibrated."""
    figure = Figure(figsize=(5, 4))
    axes = figure.subplots()
    pit_N = probability_integral_transform(table)
    axes.hist(
        pit_N, bins=BINS, range=(0, 1), weights=np.full(len(pit_N), BINS / len(pit_N)),
        color=COLOURS[0], edgecolor="white",
    )  # fmt: skip
    axes.axhline(1, color="grey", linewidth=1)
    axes.set(xlabel="probability integral transform", ylabel="density", title=title)
    figure.savefig(path, dpi=120, bbox_inches="tight")


def probability_integral_transform(table: pd.DataFrame) -> NDArray[np.float64]:
    """Return the position of each truth in its forecast distribution, (N,) in [0, 1].

    A truth that equals several quantiles, as at the end of a scale, is spread evenly among them by
    its row number (a fixed, evenly spread choice instead of a random one; Czado 2009).
    """
    quantiles_NQ = table[list(columns.QUANTILE_COLUMNS)].to_numpy()
    truth_N1 = table[columns.TRUTH].to_numpy()[:, None]
    levels = np.array([0.0, *QUANTILE_LEVELS, 1.0])
    below_N = (quantiles_NQ < truth_N1).sum(axis=1)
    upto_N = (quantiles_NQ <= truth_N1).sum(axis=1)
    golden = (np.arange(1, len(table) + 1) * (np.sqrt(5) - 1) / 2) % 1
    low_N, high_N = levels[below_N], levels[upto_N + 1]
    return np.asarray(low_N + golden * (high_N - low_N))


def reliability_figure(table: pd.DataFrame, path: Path, *, title: str) -> None:
    """Draw how often a milestone was reached against its forecast chance, for one model.

    Bands of chances with the outcomes of fewer than 11 people are left out: they are noise, and
    could be about one of them.
    """
    figure = Figure(figsize=(5, 5))
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="grey", linewidth=1, label="perfect")
    names = [name for name in table.columns if name.startswith(columns.CHANCE)]
    for number, name in enumerate(names):
        milestone = name.removeprefix(columns.CHANCE)
        band = pd.cut(table[name], bins=[n / BINS for n in range(BINS + 1)], include_lowest=True)
        reached = columns.REACHED + milestone
        grouped = table.groupby(band, observed=True)
        means = grouped[[name, reached]].mean()[grouped[columns.SUBJECT].nunique() >= MINIMUM_SHOWN]
        axes.plot(means[name], means[reached], label=milestone, **_style(number))
    axes.set(xlabel="forecast chance", ylabel="share that reached it", title=title)
    axes.set(xlim=(-0.05, 1.05), ylim=(-0.05, 1.05))
    _legend_below(figure)
    figure.savefig(path, dpi=120, bbox_inches="tight")


def leaderboard_figure(rows: Sequence[LeaderboardRow], path: Path, *, title: str) -> None:
    """Draw CRPS by horizon at the first origin, and by origin at the last common horizon."""
    first = min(row.origin_day for row in rows)
    all_rows = [row for row in rows if row.population == "all"]
    origins = sorted({row.origin_day for row in all_rows})
    common = [
        weeks
        for weeks in sorted({row.weeks for row in all_rows})
        if {row.origin_day for row in all_rows if row.weeks == weeks} == set(origins)
    ]
    figure = Figure(figsize=(11, 4.5))
    by_horizon, by_origin = figure.subplots(1, 2)
    models = list(dict.fromkeys(row.model for row in rows))
    for number, model in enumerate(models):
        style = _style(number)
        model_rows = [row for row in all_rows if row.model == model]
        at_first = [row for row in model_rows if row.origin_day == first]
        weeks = [row.weeks for row in at_first]
        by_horizon.plot(weeks, [row.crps for row in at_first], label=model, **style)
        if common:
            last = [row for row in model_rows if row.weeks == common[-1]]
            by_origin.plot([row.origin_day for row in last], [row.crps for row in last], **style)
    by_horizon.set(xlabel="weeks after enrolment", ylabel="CRPS (points)", title=title)
    if common:
        by_origin.set(
            xlabel="forecast made, days after enrolment",
            ylabel="CRPS (points)",
            title=f"week {common[-1]}, as data arrive",
        )
    figure.legend(loc="upper center", bbox_to_anchor=(0.5, 0.0), ncols=5, fontsize=8)
    figure.savefig(path, dpi=120, bbox_inches="tight")


def _style(number: int) -> dict[str, Any]:
    """Return colour, line and marker of a model by its number; dashed once the colours run out."""
    return {
        "color": COLOURS[number % len(COLOURS)],
        "linestyle": "-" if number < len(COLOURS) else "--",
        "marker": "o",
        "markersize": 4,
    }


def _legend_below(figure: Figure) -> None:
    figure.legend(loc="upper center", bbox_to_anchor=(0.5, -0.02), ncols=2, fontsize=8)
