"""The pictures of the report page, as inline SVG; the page has a text alternative for each."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from contracts.cohort import CODE, NUMBER, SUBJECT, WEAR_TIME
from contracts.groups import MINIMUM_SHOWN
from contracts.vocabulary import vocabulary
from features.past.groups import WORN_DAY_HOURS
from features.report.tables import EVERYBODY

BLUE, ORANGE, RED, GREY = "#0072B2", "#E69F00", "#D55E00", "#999999"
MOST_DAYS = 92


def wear(days: pd.DataFrame) -> str:
    """Draw the hours of wear: their distribution, and by day how many wore the device how long.

    Hours and days of fewer than 11 subjects are not drawn.
    """
    worn = days[days[CODE] == WEAR_TIME]
    if worn[SUBJECT].nunique() < MINIMUM_SHOWN:
        return ""
    figure = Figure(figsize=(11, 4), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[1, 1.6])
    hours = worn[NUMBER].clip(upper=23.99).astype(int)
    by_hour = worn.groupby(hours)[SUBJECT].agg(["size", "nunique"])
    drawn = by_hour[by_hour["nunique"] >= MINIMUM_SHOWN]
    left.bar(drawn.index, drawn["size"], width=1, align="edge", color=BLUE)
    left.axvline(WORN_DAY_HOURS, color=RED, linestyle="--")
    left.text(WORN_DAY_HOURS - 0.3, 0.97, "flagged below", color=RED, ha="right", va="top",
              transform=left.get_xaxis_transform())  # fmt: skip
    left.set(xlabel="hours worn in a day", ylabel="subject-days", xlim=(0, 24))
    shares = _wear_by_day(worn)
    right.stackplot(
        shares.index, shares.T.to_numpy(), labels=[str(name) for name in shares.columns],
        colors=(GREY, ORANGE, BLUE),
    )  # fmt: skip
    right.set(xlabel="day since the first one worn", ylabel="share of subjects", ylim=(0, 1))
    right.xaxis.set_major_locator(MaxNLocator(integer=True))
    right.yaxis.set_major_formatter(PercentFormatter(1))
    right.legend(loc="lower left", fontsize=8)
    return _svg(figure)


def _wear_by_day(worn: pd.DataFrame) -> pd.DataFrame:
    """Return the share of subjects by how long they wore the device, for each day (rows)."""
    first = worn.groupby(SUBJECT)["day"].transform("min")
    band = pd.cut(
        worn[NUMBER], [-1, 0, WORN_DAY_HOURS - 1e-9, 24],
        labels=["not worn", f"under {WORN_DAY_HOURS:g} h", f"{WORN_DAY_HOURS:g} h or more"],
    )  # fmt: skip
    counts = pd.crosstab((worn["day"] - first).dt.days, band, dropna=False)
    people = counts.sum(axis=1)
    enough = counts[(people >= MINIMUM_SHOWN) & (counts.index < MOST_DAYS)]
    return enough.div(enough.sum(axis=1), axis=0)


def missing(table: pd.DataFrame, name: str) -> str:
    """Draw the share of days without a worn device, by group and week."""
    figure = Figure(figsize=(11, 0.9 + 0.42 * len(table)), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(table, aspect="auto", cmap="cividis_r", vmin=0, vmax=1)
    axes.set(
        xlabel="week since enrolment", title="all subjects" if name == EVERYBODY else f"by {name}"
    )
    axes.set_yticks(range(len(table)), [str(label) for label in table.index])
    axes.set_xticks(range(table.shape[1]), [f"{int(week)}" for week in table.columns])
    for row, column in np.argwhere(table.notna().to_numpy()):
        share = float(str(table.iat[row, column]))
        axes.text(column, row, f"{share:.0%}", ha="center", va="center", fontsize=8,
                  color="white" if share > 0.5 else "black")  # fmt: skip
    figure.colorbar(image, ax=axes, format=PercentFormatter(1))
    return _svg(figure)


def ranges(days: pd.DataFrame) -> str:
    """Draw where each channel's values lie inside its plausible range, from 11 people up."""
    parts = [
        (str(code), part[NUMBER].to_numpy())
        for code, part in days.groupby(CODE)
        if part[SUBJECT].nunique() >= MINIMUM_SHOWN
    ]
    if not parts:
        return ""
    words = vocabulary()
    scaled, names = [], []
    for code, values in sorted(parts, key=lambda p: words[p[0]].name, reverse=True):
        low, high = float(words[code].low or 0), float(words[code].high or 1)
        scaled.append((values - low) / (high - low))
        names.append(f"{words[code].name} ({low:g} to {high:g} {words[code].unit})")
    figure = Figure(figsize=(11, 1 + 0.36 * len(scaled)), layout="constrained")
    axes = figure.subplots()
    axes.boxplot(scaled, orientation="horizontal", widths=0.6, whis=(5, 95), showfliers=False,
                 medianprops={"color": RED, "linewidth": 2})  # fmt: skip
    axes.set_yticks(range(1, len(names) + 1), names)
    axes.set(
        xlim=(-0.02, 1.02),
        xlabel="position in the plausible range (box 25 to 75 %, line 5 to 95 %)",
    )
    axes.grid(axis="x", color="#dddddd")
    return _svg(figure)


def losses(entries: Sequence[dict[str, Any]]) -> str:
    """Draw how many rows each rule affected, and how many files and parts were not used."""
    counts: dict[str, int] = {}
    for loss in entries:
        name = loss["reason"] if loss["what"] == "rule" else loss["what"]
        counts[name] = counts.get(name, 0) + int(loss["rows"])
    if not counts:
        return ""
    ordered = sorted(counts.items(), key=lambda item: item[1])[-15:]
    figure = Figure(figsize=(11, 1 + 0.34 * len(ordered)), layout="constrained")
    axes = figure.subplots()
    bars = axes.barh([_short(name) for name, _ in ordered], [n for _, n in ordered], color=BLUE)
    axes.bar_label(bars, fmt="{:,.0f}", padding=3, fontsize=8)
    axes.set(xscale="log", xlabel="rows, files or minutes (log scale)")
    axes.margins(x=0.15)
    return _svg(figure)


def _short(text: str) -> str:
    return text if len(text) <= 70 else f"{text[:68]}…"


def _svg(figure: Figure) -> str:
    FigureCanvasSVG(figure)
    # Without a date and with a fixed salt the same cohort gives the same page.
    with rc_context({"svg.hashsalt": "rehabcast"}), io.BytesIO() as stream:
        figure.savefig(stream, format="svg", metadata={"Date": None})
        return base64.b64encode(stream.getvalue()).decode("ascii")
