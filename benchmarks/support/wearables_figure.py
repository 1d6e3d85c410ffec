"""The figure of what wearables add to the forecasts of scores, in per cent of the error."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from training.comparison.figures import COLOURS


def draw(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Draw the change of the CRPS, with its interval, of every family and cohort with scores.

    Parameters
    ----------
    rows
        Records of `support.without.Added`; those of a single channel are left to the table.
    """
    drawn = [row for row in rows if "percent" in row and "//" not in row["what"]]
    places = list(dict.fromkeys(row["where"] for row in drawn))
    sizes = [len({row["what"] for row in drawn if row["where"] == where}) for where in places]
    figure = Figure(figsize=(8, 1.5 + 0.27 * sum(sizes)), layout="constrained")
    for axes, where in zip(
        figure.subplots(len(places), 1, height_ratios=sizes, sharex=True, squeeze=False)[:, 0],
        places, strict=True,
    ):  # fmt: skip
        here = [row for row in drawn if row["where"] == where]
        names = list(dict.fromkeys(row["what"] for row in here))
        models = list(dict.fromkeys(row["model"] for row in here))
        for number, model in enumerate(models):
            own = [row for row in here if row["model"] == model]
            at = [names.index(row["what"]) + 0.25 * number for row in own]
            change = np.array([row["percent"] for row in own])
            low, high = (
                np.array([100 * row[end] / row["crps_without"] for row in own])
                for end in ("low", "high")
            )
            axes.errorbar(
                change, at, xerr=(change - low, high - change), fmt="os^"[number % 3],
                markersize=4, linewidth=1, color=COLOURS[number], label=model,
            )  # fmt: skip
        axes.axvline(0, color="grey", linewidth=0.8)
        axes.set_yticks(range(len(names)), names, fontsize=8)
        axes.invert_yaxis()
        axes.set_title(where, fontsize=9, loc="left")
        axes.legend(fontsize=7)
    axes.set_xlabel("change of the CRPS in per cent, with its 95 % interval: left of 0 they help")
    figure.savefig(path, dpi=110)
