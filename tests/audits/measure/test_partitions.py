from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audits.measure.partitions import axes, everyone, pairs
from contracts.errors import ContractError
from features.groups import banded

TABLE = pd.DataFrame(
    {
        "group:sex": ["f", "m", "f", "m"],
        "group:age": ["old", "old", "young", "not recorded"],
        "group:site": ["a", "a", "a", "a"],
    }
)


def test_every_group_column_is_an_axis_and_not_recorded_is_a_group() -> None:
    sex, age, site = axes(TABLE)
    assert (sex.axis, sex.labels_G, sex.group_N.tolist()) == ("sex", ("f", "m"), [0, 1, 0, 1])
    assert age.labels_G == ("old", "young", "not recorded")
    assert site.is_constant


def test_pairs_are_the_intersections_that_have_somebody_in_them() -> None:
    (pair,) = pairs(axes(TABLE))
    assert pair.axis == "sex & age"
    assert pair.labels_G == ("f & old", "f & young", "m & old", "m & not recorded")
    assert pair.group_N.tolist() == [0, 2, 1, 3]


def test_intersections_stay_apart_when_their_labels_read_alike() -> None:
    table = pd.DataFrame({"group:x": ["a", "a & b"], "group:y": ["b & c", "c"]})
    (pair,) = pairs(axes(table))
    assert pair.labels_G == ("a & b & c", "a & b & c")
    assert pair.group_N.tolist() == [0, 1]


def test_everyone_is_one_group() -> None:
    assert everyone(TABLE).group_N.tolist() == [0, 0, 0, 0]


def test_a_row_without_a_label_is_refused() -> None:
    with pytest.raises(ContractError, match=r"group:sex: 1 row\(s\) without label"):
        axes(pd.DataFrame({"group:sex": ["f", None]}))


@given(
    edges=st.lists(st.integers(-200, 200), min_size=1, max_size=6, unique=True).map(sorted),
    form=st.sampled_from(["{:g}", "{:.0%}", "{:.1f}"]),
    seed=st.integers(0, 99),
)
def test_bands_go_from_low_to_high_and_what_is_not_recorded_comes_last(
    edges: list[int], form: str, seed: int
) -> None:
    """Whatever the alphabet says, and whoever comes first in the table."""
    ends = tuple(edge / 4 for edge in edges)
    inside = np.array([ends[0] - 1, *ends, np.nan])
    in_order = [*banded(inside[:-1], ends, form, ""), "no wearable", "not recorded"]
    label_N = np.random.default_rng(seed).permutation([*in_order, *in_order])
    (partition,) = axes(pd.DataFrame({"group:wear band": label_N}))
    assert list(partition.labels_G) == list(dict.fromkeys(in_order))
    assert [partition.labels_G[group] for group in partition.group_N] == list(label_N)
