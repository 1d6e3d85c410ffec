"""The columns of one table, and what their cells look like."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from contracts.groups import MINIMUM_SHOWN
from contracts.vocabulary import Code
from features.mapping.appearance import WrittenFile, look_at
from features.mapping.findings import Seen
from features.mapping.names import is_not_measured, unit_of
from features.mapping.signs import ReadBy, date_forms, distinct, number_forms, numbers_of, parsed
from features.tables.cells import written
from features.tables.missing import MISSING_LIKE, suspected_codes
from features.tables.table_files import read_table
from features.tables.text_tables import TableForm, parse_text_table

MOST_LABELS = 20
"""Different cells of a column that still are labels; more are names or free text (local)."""

LONGEST_LABEL = 40


@dataclass(frozen=True, kw_only=True)
class ColumnLook:
    """One column, or the rows of a long table with one name.

    Parameters
    ----------
    name
        As the file has it.
    cells
        As text, without blanks around them; empty where there is none.
    typed_dates
        Whether a Parquet file says that they are dates.
    """

    name: str
    cells: pd.Series
    typed_dates: bool = False

    @cached_property
    def filled(self) -> list[str]:
        """The different cells that hold something."""
        return distinct(self.cells)

    @cached_property
    def words(self) -> list[str]:
        """Those of them that stand for no value."""
        short = [cell for cell in self.filled if not cell[0].isdigit()]
        return [c for c in short if c.lower() in MISSING_LIKE or is_not_measured(c)]

    @cached_property
    def values(self) -> list[str]:
        """The others."""
        words = set(self.words)
        return [cell for cell in self.filled if cell not in words]

    @cached_property
    def numbers(self) -> ReadBy | None:
        """The signs of its numbers; None where it has none."""
        return None if self.typed_dates else number_forms(self.values)

    @cached_property
    def dates(self) -> ReadBy | None:
        """The forms of its dates; None where it has none."""
        return ReadBy(forms=("",)) if self.typed_dates else date_forms(self.values)

    @property
    def has_labels(self) -> bool:
        """Whether its cells are few and short, as labels are."""
        return 0 < len(self.values) <= MOST_LABELS and max(map(len, self.values)) <= LONGEST_LABEL

    def among(self, rows: NDArray[np.bool_], name: str) -> ColumnLook:
        """Return some of its rows, as a column of another name."""
        return ColumnLook(name=name, cells=self.cells[rows], typed_dates=self.typed_dates)

    def number_cells(self, signs: str) -> NDArray[np.float64]:
        """Return the numbers of all rows, as often as they stand there."""
        filled = self.cells[(self.cells != "") & ~self.cells.isin(self.words)]
        return numbers_of(filled, signs)

    def seen(self, people: pd.Series, signs: str = ".") -> Seen:
        """Return what may be shown of it: no range, and no label, that few people have."""
        filled = self.cells != ""
        few = people[filled].nunique() < MINIMUM_SHOWN
        if self.numbers is None:
            holders = people[filled].groupby(self.cells[filled]).nunique()
            common = set(holders.index[holders >= MINIMUM_SHOWN]) if self.has_labels else set()
            return Seen(labels=tuple(sorted(common & set(self.values))), few=few)
        value_N = self.number_cells(signs)
        whole = bool(len(value_N)) and bool((value_N % 1 == 0).all())
        seen = Seen(
            few=few, whole=whole, unit=unit_of(self.name), missing=tuple(sorted(self.words))
        )
        if few or not len(value_N):
            return seen
        return replace(seen, low=float(value_N.min()), high=float(value_N.max()))

    def missing_numbers(self, entry: Code, signs: str) -> list[str]:
        """Return cells such as 999 that can't be values of a code and look like a missing one."""
        codes = suspected_codes(parsed(self.values, signs), entry)
        return [c for c, left_out in zip(self.values, codes.left_out_N, strict=True) if left_out]


@dataclass(frozen=True, kw_only=True)
class TableLook:
    """One table.

    Parameters
    ----------
    file
        Its path from the map.
    written
        How the file is written; None for Parquet.
    columns
        By name, in the file's order.
    """

    file: str
    written: WrittenFile | None
    columns: dict[str, ColumnLook] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """How many rows it has."""
        return len(next(iter(self.columns.values())).cells) if self.columns else 0


def look_at_table(path: Path, file: str) -> TableLook:
    """Read a table as text.

    Raises
    ------
    SourceUnreadable
        It can't be read or told apart into columns.
    """
    if path.suffix == ".parquet":
        cells, how = read_table(path, file).cells, None
    else:
        how = look_at(path, file)
        separator = how.separator.options[0].value
        form = TableForm(separator=separator)
        cells = parse_text_table(how.text, file, form).cells
    columns = {
        str(name): ColumnLook(
            name=str(name), cells=_as_text(cells[name]), typed_dates=_is_dated(cells[name])
        )
        for name in cells.columns
    }
    return TableLook(file=file, written=how, columns=columns)


def _is_dated(cells: pd.Series) -> bool:
    return getattr(cells.dtype, "kind", "O") == "M"


def _as_text(cells: pd.Series) -> pd.Series:
    if isinstance(cells.dtype, pd.StringDtype):
        return cells.fillna("").str.strip()
    return pd.Series([written(cell).strip() for cell in cells], index=cells.index, dtype="str")
