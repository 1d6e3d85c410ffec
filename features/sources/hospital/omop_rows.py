"""By what the rows of an OMOP export are read, and what they name that means nothing here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from contracts.errors import MOST_PLACES, Problem
from features.measurements.amounts import number_groups
from features.sources.column_map import Zoned
from features.sources.hospital.omop_meanings import Meanings, Unknown
from features.sources.hospital.omop_people import People
from features.sources.hospital.omop_tables import column
from features.sources.table_rows import Found
from features.tables.text_tables import TextTable


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """What the rows of an export are read by."""

    meanings: Meanings
    people: People
    found: Found

    @property
    def form(self) -> Zoned:
        """How the tables are written."""
        return self.meanings.declared


def groups_of(
    rows: TextTable, names: Sequence[str]
) -> tuple[NDArray[np.int64], list[tuple[str, ...]]]:
    """Return the number of each row's group that names the same, and what each group names."""
    columns = [column(rows, name) for name in names]
    factors = [pd.factorize(each) for each in columns]
    group_N, first_G = number_groups(*(number_N for number_N, _ in factors))
    said = [
        tuple(str(unique[number_N[at]]) for number_N, unique in factors) for at in first_G.tolist()
    ]
    return group_N, said


def list_unknown(
    rows: TextTable,
    name: str,
    group_N: NDArray[np.int64],
    unknown_G: Sequence[Unknown | None],
    found: Found,
) -> None:
    """List what rows mean nothing, each concept with its count and first places."""
    known = {each.found: each for each in unknown_G if each is not None and each.found}
    place = {found: number for number, found in enumerate(known)}
    at_G = np.array([place.get(u.found, -1) if u else -1 for u in unknown_G], dtype=np.int64)
    at_N = at_G[group_N]
    order = np.argsort(at_N, kind="stable")
    begin_W = np.searchsorted(at_N[order], np.arange(len(known) + 1))
    for number, each in enumerate(known.values()):
        begin, count = int(begin_W[number]), int(begin_W[number + 1] - begin_W[number])
        first = rows.cells.index[order[begin : begin + min(count, MOST_PLACES)]].tolist()
        found.problems.append(
            Problem(
                file=rows.file, row=first[0], field=f"{name} {each.about}".strip(),
                found=each.found, advice=each.advice, cause=each.cause, count=count,
                places=tuple(f"row {row}" for row in first),
            )
        )  # fmt: skip
