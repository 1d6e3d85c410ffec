"""The state of the tests as a picture: e-values on a log scale, with their limits.

Colour-blind-safe (Okabe-Ito), and nothing is shown by colour alone: lines are labelled where they
end, and the table beside it has their numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Literal

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from audits.report.characters import drawable
from audits.report.document import Figure
from audits.report.figures import BLUE, GREY, STYLE, VERMILION
from audits.report.monthly.content import Edition, PointShown, TestShown
from audits.report.monthly.wording import test_in_words

FILE = "e-values.svg"
NAMED = 3
"""Tests that are drawn in colour and numbered as in the table."""
COLOURS = (BLUE, "#009E73", "#CC79A7")
STROKES: tuple[Literal["-", "--", "-."], ...] = ("-", "--", "-.")
LEAST, MOST = 1e-2, 100
"""Lower e-values, and those so many times beyond a limit, are drawn at the edge: neither says more
than that a rule is kept, or broken."""


def draw(edition: Edition, folder: Path) -> tuple[Figure, ...]:
    """Draw the tests into a folder as SVG; nothing where no point is told yet."""
    acting = ranked(test for test in edition.tests if not test.warns_only)
    warning = ranked(test for test in edition.tests if test.warns_only)
    if not edition.mean and not any(test.points for test in edition.tests):
        return ()
    panels: list[tuple[str, Sequence[TestShown], Sequence[PointShown]]] = [
        ("Mean of all tests that can act", (), edition.mean)
    ]
    panels += [
        (title, tests, ())
        for title, tests in (("Single tests", acting), ("Lost outcomes (only warn)", warning))
        if any(test.points for test in tests)
    ]
    with mpl.rc_context(STYLE | {"svg.hashsalt": FILE}):
        canvas = Canvas(figsize=(7.2, 2.4 * len(panels)), layout="constrained")
        axes = canvas.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
        for panel, (title, tests, mean) in zip(axes, panels, strict=True):
            if tests:
                _single(panel, tests)
            else:
                _mean(panel, mean, edition)
            _frame(panel, title)
        canvas.savefig(folder / FILE, metadata={"Date": None})
    return (
        Figure(
            file=FILE,
            alt=_in_words(edition, acting),
            caption="E-values on a logarithmic scale, a point whenever 11 more people counted."
            " Evidence against a rule rises; at a dotted line something follows. Values far beyond"
            " a limit are drawn at the top.",
        ),
    )


def ranked(tests: Iterable[TestShown]) -> list[TestShown]:
    """Return tests, those first that speak most against a rule for what each needs."""
    return sorted(tests, key=lambda test: -test.share)


def _mean(panel: Axes, points: Sequence[PointShown], edition: Edition) -> None:
    _line(panel, points, BLUE, "-", 1.8, MOST * edition.suspends_at)
    _limit(panel, edition.suspends_at, "out of service")
    _limit(panel, edition.warns_at, "warning")


def _single(panel: Axes, tests: Sequence[TestShown]) -> None:
    for test in tests[NAMED:]:
        _line(panel, test.points, "#bbbbbb", "-", 0.8, MOST * test.needed)
    named = [test for test in tests[:NAMED] if test.points]
    handles = []
    for number, (test, colour, stroke) in enumerate(zip(named, COLOURS, STROKES, strict=False), 1):
        _line(panel, test.points, colour, stroke, 1.6, MOST * test.needed)
        name = drawable(f"{number}. {test_in_words(test)}")
        handles.append(Line2D([], [], color=colour, linestyle=stroke, label=name))
    if handles:
        panel.legend(handles=handles, loc="upper left", fontsize=7, frameon=False)
    what = "warning" if tests[0].warns_only else "restricts or suspends"
    _limit(panel, tests[0].needed, what)


def _line(
    panel: Axes, points: Sequence[PointShown], colour: str, stroke: str, width: float, most: float
) -> None:
    days = [date.fromisoformat(point.week_ends) for point in points]
    values = [min(most, max(LEAST, point.e_value)) for point in points]
    # Nobody knows what it was between two points.
    panel.plot(days, values, stroke, color=colour, linewidth=width, drawstyle="steps-post",  # type: ignore[arg-type]
               marker="." if len(points) < 2 else "")  # fmt: skip


def _limit(panel: Axes, value: float, name: str) -> None:
    panel.axhline(value, color=VERMILION, linestyle=":", linewidth=1.2)
    panel.text(
        1, value, f"{name} ({value:,.0f})", transform=panel.get_yaxis_transform(), ha="right",
        va="bottom", fontsize=7, color=GREY,
    )  # fmt: skip


def _frame(panel: Axes, title: str) -> None:
    panel.set_yscale("log")
    low, high = panel.get_ylim()
    # Room for the names above the lines.
    panel.set_ylim(min(low, 0.1), high * 20)
    panel.yaxis.set_major_locator(LogLocator(numticks=6))
    panel.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    panel.yaxis.set_minor_locator(NullLocator())
    panel.axhline(1, color=GREY, linewidth=0.6)
    panel.set_title(title, loc="left", fontsize=9)
    locator = AutoDateLocator(minticks=3, maxticks=9)  # type: ignore[no-untyped-call]
    panel.xaxis.set_major_locator(locator)
    panel.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    panel.grid(axis="y", color="#dddddd", linewidth=0.6)
    panel.set_axisbelow(True)
    for side in ("top", "right"):
        panel.spines[side].set_visible(False)


def _in_words(edition: Edition, acting: Sequence[TestShown]) -> str:
    said = []
    if edition.mean:
        last = edition.mean[-1]
        said.append(
            f"Mean e-value {last.e_value:g}, at most {last.largest:g}; a warning from"
            f" {edition.warns_at:g}, out of service from {edition.suspends_at:g}."
        )
    said += [
        f"{test_in_words(test)}: {test.points[-1].e_value:g} of {test.needed:,.0f}."
        for test in acting[:NAMED]
        if test.points
    ]
    return " ".join(said)
