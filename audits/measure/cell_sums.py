"""Sums of each subject in the finest cells of all groupings: what replicates are made of.

Letters: N rows, S subjects, C cells, E entries (a subject in a cell), G groups, K sums, M measures,
A sums of a measure, R replicates.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from audits.measure.groups import Grouping
from audits.measure.metric_definitions import MetricThresholds
from audits.measure.metrics import Measure, addends
from audits.measure.people import weights_of

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cells:
    """The finest groups that all groupings are made of, and the group that each belongs to."""

    subjects: int
    subject_N: NDArray[np.intp]
    cell_N: NDArray[np.intp]
    group_PC: list[NDArray[np.intp]]

    @staticmethod
    def of(subject_N: NDArray[np.intp], groupings: Sequence[Grouping]) -> Cells:
        """Divide rows as finely as the groupings do together."""
        cell_N = np.zeros(len(subject_N), dtype=np.intp)
        used: set[str] = set()
        # An intersection of attributes that were both used makes no finer cells.
        for grouping in sorted(groupings, key=lambda grouping: len(grouping.attributes)):
            if not set(grouping.attributes) <= used:
                wide = cell_N * len(grouping.labels_G) + grouping.group_N
                _, cell_N = np.unique(wide, return_inverse=True)
                used |= set(grouping.attributes)
        _, first_C = np.unique(cell_N, return_index=True)
        return Cells(
            subjects=int(subject_N.max()) + 1, subject_N=subject_N, cell_N=cell_N,
            group_PC=[grouping.group_N[first_C] for grouping in groupings],
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Combined:
    """Measures that one formula makes of their sums: where they stand, and where their sums do."""

    combine: Callable[..., Array]
    measure_M: NDArray[np.intp]
    column_AM: NDArray[np.intp]


@dataclass(frozen=True, slots=True, kw_only=True)
class CellSums:
    """Each subject's sums in each cell, one entry per cell and subject in it, by cell."""

    measures: int
    combined: list[Combined]
    start_C: NDArray[np.intp]
    subject_E: NDArray[np.intp]
    sums_KE: Array

    @staticmethod
    def of(
        table: pd.DataFrame, measured: list[Measure], cells: Cells, thresholds: MetricThresholds
    ) -> CellSums:
        """Sum what rows add to measures, by cell and subject; people weigh alike."""
        key_E, entry_N = np.unique(
            cells.cell_N * cells.subjects + cells.subject_N, return_inverse=True
        )
        cell_E, subject_E = np.divmod(key_E, cells.subjects)
        # One measure at a time: of a million rows, the addends of all would not fit in memory.
        sums_KE: list[Array] = []
        columns: dict[Callable[..., Array], dict[int, range]] = {}
        for place, measure in enumerate(measured):
            added_NK = addends(table, measure, thresholds)
            added_NK *= weights_of(cells.subject_N, added_NK, measure)[:, None]
            first = len(sums_KE)
            sums_KE += [
                np.asarray(np.bincount(entry_N, added_N, len(key_E)), dtype=np.float64)
                for added_N in added_NK.T
            ]
            of_formula = columns.setdefault(measure.metric.definition.combine, {})
            of_formula[place] = range(first, len(sums_KE))
        return CellSums(
            measures=len(measured),
            combined=[
                Combined(
                    combine=combine,
                    measure_M=np.array(list(of_formula)),
                    column_AM=np.array([list(of_measure) for of_measure in of_formula.values()]).T,
                )
                for combine, of_formula in columns.items()
            ],
            start_C=np.searchsorted(cell_E, np.arange(len(cells.group_PC[0]) + 1)),
            subject_E=subject_E,
            sums_KE=np.stack(sums_KE) if sums_KE else np.empty((0, len(key_E))),
        )

    def by_cluster(self, number_S: NDArray[np.intp]) -> CellSums:
        """Return the same sums with the clusters of the subjects in the subjects' place."""
        clusters = int(number_S.max()) + 1
        sizes_C = np.diff(self.start_C)
        cell_E = np.repeat(np.arange(len(sizes_C)), sizes_C)
        key_E, entry_E = np.unique(
            cell_E * clusters + number_S[self.subject_E], return_inverse=True
        )
        cell_E, number_E = np.divmod(key_E, clusters)
        return replace(
            self,
            start_C=np.searchsorted(cell_E, np.arange(len(self.start_C))),
            subject_E=number_E,
            sums_KE=np.stack([np.bincount(entry_E, sum_E, len(key_E)) for sum_E in self.sums_KE])
            if len(self.sums_KE)
            else np.empty((0, len(key_E))),
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


def of_groups(
    sums_CKR: Array, group_C: NDArray[np.intp], grouping: Grouping, sums: CellSums
) -> Array:
    """Return each measure in the group, in the rest and in everyone, (3, M, G, R)."""
    groups, cells = len(grouping.labels_G), len(group_C)
    gather = sparse.csr_array((np.ones(cells), (group_C, np.arange(cells))), shape=(groups, cells))
    sums_GKR = (gather @ sums_CKR.reshape(cells, -1)).reshape(groups, *sums_CKR.shape[1:])
    all_1KR = sums_GKR.sum(axis=0, keepdims=True)
    values_3MGR = np.empty((3, sums.measures, groups, sums_CKR.shape[-1]))
    for value_MGR, part_GKR in zip(
        values_3MGR, (sums_GKR, all_1KR - sums_GKR, all_1KR), strict=True
    ):
        part_KGR = part_GKR.swapaxes(0, 1)
        for formula in sums.combined:
            sums_AMGR = part_KGR[formula.column_AM]
            value_MGR[formula.measure_M] = formula.combine(*sums_AMGR)
    return values_3MGR
