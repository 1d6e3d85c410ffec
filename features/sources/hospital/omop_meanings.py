"""What rows of OMOP's measurements and observations mean: code, unit and labels, or why none."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from contracts.errors import Problem
from contracts.vocabulary import Code, code_of_token, vocabulary
from contracts.vocabulary.units import bare, fault_of
from features.sources.column_map import Column
from features.sources.hospital.omop_concepts import NOT_MAPPED, UCUM, Concepts
from features.sources.hospital.omop_map import Concept, OmopMap
from features.sources.mapped_columns import other_unit
from features.sources.records.fhir_sides import has_side
from features.sources.records.fhir_values import COUNTS, OF_EITHER_FORM

NOT_IN_MAP = "concepts that neither the map nor the vocabulary knows"
_CODE = re.compile(r"[A-Za-z0-9.\-_]{1,20}", re.ASCII)
"""A source value that is a code; another may be a text about a person, and is not repeated."""


class Names(NamedTuple):
    """What one row names, as text; empty where it names nothing."""

    concept: str
    source_concept: str
    source_value: str
    unit: str = ""
    unit_source: str = ""
    qualifier: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """Why rows mean nothing that a cohort keeps, as a problem has it.

    Parameters
    ----------
    found, advice, cause
        As in `Problem`; nothing found where nothing is to be said.
    about
        The concept, so that each stays a line of its own in the report of an import.
    """

    found: str
    about: str = ""
    advice: str = ""
    cause: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """What rows are.

    Parameters
    ----------
    column
        As a column map would declare them; its name says concept and unit.
    entry
        Of the vocabulary.
    either_form
        Whether a total may be of the short or of the long form of its instrument.
    """

    column: Column
    entry: Code
    either_form: bool = False


@dataclass(frozen=True, slots=True)
class Meanings:
    """What the map and the vocabulary tables say together."""

    declared: OmopMap
    concepts: Concepts
    _entries: Mapping[str, Concept] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        entries = {str(each.concept or each.source_value): each for each in self.declared.concepts}
        object.__setattr__(self, "_entries", entries)

    def faults(self, file: str) -> list[Problem]:
        """Return what the vocabulary and UCUM say against the map."""
        faults = [
            _fault(file, f"units {written}", f"{unit!r} is no unit of UCUM: {why}", "correct it")
            for written, unit in self.declared.units.items() if (why := fault_of(unit))
        ]  # fmt: skip
        for name, each in self._entries.items():
            entry = vocabulary().get(each.code)
            strange = sorted(set(each.labels.values()) - set(entry.labels)) if entry else []
            if entry is None:
                found, advice = f"{each.code!r} is not in the vocabulary", "use one of its codes"
            elif each.unit and (wrong := other_unit(entry, each.unit)):
                found, advice = wrong, "name the unit that the values are in (UCUM)"
            elif entry.labels and strange:
                found = f"{', '.join(map(repr, strange))} is no label of {each.code}"
                advice = f"use {', '.join(entry.labels)}"
            else:
                continue
            faults.append(_fault(file, f"concepts {name}", found, advice))
        return faults

    def declared_for(self, names: Names) -> list[Concept]:
        """Return the map's entries for a row, which should give it one meaning."""
        by_id = [self._entries.get(c) for c in (names.concept, names.source_concept)]
        found = [each for each in by_id if each is not None and each.concept is not None]
        own = self._entries.get(names.source_value)
        if own is not None and own.source_value:
            found.append(own)
        return found

    def is_ignored(self, names: Names) -> bool:
        """Return whether the map leaves a row out on purpose."""
        ignored = {str(concept) for concept in self.declared.ignored}
        return bool({names.concept, names.source_concept} & ignored)

    def of(self, names: Names) -> Meaning | Unknown:
        """Return what a row with these names is."""
        if self.is_ignored(names):
            return Unknown(found="")
        entries = self.declared_for(names)
        if len({(each.code, each.unit) for each in entries}) > 1:
            codes = " and ".join(sorted({each.code for each in entries}))
            return Unknown(
                found=f"{self.in_words(names)} is {codes} by several entries of the map, left out",
                advice="keep one of the entries",
                cause="rows that the map gives two meanings", about=self.short(names),
            )  # fmt: skip
        entry = vocabulary().get(entries[0].code) if entries else self._known(names)
        if entry is None:
            found = f"{self.in_words(names)} is neither in the map nor in the vocabulary, left out"
            return Unknown(found=found, about=self.short(names), cause=NOT_IN_MAP)
        if has_side(entry) and names.qualifier not in NOT_MAPPED:
            return Unknown(
                found=f"{self.in_words(names)} with the qualifier {names.qualifier}, which may be a"
                " side: whether it is the affected one is not known, left out",
                advice="export scores of the affected arm without a qualifier",
                cause="scores of a side that is not known", about=self.short(names),
            )  # fmt: skip
        unit = self._unit(names, entry, entries[0].unit if entries else "")
        if isinstance(unit, Unknown):
            return unit
        labels = dict(entries[0].labels) if entries else {}
        if labels or entry.labels:
            labels = {label: label for label in entry.labels} | labels
        title = f"{self.in_words(names)}{f' in {unit}' if unit else ''}"
        tokens = {row.token for c in (names.concept, names.source_concept)
                  if (row := self.concepts.get(c)) is not None}  # fmt: skip
        return Meaning(
            column=Column(column=title, code=entry.code, unit=unit, labels=labels),
            entry=entry,
            either_form=not entries and OF_EITHER_FORM in tokens,
        )

    def short(self, names: Names) -> str:
        """Return the id of what a row names, or its source value."""
        concept = names.source_concept if names.concept in NOT_MAPPED else names.concept
        if concept not in NOT_MAPPED:
            return concept
        return names.source_value if _CODE.fullmatch(names.source_value) else "0"

    def in_words(self, names: Names) -> str:
        """Return what a row names, for a message."""
        concept = names.source_concept if names.concept in NOT_MAPPED else names.concept
        if concept not in NOT_MAPPED:
            return self.concepts.in_words(concept)
        shown = repr(names.source_value) if _CODE.fullmatch(names.source_value) else "(not shown)"
        return f"no concept, source value {shown}"

    def _known(self, names: Names) -> Code | None:
        """Return the entry that the vocabulary has for a concept by its LOINC or SNOMED CT code."""
        for concept in (names.concept, names.source_concept):
            row = self.concepts.get(concept)
            entry = None if row is None else code_of_token(row.token)
            if entry is not None:
                return entry
        return None

    def _unit(self, names: Names, entry: Code, declared: str) -> str | Unknown:
        """Return the UCUM unit of a row; its own counts before the one that the map declares."""
        if not entry.is_numeric:
            return ""
        own = self._own_unit(names, entry)
        unit = own if own else declared
        words = f"{self.in_words(names)}, which is {entry.name}"
        if own is None:
            shown = names.unit_source if _CODE.fullmatch(names.unit_source) else names.unit
            return Unknown(
                found=f"{words}, in the unit {shown!r}, whose UCUM code is not known; left out",
                advice="declare it under [units] of the map",
                cause="units that are not known", about=self.short(names),
            )  # fmt: skip
        if not unit and bare(entry.unit) == "1":
            return entry.unit
        if not unit:
            return Unknown(
                found=f"{words}, without a unit; left out",
                advice="declare `unit` for the concept in the map",
                cause="values without a unit", about=self.short(names),
            )  # fmt: skip
        if wrong := other_unit(entry, unit):
            return Unknown(
                found=f"{words}, is {wrong}; left out",
                advice="correct the unit in the export or the map",
                cause="values in another unit", about=self.short(names),
            )  # fmt: skip
        return unit

    def _own_unit(self, names: Names, entry: Code) -> str | None:
        """Return the row's own unit, empty where it has none, None where it is not known."""
        units = self.declared.units
        if names.unit not in NOT_MAPPED:
            row = self.concepts.get(names.unit)
            is_ucum = row is not None and row.vocabulary == UCUM
            return units.get(names.unit) or (row.code if row is not None and is_ucum else None)
        written = names.unit_source
        if not written:
            return ""
        if known := units.get(written):
            return known
        # As in FHIR: of a unit in words only the expected one is understood.
        if bare(written) == bare(entry.unit):
            return entry.unit
        return entry.unit if written.lower() in COUNTS and bare(entry.unit) == "1" else None


def _fault(file: str, name: str, found: str, advice: str) -> Problem:
    return Problem(file=file, row=None, field=name, found=found, advice=advice)
