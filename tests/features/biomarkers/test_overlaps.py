"""Of parts that cover the same time the best covered ones count."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.biomarkers.overlaps import FIRST, LAST, SAMPLES, counted, each_moment_once

BOUNDS = st.tuples(st.integers(0, 12), st.integers(0, 4), st.integers(1, 9))


def parts_of(bounds: list[tuple[int, int, int]]) -> pd.DataFrame:
    table = pd.DataFrame(bounds, columns=[FIRST, "length", SAMPLES])
    return table.assign(**{LAST: table[FIRST] + table["length"]}, key="k", value=0.0)


@settings(max_examples=40, deadline=None)
@given(st.lists(BOUNDS, min_size=1, max_size=7))
def test_the_parts_that_count_never_overlap_and_none_together_have_more_samples(
    bounds: list[tuple[int, int, int]],
) -> None:
    parts = parts_of(bounds)

    def apart(rows: pd.DataFrame) -> bool:
        ordered = rows.sort_values(FIRST)
        return bool((ordered[FIRST].iloc[1:].to_numpy() > ordered[LAST].iloc[:-1]).all())

    kept = parts[counted(parts, ["key"], ["value"])]
    assert apart(kept)
    best = max(
        parts.iloc[list(places)][SAMPLES].sum()
        for size in range(1, len(parts) + 1)
        for places in combinations(range(len(parts)), size)
        if apart(parts.iloc[list(places)])
    )
    assert kept[SAMPLES].sum() == best
    twice = pd.concat([parts, parts], ignore_index=True)[::-1]
    again = twice[counted(twice, ["key"], ["value"])]
    assert again[SAMPLES].sum() == best


def test_parts_of_several_recordings_do_not_see_each_other() -> None:
    parts = parts_of([(0, 4, 5), (0, 4, 5)]).assign(key=["a", "b"])
    assert counted(parts, ["key"], ["value"]).all()


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 99), st.integers(1, 100)), min_size=1, max_size=5),
    st.randoms(use_true_random=False),
)
def test_windows_of_one_recording_give_what_they_cover_once(
    windows: list[tuple[int, int]], random: object
) -> None:
    time = np.cumsum(np.random.default_rng(1).integers(1, 4, 100))
    value = time.astype(float)
    rows = [(n, slice(low, low + length)) for n, (low, length) in enumerate(windows)]
    all_time = np.concatenate([time[inside] for _, inside in rows])
    source = np.concatenate([np.full(len(time[inside]), n) for n, inside in rows])
    once = each_moment_once(all_time, all_time.astype(float), source, pause_ns=5)
    covered = np.unique(all_time)
    assert all_time[once].tolist() == covered.tolist()
    assert set(covered) <= set(value)


@pytest.mark.parametrize("order", [[0, 1], [1, 0]])
def test_two_beats_of_one_second_are_two_and_a_copy_of_them_is_none(order: list[int]) -> None:
    time = np.array([0, 0, 1, 1, 2] * 2)
    source = np.repeat(order, 5)
    once = each_moment_once(time, np.ones(10), source, pause_ns=5)
    assert time[once].tolist() == [0, 0, 1, 1, 2]
