"""Five recordings with the repetitions that were found in them, to be looked at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from features.exercise.measures import measured
from features.exercise.motion import RATE_HZ
from features.exercise.repetitions import path, repetitions
from features.exercise.rhythm import movement
from training.exercise.fit import LabelledSet

CHOSEN = (
    ("1", "left", "ABD"), ("7", "right", "IR"), ("4", "left", "PEN"), ("2", "right", "ER"),
    ("2", "right", "ABD"),
)  # fmt: skip
"""One that is easy, one with jerks, one that is fast, and two that are not the 20 of their name."""


def draw(labelled: Sequence[LabelledSet], file: Path) -> None:
    """Draw the way along the main path of some recordings, and where repetitions begin and end."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(len(CHOSEN), 1, figsize=(10, 2 * len(CHOSEN)), layout="constrained")
    for axis, (person, side, exercise) in zip(axes, CHOSEN, strict=True):
        (one,) = (
            each for each in labelled
            if (each.person, each.side, each.exercise) == (person, side, exercise)
        )  # fmt: skip
        way_T = path(movement(one.values_T6))
        spans = repetitions(one.values_T6)
        axis.plot(np.arange(len(way_T)) / RATE_HZ, way_T, color="#1f4e79", linewidth=1)
        for number, (first, last) in enumerate(spans):
            axis.axvspan(first / RATE_HZ, last / RATE_HZ, alpha=0.25 if number % 2 else 0.1,
                         color="#c55a11", linewidth=0)  # fmt: skip
        ranges = [each.range_deg or np.nan for each in measured(one.values_T6, spans)]
        axis.set_title(
            f"{exercise}, person {person}, {side}: {len(spans)} repetitions,"
            f" median range {np.nanmedian(ranges):.0f} degrees", loc="left", fontsize=10,
        )  # fmt: skip
        axis.set_yticks([])
        axis.margins(x=0)
    axes[-1].set_xlabel("seconds")
    figure.savefig(file, dpi=90)
    plt.close(figure)
