from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audits.measure.groups import by_attribute, everyone, intersections
from contracts.errors import ContractError
from contracts.groups import Bands

TABLE = pd.DataFrame(
    {
        "group:sex": ["f", "m", "f", "m"],
        "group:age": ["old", "old", "young", "not recorded"],
        "group:site": ["a", "a", "a", "a"],
    }
)


def test_every_group_column_is_an_axis_and_not_recorded_is_a_group() -> None:
    sex, age, site = by_attribute(TABLE)
    assert (sex.axis, sex.labels_G, sex.group_N.tolist()) == ("sex", ("f", "m"), [0, 1, 0, 1])
    assert age.labels_G == ("old", "young", "not recorded")
    assert site.is_constant


def test_pairs_are_the_intersections_that_have_somebody_in_them() -> None:
    (pair,) = intersections(by_attribute(TABLE))
    assert pair.axis == "sex & age"
    assert pair.labels_G == ("f & old", "f & young", "m & old", "m & not recorded")
    assert pair.group_N.tolist() == [0, 2, 1, 3]


def test_intersections_stay_apart_when_their_labels_read_alike() -> None:
    table = pd.DataFrame({"group:x": ["a", "a & b"], "group:y": ["b & c", "c"]})
    (pair,) = intersections(by_attribute(table))
    assert pair.labels_G == ("a & b & c", "a & b & c")
    assert pair.group_N.tolist() == [0, 1]


def test_everyone_is_one_group() -> None:
    assert everyone(TABLE).group_N.tolist() == [0, 0, 0, 0]


def test_a_row_without_a_label_is_refused() -> None:
    with pytest.raises(ContractError, match=r"group:sex: 1 row\(s\) have no label"):
        by_attribute(pd.DataFrame({"group:sex": ["f", None]}))


BANDS = st.lists(st.integers(-200, 200), min_size=1, max_size=6, unique=True).map(sorted)


@given(edges=BANDS, is_share=st.booleans(), seed=st.integers(0, 99))
def test_bands_go_from_low_to_high_and_who_has_no_value_comes_last(
    edges: list[int], is_share: bool, seed: int
) -> None:
    """Whatever the alphabet says, and whoever comes first in the table."""
    bands = Bands(edges=tuple(edge / 4 for edge in edges), is_share=is_share, missing="no wearable")
    label_N = np.random.default_rng(seed).permutation([*bands.labels, *bands.labels])
    column = pd.Series(pd.Categorical(label_N, categories=bands.labels, ordered=True))
    (grouping,) = by_attribute(pd.DataFrame({"group:wear band": column}))
    assert grouping.labels_G == bands.labels
    assert [grouping.labels_G[group] for group in grouping.group_N] == list(label_N)


@given(labels=st.lists(st.text("ab0 -%<>", min_size=1), min_size=1, unique=True))
def test_an_order_is_the_columns_own_and_is_never_read_from_labels(labels: list[str]) -> None:
    column = pd.Series(pd.Categorical(labels[::-1], categories=labels, ordered=True))
    (ordered,) = by_attribute(pd.DataFrame({"group:x": column}))
    assert list(ordered.labels_G) == labels
    (plain,) = by_attribute(pd.DataFrame({"group:x": labels}))
    assert list(plain.labels_G) == sorted(labels)


def test_the_order_of_bands_outlives_the_file(tmp_path: Path) -> None:
    bands = Bands(edges=(5.0, 10.0))
    column = pd.Categorical(["under 5", "10 and over"], categories=bands.labels, ordered=True)
    pd.DataFrame({"group:x": column}).to_parquet(tmp_path / "table.parquet", index=False)
    (grouping,) = by_attribute(pd.read_parquet(tmp_path / "table.parquet"))
    assert grouping.labels_G == ("under 5", "10 and over")
