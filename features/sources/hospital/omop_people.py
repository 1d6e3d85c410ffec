"""The people of an OMOP export: who is who, their facts, and who has died."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from contracts.cohort import CODE, TEXT, TIME
from contracts.errors import Problem
from features.measurements.lookups import looked_up
from features.measurements.records import BIRTH_DATE, DEATH, FILE, PLACE, SUBJECT_LABEL
from features.measurements.wall_clock import read_times
from features.sources.column_cells import CELL, ColumnCells
from features.sources.column_map import Table, Zoned
from features.sources.hospital.omop_concepts import NOT_MAPPED, Concepts
from features.sources.hospital.omop_map import OmopMap
from features.sources.hospital.omop_tables import CdmTable, column, moments
from features.sources.records.fhir_people import joined_ethnicity
from features.sources.table_rows import Found, add_rows
from features.tables.text_tables import TextTable

SEXES = {"8507": "male", "8532": "female"}
OMB_RACES = {"8527": "White", "8516": "Black or African American", "8515": "Asian"}
OMB_ETHNICITIES = {"38003563": "Hispanic or Latino", "38003564": "Not Hispanic or Latino"}
"""OMOP's concepts of sex, race and ethnicity, as OHDSI's own loader of Synthea writes them."""

SEX, RACE, ETHNICITY = "REHABCAST//SEX", "REHABCAST//RACE", "REHABCAST//ETHNICITY"


@dataclass(frozen=True, slots=True)
class People:
    """Identifiers of people, by `person_id` as text."""

    labels: dict[str, str]

    def of(self, rows: TextTable, found: Found) -> pd.Series:
        """Return whose each row is, empty for nobody; rows of unknown people are problems."""
        person = column(rows, "person_id")
        label = looked_up(person, self.labels, "object", "").astype("str")
        cells = ColumnCells(file=rows.file, name="person_id", cells=person, form=Zoned())
        found.problems += cells.problems(
            (label == "").to_numpy(), f"{CELL} is nobody of the person table, the row was left out",
            "export the table person with everybody", "rows of people who are not in person",
        )  # fmt: skip
        return label


def read_people(persons: CdmTable, declared: OmopMap, concepts: Concepts, found: Found) -> People:
    """Read everybody, and what the table says of them."""
    found.problems += persons.problems
    people: dict[str, str] = {}
    for rows in persons.files:
        if lacking := rows.check_columns([declared.person]):
            found.faults += lacking
            continue
        own = column(rows, declared.person)
        person = column(rows, "person_id")
        people |= {p: who for p, who in zip(person, own, strict=True) if p and who}
        _add_facts(rows, own, declared, concepts, found)
        columns = declared.person_columns
        if columns:
            table = Table(file=rows.file, subject=declared.person, columns=columns)
            add_rows(rows, table, declared.columns(table), found)
        else:
            for at, who in own.drop_duplicates().items():
                found.written[who].setdefault(who, f"{rows.file} row {at}")
    found.faults += _several_ids(people, declared.person)
    return People(people)


def _several_ids(people: dict[str, str], name: str) -> list[Problem]:
    """Refuse identifiers that several people of the model have."""
    owners = pd.Series(people, dtype="object")
    twice = owners[owners.duplicated(keep=False)]
    if twice.empty:
        return []
    return [
        Problem(
            file="person", row=None, field=name,
            found=f"{twice.nunique()} identifier(s) are of several person_id, such as"
            f" {twice.iloc[0]!r}: whether they are one person is not known",
            advice='declare person = "person_id" in the map, or correct the export',
        )
    ]  # fmt: skip


def _add_facts(
    rows: TextTable, label: pd.Series, declared: OmopMap, concepts: Concepts, found: Found
) -> None:
    sex = column(rows, "gender_concept_id").map(SEXES)
    race = column(rows, "race_concept_id").map(lambda c: _race(c, concepts))
    ethnic = column(rows, "ethnicity_concept_id").map(OMB_ETHNICITIES).fillna("")
    joined = [joined_ethnicity(r, e) for r, e in zip(race, ethnic, strict=True)]
    for code, values in ((SEX, sex), (RACE, race), (ETHNICITY, pd.Series(joined, sex.index))):
        known = values.notna() & (values != "") & (label != "")
        _add(found, rows, code, label, known.to_numpy(dtype=np.bool_), text=values)
    other = ~column(rows, "gender_concept_id").isin([*SEXES, *NOT_MAPPED]).to_numpy()
    _note(found, rows, "gender_concept_id", other, f"concept {CELL} is neither 8507 (male) nor 8532"
          " (female): the sex is not known")  # fmt: skip
    stated = ~column(rows, "race_concept_id").isin(NOT_MAPPED).to_numpy()
    unnamed = (race == "").to_numpy() & stated
    _note(found, rows, "race_concept_id", unnamed, f"concept {CELL} is not in the table concept:"
          " the race is not known")  # fmt: skip
    _add_birth(rows, label, declared, found)


def _race(concept: str, concepts: Concepts) -> str:
    row = concepts.get(concept)
    return OMB_RACES.get(concept) or ("" if row is None else row.name)


def _add_birth(rows: TextTable, label: pd.Series, declared: OmopMap, found: Found) -> None:
    """Add dates of birth: of year, month and day, else as `birth_datetime` is written."""
    year, month, day = (column(rows, f"{part}_of_birth") for part in ("year", "month", "day"))
    whole = year.str.zfill(4) + "-" + month.str.zfill(2) + "-" + day.str.zfill(2)
    parts_N = ((year != "") & (month != "") & (day != "")).to_numpy()
    written = column(rows, "birth_datetime").str[:10]
    date = whole.where(parts_N, written)
    if declared.birthday:
        date = date.mask((date == "") & (year != ""), year + "-" + declared.birthday)
    read = read_times(date)
    good_N = ~np.isnat(read.time_N)
    _add(found, rows, BIRTH_DATE, label, good_N & (label != "").to_numpy(), time_N=read.time_N)
    cells = ColumnCells(file=rows.file, name="year_of_birth", cells=year, form=Zoned())
    found.problems += cells.problems(
        ~good_N & (year != "").to_numpy() & (date == "").to_numpy(),
        f"only the year of birth ({CELL}) is known: the age is not",
        'declare birthday = "07-01" in the map if an age that is right to half a year is enough',
        "dates of birth without month and day",
    )  # fmt: skip
    wrong = ColumnCells(file=rows.file, name="year_of_birth", cells=date, form=Zoned())
    found.problems += wrong.problems(
        read.bad_N, f"{CELL} is no date of birth, left out", "correct the export",
        "dates of birth that are none",
    )  # fmt: skip


def add_deaths(deaths: CdmTable, people: People, declared: OmopMap, found: Found) -> None:
    """Add who has died; somebody whose date can't be read is dead all the same."""
    found.problems += deaths.problems
    for rows in deaths.files:
        label = people.of(rows, found)
        when = moments(rows, "death", declared)
        found.problems += when.problems
        found.faults += when.faults
        _add(found, rows, DEATH, label, (label != "").to_numpy(), time_N=when.value_N)


def _add(
    found: Found,
    rows: TextTable,
    code: str,
    label: pd.Series,
    kept_N: NDArray[np.bool_],
    *,
    text: pd.Series | None = None,
    time_N: NDArray[np.generic] | None = None,
) -> None:
    at = rows.cells.index[kept_N]
    found.records.append(
        pd.DataFrame(
            {
                SUBJECT_LABEL: label[kept_N].to_numpy(),
                TIME: pd.NaT if time_N is None else time_N[kept_N].astype("datetime64[us]"),
                CODE: code,
                TEXT: None if text is None else text[kept_N].to_numpy(),
                FILE: rows.file,
                PLACE: at.astype(str),
            }
        )
    )


def _note(found: Found, rows: TextTable, name: str, at_N: NDArray[np.bool_], words: str) -> None:
    cells = ColumnCells(file=rows.file, name=name, cells=column(rows, name), form=Zoned())
    found.problems += cells.problems(at_N, words, "", f"{name} that says nothing here")
