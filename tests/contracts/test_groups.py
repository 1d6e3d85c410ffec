from __future__ import annotations

from functools import reduce

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from contracts.groups import (
    Bands,
    bands_of,
    group_column,
    last_shown,
    last_shown_of_growing,
)
from contracts.task import Task
from contracts.vocabulary import NOT_RECORDED

EDGES = st.lists(st.integers(-1000, 1000), min_size=1, max_size=6, unique=True).map(sorted)


@given(edges=EDGES, numbers=st.lists(st.floats(-1500, 1500), max_size=20))
def test_a_number_is_in_the_one_band_that_holds_it(edges: list[int], numbers: list[float]) -> None:
    bands = Bands(edges=tuple(map(float, edges)))
    ends = [-np.inf, *bands.edges, np.inf]
    for number, label in zip(numbers, bands.label(np.array(numbers)), strict=True):
        band = bands.labels.index(str(label))
        assert ends[band] <= number < ends[band + 1]


def test_a_missing_number_has_a_label_of_its_own() -> None:
    assert Bands(edges=(55.0, 75.0)).labels == (
        "under 55", "55 to under 75", "75 and over", NOT_RECORDED,
    )  # fmt: skip
    shares = Bands(edges=(0.6,), is_share=True, missing="no wearable")
    assert shares.label(np.array([0.5, 0.6, np.nan])).tolist() == [
        "under 60%", "60% and over", "no wearable",
    ]  # fmt: skip


def test_every_banded_attribute_of_a_task_has_an_ordered_column(task: Task) -> None:
    for attribute in task.sensitive:
        bands = bands_of(attribute)
        labels = np.array(bands.labels if bands else ["a", "b"], dtype=object)
        column = group_column(attribute, labels)
        assert hasattr(column, "cat") == (bands is not None)


@given(st.integers(0, 500))
def test_of_people_who_come_one_by_one_the_number_shown_is_a_whole_number_of_elevens(
    people: int,
) -> None:
    by_steps = reduce(last_shown, range(people + 1), 0)
    assert last_shown_of_growing(people) == by_steps
