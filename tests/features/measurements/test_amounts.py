"""Amounts of groups of rows against models that look at every minute or every interval."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.measurements.amounts import (
    HOUR_NS,
    hours_touched,
    increases,
    largest,
    number_groups,
    part_amounts,
    union_hours,
)

MINUTE_NS = HOUR_NS // 60
minutes = st.integers(-60, 300)
intervals = st.lists(st.tuples(st.integers(0, 2), minutes, st.integers(0, 200)), max_size=12)


def columns(*rows: tuple[float, ...], width: int) -> list[np.ndarray]:
    table = np.array(rows, dtype=np.int64).reshape(-1, width)
    return [table[:, n] for n in range(width)]


@given(intervals)
def test_a_union_counts_each_covered_minute_once(rows: list[tuple[int, int, int]]) -> None:
    covered = defaultdict(set)
    for group, start, length in rows:
        covered[group] |= set(range(start, start + length))
    group, start, length = columns(*rows, width=3)
    found = union_hours(group, start * MINUTE_NS, (start + length) * MINUTE_NS, 3)
    assert found == pytest.approx([len(covered[g]) / 60 for g in range(3)])


@given(intervals)
def test_hours_touched_are_hours_of_the_clock(rows: list[tuple[int, int, int]]) -> None:
    touched = defaultdict(set)
    for group, start, length in rows:
        touched[group] |= {minute // 60 for minute in range(start, start + max(length, 1))}
    group, start, length = columns(*rows, width=3)
    found = hours_touched(group, start * MINUTE_NS, (start + length) * MINUTE_NS, 3)
    assert found.tolist() == [len(touched[g]) for g in range(3)]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(-2, 2), st.integers(5, 7))))
def test_groups_are_equal_rows(rows: list[tuple[int, int, int]]) -> None:
    number, first = number_groups(*columns(*rows, width=3))
    assert [rows[first[n]] for n in number] == rows
    assert len(first) == len(set(rows))


Tree = tuple[int, int, int, list["Tree"]]


@st.composite
def nested(draw: st.DrawFn, start: int = 0, end: int = 64) -> list[Tree]:
    """Intervals of which each lies beside or within each other one."""
    if end - start < 2:
        return []
    cut = draw(st.integers(start, end))
    here = []
    for low, high in ((start, cut), (cut, end)):
        if high - low >= 2 and draw(st.booleans()):
            inside = draw(nested(low + draw(st.integers(0, 1)), high))
            whole = (low, high) not in [node[:2] for node in inside]
            if whole and draw(st.booleans()):
                here.append((low, high, draw(st.integers(0, 99)), inside))
            else:
                here += inside
    return here


def model(trees: list[Tree]) -> int:
    return sum(max(value, model(inside)) for _, _, value, inside in trees)


def flat(trees: list[Tree]) -> list[tuple[int, int, int]]:
    return [row for s, e, value, inside in trees for row in [(s, e, value), *flat(inside)]]


def amount(rows: list[tuple[int, int, int]], updated: list[int] | None = None) -> float:
    start, end, value = columns(*rows, width=3)
    groups = np.zeros(len(rows), dtype=np.int64)
    changed = np.array(updated or [0] * len(rows), dtype=np.int64)
    return float(part_amounts(groups, start, end, value.astype(float), changed, 1)[0])


@given(nested(), st.randoms())
def test_an_interval_that_contains_others_is_their_sum_or_more(
    trees: list[Tree], order: st.DataObject
) -> None:
    rows = flat(trees)
    order.shuffle(rows)
    assert amount(rows) == pytest.approx(model(trees))


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 20), st.integers(0, 9)), min_size=1))
def test_no_amount_counts_more_than_once_nor_is_one_lost(rows: list[tuple[int, int, int]]) -> None:
    spans = [(start, start + length, value) for start, length, value in rows]
    assert max(value for *_, value in spans) - 1e-9 <= amount(spans)
    assert amount(spans) <= sum(value for *_, value in spans) + 1e-9
    assert amount(spans) == amount(spans[::-1]) == pytest.approx(amount(spans + spans))


def test_the_common_time_of_two_intervals_counts_once() -> None:
    assert amount([(0, 10, 100), (5, 15, 100)]) == 150
    assert amount([(0, 10, 0), (5, 15, 100)]) == 100
    assert amount([(0, 10, 10), (4, 14, 10), (8, 18, 10)]) == 18
    assert amount([(0, 100, 50), (0, 10, 100), (5, 15, 100)]) == 150


def test_of_one_interval_the_value_changed_last_counts_else_the_larger() -> None:
    rows = [(0, 10, 9), (0, 10, 7), (20, 30, 1)]
    assert amount(rows) == 10
    assert amount(rows, [1, 2, 0]) == 8


def test_moments_add_up_unless_an_interval_contains_them() -> None:
    assert amount([(0, 0, 30), (0, 0, 45)]) == 75
    assert amount([(0, 10, 40), (3, 3, 5), (10, 10, 5)]) == 45


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1), st.integers(0, 9), minutes)))
def test_running_totals_add_up_by_their_rises(rows: list[tuple[int, int, int, int]]) -> None:
    rows = [(group, counter, time, abs(value)) for group, counter, time, value in rows]
    expected = [0.0, 0.0]
    for key in {row[:2] for row in rows}:
        at: dict[int, int] = {}
        for group, counter, time, value in rows:
            if (group, counter) == key:
                at[time] = max(value, at.get(time, 0))
        last = 0
        for _, value in sorted(at.items()):
            expected[key[0]] += value - last if value >= last else value
            last = value
    group, counter, time, value = columns(*rows, width=4)
    assert increases(group, counter, time, value.astype(float), 2).tolist() == expected


def test_the_largest_of_nothing_is_unknown() -> None:
    found = largest(np.array([0, 0]), np.array([1.0, -2.0]), 2)
    assert found[0] == 1
    assert np.isnan(found[1])
