from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.groups import MINIMUM_SHOWN
from training.comparison.figures import horizons_of_few, reliability_figure


def table_of(people: list[int]) -> pd.DataFrame:
    """Return a table with so many people at each horizon, the same ones first."""
    return pd.DataFrame(
        [(person, day) for day, many in enumerate(people, 1) for person in range(many)],
        columns=["subject_id", "horizon_day"],
    )


@pytest.mark.parametrize(
    ("people", "hidden"),
    [((20, 30), []), ((5, 40, 30), [1, 3]), ((5, 4, 30), [1, 2, 3]), ((3,), [1])],
)
def test_a_horizon_of_few_people_is_not_left_alone(
    people: tuple[int, ...], hidden: list[int]
) -> None:
    assert sorted(horizons_of_few(table_of(list(people)))) == hidden


@given(st.lists(st.integers(1, 40), min_size=1, max_size=6))
def test_what_is_left_out_is_of_at_least_eleven_together_or_all(people: list[int]) -> None:
    table = table_of(people)
    left_out = table[table["horizon_day"].isin(horizons_of_few(table))]
    days = left_out["horizon_day"].nunique()
    shown = table.drop(left_out.index).groupby("horizon_day")["subject_id"].nunique()
    assert (shown >= MINIMUM_SHOWN).all()
    assert days in {0, len(people)} or (
        days > 1 and left_out["subject_id"].nunique() >= MINIMUM_SHOWN
    )


def test_a_band_of_few_people_is_not_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from matplotlib.axes import Axes

    drawn: list[int] = []
    plot = Axes.plot

    def seen(axes: Axes, x: object, y: object, *args: object, **style: object) -> object:
        drawn.append(len(list(x)))  # type: ignore[call-overload]
        return plot(axes, x, y, *args, **style)  # type: ignore[arg-type]

    monkeypatch.setattr(Axes, "plot", seen)
    rows = 40
    table = pd.DataFrame(
        {
            # Of the second band there are 20 outcomes, of five people.
            "subject_id": [*range(20), *(n % 5 for n in range(20))],
            "chance:gain": [0.15] * 20 + [0.85] * 20,
            "reached:gain": [n % 2 == 0 for n in range(rows)],
        }
    )
    reliability_figure(table, tmp_path / "figure.png", title="SIMULATED")
    assert drawn == [2, 1]
