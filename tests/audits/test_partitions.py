from __future__ import annotations

import pandas as pd
import pytest

from audits.partitions import axes, everyone, pairs
from contracts.errors import ContractError

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
    assert age.labels_G == ("not recorded", "old", "young")
    assert site.is_constant


def test_pairs_are_the_intersections_that_have_somebody_in_them() -> None:
    (pair,) = pairs(axes(TABLE))
    assert pair.axis == "sex & age"
    assert pair.labels_G == ("f & old", "f & young", "m & not recorded", "m & old")
    assert pair.group_N.tolist() == [0, 3, 1, 2]


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
