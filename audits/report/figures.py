"""The three figures of a report: error, calibration and coverage by group, with intervals.

Colour-blind-safe (Okabe-Ito), and nothing is shown by colour alone. The text in `alt` says what the
picture shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from textwrap import wrap
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import MaxNLocator, PercentFormatter

from audits.judging.performance import Performance
from audits.judging.units import ScoreUnit, in_unit
from audits.judging.wording import group_in_words
from audits.measure.metric_definitions import Unit
from audits.measure.metrics import Metric
from audits.report.characters import FAMILY, drawable
from audits.report.content import Report, over_all_horizons
from audits.report.document import Figure
from contracts.forecast import STATED_COVERAGE
from contracts.groups import MINIMUM_SHOWN

BLUE, GREY, VERMILION = "#0072B2", "#555555", "#D55E00"
LABEL_WIDTH, LABEL_LINES = 36, 3

STYLE: dict[Any, Any] = {
    "font.size": 9, "font.family": FAMILY, "svg.fonttype": "path",
    # A dollar sign in a label is no formula.
    "text.parse_math": False,
}  # fmt: skip


def draw(report: Report, folder: Path) -> tuple[Figure, ...]:
    """Draw a report's figures into a folder as SVG; none where nothing was scored."""
    unit = report.policy.score_unit
    figures = (
        ("error", (Metric.MEAN_ABSOLUTE_ERROR,), "Error by group",
         f"Mean absolute error in {unit.name}; further left is better. The dashed line is"
         " everyone."),
        ("calibration", (Metric.SIGNED_ERROR, Metric.CALIBRATION_SLOPE), "Calibration by group",
         "Left: forecast minus outcome; 0 is neither too high nor too low. Right: slope of outcome"
         " on forecast; 1 is ideal, below 1 forecasts are too extreme. The dashed line is ideal."),
        ("coverage", (Metric.COVERAGE,), "Coverage by group",
         "Share of outcomes inside the 80 % range. The dashed line is the stated share."),
    )  # fmt: skip
    drawn = []
    for name, metrics, title, caption in figures:
        rows = [over_all_horizons(report, metric) for metric in metrics]
        if all(rows):
            file = f"{name}-by-group.svg"
            _draw(rows, metrics, folder / file, unit)
            alt = f"{title}. " + " ".join(
                _in_words(metric, unit, metric_rows)
                for metric, metric_rows in zip(metrics, rows, strict=True)
            )
            hint = (
                "Dots are estimates, lines 95 % intervals; hidden: it would be about fewer than"
                f" {MINIMUM_SHOWN} people, or let their number be worked out."
            )
            drawn.append(Figure(file=file, alt=alt, caption=f"{title}. {caption} {hint}"))
    return tuple(drawn)


def _draw(
    rows: Sequence[list[Performance]], metrics: Sequence[Metric], path: Path, unit: ScoreUnit
) -> None:
    labels = [_label(row) for row in rows[0]]
    lines = max(label.count("\n") + 1 for label in labels)
    height = 0.9 + 0.24 * len(labels) * lines
    with mpl.rc_context(STYLE | {"svg.hashsalt": path.name}):
        canvas = Canvas(figsize=(7.2, height), layout="constrained")
        panels = canvas.subplots(1, len(rows), sharey=True, squeeze=False)[0]
        for panel, metric_rows, metric in zip(panels, rows, metrics, strict=True):
            _panel(panel, metric_rows, metric, unit)
        panels[0].set_yticks(range(len(labels)), labels)
        # Text sets no axis limits: a hidden last group would be drawn on the axis.
        panels[0].set_ylim(len(labels) - 0.5, -0.5)
        canvas.savefig(path, metadata={"Date": None})


def _label(row: Performance) -> str:
    """Return a group's name and size; of a very long name the first lines, `alt` has it all."""
    name = wrap(
        drawable(group_in_words(row.axis, row.group)), LABEL_WIDTH, max_lines=LABEL_LINES,
        placeholder=" …",
    )  # fmt: skip
    return "\n".join(name) + ("" if row.subjects is None else f" (n = {row.subjects})")


def _panel(panel: Axes, rows: list[Performance], metric: Metric, unit: ScoreUnit) -> None:
    ideal = {
        Metric.SIGNED_ERROR: 0.0,
        Metric.CALIBRATION_SLOPE: 1.0,
        Metric.COVERAGE: STATED_COVERAGE,
    }.get(metric)
    reference = rows[0].value if ideal is None else ideal
    if reference is not None:
        panel.axvline(reference, color=VERMILION, linestyle="--", linewidth=1)
    for line, row in enumerate(rows):
        if row.value is None:
            panel.text(0.02, line, "hidden", transform=panel.get_yaxis_transform(), va="center",
                       color=GREY, style="italic")  # fmt: skip
            continue
        if row.low is not None and row.high is not None:
            panel.plot([row.low, row.high], [line, line], color=BLUE, linewidth=2)
        panel.plot(row.value, line, "o", color=BLUE, markersize=5)
    counts = metric.definition.unit
    panel.set_xlabel(drawable(f"{metric}, {unit.name}" if counts is Unit.POINTS else metric.value))
    if counts is Unit.SHARE:
        # Steps of 2.5 % would be written as 73 % and 78 %.
        panel.xaxis.set_major_locator(MaxNLocator(steps=[1, 2, 5, 10]))
        panel.xaxis.set_major_formatter(PercentFormatter(xmax=1, decimals=0, symbol=" %"))
    panel.grid(axis="x", color="#dddddd", linewidth=0.6)
    panel.set_axisbelow(True)
    for side in ("top", "right"):
        panel.spines[side].set_visible(False)


def _in_words(metric: Metric, unit: ScoreUnit, rows: list[Performance]) -> str:
    values = ", ".join(
        f"{group_in_words(row.axis, row.group)} {in_unit(metric, unit, row.value)}"
        for row in rows
        if row.value is not None
    )
    return f"{metric}: {values}." if values else f"{metric}: nothing may be shown."
