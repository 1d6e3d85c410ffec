"""FHIR R4: a Bundle, one resource, or bulk NDJSON of Patient, Observation, Condition, Procedure.

Resources are checked by `fhir.resources`. Codes are used only where the vocabulary has them (LOINC,
or this project's own under `REHABCAST_SYSTEM`) and only in the vocabulary's UCUM unit. Only a
Condition that the task or the map declares gives an onset. What is left out is reported, and takes
earlier versions of the same resource with it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
from fhir.resources.R4B.condition import Condition
from fhir.resources.R4B.observation import Observation
from fhir.resources.R4B.patient import Patient
from fhir.resources.R4B.procedure import Procedure
from pydantic import ValidationError

from contracts.errors import Problem, grouped
from features.recording import LIBRARY_FAULTS, Reading, SourceFile
from features.sources.format import Format
from features.sources.records.fhir_conditions import condition, is_another, other_condition
from features.sources.records.fhir_documents import (
    Contents,
    Entry,
    contents_of,
    is_fhir_head,
    version_of,
)
from features.sources.records.fhir_people import death, patient
from features.sources.records.fhir_references import Patients, patient_label
from features.sources.records.fhir_sides import of_the_affected_arm
from features.sources.records.fhir_statements import (
    LeftOut,
    Said,
    Statement,
    Version,
    table_of,
    withdrawn,
)
from features.sources.records.fhir_therapy import procedure
from features.sources.records.fhir_values import observation
from features.sources.records.json_documents import documents
from features.sources.records.json_shapes import mapping, mappings

MODELS: dict[str, Any] = {
    "Patient": Patient,
    "Observation": Observation,
    "Condition": Condition,
    "Procedure": Procedure,
}
AI_ASSERTED = "AIAST"
"""HL7 v3-ObservationValue, as a security label: asserted by artificial intelligence, such as one of
our own forecasts that a hospital has stored. Nothing was measured."""

UNDERSTOOD = ("modifierExtension", "implicitRules")
"""FHIR R4, extensibility: who doesn't understand these elements must not use the resource."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FhirReading:
    """What FHIR documents state.

    Parameters
    ----------
    records
        With `features.measurements.records.RECORD_COLUMNS`.
    dropped
        What was left out, with place and reason.
    labels
        Everybody whom a resource is about, also one that was left out.
    """

    records: pd.DataFrame
    dropped: tuple[Problem, ...]
    labels: frozenset[str]


def read(file: SourceFile) -> Iterator[Reading]:
    """Yield every event and fact of the file."""
    after = 0 if file.export is None else file.export.after[file.name]
    reading = read_contents(file, contents_of(documents(file), file.name, after=after))
    yield Reading(records=reading.records, dropped=reading.dropped)


def read_documents(file: SourceFile, given: Iterable[tuple[str, Any]]) -> FhirReading:
    """Read Bundles and resources, each with its place.

    Raises
    ------
    SourceUnreadable
        One of them is no FHIR document.
    """
    return read_contents(file, contents_of(given, file.name))


def read_contents(file: SourceFile, contents: Contents) -> FhirReading:
    """Read the resources of FHIR documents that were taken apart, problems by their cause."""
    reading = read_each(file, contents)
    return replace(reading, dropped=grouped(reading.dropped))


def read_each(file: SourceFile, contents: Contents) -> FhirReading:
    """Read the resources of FHIR documents, with every problem of every resource."""
    export = file.export
    patients = Patients(contents.entries) if export is None else export.patients
    stated: list[tuple[Version, Statement]] = []
    left_out: list[tuple[str, LeftOut]] = list(contents.left_out)
    labels: set[str] = set()
    for entry in contents.entries:
        version, said = _resource(entry, patients, file)
        labels.add(version.label)
        left_out += [(entry.place, item) for item in said if isinstance(item, LeftOut)]
        statements = [item for item in said if isinstance(item, Statement)]
        if not statements and version.record_id:
            statements = [withdrawn(entry.kind)]
        stated += [(version, statement) for statement in statements]
    stated, of_another_side = of_the_affected_arm(stated, {} if export is None else export.arms)
    left_out += of_another_side
    table, problems = table_of(stated, file=file.name, zone=file.zone)
    dropped = [*(_problem(file, place, item) for place, item in left_out), *problems]
    return FhirReading(records=table, dropped=tuple(dropped), labels=frozenset(labels - {""}))


