"""Tables of one row a value: which column names what is measured, and what each name is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from contracts.vocabulary import Kind, vocabulary
from features.mapping.columns import proposal_of
from features.mapping.findings import ColumnProposal, Finding, Option, Reason, Standing, Why
from features.mapping.looks import ColumnLook, TableLook
from features.mapping.names import candidates, is_called, unit_named

MOST_NAMES = 200
"""Different cells of a column that names what a long table's rows hold."""

NAMES_KNOWN = 0.3
"""Share of these cells that must be known where the column is not called so (local)."""


@dataclass(frozen=True, kw_only=True)
class Long:
    """The columns of a long table: names, values, and units where there are."""

    names: str
    values: str
    units: str = ""
    standing: Standing = Standing.GUESSED

    @property
    def findings(self) -> tuple[Finding, Finding]:
        """The keys of the map that say so."""
        reason = Reason(Why.LONG_NAMES, (self.names,))
        return (
            Finding("names_in", self.standing, (Option(self.names, (reason,)),)),
            Finding("values_in", self.standing, (Option(self.values, (reason,)),)),
        )


def long_form(look: TableLook, subject: str) -> Long | None:
    """Return how a long table is laid out; None for a wide one."""
    rest = [c for name, c in look.columns.items() if name != subject]
    texts = [c for c in rest if c.numbers is None and c.dates is None]
    ranked = sorted(
        ((_known_share(c), is_called(c.name, "name_column"), c) for c in texts),
        key=lambda row: row[:2], reverse=True,
    )  # fmt: skip
    if not ranked or not ranked[0][0]:
        return None
    share, called, names = ranked[0]
    numbers = [c for c in rest if c.numbers is not None and c.dates is None]
    called_so = [c for c in rest if is_called(c.name, "value_column")]
    values = called_so if len(called_so) == 1 else numbers
    if len(values) != 1 or not (called or called_so or share >= NAMES_KNOWN):
        return None
    units = next((c.name for c in texts if is_called(c.name, "unit_column")), "")
    sure = called and bool(called_so)
    return Long(
        names=names.name, values=values[0].name, units=units,
        standing=Standing.PROVED if sure else Standing.GUESSED,
    )  # fmt: skip


def _known_share(column: ColumnLook) -> float:
    if not 0 < len(column.values) <= MOST_NAMES:
        return 0.0
    return sum(map(_is_measurement, column.values)) / len(column.values)


def _is_measurement(cell: str) -> bool:
    kinds = {vocabulary()[candidate.code].kind for candidate in candidates(cell)}
    return bool(kinds & {Kind.ASSESSMENT, Kind.DAILY})


def names_of(
    look: TableLook, layout: Long, people: pd.Series, signs: str
) -> Iterator[ColumnProposal]:
    """Yield what each name of a long table is."""
    names, values = look.columns[layout.names], look.columns[layout.values]
    for name in names.values:
        rows_N = (names.cells == name).to_numpy(dtype=np.bool_)
        unit = _one_unit(look, layout, rows_N)
        proposal = proposal_of(values.among(rows_N, name), people[rows_N], signs, name, unit)
        yield replace(proposal, column=name)


def _one_unit(look: TableLook, layout: Long, rows_N: NDArray[np.bool_]) -> str:
    if not layout.units:
        return ""
    written = look.columns[layout.units].among(rows_N, layout.units).filled
    return unit_named(written[0]) if len(written) == 1 else ""
