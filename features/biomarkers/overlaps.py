"""Which parts of a recording count where several cover the same time: each moment once.

A recording comes in parts: the pieces that a long file is read in, a file that was split, an export
that holds an older one, a copy under another name. Parts of one device that adjoin add up. Of those
that cover the same time the ones with the most samples count, whatever their order and the names of
their files; a part that occurs twice counts once.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

FIRST, LAST, SAMPLES = "first_ns", "last_ns", "samples"
"""Columns of a table of parts: times of its first and its last sample, and how many it has."""


def counted(parts: pd.DataFrame, group: list[str], prefer: list[str]) -> NDArray[np.bool_]:
    """Return which parts count; within a group no two of them overlap.

    Parameters
    ----------
    parts
        With `FIRST`, `LAST` (inclusive) and `SAMPLES`.
    group
        Columns that parts of one recording share.
    prefer
        Of parts with the same bounds and number of samples, the one with the largest values of
        these columns counts, so that the order of files decides nothing.
    """
    order, group_N = _by_start(parts, group)
    first_N, last_N = (parts[name].to_numpy()[order] for name in (FIRST, LAST))
    overlapping = _groups_with_overlaps(group_N, first_N, last_N)
    kept_N = np.ones(len(parts), dtype=np.bool_)
    if not len(overlapping):
        return kept_N
    rows = order[np.isin(group_N, overlapping)]
    kept_N[rows] = False
    candidates = parts.iloc[rows].reset_index(drop=True)
    candidates = candidates.assign(row=rows).sort_values(
        [*group, FIRST, LAST, SAMPLES, *prefer],
        ascending=[True] * (len(group) + 2) + [False] * (1 + len(prefer)),
        kind="stable",
    )
    # Copies have the same bounds; only what differs in them has to be weighed one by one.
    candidates = candidates.drop_duplicates([*group, FIRST, LAST])
    for _, rivals in candidates.groupby(group, sort=False) if len(candidates) else ():
        bounds = list(zip(rivals[FIRST], rivals[LAST], rivals[SAMPLES], strict=True))
        kept_N[rivals["row"].to_numpy()[_most_samples(bounds)]] = True
    return kept_N


def _by_start(parts: pd.DataFrame, group: list[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the order by group and start, and the number of each ordered row's group."""
    groups = parts.groupby(group, sort=False, dropna=False)
    number_N = np.asarray(groups.ngroup(), dtype=np.int64)
    order: NDArray[np.int64] = np.lexsort((parts[FIRST].to_numpy(), number_N))
    return order, number_N[order]


def _groups_with_overlaps(
    group_N: NDArray[np.int64], first_N: NDArray[np.int64], last_N: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the groups in which a part begins before an earlier one has ended."""
    if len(group_N) < 2:
        return group_N[:0]
    latest_N = pd.Series(last_N).groupby(group_N).cummax().to_numpy()
    meets = (group_N[1:] == group_N[:-1]) & (first_N[1:] <= latest_N[:-1])
    return np.unique(group_N[1:][meets])


def _most_samples(bounds: Sequence[tuple[int, int, float]]) -> list[int]:
    """Return the places of parts that don't overlap and have the most samples together.

    Of equally many samples the fewest parts count, then the earlier ones in `bounds`.
    """
    if len(bounds) == 1:
        return [0]
    places = sorted(range(len(bounds)), key=lambda place: (bounds[place][1], place))
    ends = [bounds[place][1] for place in places]
    best: list[tuple[float, int, int]] = [(0.0, 0, 0)]
    taken: list[bool] = []
    for n, place in enumerate(places):
        first, _, samples = bounds[place]
        before = best[bisect_left(ends, first, hi=n)]
        with_it = (before[0] + samples, before[1] - 1, before[2] - place)
        taken.append(with_it > best[-1])
        best.append(max(with_it, best[-1]))
    chosen, n = [], len(places)
    while n:
        if taken[n - 1]:
            chosen.append(places[n - 1])
            n = bisect_left(ends, bounds[places[n - 1]][0], hi=n - 1)
        else:
            n -= 1
    return sorted(chosen)


def each_moment_once(
    time_N: NDArray[np.int64],
    value_N: NDArray[np.float64],
    source_N: NDArray[np.int64],
    pause_ns: int,
) -> NDArray[np.int64]:
    """Return the places of one device's samples from several sources, by time, each moment once.

    A source is a file, or a piece of one; within it every sample counts. Its samples between two
    pauses are a stretch. Where stretches overlap, the one with the most samples counts, and the
    others fill what lies before and after it.

    Parameters
    ----------
    time_N
        Nanoseconds.
    source_N
        Number of each sample's source.
    pause_ns
        Samples further apart belong to two stretches.
    """
    order = np.lexsort((time_N, source_N))
    time, source = time_N[order], source_N[order]
    begins = np.diff(source, prepend=-1) != 0
    begins[1:] |= np.diff(time) > pause_ns
    start_S = np.flatnonzero(begins)
    end_S = np.append(start_S[1:], len(time))
    if not len(start_S):
        return order
    stretches = pd.DataFrame({"start": start_S, "end": end_S, FIRST: time[start_S]})
    stretches[LAST] = time[end_S - 1]
    stretches["total"] = np.add.reduceat(value_N[order], start_S)
    by_time = stretches.sort_values(FIRST)
    one_N = np.zeros(len(by_time), dtype=np.int64)
    kept = np.ones(len(time), dtype=np.bool_)
    bounds = (by_time[FIRST].to_numpy(), by_time[LAST].to_numpy())
    if len(_groups_with_overlaps(one_N, *bounds)):
        kept = _outside_larger_ones(time, stretches)
    places = order[kept]
    return np.asarray(places[np.argsort(time_N[places], kind="stable")])


def _outside_larger_ones(time: NDArray[np.int64], stretches: pd.DataFrame) -> NDArray[np.bool_]:
    """Return which samples lie outside all stretches with more samples than their own."""
    kept = np.zeros(len(time), dtype=np.bool_)
    sized = stretches.assign(size=stretches["end"] - stretches["start"])
    sized = sized.sort_values(["size", FIRST, "total"], ascending=[False, True, False])
    taken: list[tuple[int, int]] = []
    for start, end, first, last in sized[["start", "end", FIRST, LAST]].itertuples(index=False):
        inside = time[start:end]
        free = np.ones(len(inside), dtype=np.bool_)
        for low, high in taken:
            if low <= last and high >= first:
                free &= (inside < low) | (inside > high)
        kept[start:end] = free
        taken.append((first, last))
    return kept
