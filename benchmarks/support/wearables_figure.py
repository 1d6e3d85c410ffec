"""The figure of what wearables add to the forecasts of scores, in per cent of the error."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure

from training.comparison.figures import COLOURS

MARKERS = "os^"
APART = 0.2
"""How far below one another the models of one row are, in rows."""


def draw(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Write the figure of `figure_of` to a file."""
    figure_of(rows).savefig(path, dpi=110)


def figure_of(rows: Sequence[dict[str, Any]]) -> Figure:
    """Draw the change of the CRPS, with its interval, of every family and cohort with scores.

    A model looks the same in every cohort, and all cohorts list the inputs in one order.

    Parameters
    ----------
    rows
        Records of `support.without.Added`; those of a single channel are left to the table.
    """
    drawn = [row for row in rows if "percent" in row and "//" not in row["what"]]
    places, whats, models = (
        list(dict.fromkeys(row[key] for row in drawn)) for key in ("where", "what", "model")
    )
    whats.sort(key=lambda what: not what.startswith("all wearables"))
    named = {
        where: [what for what in whats if any(_is_of(row, where, what) for row in drawn)]
        for where in places
    }
    sizes = [len(named[where]) for where in places]
    figure = Figure(figsize=(8, 1.9 + 0.27 * sum(sizes)), layout="constrained")
    panels = figure.subplots(len(places), 1, height_ratios=sizes, sharex=True, squeeze=False)
    shown: dict[str, ErrorbarContainer] = {}
    for axes, where in zip(panels[:, 0], places, strict=True):
        for number, model in enumerate(models):
            below = APART * (number - (len(models) - 1) / 2)
            own = [row for row in drawn if (row["where"], row["model"]) == (where, model)]
            if own:
                shown[model] = _points(axes, own, named[where], number, below)
        axes.axvline(0, color="grey", linewidth=0.8)
        axes.set_yticks(range(len(named[where])), named[where], fontsize=8)
        axes.invert_yaxis()
        axes.set_title(where, fontsize=9, loc="left")
    axes.set_xlabel("change of the CRPS in per cent, with its 95 % interval: left of 0 they help")
    figure.legend(
        list(shown.values()), list(shown), loc="outside upper center", ncols=len(shown), fontsize=8,
    )  # fmt: skip
    return figure


def _is_of(row: dict[str, Any], where: str, what: str) -> bool:
    return bool(row["where"] == where and row["what"] == what)


def _points(
    axes: Axes, own: list[dict[str, Any]], names: list[str], number: int, below: float
) -> ErrorbarContainer:
    """Draw one model's rows, and return what stands for them in the legend."""
    change = np.array([row["percent"] for row in own])
    low, high = (
        np.array([100 * row[end] / row["crps_without"] for row in own]) for end in ("low", "high")
    )
    return axes.errorbar(
        change, [names.index(row["what"]) + below for row in own],
        xerr=(change - low, high - change), fmt=MARKERS[number % len(MARKERS)],
        markersize=4, linewidth=1, color=COLOURS[number], label=own[0]["model"],
    )  # fmt: skip
