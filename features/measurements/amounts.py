"""Amounts of many groups at once: unions, nested intervals, running totals, hours touched.

A group is what one source states of one person, quantity and day. Letters: N rows, G groups. Times
are whole nanoseconds on the wall clock.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from contracts.cohort import CODE, NUMBER, TEXT, TIME
from contracts.errors import Problem
from contracts.therapy import KINDS, THERAPY, day_of_therapy
from contracts.vocabulary import vocabulary
from features.measurements.records import SUBJECT_LABEL

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

HOUR_NS = 3_600_000_000_000


def number_groups(*columns: Integers) -> tuple[Integers, Integers]:
    """Return the number of each row's group of equal rows, and the first row of each group."""
    number_N = np.zeros(len(columns[0]), dtype=np.int64)
    for column_N in columns:
        ranked_N = pd.factorize(column_N)[0]
        # Numbers stay below the number of rows, so that the product of two fits.
        number_N = pd.factorize(number_N * (ranked_N.max(initial=0) + 1) + ranked_N)[0]
    first_G = np.empty(number_N.max(initial=-1) + 1, dtype=np.int64)
    first_G[number_N[::-1]] = np.arange(len(number_N))[::-1]
    return number_N, first_G


def union_hours(group_N: Integers, start_N: Integers, end_N: Integers, groups: int) -> Floats:
    """Return for each group the hours that at least one of its intervals covers."""
    order = np.lexsort((end_N, start_N, group_N))
    group_N, start_N, end_N = group_N[order], start_N[order], end_N[order]
    until_N = _covered_before(group_N, start_N, end_N)
    new_N = np.maximum(end_N - np.maximum(start_N, until_N), 0)
    return summed(group_N, new_N / HOUR_NS, groups)


def _covered_before(group_N: Integers, start_N: Integers, end_N: Integers) -> Integers:
    """Return the latest end of the group's rows before each row; its own start where none is."""
    latest_N = pd.Series(end_N).groupby(group_N).cummax().to_numpy()
    before_N = np.roll(latest_N, 1)
    first_N = np.concatenate([[True], group_N[1:] != group_N[:-1]])[: len(group_N)]
    return np.where(first_N, start_N, before_N)


def part_amounts(
    group_N: Integers,
    start_N: Integers,
    end_N: Integers,
    value_N: Floats,
    updated_N: Integers,
    groups: int,
) -> Floats:
    """Add up the amounts of each group's intervals and moments, no time counted twice.

    An interval that contains others counts as their sum, or as itself if that is more. Of two
    values of the very same interval the one changed last counts, else the larger. Where two
    intervals only overlap, their common time counts once, with the share of the one that says less.
    Moments that no interval contains are added.
    """
    # Largest first among equals, so that the first of the very same interval is the one to keep.
    order = np.lexsort((-value_N, -updated_N, -end_N, start_N, group_N))
    group_N, start_N, end_N = group_N[order], start_N[order], end_N[order]
    value_N = value_N[order]
    amount_G = summed(group_N, value_N, groups)
    overlap_N = start_N < _covered_before(group_N, start_N, end_N)
    nested_G = np.unique(group_N[overlap_N])
    begin_G = np.searchsorted(group_N, nested_G, "left")
    end_G = np.searchsorted(group_N, nested_G, "right")
    for group, begin, end in zip(nested_G, begin_G, end_G, strict=True):
        rows = slice(begin, end)
        intervals = zip(
            start_N[rows].tolist(), end_N[rows].tolist(), value_N[rows].tolist(), strict=True
        )
        amount_G[group] = _nested_amount(intervals)
    return amount_G


class _Open:
    """An interval whose parts are still coming: what they add up to, and the last of them."""

    __slots__ = ("end", "inside", "last", "start", "value")

    def __init__(self, start: float, end: float, value: float) -> None:
        self.start, self.end, self.value = start, end, value
        self.inside = 0.0
        self.last: _Open | None = None

    @property
    def amount(self) -> float:
        return max(self.value, self.inside)

    def share(self, common: float) -> float:
        """Return the share of the amount that falls into a part of the interval."""
        return self.amount * common / (self.end - self.start)

    def add(self, part: _Open) -> None:
        self.inside += part.amount
        if part.end == part.start:
            return
        if self.last is not None and part.start < self.last.end:
            common = self.last.end - part.start
            self.inside -= min(part.share(common), self.last.share(common))
        self.last = part


def _nested_amount(intervals: Iterator[tuple[int, int, float]]) -> float:
    """Return the amount of intervals in order of start, the longer first, each kept one first."""
    everything = _Open(-np.inf, np.inf, 0.0)
    stack = [everything]
    last = None
    for start, end, value in intervals:
        if (start, end) == last and end > start:
            continue
        last = (start, end)
        while stack[-1].end < end or stack[-1].end <= start:
            part = stack.pop()
            stack[-1].add(part)
        stack.append(_Open(start, end, value))
    while len(stack) > 1:
        part = stack.pop()
        stack[-1].add(part)
    return everything.inside


