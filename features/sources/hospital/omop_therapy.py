"""Procedures of an OMOP export: sessions of therapy, in minutes."""

from __future__ import annotations

import numpy as np
import pandas as pd

from contracts.cohort import CODE, NUMBER, TIME
from contracts.therapy import THERAPY
from features.measurements.records import AMOUNT, END, FILE, PLACE, SUBJECT_LABEL, Amount
from features.sources.column_cells import ColumnCells
from features.sources.column_map import Zoned
from features.sources.hospital.omop_meanings import Meanings, Names, Unknown
from features.sources.hospital.omop_rows import Export, groups_of, list_unknown
from features.sources.hospital.omop_tables import CdmTable, chosen, column, moments
from features.sources.records.fhir_conditions import SNOMED
from features.sources.records.fhir_therapy import THERAPIES
from features.tables.text_tables import TextTable


def add_therapy(table: CdmTable, export: Export) -> None:
    """Add sessions of therapy, which last from their start to their end."""
    found = export.found
    found.problems += table.problems
    names = ("procedure_concept_id", "procedure_source_concept_id", "procedure_source_value")
    for rows in table.files:
        group_N, said_G = groups_of(rows, names)
        reason_G = [_no_therapy(Names(*said), export.meanings) for said in said_G]
        list_unknown(rows, names[0], group_N, reason_G, found)
        held_G = np.array([each is None for each in reason_G], dtype=np.bool_)
        sessions = chosen(rows, held_G[group_N])
        if len(sessions.cells):
            _add_sessions(sessions, export)


def _no_therapy(names: Names, meanings: Meanings) -> Unknown | None:
    """Return why a procedure is no therapy; None where it is."""
    rows = [meanings.concepts.get(concept) for concept in (names.concept, names.source_concept)]
    known = {f"{SNOMED}|{code}" for code in THERAPIES}
    if any(each.code == THERAPY for each in meanings.declared_for(names)) or any(
        row is not None and row.token in known for row in rows
    ):
        return None
    words = f"{meanings.in_words(names)} is no therapy that the map or the vocabulary knows"
    return Unknown(
        found="" if meanings.is_ignored(names) else f"procedure {words}, left out",
        cause="procedures that are no therapy",
        about=meanings.short(names),
    )


def _add_sessions(rows: TextTable, export: Export) -> None:
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
        ~good_N, "therapy without the times of its start and end: how long it took is not known",
        "export procedure_datetime and procedure_end_datetime (CDM 5.4)",
        "therapy without a duration",
    )  # fmt: skip
    kept_N = good_N & (label != "").to_numpy()
    found.records.append(
        pd.DataFrame(
            {
                SUBJECT_LABEL: label[kept_N].to_numpy(),
                TIME: begin_N[kept_N],
                END: end_N[kept_N],
                CODE: THERAPY,
                NUMBER: length_N[kept_N],
                AMOUNT: str(Amount.PART),
                FILE: rows.file,
                PLACE: rows.cells.index[kept_N].astype(str),
            }
        )
    )
