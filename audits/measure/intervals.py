"""How sure a score is: bootstrap by subject, of group values and of the disparity itself.

All rows of a subject enter together, as often as the subject is drawn. Replicates are computed at
once: the sums of each subject in each cell of the attributes, times how often each replicate draws
the subject. This takes the place of MetricFrame's own bootstrap, which draws rows, not people, and
loops in Python. Letters: N rows, S subjects, C cells, G groups, M measures, K sums, R replicates.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from audits.measure.definitions import Yardsticks
from audits.measure.measures import Measure, Metric, addends, ranked
from audits.measure.partitions import Partition
from audits.measure.ranking import Chances, auroc, auroc_and_that_of_the_rest
from contracts.predictions import SUBJECT

Array = NDArray[np.float64]

WEIGHTS_AT_ONCE = 4_000_000
"""Weights held in memory at once (32 MB); more subjects mean fewer replicates a chunk."""

UNDEFINED_AT_MOST = 0.05
"""Share of replicates without the group that an interval may leave out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Measures in the groups of a partition, with bootstrap replicates; NaN without denominator.

    Parameters
    ----------
    partition, measured
        Which groups, and what was measured.
    value_GM, rest_GM, overall_GM
        The measure in the group, in everyone else, and in everyone (the same for each group).
    value_RGM, rest_RGM, overall_RGM
        The same in each replicate.
    """

    partition: Partition
    measured: tuple[Measure, ...]
    value_GM: Array
    rest_GM: Array
    overall_GM: Array
    value_RGM: Array
    rest_RGM: Array
    overall_RGM: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """Two-sided confidence interval, both ends included."""

    low: float
    high: float


def bootstrap(
    table: pd.DataFrame,
    partitions: Sequence[Partition],
    measured: tuple[Measure, ...],
    *,
    replicates: int,
    seed: int,
    yardsticks: Yardsticks,
    weights_at_once: int = WEIGHTS_AT_ONCE,
) -> list[Scores]:
    """Measure every group of some partitions, with replicates drawn by subject.

    The same seed draws the same subjects for every table with the same people, and whatever the
    chunks, so that two models on the same forecasts are compared pair by pair.

    Parameters
    ----------
    table
        Rows of one model (`contracts.predictions`), at least one.
    partitions
        The groups; a subject's rows may lie in several.
    measured
        What to measure, at least one.
    replicates, seed
        How many draws, and from where.
    yardsticks
        Numbers of the policy that metrics need.
    weights_at_once
        Bound on memory.

    Raises
    ------
    ContractError
        A forecast or a truth is missing.
    """
    _, subject_N = np.unique(table[SUBJECT].to_numpy(), return_inverse=True)
    cells = _Cells.of(subject_N, partitions)
    summed = [m for m in measured if m.metric is not Metric.AUROC]
    sums = _Sums.of(table, summed, cells, yardsticks)
    orders = {m: ranked(table, m) for m in measured if m.metric is Metric.AUROC}
    shape = (replicates + 1, len(measured))
    told = [np.empty((3, shape[0], len(p.labels_G), shape[1])) for p in partitions]
    # A replicate needs its weights, and the sums of each cell.
    each = max(len(table) if orders else cells.subjects, len(cells.group_PC[0]) * len(sums.sums_KE))
    width = max(1, weights_at_once // each)
    for start, weight_RS in _weights(cells.subjects, replicates, seed, width):
        here = slice(start, start + len(weight_RS))
        sums_CKR = sums.under(weight_RS)
        weight_NR = weight_RS.T[subject_N] if orders else np.empty((0, 0))
        overall = {m: _overall_area(*orders[m], weight_NR) for m in orders}
        for partition, group_C, out in zip(partitions, cells.group_PC, told, strict=True):
            values = _of_groups(sums_CKR, group_C, partition, sums)
            for column, measure in enumerate(measured):
                if measure in orders:
                    triple = _areas(*orders[measure], partition, weight_NR, overall[measure])
                else:
                    triple = values[measure]
                out[:, here, :, column] = np.stack(triple).swapaxes(1, 2)
    return [
        Scores(
            partition=partition, measured=measured,
            value_GM=out[0, 0], rest_GM=out[1, 0], overall_GM=out[2, 0],
            value_RGM=out[0, 1:], rest_RGM=out[1, 1:], overall_RGM=out[2, 1:],
        )
        for partition, out in zip(partitions, told, strict=True)
    ]  # fmt: skip


def percentile_interval(replicate_R: Array, *, confidence: float) -> Interval | None:
    """Return the percentile interval, or None where too many replicates are undefined.

    Two-sided: (1 - confidence) / 2 lies beyond either end, so that one bound alone holds with a
    confidence of (1 + confidence) / 2.
    """
    defined_R = replicate_R[np.isfinite(replicate_R)]
    if len(defined_R) < (1 - UNDEFINED_AT_MOST) * len(replicate_R):
        return None
    tail = (1 - confidence) / 2
    low, high = np.quantile(defined_R, [tail, 1 - tail])
    return Interval(low=float(low), high=float(high))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cells:
    """The finest groups that all partitions are made of, and which group each lies in."""

    subjects: int
    subject_N: NDArray[np.intp]
    cell_N: NDArray[np.intp]
    group_PC: list[NDArray[np.intp]]

    @staticmethod
    def of(subject_N: NDArray[np.intp], partitions: Sequence[Partition]) -> _Cells:
        cell_N = np.zeros(len(subject_N), dtype=np.intp)
        done: set[str] = set()
        # A pair of attributes that were both taken makes no finer cells.
        for partition in sorted(partitions, key=lambda partition: len(partition.attributes)):
            if not set(partition.attributes) <= done:
                wide = cell_N * len(partition.labels_G) + partition.group_N
                _, cell_N = np.unique(wide, return_inverse=True)
                done |= set(partition.attributes)
        _, first_C = np.unique(cell_N, return_index=True)
        return _Cells(
            subjects=int(subject_N.max()) + 1,
            subject_N=subject_N,
            cell_N=cell_N,
            group_PC=[partition.group_N[first_C] for partition in partitions],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sums:
    """Each subject's sums in each cell, one entry per cell and subject in it, by cell."""

    measured: list[Measure]
    columns: list[slice]
    start_C: NDArray[np.intp]
    subject_E: NDArray[np.intp]
    sums_KE: Array

    @staticmethod
    def of(
        table: pd.DataFrame, measured: list[Measure], cells: _Cells, yardsticks: Yardsticks
    ) -> _Sums:
        place_E, entry_N = np.unique(
            cells.cell_N * cells.subjects + cells.subject_N, return_inverse=True
        )
        cell_E, subject_E = np.divmod(place_E, cells.subjects)
        # One measure at a time: of a million rows, the addends of all would not fit in memory.
        sums_KE: list[Array] = []
        ends = [0]
        for measure in measured:
            added_NK = addends(table, measure, yardsticks)
            sums_KE += [
                np.asarray(np.bincount(entry_N, added_N, len(place_E)), dtype=np.float64)
                for added_N in added_NK.T
            ]
            ends.append(len(sums_KE))
        return _Sums(
            measured=measured,
            columns=[slice(start, end) for start, end in itertools.pairwise(ends)],
            start_C=np.searchsorted(cell_E, np.arange(len(cells.group_PC[0]) + 1)),
            subject_E=subject_E,
            sums_KE=np.stack(sums_KE) if sums_KE else np.empty((0, len(place_E))),
        )

    def under(self, weight_RS: Array) -> Array:
        """Return the sums of each cell under weightings, (C, K, R)."""
        weight_RE = np.take(weight_RS, self.subject_E, axis=1)
        shape = (len(self.start_C) - 1, len(self.sums_KE), len(weight_RS))
        sums_CKR = np.empty(shape)
        for sums_KR, (start, end) in zip(
            sums_CKR, itertools.pairwise(self.start_C.tolist()), strict=True
        ):
            np.matmul(self.sums_KE[:, start:end], weight_RE[:, start:end].T, out=sums_KR)
        return sums_CKR


