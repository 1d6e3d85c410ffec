"""How certain a score is: bootstrap by subject, of group values and of the disparity itself.

All rows of a subject enter together, as often as the subject is drawn. All replicates are computed
at once: the sums of each subject in each cell of the attributes, times how often each replicate
draws the subject. MetricFrame's own bootstrap draws rows instead of people, and loops in Python.

Letters: N rows, S subjects, C cells, G groups, M measures, K sums, R replicates.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from audits.measure.groups import Grouping
from audits.measure.metric_definitions import MetricThresholds
from audits.measure.metrics import Measure, Metric, addends, auroc_inputs
from audits.measure.people import person_weights, weights_of
from audits.measure.ranking import Chances, auroc, auroc_in_group_and_rest
from contracts.predictions import SUBJECT

Array = NDArray[np.float64]

WEIGHTS_AT_ONCE = 4_000_000
"""Weights held in memory at once (32 MB); more subjects mean fewer replicates a chunk."""

UNDEFINED_AT_MOST = 0.05
"""Share of replicates without a value that an interval may leave out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Measures in the groups of a grouping, with bootstrap replicates; NaN where undefined.

    Parameters
    ----------
    grouping, measured
        Which groups, and what was measured.
    value_GM, rest_GM, overall_GM
        The measure in the group, in everyone else, and in everyone (the same for each group).
    value_RGM, rest_RGM, overall_RGM
        The same in each replicate.
    """

    grouping: Grouping
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
    groupings: Sequence[Grouping],
    measured: tuple[Measure, ...],
    *,
    replicates: int,
    seed: int,
    thresholds: MetricThresholds,
    ranks_rest: bool = True,
    weights_at_once: int = WEIGHTS_AT_ONCE,
) -> list[Scores]:
    """Measure every group of the groupings, with replicates drawn by subject.

    The same seed draws the same subjects for every table of the same people, whatever the chunks,
    so that two models are compared replicate by replicate.

    Parameters
    ----------
    table
        Rows of one model (`contracts.predictions`), at least one.
    groupings
        The groups; a subject's rows may be in several.
    measured
        What to measure, at least one.
    replicates, seed
        Number of replicates, and the seed of the draws.
    thresholds
        Thresholds of the policy that metrics use.
    ranks_rest
        Whether the AUROC of a group's rest is wanted, most of the time of ranking; else NaN.
    weights_at_once
        Bound on memory.

    Raises
    ------
    ContractError
        A forecast or a truth is missing.
    """
    _, subject_N = np.unique(table[SUBJECT].to_numpy(), return_inverse=True)
    cells = _Cells.of(subject_N, groupings)
    summed = [m for m in measured if m.metric is not Metric.AUROC]
    sums = _Sums.of(table, summed, cells, thresholds)
    auroc_rows = {m: auroc_inputs(table, m) for m in measured if m.metric is Metric.AUROC}
    auroc_weights = {m: person_weights(table, m, thresholds) for m in auroc_rows}
    shape = (replicates + 1, len(measured))
    results = [np.empty((3, shape[0], len(g.labels_G), shape[1])) for g in groupings]
    # A replicate needs its weights, and the sums of each cell.
    drawn = len(table) if auroc_rows else cells.subjects
    per_replicate = max(drawn, len(cells.group_PC[0]) * len(sums.sums_KE))
    width = max(1, weights_at_once // per_replicate)
    for start, weight_RS in _weights(cells.subjects, replicates, seed, width):
        rows = slice(start, start + len(weight_RS))
        sums_CKR = sums.weighted(weight_RS)
        weight_NR = weight_RS.T[subject_N] if auroc_rows else np.empty((0, 0))
        weights = {m: weight_N[:, None] * weight_NR for m, weight_N in auroc_weights.items()}
        overall = {m: _overall_auroc(*auroc_rows[m], weights[m]) for m in auroc_rows}
        for grouping, group_C, out in zip(groupings, cells.group_PC, results, strict=True):
            values = _of_groups(sums_CKR, group_C, grouping, sums)
            for column, measure in enumerate(measured):
                if measure in auroc_rows:
                    inputs = (*auroc_rows[measure], grouping, weights[measure], overall[measure])
                    triple = _group_aurocs(*inputs, ranks_rest)
                else:
                    triple = values[measure]
                out[:, rows, :, column] = np.stack(triple).swapaxes(1, 2)
    return [
        Scores(
            grouping=grouping, measured=measured,
            value_GM=out[0, 0], rest_GM=out[1, 0], overall_GM=out[2, 0],
            value_RGM=out[0, 1:], rest_RGM=out[1, 1:], overall_RGM=out[2, 1:],
        )
        for grouping, out in zip(groupings, results, strict=True)
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
    """The finest groups that all groupings are made of, and the group that each belongs to."""

    subjects: int
    subject_N: NDArray[np.intp]
    cell_N: NDArray[np.intp]
    group_PC: list[NDArray[np.intp]]

    @staticmethod
    def of(subject_N: NDArray[np.intp], groupings: Sequence[Grouping]) -> _Cells:
        cell_N = np.zeros(len(subject_N), dtype=np.intp)
        used: set[str] = set()
        # An intersection of attributes that were both used makes no finer cells.
        for grouping in sorted(groupings, key=lambda grouping: len(grouping.attributes)):
            if not set(grouping.attributes) <= used:
                wide = cell_N * len(grouping.labels_G) + grouping.group_N
                _, cell_N = np.unique(wide, return_inverse=True)
                used |= set(grouping.attributes)
        _, first_C = np.unique(cell_N, return_index=True)
        return _Cells(
            subjects=int(subject_N.max()) + 1, subject_N=subject_N, cell_N=cell_N,
            group_PC=[grouping.group_N[first_C] for grouping in groupings],
        )  # fmt: skip


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
        table: pd.DataFrame, measured: list[Measure], cells: _Cells, thresholds: MetricThresholds
    ) -> _Sums:
        key_E, entry_N = np.unique(
            cells.cell_N * cells.subjects + cells.subject_N, return_inverse=True
        )
        cell_E, subject_E = np.divmod(key_E, cells.subjects)
        # One measure at a time: of a million rows, the addends of all would not fit in memory.
        sums_KE: list[Array] = []
        ends = [0]
        for measure in measured:
            added_NK = addends(table, measure, thresholds)
            added_NK *= weights_of(cells.subject_N, added_NK, measure)[:, None]
            sums_KE += [
                np.asarray(np.bincount(entry_N, added_N, len(key_E)), dtype=np.float64)
                for added_N in added_NK.T
            ]
            ends.append(len(sums_KE))
        return _Sums(
            measured=measured,
            columns=[slice(start, end) for start, end in itertools.pairwise(ends)],
            start_C=np.searchsorted(cell_E, np.arange(len(cells.group_PC[0]) + 1)),
            subject_E=subject_E,
            sums_KE=np.stack(sums_KE) if sums_KE else np.empty((0, len(key_E))),
        )

    def weighted(self, weight_RS: Array) -> Array:
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
    sums_CKR: Array, group_C: NDArray[np.intp], grouping: Grouping, sums: _Sums
) -> dict[Measure, tuple[Array, Array, Array]]:
    """Return each measure in the group, in the rest and in everyone, each (G, R)."""
    groups, cells = len(grouping.labels_G), len(group_C)
    gather = sparse.csr_array((np.ones(cells), (group_C, np.arange(cells))), shape=(groups, cells))
    sums_GKR = (gather @ sums_CKR.reshape(cells, -1)).reshape(groups, *sums_CKR.shape[1:])
    all_GKR = np.broadcast_to(sums_GKR.sum(axis=0, keepdims=True), sums_GKR.shape)
    values = {}
    for measure, columns in zip(sums.measured, sums.columns, strict=True):
        combine = measure.metric.definition.combine
        value_GR, rest_GR, overall_GR = (
            combine(*part_GKR[:, columns].swapaxes(0, 1))
            for part_GKR in (sums_GKR, all_GKR - sums_GKR, all_GKR)
        )
        values[measure] = (value_GR, rest_GR, overall_GR)
    return values


def _overall_auroc(
    chance_N: Array, reached_N: NDArray[np.bool_], counted_N: NDArray[np.bool_], weight_NR: Array
) -> Array:
    """Return the AUROC over everyone, (1, R)."""
    one_group_N = np.zeros(int(counted_N.sum()), dtype=np.intp)
    return auroc(
        Chances(
            chance_N=chance_N[counted_N], reached_N=reached_N[counted_N],
            group_N=one_group_N, groups=1, weight_NR=weight_NR[counted_N],
        )
    )  # fmt: skip


def _group_aurocs(
    chance_N: Array,
    reached_N: NDArray[np.bool_],
    counted_N: NDArray[np.bool_],
    grouping: Grouping,
    weight_NR: Array,
    overall_1R: Array,
    ranks_rest: bool,
) -> tuple[Array, Array, Array]:
    """Return the AUROC in the group, in the rest and in everyone, each (G, R)."""
    chances = Chances(
        chance_N=chance_N[counted_N], reached_N=reached_N[counted_N],
        group_N=grouping.group_N[counted_N], groups=len(grouping.labels_G),
        weight_NR=weight_NR[counted_N],
    )  # fmt: skip
    if ranks_rest and len(grouping.attributes) == 1:
        value_GR, rest_GR = auroc_in_group_and_rest(chances)
    else:
        # The rest of an intersection's group is not ranked: no rule needs it.
        value_GR = auroc(chances)
        rest_GR = np.full(value_GR.shape, np.nan)
    return value_GR, rest_GR, np.broadcast_to(overall_1R, value_GR.shape)


def _weights(subjects: int, replicates: int, seed: int, width: int) -> Iterator[tuple[int, Array]]:
    """Yield weights (R, S) in chunks: everyone once, then how often each replicate draws each."""
    yield 0, np.ones((1, subjects))
    generator = np.random.default_rng(seed)
    for start in range(0, replicates, width):
        count = min(width, replicates - start)
        # Counting draws gives the multinomial distribution, several times faster than sampling it.
        # One replicate after the other, as with a million subjects only one fits into a cache.
        drawn_RS = generator.integers(subjects, size=(count, subjects))
        drawn_RS += subjects * np.arange(count)[:, None]
        weights = np.bincount(drawn_RS.ravel(), minlength=subjects * count)
        yield start + 1, weights.reshape(count, subjects).astype(np.float64)
