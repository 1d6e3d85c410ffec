"""What a reader can work out from the cells that a report shows.

The attacker is the worst one there can be: an insider who knows of every row which groups it is in,
and reads every shown sum to its last digit. He is told a set of rows when the sum over it is a
combination of shown sums. Three ways to such a combination are tried:

- one equation: a parent less its shown children (`residue`);
- all horizons less those shown, each scaled: people weigh alike, so the sums of those with one
  outcome fewer than most do not cancel (`uneven`);
- the difference of two sums that he knows, shown or from one equation; or two groups that together
  are nearly everyone (`difference`);
- any combination whatever that yields a hidden cell, or people whom the shown cells do not tell
  apart (`combination`, by least squares: an outsider's equations are all combinations of these).

That no combination at all is about few people is not proved: finding the smallest is hard.

Letters: N rows, A kinds of row that the cells can tell apart, S sets, K sets asked about.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from audits.disclosure.cells import Bools, Cells, Line, small
from audits.disclosure.combinations import by_kind, determined, fewest_used, kinds, per_row
from contracts.groups import MINIMUM_SHOWN

MOST_SOLVED = 4
"""Combinations that are reduced to few cells at a time: hiding one of them often ends several."""

AT_ONCE = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Leak:
    """Something about few people that shown sums tell.

    Parameters
    ----------
    how
        `residue`, `uneven`, `difference` or `combination`.
    people
        The fewest people, or people with or without a milestone, that it is about.
    used
        The sets whose sums tell it: hiding any one of them ends it.
    """

    how: str
    people: int
    used: tuple[int, ...]


def leaks(cells: Cells, shown_S: Bools) -> list[Leak]:
    """Return what the shown sets tell about few people; empty where nothing was found."""
    if not shown_S.any():
        return []
    found: list[Leak] = []
    for part in cells.by_denominator:
        known, residues = _known(part, shown_S)
        found += residues + _uneven(part, shown_S) + _differences(part, known)
    if found:
        return found
    small_S = small(cells.people_SD)
    return [leak for part in cells.by_denominator for leak in _combinations(part, shown_S, small_S)]


def close_pairs(cells: Cells, candidates_S: Bools) -> list[tuple[int, int]]:
    """Return the pairs of sets of which a reader of both is told about few people."""
    if not candidates_S.any():
        return []
    known = [_Sum(used=(int(s),), sign=(1,)) for s in np.flatnonzero(candidates_S)]
    close = [leak for part in cells.by_denominator for leak in _differences(part, known)]
    return list(dict.fromkeys((leak.used[0], leak.used[-1]) for leak in close))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sum:
    """A sum that is known: of a shown set, or of a parent less its shown children."""

    used: tuple[int, ...]
    sign: tuple[int, ...]


def _known(cells: Cells, shown_S: Bools) -> tuple[list[_Sum], list[Leak]]:
    shown = [_Sum(used=(int(s),), sign=(1,)) for s in np.flatnonzero(shown_S)]
    residues = [residue for line in cells.lines if (residue := _residue(line, shown_S)) is not None]
    if not residues:
        return shown, []
    people_KD = cells.people(_rows(cells, residues))
    leaked = [
        Leak(how="residue", people=int(people_KD[k].min()), used=residues[k].used)
        for k in np.flatnonzero(small(people_KD))
    ]
    return [*shown, *residues], leaked


def _residue(line: Line, shown_S: Bools) -> _Sum | None:
    children = [child for child in line.children if shown_S[child]]
    if not shown_S[line.parent] or len(children) in {0, len(line.children)}:
        return None
    return _Sum(used=(line.parent, *children), sign=(1, *(-1 for _ in children)))


def _uneven(cells: Cells, shown_S: Bools) -> list[Leak]:
    """Return the groups of which all horizons less the shown ones leave few people.

    A row vanishes from the difference where its person has as many times the rows of the horizon as
    most people have; the fewest are left where each shown horizon takes part, scaled so.
    """
    in_all_N, at_horizon_N = cells.rows_each_2N
    times_N = in_all_N / at_horizon_N
    tried, left = [], []
    for line in cells.lines:
        shown = [child for child in line.children if shown_S[child]]
        if not (line.by_horizon and shown_S[line.parent] and shown):
            continue
        is_left_N = np.zeros(len(times_N), dtype=np.bool_)
        is_left_N[_of_set(cells, line.parent)] = True
        for child in shown:
            rows = _of_set(cells, child)
            values, counts = np.unique(times_N[rows], return_counts=True)
            is_left_N[rows[times_N[rows] == values[counts.argmax()]]] = False
        tried.append((line.parent, *shown))
        left.append(is_left_N)
    if not tried:
        return []
    people_KD = cells.people(sparse.csr_array(np.stack(left).astype(np.int64)))
    return [
        Leak(how="uneven", people=int(people_KD[k, 0]), used=tried[k])
        for k in np.flatnonzero(small(people_KD[:, :1]))
    ]


def _of_set(cells: Cells, number: int) -> NDArray[np.intp]:
    row = cells.row_SN
    return np.asarray(row.indices[row.indptr[number] : row.indptr[number + 1]], dtype=np.intp)


def _rows(cells: Cells, sums: Sequence[_Sum]) -> sparse.csr_array:
    """Return the rows of known sums, (K, N)."""
    weight_KS = sparse.csr_array(
        (
            np.concatenate([known.sign for known in sums]).astype(np.int64),
            np.concatenate([known.used for known in sums]).astype(np.intp),
            np.cumsum([0, *(len(known.used) for known in sums)]),
        ),
        shape=(len(sums), cells.sets),
    )
    row_KN = sparse.csr_array(weight_KS @ cells.row_SN)
    row_KN.eliminate_zeros()
    return row_KN


def _differences(cells: Cells, known: Sequence[_Sum]) -> list[Leak]:
    """Return the pairs of known sums that differ by few people, or leave out few of everyone."""
    row_KN = _rows(cells, known)
    both_KK = (row_KN @ row_KN.T).toarray()
    size_K = both_KK.diagonal()
    apart_KK = size_K[:, None] + size_K[None, :] - 2 * both_KK
    rows_a_person = int(np.bincount(cells.person_N).max())
    most = (MINIMUM_SHOWN - 1) * rows_a_person
    found = []
    near = np.argwhere(np.triu((apart_KK > 0) & (apart_KK <= most), 1))
    if len(cells.denominator_DN) > 1:
        near = np.concatenate([near, _nested(cells, row_KN, near, rows_a_person)])
    for chunk in _chunks(near):
        difference = sparse.csr_array(row_KN[chunk[:, 0]] - row_KN[chunk[:, 1]])
        difference.eliminate_zeros()
        people_KD = cells.people(difference)
        # Of a difference with both signs only the people count: it is no group's milestone.
        nested_K = np.asarray(abs(difference.sum(axis=1)) == abs(difference).sum(axis=1))
        people_KD[~nested_K, 1:] = MINIMUM_SHOWN
        found += [
            Leak(
                how="difference",
                people=int(people_KD[k].min()),
                used=tuple(dict.fromkeys((*known[one].used, *known[other].used))),
            )
            for k in np.flatnonzero(small(people_KD))
            for one, other in [chunk[k]]
        ]
    return found


def _nested(
    cells: Cells, row_KN: sparse.csr_array, near: NDArray[Any], rows_a_person: int
) -> NDArray[Any]:
    """Return the nested pairs that differ by few rows of some denominator, beyond those given."""
    both_KK = (row_KN @ row_KN.T).toarray()
    nested_KK = (both_KK == both_KK.diagonal()[:, None]) & (
        both_KK.diagonal()[:, None] < both_KK.diagonal()[None, :]
    )
    few_KK = np.zeros_like(nested_KK)
    for denominator_N in cells.denominator_DN[1:]:
        of_denominator_K = np.asarray(row_KN @ denominator_N.astype(np.int64))
        few_KK |= (of_denominator_K[None, :] - of_denominator_K[:, None]) <= (
            MINIMUM_SHOWN - 1
        ) * rows_a_person
    nested_KK &= few_KK
    nested_KK[near[:, 0], near[:, 1]] = nested_KK[near[:, 1], near[:, 0]] = False
    return np.argwhere(nested_KK)


def _chunks(pairs: NDArray[Any]) -> Iterator[NDArray[Any]]:
    for start in range(0, len(pairs), AT_ONCE):
        yield pairs[start : start + AT_ONCE]


def _combinations(cells: Cells, shown_S: Bools, small_S: Bools) -> Iterator[Leak]:
    """Yield few people whom any combination of the shown sums tells, and any cell that is small.

    A cell may be small in another denominator than the one whose rows these are.
    """
    shown = np.flatnonzero(shown_S)
    kind_N, kind_SA = kinds(cells.weight_SN)
    shown_KA = kind_SA[shown]
    asked_KN = _asked(cells, shown_S)
    people_KD = cells.people(asked_KN)
    is_asked_K = small(people_KD)
    hidden = np.flatnonzero(~shown_S)
    is_asked_K[: len(hidden)] |= small_S[hidden] & (people_KD[: len(hidden), 0] > 0)
    # Part of a kind of row is never told: all shown sums hold all of it or nothing.
    asked = np.flatnonzero(is_asked_K)
    share_KA = per_row(asked_KN[asked] != 0, kind_N)
    asked = asked[np.asarray(share_KA.sum(axis=1) > (share_KA != 0).sum(axis=1) - 1e-9)]
    asked_KA = per_row(asked_KN[asked], kind_N)
    for k in determined(shown_KA, asked_KA)[:MOST_SOLVED]:
        used = fewest_used(shown_KA, asked_KA[[k]].toarray()[0])
        yield Leak(
            how="combination",
            people=int(people_KD[asked[k]].min()),
            used=tuple(shown[used].tolist()),
        )


def _asked(cells: Cells, shown_S: Bools) -> sparse.csr_array:
    """Return what is asked for, (K, N): hidden cells, rows that nobody tells apart, people."""
    kind_N, _ = kinds(sparse.csr_array(cells.weight_SN[np.flatnonzero(shown_S)]))
    kind_PA = sparse.csr_array(by_kind(cells.person_N).T @ by_kind(kind_N))
    alike_P, _ = kinds(sparse.csr_array(kind_PA.T != 0))
    return sparse.csr_array(
        sparse.vstack(
            [
                cells.weight_SN[np.flatnonzero(~shown_S)],
                by_kind(kind_N).T,
                by_kind(alike_P[cells.person_N]).T,
            ]
        )
    )