def _resource(entry: Entry, patients: Patients, file: SourceFile) -> tuple[Version, list[Said]]:
    """Return a resource's version, and what it states."""
    subject = _label(entry, patients)
    label = "" if isinstance(subject, LeftOut) else subject
    number, updated = version_of(entry)
    version = Version(
        label=label, record_id=entry.record_id, number=number, updated=updated, place=entry.place
    )
    if entry.deleted:
        return version, []
    if entry.kind not in MODELS:
        # Of these nothing is used, so that nothing needs to replace their versions.
        unknown = Version(label=label, record_id="", number=math.nan, updated="", place=entry.place)
        kind = entry.kind or "None"
        return unknown, [
            LeftOut(field="resourceType", found=f"resource {kind} is not used", advice="")
        ]
    if invalid := invalid_as(MODELS[entry.kind], entry.resource):
        if entry.kind == "Condition" and is_another(entry.resource, file.onset):
            return version, [other_condition(entry.resource, file.onset)]
        # No forecast for the dead, whatever else is wrong with the Patient.
        died = list(death(entry.resource)) if entry.kind == "Patient" and label else []
        found = f"{invalid}, the resource was left out"
        return version, [LeftOut(field=entry.kind, found=found), *died]
    if isinstance(subject, LeftOut):
        return version, [subject]
    if _is_ai_asserted(entry.resource):
        died = list(death(entry.resource)) if entry.kind == "Patient" else []
        return version, [_asserted(entry), *died]
    return version, list(_said(entry, file))


def _is_ai_asserted(resource: dict[str, Any]) -> bool:
    labels = mappings(mapping(resource.get("meta")).get("security"))
    return any(label.get("code") == AI_ASSERTED for label in labels)


def _asserted(entry: Entry) -> LeftOut:
    return LeftOut(
        field=entry.kind,
        found=f"{entry.kind} asserted by artificial intelligence ({AI_ASSERTED}), not measured",
        advice="",
    )


def invalid_as(model: Any, resource: dict[str, Any]) -> str:
    """Return why a resource is not valid FHIR, empty where it is.

    Parameters
    ----------
    model
        Of `fhir.resources`.
    """
    try:
        model.model_validate(resource)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        element = ".".join(str(part) for part in first["loc"])
        return f"not FHIR R4 ({element}: {first['msg']})"
    except (*LIBRARY_FAULTS, RecursionError) as error:
        return f"cannot be understood ({type(error).__name__})"
    return ""


def _label(entry: Entry, patients: Patients) -> str | LeftOut:
    if entry.kind == "Patient":
        return patient_label(entry) or LeftOut(
            field="Patient", found="Patient without an id", advice="give it its id"
        )
    if entry.deleted:
        return ""
    element = "subject" if "subject" in entry.resource else "patient"
    return patients.subject_of(entry, element)


def _said(entry: Entry, file: SourceFile) -> Iterator[Said]:
    resource = entry.resource
    if unknown := [element for element in UNDERSTOOD if resource.get(element)]:
        yield LeftOut(
            field=entry.kind,
            found=f"{entry.kind} whose meaning is changed by {unknown[0]}",
            advice="export it without, or with the elements of FHIR itself",
        )
        return
    if entry.kind == "Condition":
        yield from condition(resource, file.onset)
        return
    if entry.kind == "Patient":
        yield from patient(resource)
        return
    takers = {"Observation": observation, "Procedure": procedure}
    yield from takers[entry.kind](resource, file.codes)


def _problem(file: SourceFile, place: str, item: LeftOut) -> Problem:
    return Problem(
        file=file.name,
        row=None,
        places=() if place == "*" else (place,),
        field=item.field,
        found=item.found,
        advice=item.advice,
        cause=item.cause or item.found,
    )


FORMAT = Format(
    name="fhir",
    title="FHIR R4 document",
    matches=is_fhir_head,
    read=read,
)
