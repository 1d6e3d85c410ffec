"""The figure of what wearables add: what it shows is what the table says, and all can be read."""

from __future__ import annotations

from typing import Any

import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from support.wearables_figure import figure_of
from support.without import Added

ENROLMENT_ONLY, SCORED, REAL = "SIMULATED, enrolment only", "SIMULATED, scored", "Real people"
NETWORK = "all wearables, beside a network without"


def row(where: str, model: str, what: str, with_them: float = 9) -> dict[str, Any]:
    return Added(
        where=where, model=model, what=what, people=10, outcomes=20,
        crps_without=10.0, crps_with=with_them, low=with_them - 12, high=with_them - 9,
        mae_without=1, mae_with=1, width_without=1, width_with=1, width_low=0, width_high=0,
        holds_without=0.8, holds_with=0.8,
    ).record()  # fmt: skip


ALL, GAIT, BESIDE, SLEEP = "all wearables", "gait alone", "gait beside the others", "sleep alone"
ROWS = [
    *(row(ENROLMENT_ONLY, "best possible", what, 5) for what in (ALL, GAIT, BESIDE, SLEEP)),
    *(row(SCORED, "best possible", what, 8) for what in (ALL, GAIT, SLEEP)),
    *(row(where, "hybrid", what) for where in (ENROLMENT_ONLY, SCORED)
      for what in (ALL, GAIT, BESIDE, SLEEP, "LOINC//41950-7 alone", NETWORK)),
    row(REAL, "hybrid", ALL, 11),
    *(row(REAL, "ridge", what, 15) for what in (ALL, GAIT, SLEEP)),
]  # fmt: skip


@pytest.fixture(scope="module")
def figure() -> Figure:
    drawn = figure_of(ROWS)
    FigureCanvasAgg(drawn).draw()
    return drawn


def names_of(axes: Axes) -> list[str]:
    return [label.get_text() for label in axes.get_yticklabels()]


def test_each_point_is_the_change_of_its_row_in_per_cent_with_its_interval(figure: Figure) -> None:
    shown = {}
    for axes in figure.axes:
        for points in axes.containers:
            line, _, (bars,) = points.lines
            for x, y, ((low, _), (high, _)) in zip(
                line.get_xdata(), line.get_ydata(), bars.get_segments(), strict=True
            ):
                key = (axes.get_title(loc="left"), points.get_label(), names_of(axes)[round(y)])
                shown[key] = (x, low, high)
    expected = {
        (each["where"], each["model"], each["what"]): pytest.approx(
            (each["percent"], 10 * each["low"], 10 * each["high"])
        )
        for each in ROWS
        if "//" not in each["what"]
    }
    assert shown == expected


def test_a_model_has_one_colour_and_one_marker_in_every_cohort(figure: Figure) -> None:
    looks: dict[str, set[tuple[Any, Any]]] = {}
    for axes in figure.axes:
        for points in axes.containers:
            line = points.lines[0]
            looks.setdefault(points.get_label(), set()).add((line.get_color(), line.get_marker()))
    assert looks.keys() == {"best possible", "hybrid", "ridge"}
    assert all(len(look) == 1 for look in looks.values())
    assert len(set.union(*looks.values())) == 3


def test_cohorts_list_inputs_in_one_order_all_of_them_first(figure: Figure) -> None:
    first, second, real = map(names_of, figure.axes)
    assert first == second == [ALL, NETWORK, GAIT, BESIDE, SLEEP]
    assert real == [name for name in first if name in real]


def test_nothing_that_is_written_is_cut_or_covered(figure: Figure) -> None:
    (legend,) = figure.legends
    boxes = [legend.get_window_extent(), figure.axes[-1].xaxis.label.get_window_extent()]
    for axes in figure.axes:
        boxes += [label.get_window_extent() for label in axes.get_yticklabels()]
        boxes += [axes.title.get_window_extent(), axes.get_window_extent()]
    width, height = figure.canvas.get_width_height()
    for box in boxes:
        assert 0 <= box.x0 <= box.x1 <= width
        assert 0 <= box.y0 <= box.y1 <= height
    assert not any(legend.get_window_extent().overlaps(box) for box in boxes[1:])
