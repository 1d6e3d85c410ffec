"""The map of an OMOP export: what its concepts mean where its own vocabulary does not say it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from contracts.declarations import read_declaration
from contracts.onset import STROKE, OnsetCodes
from features.sources.column_map import Column, ColumnMap, Table, Zoned

ConceptId = Annotated[int, Field(gt=0)]
"""0 is OMOP's word for a concept that nobody has mapped."""


class Concept(BaseModel):
    """What the rows of one concept are.

    Parameters
    ----------
    concept
        Its id, as `..._concept_id` or `..._source_concept_id` of the row has it.
    source_value
        Instead of an id: the code of the hospital's own system, as `..._source_value` has it.
    code
        Of the vocabulary; for procedures `REHABCAST//THERAPY` or one of its kinds.
    unit
        UCUM unit of rows that have none of their own.
    labels
        What stands for each label of the vocabulary: a `value_as_concept_id`, or a text.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)

    concept: ConceptId | None = None
    source_value: str = ""
    code: Annotated[str, Field(min_length=1)]
    unit: str = ""
    labels: dict[str, str] = {}

    @model_validator(mode="after")
    def _one_name(self) -> Concept:
        if (self.concept is None) == (not self.source_value):
            raise ValueError("name either concept or source_value")
        return self


class OmopOnset(OnsetCodes):
    """The diagnoses whose onset counts.

    Parameters
    ----------
    concepts
        Condition concepts, beside those whose codes are among `icd10` and `snomed`.
    excluded_status
        Values of `condition_status_concept_id` of diagnoses that are not certain.
    """

    concepts: tuple[ConceptId, ...] = ()
    excluded_status: tuple[ConceptId, ...] = ()

    @property
    def codes(self) -> OnsetCodes:
        """The same without OMOP's own ids."""
        return OnsetCodes(**self.model_dump(include=set(OnsetCodes.model_fields)))


class OmopMap(Zoned):
    """The map; all of it may be left out.

    Parameters
    ----------
    name
        Of the cohort; the folder's by default.
    simulated, dates_shifted, vocabulary
        As in a column map.
    person
        Which column of `person` identifies people.
    birthday
        Month and day (`07-01`) for people of whom only the year of birth is known; their age is
        then right to half a year.
    person_columns
        Further columns of `person`, such as `care_site_id`.
    enrolment_visits
        Visit concepts of the stay that begins with the enrolment.
    onset
        The diagnoses whose onset counts.
    concepts
        What concepts mean that the vocabulary does not know by their LOINC code.
    ignored
        Concepts that are left out on purpose, and not listed.
    units
        UCUM unit of a `unit_source_value`, or of a `unit_concept_id` that is not one of UCUM's.
    """

    name: str = ""
    simulated: bool = False
    dates_shifted: bool = False
    vocabulary: str = ""
    person: Literal["person_id", "person_source_value"] = "person_id"
    birthday: str = ""
    person_columns: tuple[Column, ...] = ()
    enrolment_visits: tuple[ConceptId, ...] = ()
    onset: OmopOnset = OmopOnset(**STROKE.model_dump())
    concepts: tuple[Concept, ...] = ()
    ignored: tuple[ConceptId, ...] = ()
    units: dict[str, str] = Field(default_factory=dict)

    @field_validator("birthday")
    @classmethod
    def _a_day(cls, written: str) -> str:
        # Not every year has a 29 February.
        months = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
        month, _, day = written.partition("-")
        known = {f"{m:02d}": days for m, days in enumerate(months, start=1)}
        if written and not (
            day.isdecimal() and len(day) == 2 and 1 <= int(day) <= known.get(month, 0)
        ):
            raise ValueError(f"{written!r} is no month and day such as 07-01")
        return written

    @model_validator(mode="after")
    def _once(self) -> OmopMap:
        names = [str(each.concept or each.source_value) for each in self.concepts]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"{', '.join(twice)} is there twice among the concepts")
        return self

    def columns(self, table: Table) -> ColumnMap:
        """Return the column map of one table of the export, written as the map declares."""
        form = {name: getattr(self, name) for name in Zoned.model_fields}
        return ColumnMap(name=self.name or "omop", clock="timestamps", tables=(table,), **form)


def read_omop_map(path: Path | None) -> OmopMap:
    """Read the map; without a file, one that declares nothing.

    Raises
    ------
    ContractError
        It can't be read or breaks its contract.
    """
    if path is None:
        return OmopMap()
    advice = "correct it as docs/importing.md describes"
    return read_declaration(path, OmopMap, "a map for OMOP", advice)
