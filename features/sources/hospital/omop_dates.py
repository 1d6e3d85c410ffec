"""Onsets and enrolments: the dates of an OMOP export's conditions and visits."""

from __future__ import annotations

import numpy as np
import pandas as pd

from contracts.cohort import ENROLMENT, ONSET
from features.sources.column_cells import Values
from features.sources.column_map import Column, Table
from features.sources.hospital.omop_concepts import icd10_or_snomed
from features.sources.hospital.omop_meanings import Meanings, Names, Unknown
from features.sources.hospital.omop_rows import Export, groups_of, list_unknown
from features.sources.hospital.omop_tables import CdmTable, chosen, column, moments
from features.sources.records.fhir_conditions import is_of
from features.sources.table_rows import add_rows
from features.tables.text_tables import TextTable


def add_onsets(table: CdmTable, export: Export) -> None:
    """Add the onsets that conditions give; others are listed by concept."""
    export.found.problems += table.problems
    names = ("condition_concept_id", "condition_source_concept_id", "condition_source_value",
             "condition_status_concept_id")  # fmt: skip
    for rows in table.files:
        group_N, said_G = groups_of(rows, names)
        unknown_G = [_no_onset(Names(*said[:3]), said[3], export.meanings) for said in said_G]
        is_onset_G = np.array([each is None for each in unknown_G], dtype=np.bool_)
        list_unknown(rows, names[0], group_N, unknown_G, export.found)
        _add_dates(chosen(rows, is_onset_G[group_N]), "condition_start", ONSET, export)


def _no_onset(names: Names, status: str, meanings: Meanings) -> Unknown | None:
    """Return why a condition is no onset; None where it is one."""
    onset = meanings.declared.onset
    rows = [meanings.concepts.get(concept) for concept in (names.concept, names.source_concept)]
    listed = {str(concept) for concept in onset.concepts}
    is_it = bool({names.concept, names.source_concept} & listed) or any(
        is_of(icd10_or_snomed(row), onset.codes) for row in rows if row is not None
    )
    if not is_it:
        words = f"{meanings.in_words(names)} is no {onset.condition} and gives no onset"
        return Unknown(
            found="" if meanings.is_ignored(names) else f"condition {words}",
            cause="conditions that are not the one of the map",
            about=meanings.short(names),
        )
    if status in {str(each) for each in onset.excluded_status}:
        return Unknown(
            found=f"{onset.condition} with the status {meanings.concepts.in_words(status)} gives no"
            " onset", cause="conditions that the map calls not certain",
        )  # fmt: skip
    return None


def add_enrolments(table: CdmTable, export: Export) -> None:
    """Add the start of the stays that the map calls the enrolment."""
    export.found.problems += table.problems
    wanted = {str(concept) for concept in export.meanings.declared.enrolment_visits}
    for rows in table.files:
        is_stay_N = column(rows, "visit_concept_id").isin(wanted).to_numpy()
        _add_dates(chosen(rows, is_stay_N), "visit_start", ENROLMENT, export)


def _add_dates(rows: TextTable, prefix: str, code: str, export: Export) -> None:
    """Add rows as dated moments of one code."""
    if rows.cells.empty:
        return
    when = moments(rows, prefix, export.form)
    export.found.problems += when.problems
    export.found.faults += when.faults
    label = export.people.of(rows, export.found)
    date = f"{prefix}_date"
    kept_N = when.good_N & (label != "").to_numpy()
    cells = pd.DataFrame({"person_id": label, date: pd.Series(when.value_N, rows.cells.index)})
    table = Table(
        file=rows.file, subject="person_id", columns=(Column(column=date, code=code),), when=date
    )
    plain = TextTable(file=rows.file, cells=cells[kept_N])
    good = Values(
        value_N=when.value_N[kept_N], good_N=when.good_N[kept_N], bad_N=when.bad_N[kept_N]
    )
    add_rows(plain, table, export.meanings.declared.columns(table), export.found, when=good)
