"""The comparison of mitigations as one table and one figure."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure as Canvas

from audits.judging.mitigation import Compared
from audits.judging.wording import in_unit
from audits.measure.intervals import Interval
from audits.measure.measures import Metric
from audits.report.document import Document, Figure, Notice, Paragraph, Table
from contracts.mitigation import NEED_TRAINING

FILE = "mitigation.svg"
COLUMNS = ("method", "metric", "everyone", "gap between groups")
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")


def rows_of_comparison(told: list[Compared]) -> tuple[tuple[str, ...], ...]:
    """Return the comparison as rows of words, metric by metric."""
    metrics = dict.fromkeys(one.metric for one in told)
    return tuple(
        (
            one.method,
            one.metric,
            _with_interval(one.metric, one.overall, one.overall_interval),
            _with_interval(one.metric, one.gap, one.gap_interval),
        )
        for metric in metrics
        for one in told
        if one.metric == metric
    )


def comparison_document(
    told: list[Compared], axis: str, model_version: str, folder: Path
) -> Document:
    """Return the comparison as a document, its figure drawn into a folder."""
    _draw(told, folder / FILE)
    given = {one.method for one in told}
    lacking = [name for name in NEED_TRAINING if name not in given]
    untrained = (
        f" Not trained here, so not in the table: {', '.join(lacking)}; name the cohort with"
        " --cohort to train them."
    )
    return Document(
        title=f"Mitigation of {model_version}, by {axis}",
        subtitle="Each method beside the registered version, fitted on other people's folds.",
        blocks=(
            Notice(
                tone="review",
                title="None is recommended.",
                text="A smaller gap can be bought by making everyone worse. Read both columns; the"
                " choice is the board's." + (untrained if lacking else ""),
            ),
            Table(
                caption="Everyone, and the largest difference between groups, with 95 % intervals",
                columns=COLUMNS,
                rows=rows_of_comparison(told),
                widths=(5, 4, 4, 4),
                small=True,
            ),
            Figure(
                file=FILE,
                alt="Accuracy against gap for each method and metric. "
                + " ".join(
                    f"{method}: {metric}, everyone {overall}, gap {gap}."
                    for method, metric, overall, gap in rows_of_comparison(told)
                ),
                caption="Everyone (across) against the gap between groups (up), 95 % intervals;"
                " for errors and rates missed, lower left is better; for coverage, lower and near"
                " 80 %.",
            ),
            Paragraph(
                text="ThresholdOptimizer decides by group: two people with the same chance get"
                " different answers. It is here for analysis, not for use."
            ),
        ),
    )


def _with_interval(metric: str, value: float, interval: Interval | None) -> str:
    told = _quantity(metric, value)
    return (
        told if interval is None else f"{told} [{_quantity(metric, interval.low, interval.high)}]"
    )


def _quantity(metric: str, *values: float) -> str:
    return in_unit(Metric(metric.partition(":")[0]), *values)


def _draw(told: list[Compared], path: Path) -> None:
    metrics = list(dict.fromkeys(one.metric for one in told))
    methods = list(dict.fromkeys(one.method for one in told))
    with mpl.rc_context({"svg.hashsalt": path.name, "font.size": 8, "svg.fonttype": "path"}):
        canvas = Canvas(figsize=(3.2 * len(metrics), 3.6), layout="constrained")
        panels = canvas.subplots(1, len(metrics), squeeze=False)[0]
        for panel, metric in zip(panels, metrics, strict=True):
            for one in (one for one in told if one.metric == metric):
                place = methods.index(one.method)
                colour = COLOURS[place % len(COLOURS)]
                if one.gap_interval is not None:
                    ends = [one.gap_interval.low, one.gap_interval.high]
                    panel.plot([one.overall] * 2, ends, color=colour, linewidth=1)
                panel.plot(
                    one.overall, one.gap, MARKERS[place % len(MARKERS)], color=colour,
                    label=one.method,
                )  # fmt: skip
            panel.set_title(metric, fontsize=8)
            panel.set_xlabel("everyone")
            panel.grid(color="#dddddd", linewidth=0.6)
        panels[0].set_ylabel("gap between groups")
        handles, labels = panels[0].get_legend_handles_labels()
        canvas.legend(handles, labels, loc="outside lower center", ncols=2)
        canvas.savefig(path, metadata={"Date": None})
