"""The comparison of mitigations as one table and one figure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure as Canvas

from audits.judging.mitigation import MethodResult
from audits.judging.units import ScoreUnit, in_unit
from audits.measure.intervals import Interval
from audits.measure.metrics import Measure
from audits.report.characters import drawable
from audits.report.document import Document, Figure, Notice, Paragraph, Table
from audits.report.figures import STYLE
from contracts.groups import MINIMUM_SHOWN
from contracts.naming.mitigations import NEED_TRAINING

FILE = "mitigation.svg"
COLUMNS = ("method", "metric", "everyone", "gap between groups")
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")


def comparison_rows(
    results: Sequence[MethodResult], unit: ScoreUnit
) -> tuple[tuple[str, ...], ...]:
    """Return the comparison as rows of text, measure by measure."""
    measures = dict.fromkeys(result.measure for result in results)
    return tuple(
        (
            result.method,
            measure.name,
            _with_interval(measure, unit, result.overall, result.overall_interval),
            _with_interval(measure, unit, result.gap, result.gap_interval),
        )
        for measure in measures
        for result in results
        if result.measure == measure
    )


def comparison_document(
    results: Sequence[MethodResult],
    axis: str,
    model_version: str,
    folder: Path,
    unit: ScoreUnit,
) -> Document:
    """Return the comparison as a document, its figure drawn into a folder.

    Parameters
    ----------
    results, unit
        What was compared, and the unit of the instrument's scores.
    axis, model_version
        The attribute, and the registered version.
    folder
        Receives the figure.
    """
    _draw(results, folder / FILE)
    compared = {result.method for result in results}
    not_trained = [name for name in NEED_TRAINING if name not in compared]
    note = (
        f" Not trained here, so not in the table: {', '.join(not_trained)}; name the cohort with"
        " --cohort to train them."
    )
    rows = comparison_rows(results, unit)
    return Document(
        title=f"Mitigation of {model_version}, by {axis}",
        subtitle="Each method beside the registered version, fitted on other people's folds.",
        blocks=(
            Notice(
                tone="review",
                title="None is recommended.",
                text="A method can make the gap smaller by making the forecast worse for everyone."
                " Read both columns; the choice is the board's." + (note if not_trained else ""),
            ),
            Table(
                caption="Everyone, and the largest difference between groups, with 95 % intervals",
                columns=COLUMNS,
                rows=rows,
                widths=(5, 4, 4, 4),
                small=True,
            ),
            Figure(
                file=FILE,
                alt="Accuracy against gap for each method and metric. "
                + " ".join(
                    f"{method}: {metric}, everyone {overall}, gap {gap}."
                    for method, metric, overall, gap in rows
                ),
                caption="Value for everyone (horizontal) against the gap between groups (vertical),"
                " with 95 % intervals. For errors and false-negative rates, lower left is better;"
                " for coverage, low and near 80 %.",
            ),
            *_left_out(results),
            Paragraph(
                text="ThresholdOptimizer decides by group: two people with the same chance can get"
                " different answers. It is shown for analysis, not for use."
            ),
        ),
    )


def _left_out(results: Sequence[MethodResult]) -> Iterable[Paragraph]:
    """Name the groups that no gap speaks of."""
    groups = {r.measure.name: ", ".join(r.left_out) for r in results if r.left_out}
    if groups:
        named = "; ".join(f"{measure}: {labels}" for measure, labels in groups.items())
        yield Paragraph(
            text="Gaps are between the groups whose numbers may be shown. Left out, because fewer"
            f" than {MINIMUM_SHOWN} people could be worked out: {named}."
        )


def _with_interval(
    measure: Measure, unit: ScoreUnit, value: float | None, interval: Interval | None
) -> str:
    if value is None:
        return "none"
    text = in_unit(measure.metric, unit, value)
    if interval is None:
        return text
    return f"{text} [{in_unit(measure.metric, unit, interval.low, interval.high)}]"


def _draw(results: Sequence[MethodResult], path: Path) -> None:
    measures = list(dict.fromkeys(result.measure for result in results))
    methods = list(dict.fromkeys(result.method for result in results))
    with mpl.rc_context(STYLE | {"svg.hashsalt": path.name, "font.size": 8}):
        canvas = Canvas(figsize=(3.2 * len(measures), 3.6), layout="constrained")
        panels = canvas.subplots(1, len(measures), squeeze=False)[0]
        for panel, measure in zip(panels, measures, strict=True):
            for result in (r for r in results if r.measure == measure and r.gap is not None):
                number = methods.index(result.method)
                colour = COLOURS[number % len(COLOURS)]
                if result.gap_interval is not None:
                    ends = [result.gap_interval.low, result.gap_interval.high]
                    panel.plot([result.overall] * 2, ends, color=colour, linewidth=1)
                panel.plot(
                    result.overall, result.gap, MARKERS[number % len(MARKERS)], color=colour,
                    label=drawable(result.method),
                )  # fmt: skip
            panel.set_title(drawable(measure.name), fontsize=8)
            panel.set_xlabel("everyone")
            panel.grid(color="#dddddd", linewidth=0.6)
        panels[0].set_ylabel("gap between groups")
        handles, labels = panels[0].get_legend_handles_labels()
        canvas.legend(handles, labels, loc="outside lower center", ncols=2)
        canvas.savefig(path, metadata={"Date": None})
