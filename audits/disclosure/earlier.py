"""What earlier reports of the same people have told, beside what a new one would tell.

Two reports are protected each by itself, and not together: of 60 people and of 61, the sums differ
by one person's. So the cells that earlier reports showed are given to the attacker too, as sums
that nobody can hide any more (`beside`); and where only a few people came, they are not counted yet
(`not_yet_counted`), so that the new report is of the same people as the earlier one.

People are recognised by what is recorded of them and not by a number: whoever has the same values
adds the same to every sum. Whoever has other values now counts as one person who left and came.

Letters: N rows, S sets.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from audits.disclosure.cells import Cell, Cells
from contracts.groups import is_few
from contracts.predictions import (
    DAYS_SINCE_ONSET,
    HORIZON,
    LAST_SCORE,
    ORIGIN,
    SUBJECT,
    TRUTH,
    UNOBSERVED_SHARE,
    WEAR_HOURS,
)

Index = NDArray[np.intp]

RECORDED = (ORIGIN, HORIZON, DAYS_SINCE_ONSET, LAST_SCORE, TRUTH, WEAR_HOURS, UNOBSERVED_SHARE)
"""Columns of what is recorded of a person, whatever a model forecasts."""


def not_yet_counted(rows: pd.DataFrame, earlier: Iterable[pd.DataFrame]) -> frozenset[int]:
    """Return the subjects who are not counted until as many came that nobody shows through.

    Parameters
    ----------
    rows
        The candidate's rows of a prediction table.
    earlier
        Those that each earlier report counted.

    Returns
    -------
    Everybody who came since an earlier report of all the others, if they are 1 to 10; nobody where
    somebody also left, because then no report can be of the same people.
    """
    tables = list(earlier)
    waiting: frozenset[int] = frozenset()
    # To hold somebody back may leave the people of another report and a few more.
    for _ in tables:
        left = rows[~rows[SUBJECT].isin(waiting)]
        came = next(filter(None, (_few_who_came(left, table) for table in tables)), None)
        if came is None:
            break
        waiting |= came
    return waiting


def _few_who_came(rows: pd.DataFrame, earlier: pd.DataFrame) -> frozenset[int] | None:
    """Return who is in a table and not in an earlier one, if few and nobody left; else None."""
    names = _recorded(rows, earlier)
    pool = _Pool()
    pool.add(_content(earlier, names))
    units = pool.add(_content(rows, names))
    known = len(_content(earlier, names))
    came = frozenset(subject for subject, unit in units.items() if unit >= known)
    everybody_stayed = len(units) - len(came) == known
    return came if everybody_stayed and is_few(len(came)) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """Rows that an earlier report counted for a quantity, with the cells that it showed.

    Parameters
    ----------
    rows
        Rows, with the columns of a prediction table.
    member_of
        Which of the rows each shown cell holds.
    """

    rows: pd.DataFrame
    member_of: Mapping[Cell, NDArray[np.bool_]]


def beside(cells: Cells, rows: pd.DataFrame, shown: Sequence[Shown]) -> Cells:
    """Return the cells of a report beside those that earlier reports have shown.

    Parameters
    ----------
    rows
        The rows that the cells are laid out on.
    """
    shown = [each for each in shown if each.member_of]
    if not shown or not cells.sets:
        return cells
    union = _Union.of(rows, shown)
    held = cells.row_SN
    padded = sparse.csr_array(
        (held.data, held.indices, held.indptr), shape=(cells.sets, len(union.unit_N))
    )
    number_of = {_rows_of(padded, s): s for s in range(cells.sets)}
    set_of, attributes_of = dict(cells.set_of), dict(cells.attributes_of)
    published: set[int] = set()
    added: list[Index] = []
    for number, (each, place_M) in enumerate(zip(shown, union.place_RM, strict=True)):
        for cell, member_M in each.member_of.items():
            held_rows = np.sort(place_M[member_M])
            key = (held_rows.tobytes(), cell.horizon_day is None)
            if key not in number_of:
                number_of[key] = cells.sets + len(added)
                added.append(held_rows)
                axis = f"{cell.axis} (earlier report {number})"
                attributes_of[axis] = 2
                set_of[replace(cell, axis=axis)] = number_of[key]
            published.add(number_of[key])
    more = sparse.csr_array(
        (
            np.ones(sum(map(len, added)), np.int64),
            np.concatenate([*added, np.empty(0, np.intp)]).astype(np.intp),
            np.cumsum([0, *map(len, added)]),
        ),
        shape=(len(added), len(union.unit_N)),
    )
    extra = len(union.unit_N) - len(rows)
    return replace(
        cells,
        set_of=set_of,
        attributes_of=attributes_of,
        row_SN=sparse.csr_array(sparse.vstack([padded, more])) if added else padded,
        person_N=union.person_N,
        horizon_N=union.horizon_N,
        unit_N=union.unit_N,
        denominator_DN=np.concatenate(
            [
                cells.denominator_DN,
                # Of a milestone, people who left count among those with it and without it.
                np.ones((len(cells.denominator_DN), extra), dtype=np.bool_),
            ],
            axis=1,
        ),
        published_S=np.isin(np.arange(cells.sets + len(added)), sorted(published)),
    )


def _rows_of(row_SN: sparse.csr_array, number: int) -> tuple[bytes, bool]:
    raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class _Union:
    """The rows of a table and of earlier ones, each once; R earlier reports of M rows.

    Parameters
    ----------
    unit_N, person_N
        A person with the same values in all of them, and a person whatever the values.
    place_RM
        Where the rows of each earlier report are among them.
    """

    unit_N: Index
    person_N: Index
    horizon_N: NDArray[np.int64]
    place_RM: tuple[Index, ...]
