"""The three figures of a report: error, calibration and coverage by group, with intervals.

Colour-blind-safe (Okabe-Ito), and nothing is told by colour alone. The words in `alt` say what the
picture shows to those who cannot see it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import PercentFormatter

from audits.judging.performance import Performance
from audits.judging.wording import in_unit
from audits.measure.definitions import Unit
from audits.measure.measures import Metric
from audits.measure.partitions import EVERYONE
from audits.report.content import Report, pooled
from audits.report.document import Figure

BLUE, GREY, VERMILION = "#0072B2", "#555555", "#D55E00"
PROMISED = 0.8


def draw(report: Report, folder: Path) -> tuple[Figure, ...]:
    """Draw a report's figures into a folder as SVG; none where nothing was scored."""
    wanted = (
        ("error", (Metric.ERROR,), "Error by group",
         "Mean absolute error in score points; further left is better. The dashed line is"
         " everyone."),
        ("calibration", (Metric.SIGNED, Metric.SLOPE), "Calibration by group",
         "Left: forecast minus outcome, 0 is neither too high nor too low. Right: slope of outcome"
         " on forecast, 1 is right, below 1 forecasts are too extreme. The dashed line is ideal."),
        ("coverage", (Metric.COVERAGE,), "Coverage by group",
         "Share of outcomes inside the 80 % range. The dashed line is what was promised."),
    )  # fmt: skip
    told = []
    for name, metrics, title, caption in wanted:
        rows = [pooled(report, metric) for metric in metrics]
        if all(rows):
            file = f"{name}-by-group.svg"
            _draw(rows, metrics, folder / file)
            alt = f"{title}. " + " ".join(
                _words(metric, each) for metric, each in zip(metrics, rows, strict=True)
            )
            hint = "Dots are estimates, lines 95 % intervals; hidden: fewer than 11 people, or told"
            caption = f"{title}. {caption} {hint} by another group that is."
            told.append(Figure(file=file, alt=alt, caption=caption))
    return tuple(told)


def _draw(rows: Sequence[list[Performance]], metrics: Sequence[Metric], path: Path) -> None:
    height = 0.9 + 0.24 * len(rows[0])
    with mpl.rc_context({"svg.hashsalt": path.name, "font.size": 9, "svg.fonttype": "path"}):
        canvas = Canvas(figsize=(7.2, height), layout="constrained")
        panels = canvas.subplots(1, len(rows), sharey=True, squeeze=False)[0]
        for panel, told, metric in zip(panels, rows, metrics, strict=True):
            _panel(panel, told, metric)
        labels = [EVERYONE if r.axis == EVERYONE else f"{r.axis}: {r.group}" for r in rows[0]]
        counts = ["" if r.subjects is None else f" (n = {r.subjects})" for r in rows[0]]
        panels[0].set_yticks(
            range(len(labels)), [a + b for a, b in zip(labels, counts, strict=True)]
        )
        # Words set no limits: a last group that is hidden would lie on the axis.
        panels[0].set_ylim(len(labels) - 0.5, -0.5)
        canvas.savefig(path, metadata={"Date": None})


def _panel(panel: Axes, rows: list[Performance], metric: Metric) -> None:
    ideal = {Metric.SIGNED: 0.0, Metric.SLOPE: 1.0, Metric.COVERAGE: PROMISED}.get(metric)
    reference = rows[0].value if ideal is None else ideal
    if reference is not None:
        panel.axvline(reference, color=VERMILION, linestyle="--", linewidth=1)
    for place, row in enumerate(rows):
        if row.value is None:
            panel.text(0.02, place, "hidden", transform=panel.get_yaxis_transform(), va="center",
                       color=GREY, style="italic")  # fmt: skip
            continue
        if row.low is not None and row.high is not None:
            panel.plot([row.low, row.high], [place, place], color=BLUE, linewidth=2)
        panel.plot(row.value, place, "o", color=BLUE, markersize=5)
    unit = metric.definition.unit
    panel.set_xlabel(f"{metric}, {unit}" if unit is Unit.POINTS else metric.value)
    if unit is Unit.SHARE:
        panel.xaxis.set_major_formatter(PercentFormatter(xmax=1, decimals=0, symbol=" %"))
    panel.grid(axis="x", color="#dddddd", linewidth=0.6)
    panel.set_axisbelow(True)
    for side in ("top", "right"):
        panel.spines[side].set_visible(False)


def _words(metric: Metric, rows: list[Performance]) -> str:
    shown = [row for row in rows if row.value is not None]
    if not shown:
        return f"{metric}: nothing may be shown."
    told = ", ".join(
        f"{row.group if row.axis == EVERYONE else f'{row.axis} {row.group}'}"
        f" {in_unit(metric, row.value or 0.0)}"
        for row in shown
    )
    return f"{metric}: {told}."