def increases(
    group_N: Integers, counter_N: Integers, time_N: Integers, value_N: Floats, groups: int
) -> Floats:
    """Add up by how much running totals rose, from zero, for each counter of a group.

    A total below the one before has started again at zero. Of several totals of one moment the
    largest counts.
    """
    order = np.lexsort((value_N, time_N, counter_N, group_N))
    group_N, counter_N, time_N = group_N[order], counter_N[order], time_N[order]
    value_N = value_N[order]
    same_N = (group_N[1:] == group_N[:-1]) & (counter_N[1:] == counter_N[:-1])
    last_N = np.concatenate([~(same_N & (time_N[1:] == time_N[:-1])), [True]])[: len(group_N)]
    group_N, counter_N, value_N = group_N[last_N], counter_N[last_N], value_N[last_N]
    same_N = (group_N[1:] == group_N[:-1]) & (counter_N[1:] == counter_N[:-1])
    before_N = np.concatenate([[0.0], np.where(same_N, value_N[:-1], 0.0)])[: len(group_N)]
    risen_N = np.where(value_N >= before_N, value_N - before_N, value_N)
    return summed(group_N, risen_N, groups)


def hours_touched(group_N: Integers, start_N: Integers, end_N: Integers, groups: int) -> Integers:
    """Return how many hours of the clock the moments and intervals of each group touch."""
    first_N = start_N // HOUR_NS
    count_N = np.maximum(end_N - 1, start_N) // HOUR_NS - first_N + 1
    at_N = np.repeat(np.arange(len(count_N)), count_N)
    step_N = np.arange(len(at_N)) - np.repeat(np.cumsum(count_N) - count_N, count_N)
    hour_N = first_N[at_N] + step_N
    _, first_of_G = number_groups(group_N[at_N], hour_N)
    return np.bincount(group_N[at_N][first_of_G], minlength=groups)


def summed(group_N: Integers, value_N: Floats, groups: int) -> Floats:
    """Return the sum of each group's values."""
    return np.bincount(group_N, value_N, groups).astype(np.float64)


def largest(group_N: Integers, value_N: Floats, groups: int) -> Floats:
    """Return the largest value of each group, NaN where it has none."""
    largest_G = np.full(groups, -np.inf)
    np.maximum.at(largest_G, group_N, value_N)
    return np.where(np.isneginf(largest_G), np.nan, largest_G)


def with_therapy(values: pd.DataFrame) -> tuple[pd.DataFrame, list[Problem]]:
    """Add the day's therapy where a day has disciplines of it and no total.

    What is at odds with a total (`contracts.therapy.day_of_therapy`) is left out with it.

    Parameters
    ----------
    values
        One value a person, code and day, with columns subject_label, time, code, number.
    """
    if not values[CODE].isin(KINDS).any():
        return values, []
    of_therapy = values[values[CODE].isin((THERAPY, *KINDS))]
    place_N = list(zip(of_therapy[SUBJECT_LABEL], of_therapy[TIME].dt.normalize(), strict=True))
    minutes: dict[tuple[str, pd.Timestamp], dict[str, float]] = defaultdict(dict)
    for place, code, number in zip(place_N, of_therapy[CODE], of_therapy[NUMBER], strict=True):
        minutes[place][code] = number
    found = {place: day_of_therapy(of_day) for place, of_day in minutes.items()}
    sums = pd.DataFrame(
        [
            {SUBJECT_LABEL: label, TIME: day, CODE: THERAPY, NUMBER: of_day.added_up, TEXT: None}
            for (label, day), of_day in found.items()
            if of_day.added_up is not None
        ],
        columns=[SUBJECT_LABEL, TIME, CODE, NUMBER, TEXT],
    ).astype({TIME: values[TIME].dtype})
    wrong = [
        index
        for index, place, code in zip(of_therapy.index, place_N, of_therapy[CODE], strict=True)
        if (at_odds := found[place].at_odds) and (code == THERAPY or code in at_odds)
    ]
    kept = values.drop(index=wrong)
    together = pd.concat([kept, sums], ignore_index=True) if len(sums) else kept
    return together[list(values)], [
        Problem(
            file="*",
            row=None,
            field=code,
            found=f"{vocabulary()[code].name} of {minutes[place][code]:g} min on"
            f" {place[1]:%Y-%m-%d}, more than all therapy of that day"
            f" ({minutes[place][THERAPY]:g} min)",
            advice="correct the minutes in the source",
            cause="therapy of one kind that is more than all of it",
        )
        for place, of_day in found.items()
        for code in sorted(of_day.at_odds)
    ]
