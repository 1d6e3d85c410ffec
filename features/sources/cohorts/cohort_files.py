"""Tables of whole cohorts: their columns without reading the rows, and their rows as statements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from contracts.cohort import CODE, NUMBER, TEXT, TIME
from contracts.errors import CohortInvalid, Problem, SourceUnreadable
from features.measurements.records import (
    AMOUNT,
    END,
    FILE,
    PLACE,
    SUBJECT_LABEL,
    Amount,
    record_table,
)
from features.measurements.wall_clock import advice_on_times, read_times
from features.recording import Collected
from features.sources.format import HEAD_BYTES, column_names
from features.tables.packed import UNPACKING, opened, refuse_swollen_parquet
from features.tables.text_tables import read_numbers, read_text_table

ADVICE = "download it again"
FIRST_ROW = 2
"""Row of the first values in a spreadsheet."""

CORRECT = "correct the cell if it is needed"


def columns_of(file: Path) -> set[str]:
    """Return the columns of a CSV or Parquet file, none where it is missing or unreadable."""
    if not file.is_file():
        return set()
    try:
        if file.suffix == ".parquet":
            return set(pq.read_schema(file).names)
        with opened(file, file.name) as stream:
            return set(column_names(stream.read(HEAD_BYTES)))
    except (*UNPACKING, ValueError, pa.ArrowException, SourceUnreadable):
        return set()


def read_parquet(file: Path) -> pd.DataFrame:
    """Read a Parquet file.

    Raises
    ------
    SourceUnreadable
        It is not a Parquet file, or one that unpacks to more than may be.
    """
    try:
        refuse_swollen_parquet(file, file.name)
        return pd.read_parquet(file)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise SourceUnreadable(file.name, "*", f"cannot be read ({error})", ADVICE) from error


def read_values(file: Path, columns: Sequence[str] = ()) -> pd.DataFrame:
    """Read a table of text as numbers where a whole column is of numbers; index 0 is row 2.

    Parameters
    ----------
    columns
        Which to read, all by default; those that are not there are left out.

    Raises
    ------
    SourceUnreadable
        It is not a table, or a row in it can't be told apart into columns.
    """
    table = read_text_table(file, file.name)
    if table.problems:
        first = table.problems[0]
        raise SourceUnreadable(file.name, f"row {first.row}", first.found, ADVICE)
    names = [name for name in table.cells if not columns or name in columns]
    values = pd.DataFrame({name: _values(table.cells[name]) for name in names})
    values.index = values.index - FIRST_ROW
    return values


def _values(cells: pd.Series) -> pd.Series:
    number_N = read_numbers(cells).value_N
    written_as_text = cells.str.match("[+-]?0[0-9]").any()
    if written_as_text or np.isfinite(number_N).sum() < (cells != "").sum():
        return cells.where(cells != "")
    numbers = pd.Series(number_N, index=cells.index)
    whole = np.isfinite(number_N).all() and (number_N % 1 == 0).all()
    return numbers.astype(np.int64) if whole else numbers


def check_plain_ids(values: pd.DataFrame, column: str, file: str) -> None:
    """Refuse identifiers that are no plain whole numbers, because this cohort's are.

    Raises
    ------
    CohortInvalid
        An identifier is missing, or is not one.
    """
    ids = values[column]
    bad = ids[[not isinstance(value, int) or value < 0 for value in ids.tolist()]]
    if len(bad):
        raise CohortInvalid(
            [
                Problem(
                    file=file,
                    row=int(str(row)) + FIRST_ROW,
                    field=column,
                    found=f"{value!r} where a whole number is expected",
                    advice=ADVICE,
                    cause="no whole number",
                )
                for row, value in bad.items()
            ]
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CohortTable:
    """One table of text of a cohort; what it states is added to what was collected.

    Parameters
    ----------
    name
        The file's name.
    cells
        As in `TextTable`.
    subjects
        Each row's person, as text and unchanged.
    collected
        Where statements and problems go.
    """

    name: str
    cells: pd.DataFrame
    subjects: pd.Series
    collected: Collected

    def where(self, rows: pd.Series) -> CohortTable:
        """Return some of the rows."""
        return CohortTable(
            name=self.name,
            cells=self.cells[rows],
            subjects=self.subjects[rows],
            collected=self.collected,
        )

    def times(self, column: str, form: str = "") -> NDArray[np.datetime64]:
        """Return a column of times, NaT where there is none; report what is no time.

        Raises
        ------
        SourceUnreadable
            The order of day and month is another than the cohort's.
        """
        times = read_times(self.cells[column], form=form)
        bad = self.cells.loc[times.bad_N, column]
        if times.other_order_N.any():
            found = f"row {bad.index[0]} holds {bad.iloc[0]!r} where a time is expected"
            raise SourceUnreadable(self.name, column, found, ADVICE)
        for row, cell in bad.items():
            self._report(row, column, f"{cell!r} where a time is expected", advice_on_times(times))
        return times.time_N

    def state_numbers(
        self,
        column: str,
        code: str,
        *,
        time_N: NDArray[np.datetime64] | None = None,
        end_N: NDArray[np.datetime64] | None = None,
        factor: float = 1.0,
        from_best: float | None = None,
        amount: Amount = Amount.ONCE,
    ) -> None:
        """State each number of a column.

        Parameters
        ----------
        time_N, end_N
            When; a fact of the person has no time, and a row without one is left out else.
        factor
            To the code's unit.
        from_best
            What the number is taken from, so that higher is better.
        """
        read = read_numbers(self.cells[column])
        bad_N = read.bad_N | read.undeclared_N
        for row, cell in self.cells.loc[bad_N, column].items():
            self._report(row, column, f"{cell!r} where a number is expected", CORRECT)
        value_N = read.value_N * factor
        value_N = value_N if from_best is None else from_best - value_N
        kept_N = np.isfinite(value_N) | bad_N
        kept_N &= True if time_N is None else ~np.isnat(time_N)
        amounts_N = np.where(bad_N, str(Amount.UNUSABLE), str(amount))
        columns = {CODE: code, NUMBER: value_N, AMOUNT: amounts_N}
        self._state(kept_N, {**columns, **_at(time_N, end_N)})

    def state_words(self, column: str, code: str, labels: Mapping[str, str] | None = None) -> None:
        """State each word of a column as a fact, by the vocabulary's labels where it has them."""
        words = self.cells[column]
        words = words.where(words != "") if labels is None else words.map(dict(labels))
        self._state(words.notna().to_numpy(), {CODE: code, TEXT: words.to_numpy(dtype=object)})

    def state_dates(self, code: str, time_N: NDArray[np.datetime64]) -> None:
        """State a date that each row has, such as the onset."""
        self._state(~np.isnat(time_N), {CODE: code, TIME: time_N})

    def _state(self, kept_N: NDArray[np.bool_], columns: Mapping[str, object]) -> None:
        table = pd.DataFrame(
            {
                SUBJECT_LABEL: self.subjects.to_numpy(dtype=object),
                FILE: self.name,
                PLACE: self.cells.index.astype(str),
                **columns,
            }
        )
        self.collected.records.append(record_table(table[kept_N].reset_index(drop=True)))

    def _report(self, row: object, column: str, found: str, advice: str) -> None:
        self.collected.dropped.append(
            Problem(
                file=self.name,
                row=int(str(row)),
                field=column,
                found=f"{found}, it was left out",
                advice=advice,
                cause=column,
            )
        )


def read_table(folder: Path, name: str, subject: str, collected: Collected) -> CohortTable:
    """Read a table of a cohort; rows without a person are reported.

    Raises
    ------
    SourceUnreadable
        It is not a table, or lacks the column of people.
    """
    table = read_text_table(folder / name, name)
    if subject not in table.cells:
        raise SourceUnreadable(name, "row 1", f"no column {subject}", ADVICE)
    collected.dropped += table.problems
    nobody = table.cells[subject] == ""
    collected.dropped += [
        Problem(
            file=name,
            row=int(row),
            field=subject,
            found="nobody is named in this row, it was left out",
            advice=CORRECT,
        )
        for row in table.cells.index[nobody]
    ]
    cells = table.cells[~nobody]
    return CohortTable(name=name, cells=cells, subjects=cells[subject], collected=collected)


def _at(
    time_N: NDArray[np.datetime64] | None, end_N: NDArray[np.datetime64] | None
) -> dict[str, object]:
    known = ((TIME, time_N), (END, end_N))
    return {name: times_N for name, times_N in known if times_N is not None}
