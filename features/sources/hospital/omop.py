"""OMOP CDM 5.3 and 5.4: a folder with the model's tables as CSV or Parquet.

People, values, the onset, stays, therapy and deaths. What a concept means is said by the export's
own vocabulary table (LOINC, SNOMED CT, ICD-10, UCUM) and by the map; rows of other concepts are
counted and listed by concept.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from contracts.errors import CohortInvalid, ContractError, Problem, SourceUnreadable
from features.sources.hospital.assembled import assembled
from features.sources.hospital.omop_concepts import read_concepts
from features.sources.hospital.omop_dates import add_enrolments, add_onsets
from features.sources.hospital.omop_map import OmopMap, read_omop_map
from features.sources.hospital.omop_meanings import Meanings
from features.sources.hospital.omop_people import add_deaths, read_people
from features.sources.hospital.omop_rows import Export
from features.sources.hospital.omop_tables import (
    REQUIRED,
    CdmTable,
    files_of,
    ids_in,
    read_cdm_table,
)
from features.sources.hospital.omop_tables import matches as matches
from features.sources.hospital.omop_therapy import add_therapy
from features.sources.hospital.omop_values import add_values
from features.sources.table_cohort import TableCohort
from features.sources.table_rows import Found

MOST_SHOWN = 40
"""Files that a message names."""

NAME = "omop"
"""As named on the command line."""


def vocabulary_of(map_file: Path | None) -> str:
    """Return the file of codes that the map names, empty where it names none."""
    return read_omop_map(map_file).vocabulary


def collect(folder: Path, map_file: Path | None) -> TableCohort:
    """Read an export.

    Raises
    ------
    ContractError
        The map can't be used, or the folder is no export.
    CohortInvalid
        Faults of whole tables or columns, each with file and field.
    """
    declared = read_omop_map(map_file)
    if not folder.is_dir() or not files_of(folder, "person"):
        raise ContractError(
            f"{folder} is no OMOP export: it has no table person",
            "name the folder with the model's tables as CSV or Parquet (person.csv, ...)",
        )
    found = Found(expects_values=False)
    try:
        tables = {name: read_cdm_table(folder, name, declared) for name in REQUIRED}
        concepts, vocabulary_files = read_concepts(folder, set(ids_in(list(tables.values()))))
        people = read_people(tables["person"], declared, concepts, found)
        meanings = Meanings(declared, concepts)
        if map_file is not None:
            found.faults += meanings.faults(map_file.name)
        export = Export(meanings=meanings, people=people, found=found)
        for name in ("measurement", "observation"):
            add_values(tables[name], export)
        add_onsets(tables["condition_occurrence"], export)
        add_therapy(tables["procedure_occurrence"], export)
        if declared.enrolment_visits:
            add_enrolments(tables["visit_occurrence"], export)
        add_deaths(tables["death"], people, declared, found)
    except SourceUnreadable as error:
        raise CohortInvalid([error.problem]) from error
    if found.faults:
        raise CohortInvalid(list(dict.fromkeys(found.faults)))
    return _cohort(folder, map_file, declared, tables, vocabulary_files, found)


def _cohort(
    folder: Path,
    map_file: Path | None,
    declared: OmopMap,
    tables: dict[str, CdmTable],
    vocabulary_files: list[str],
    found: Found,
) -> TableCohort:
    read = [rows.file for table in tables.values() for rows in table.files]
    found.problems += _not_read(folder, {*read, *vocabulary_files})
    onset = declared.onset
    own = {"concepts": onset.concepts, "excluded_status": onset.excluded_status}
    whole = assembled(
        folder,
        map_file,
        declared,
        found,
        reader=NAME,
        source=f"OMOP CDM tables: {', '.join(read)}",
        read=read,
        also=vocabulary_files,
        identity=f"OMOP {declared.person}",
    )
    settings = {f"onset {name}": str(sorted(ids)) for name, ids in own.items() if ids}
    return replace(whole, onset=onset.codes, settings=settings)


def _not_read(folder: Path, read: set[str]) -> list[Problem]:
    """Name what else lies in the folder, such as tables of drugs: nothing of it is used."""
    inside = {name.partition("/")[0] for name in read}
    others = [p.name for p in folder.iterdir() if p.name not in inside and p.name[0] != "."]
    if not others:
        return []
    shown = ", ".join(sorted(others)[:MOST_SHOWN])
    more = f" and {len(others) - MOST_SHOWN} more" if len(others) > MOST_SHOWN else ""
    found = f"not read, as nothing in them is used: {shown}{more}"
    return [Problem(file="*", row=None, field="*", found=found)]
