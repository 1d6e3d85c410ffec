"""Procedures of an OMOP export: sessions of therapy, in minutes, and of which kinds they were."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from contracts.cohort import CODE, NUMBER, TIME
from contracts.therapy import KINDS, THERAPY
from features.measurements.records import AMOUNT, END, FILE, PLACE, SUBJECT_LABEL, Amount
from features.sources.column_cells import ColumnCells
from features.sources.column_map import Zoned
from features.sources.hospital.omop_meanings import Meanings, Names, Unknown
from features.sources.hospital.omop_rows import Export, groups_of, list_unknown
from features.sources.hospital.omop_tables import CdmTable, chosen, column, moments
from features.sources.therapy_sessions import KINDS_BY_TOKEN, WITHOUT_DURATION, counted_as
from features.tables.text_tables import TextTable


def add_therapy(table: CdmTable, export: Export) -> None:
    """Add sessions of therapy, which last from their start to their end."""
    found = export.found
    found.problems += table.problems
    names = ("procedure_concept_id", "procedure_source_concept_id", "procedure_source_value")
    for rows in table.files:
        group_N, said_G = groups_of(rows, names)
        kinds_G = [_kinds(Names(*said), export.meanings) for said in said_G]
        unknown_G = [
            None if kinds else _no_therapy(Names(*said), export.meanings)
            for said, kinds in zip(said_G, kinds_G, strict=True)
        ]
        list_unknown(rows, names[0], group_N, unknown_G, found)
        held_N = np.array([bool(kinds) for kinds in kinds_G], dtype=np.bool_)[group_N]
        if held_N.any():
            _add_sessions(chosen(rows, held_N), group_N[held_N], kinds_G, export)


def _kinds(names: Names, meanings: Meanings) -> tuple[str, ...]:
    """Return as what the rows of a procedure count: by the map, else by their concepts' codes."""
    if meanings.is_ignored(names):
        return ()
    entries = meanings.declared_for(names)
    declared = {str(each.concept or each.source_value): each.code for each in entries}
    tokens = {
        concept: row.token
        for concept in (names.concept, names.source_concept)
        if (row := meanings.concepts.get(concept)) is not None and concept not in declared
    }
    known = (KINDS_BY_TOKEN.get(token, "") for token in tokens.values())
    return counted_as([*declared.values(), *known])


def _no_therapy(names: Names, meanings: Meanings) -> Unknown:
    """Return why a procedure is left out."""
    words = f"{meanings.in_words(names)} is no therapy that the map or the vocabulary knows"
    return Unknown(
        found="" if meanings.is_ignored(names) else f"procedure {words}, left out",
        cause="procedures that are no therapy",
        about=meanings.short(names),
    )


def _add_sessions(
    rows: TextTable,
    group_N: NDArray[np.int64],
    kinds_G: Sequence[tuple[str, ...]],
    export: Export,
) -> None:
    found = export.found
    label = export.people.of(rows, found)
    start = moments(rows, "procedure", export.form)
    found.problems += start.problems
    found.faults += start.faults
    end_N = np.full(len(rows.cells), np.datetime64("NaT"), dtype="datetime64[us]")
    if {"procedure_end_date", "procedure_end_datetime"} <= set(rows.cells.columns):
        end = moments(rows, "procedure_end", export.form)
        found.problems += end.problems
        end_N = end.value_N.astype("datetime64[us]")
    timed_N = ((column(rows, "procedure_datetime") != "")
               & (column(rows, "procedure_end_datetime") != "")).to_numpy()  # fmt: skip
    begin_N = start.value_N.astype("datetime64[us]")
    length_N = (end_N - begin_N) / np.timedelta64(1, "m")
    good_N = start.good_N & timed_N & (np.nan_to_num(length_N, nan=-1) > 0)
    cells = ColumnCells(
        file=rows.file, name="procedure_end_datetime", form=Zoned(),
        cells=column(rows, "procedure_end_datetime"),
    )  # fmt: skip
    found.problems += cells.problems(
        ~good_N, WITHOUT_DURATION,
        "export procedure_datetime and procedure_end_datetime (CDM 5.4)",
        "therapy without a duration",
    )  # fmt: skip
    kept_N = good_N & (label != "").to_numpy()
    for code in (THERAPY, *KINDS):
        is_one_G = np.array([code in kinds for kinds in kinds_G], dtype=np.bool_)
        own_N = kept_N & is_one_G[group_N]
        if own_N.any():
            found.records.append(
                pd.DataFrame(
                    {
                        SUBJECT_LABEL: label[own_N].to_numpy(),
                        TIME: begin_N[own_N],
                        END: end_N[own_N],
                        CODE: code,
                        NUMBER: length_N[own_N],
                        AMOUNT: str(Amount.PART),
                        FILE: rows.file,
                        PLACE: rows.cells.index[own_N].astype(str),
                    }
                )
            )