def _of_groups(
    sums_CKR: Array, group_C: NDArray[np.intp], partition: Partition, sums: _Sums
) -> dict[Measure, tuple[Array, Array, Array]]:
    """Return each measure in the group, in the rest and in everyone, each (G, R)."""
    groups, cells = len(partition.labels_G), len(group_C)
    gather = sparse.csr_array((np.ones(cells), (group_C, np.arange(cells))), shape=(groups, cells))
    sums_GKR = (gather @ sums_CKR.reshape(cells, -1)).reshape(groups, *sums_CKR.shape[1:])
    all_GKR = np.broadcast_to(sums_GKR.sum(axis=0, keepdims=True), sums_GKR.shape)
    told = {}
    for measure, place in zip(sums.measured, sums.columns, strict=True):
        combine = measure.metric.definition.combine
        value_GR, rest_GR, overall_GR = (
            combine(*part_GKR[:, place].swapaxes(0, 1))
            for part_GKR in (sums_GKR, all_GKR - sums_GKR, all_GKR)
        )
        told[measure] = (value_GR, rest_GR, overall_GR)
    return told


def _overall_area(
    chance_N: Array, reached_N: NDArray[np.bool_], counted_N: NDArray[np.bool_], weight_NR: Array
) -> Array:
    """Return the AUROC in everyone, (1, R)."""
    whole_N = np.zeros(int(counted_N.sum()), dtype=np.intp)
    return auroc(
        Chances(
            chance_N=chance_N[counted_N], reached_N=reached_N[counted_N],
            group_N=whole_N, groups=1, weight_NR=weight_NR[counted_N],
        )
    )  # fmt: skip


def _areas(
    chance_N: Array,
    reached_N: NDArray[np.bool_],
    counted_N: NDArray[np.bool_],
    partition: Partition,
    weight_NR: Array,
    overall_1R: Array,
) -> tuple[Array, Array, Array]:
    """Return the AUROC in the group, in the rest and in everyone, each (G, R)."""
    chances = Chances(
        chance_N=chance_N[counted_N],
        reached_N=reached_N[counted_N],
        group_N=partition.group_N[counted_N],
        groups=len(partition.labels_G),
        weight_NR=weight_NR[counted_N],
    )
    if len(partition.attributes) == 1:
        value_GR, rest_GR = auroc_and_that_of_the_rest(chances)
    else:
        # The rest of a pair's group is not ranked: no rule asks for it.
        value_GR = auroc(chances)
        rest_GR = np.full(value_GR.shape, np.nan)
    return value_GR, rest_GR, np.broadcast_to(overall_1R, value_GR.shape)


def _weights(subjects: int, replicates: int, seed: int, width: int) -> Iterator[tuple[int, Array]]:
    """Yield weights (R, S) in chunks: everyone once, then how often each replicate draws each."""
    yield 0, np.ones((1, subjects))
    generator = np.random.default_rng(seed)
    for start in range(0, replicates, width):
        count = min(width, replicates - start)
        # Counting draws is the multinomial distribution, and several times faster than asking. One
        # replicate after the other, as of a million subjects only one fits into a cache.
        drawn_RS = generator.integers(subjects, size=(count, subjects))
        drawn_RS += subjects * np.arange(count)[:, None]
        weights = np.bincount(drawn_RS.ravel(), minlength=subjects * count)
        yield start + 1, weights.reshape(count, subjects).astype(np.float64)
