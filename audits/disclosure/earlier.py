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

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from audits.disclosure.cells import Bools, Cell, Cells, rows_each
from audits.disclosure.quantities import Quantity, ShownCells, recorded_denominators
from audits.measure.groups import by_attribute, by_pattern, everyone, intersections
from contracts.groups import is_few
from contracts.predictions import (
    DAYS_SINCE_ONSET,
    HORIZON,
    LAST_SCORE,
    ORIGIN,
    REACHED,
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
    names = _recorded([rows, earlier])
    pool = _Pool()
    known = len(pool.add(earlier, names))
    units = pool.add(rows, names)
    came = frozenset(subject for subject, unit in units.items() if unit >= known)
    everybody_stayed = len(units) - len(came) == known
    return came if everybody_stayed and is_few(len(came)) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """The rows that an earlier report counted for a quantity, with the cells that it showed.

    Parameters
    ----------
    rows
        Rows, with the columns of a prediction table.
    member_of
        Which of the rows each shown cell holds.
    denominator_DN
        Rows of each denominator, as in `Cells`.
    """

    rows: pd.DataFrame
    member_of: Mapping[Cell, Bools]
    denominator_DN: Bools


def beside(
    cells: Cells, rows: pd.DataFrame, shown: Sequence[Shown], *, of_a_model: bool = False
) -> Cells:
    """Return the cells of a report beside those that earlier reports have shown.

    Parameters
    ----------
    rows
        The rows that the cells are laid out on.
    of_a_model
        Whether reports share only the people: the numbers are errors of models, which differ for
        everybody, so other values of the same person tell nothing.
    """
    union = _Union.of(rows, shown, of_a_model=of_a_model)
    times_2N = rows_each(union.unit_N, union.horizon_N)

    def sums(held: Index, day: int | None) -> tuple[bytes, bytes]:
        return held.tobytes(), times_2N[int(day is not None), held].tobytes()

    edges = zip(cells.row_SN.indptr[:-1], cells.row_SN.indptr[1:], strict=True)
    held_S = [np.sort(cells.row_SN.indices[a:b]).astype(np.intp) for a, b in edges]
    number_of = {sums(held, cells.cells_of[s][0].horizon_day): s for s, held in enumerate(held_S)}
    set_of, attributes_of = dict(cells.set_of), dict(cells.attributes_of)
    published: set[int] = set()
    for number, (each, place_M) in enumerate(zip(shown, union.places, strict=True)):
        for cell, member_M in each.member_of.items():
            held = np.sort(place_M[member_M])
            known = number_of.setdefault(sums(held, cell.horizon_day), len(held_S))
            if known == len(held_S):
                held_S.append(held)
                axis = f"{cell.axis} (earlier report {number})"
                attributes_of[axis] = 2
                set_of[replace(cell, axis=axis)] = known
            published.add(known)
    row_SN = sparse.csr_array(
        (
            np.ones(sum(map(len, held_S)), np.int64),
            np.concatenate(held_S),
            np.cumsum([0, *map(len, held_S)]),
        ),
        shape=(len(held_S), len(union.unit_N)),
    )
    return replace(
        cells, set_of=set_of, attributes_of=attributes_of, row_SN=row_SN, person_N=union.person_N,
        unit_N=union.unit_N, horizon_N=union.horizon_N,
        denominator_DN=np.concatenate([cells.denominator_DN, union.denominator_DN], axis=1),
        published_S=np.isin(np.arange(len(held_S)), sorted(published)),
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierReport:
    """A report that readers may have.

    Parameters
    ----------
    rows
        The candidate's rows that it counted (`contracts.predictions`).
    shown
        The cells of each quantity of which it showed a number.
    """

    rows: pd.DataFrame
    shown: ShownCells


def shown_cells(report: EarlierReport, quantity: Quantity) -> Iterator[Shown]:
    """Yield what an earlier report has shown of a quantity; nothing where that is nothing."""
    shown, rows = report.shown.get(quantity, frozenset()), report.rows
    if quantity.milestone is not None and REACHED + quantity.milestone not in rows.columns:
        return
    attributes, day_N = by_attribute(rows), rows[HORIZON].to_numpy()
    divided = [everyone(rows), *attributes, *by_pattern(rows), *intersections(attributes)]
    of_axis = {grouping.axis: grouping for grouping in divided}
    member_of: dict[Cell, Bools] = {}
    for cell in shown:
        grouping = of_axis.get(cell.axis)
        if grouping is not None and cell.group in grouping.labels_G:
            inside_N = grouping.group_N == grouping.labels_G.index(cell.group)
            at_N = True if cell.horizon_day is None else day_N == cell.horizon_day
            member_of[cell] = np.asarray(inside_N & at_N)
    if member_of:
        denominator_DN = recorded_denominators(rows, quantity)
        yield Shown(rows=rows, member_of=member_of, denominator_DN=denominator_DN)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Union:
    """The rows of a table and then those that only earlier ones have.

    Parameters
    ----------
    unit_N, person_N
        A person as recorded, and a person whatever is recorded.
    places
        Where the rows of each earlier report are.
    denominator_DN
        Of the rows that only earlier reports have.
    """

    unit_N: Index
    person_N: Index
    horizon_N: NDArray[np.int64]
    places: tuple[Index, ...]
    denominator_DN: Bools

    @staticmethod
    def of(rows: pd.DataFrame, shown: Sequence[Shown], *, of_a_model: bool) -> _Union:
        tables = [rows, *(each.rows for each in shown)]
        names = _recorded(tables)
        pool = _Pool()
        place_of: dict[tuple[int, int, int], int] = {}
        places, units, days, denominators = [], [], [], []
        for number, table in enumerate(tables):
            unit_of = pool.add(table, names, by_number=of_a_model)
            unit_M = table[SUBJECT].map(unit_of).to_numpy(dtype=np.intp)
            day_M = table[HORIZON].to_numpy(dtype=np.int64)
            keys = zip(unit_M.tolist(), table[ORIGIN].tolist(), day_M.tolist(), strict=True)
            before = len(place_of)
            place_M = np.array([place_of.setdefault(k, len(place_of)) for k in keys], dtype=np.intp)
            is_new_M = place_M >= before
            units.append(unit_M[is_new_M])
            days.append(day_M[is_new_M])
            if number:
                places.append(place_M)
                denominators.append(shown[number - 1].denominator_DN[:, is_new_M])
        unit_N = np.concatenate(units).astype(np.intp)
        return _Union(
            unit_N=unit_N,
            person_N=np.array(pool.person_of_unit, dtype=np.intp)[unit_N],
            horizon_N=np.concatenate(days),
            places=tuple(places),
            denominator_DN=np.concatenate(denominators, axis=1),
        )


@dataclass(slots=True, kw_only=True)
class _Pool:
    """People as recorded in some tables: the same values are the same unit."""

    units_of: dict[bytes, list[tuple[int, int]]] = field(default_factory=dict)
    person_of_unit: list[int] = field(default_factory=list)
    person_of_subject: dict[int, int] = field(default_factory=dict)

    def add(
        self, table: pd.DataFrame, names: Sequence[str], *, by_number: bool = False
    ) -> dict[int, int]:
        """Return the unit of each subject of one more table, each unit once.

        Parameters
        ----------
        by_number
            Whether somebody of the same number is the same, also with other values.
        """
        taken: set[int] = set()
        unit_of: dict[int, int] = {}
        contents = _content(table, names)
        # First whoever has number and values of before; then whoever has the values alone.
        for same_number in (True, False):
            for subject, content in contents.items():
                if subject in unit_of:
                    continue
                for unit, before in self.units_of.get(content, ()):
                    if unit not in taken and (before == subject or not same_number):
                        unit_of[subject] = unit
                        taken.add(unit)
                        break
        for subject, content in contents.items():
            same = self.person_of_subject.get(subject) if by_number else None
            if subject not in unit_of and same is not None and same not in taken:
                unit_of[subject] = same
                taken.add(same)
            if subject not in unit_of:
                unit = len(self.person_of_unit)
                unit_of[subject] = unit
                self.units_of.setdefault(content, []).append((unit, subject))
                person = self.person_of_subject.setdefault(subject, unit)
                self.person_of_unit.append(person)
        return unit_of


def _recorded(tables: Iterable[pd.DataFrame]) -> list[str]:
    columns = [set(table.columns) for table in tables]
    return [name for name in RECORDED if all(name in each for each in columns)]


def _content(table: pd.DataFrame, names: Sequence[str]) -> dict[int, bytes]:
    """Return by subject a digest of what is recorded."""
    rows = table.sort_values([SUBJECT, ORIGIN, HORIZON])
    hash_N = pd.util.hash_pandas_object(rows[list(names)], index=False).to_numpy()
    subject_N = rows[SUBJECT].to_numpy()
    starts = np.flatnonzero(np.append(True, subject_N[1:] != subject_N[:-1]))[: len(rows)]
    ends = np.append(starts[1:], len(rows))
    return {int(subject_N[a]): hash_N[a:b].tobytes() for a, b in zip(starts, ends, strict=True)}
