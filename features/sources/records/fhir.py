"""FHIR R4: a Bundle, one resource, or bulk NDJSON of Patient, Observation, Condition, Procedure.

Resources are checked by `fhir.resources`. Codes are used only where the vocabulary has them (LOINC,
or this project's own under `REHABCAST_SYSTEM`) and only in the vocabulary's UCUM unit; the rest is
counted and left out. A condition's onset is the subject's onset when it is the only one recorded.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import pandas as pd
from fhir.resources.R4B.condition import Condition
from fhir.resources.R4B.observation import Observation
from fhir.resources.R4B.patient import Patient
from fhir.resources.R4B.procedure import Procedure
from pydantic import ValidationError

from contracts.cohort import ONSET
from contracts.errors import Problem, SourceUnreadable
from contracts.vocabulary import Kind, vocabulary
from features.measurements.records import BIRTH_DATE, records
from features.recording import LIBRARY_FAULTS, Reading, SourceFile, problem
from features.sources.format import Format
from features.sources.records.json_documents import documents

REHABCAST_SYSTEM = "urn:rehabcast:vocabulary"
SYSTEMS = {"http://loinc.org": "LOINC", REHABCAST_SYSTEM: "REHABCAST"}
US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-"
SNOMED = "http://snomed.info/sct"
THERAPIES = {"52052004", "91251008", "84478008", "311555007"}
"""SNOMED CT: rehabilitation therapy, physical, occupational, speech and language therapy."""

MODELS: dict[str, Any] = {
    "Patient": Patient,
    "Observation": Observation,
    "Condition": Condition,
    "Procedure": Procedure,
}
RACES = {
    "White": "non-Hispanic White",
    "Black or African American": "non-Hispanic Black",
    "Asian": "Asian",
}
Row = tuple[str, pd.Timestamp | None, str, float | None, str | None]


_ANNOTATION = re.compile(r"\{[^}]*\}")


class _Skipped(Exception):
    """Why a resource was left out."""


def read(file: SourceFile) -> Iterator[Reading]:
    """Yield every event and fact of the file."""
    yield reading_of(file, _resources(file))


def reading_of(file: SourceFile, resources: Iterable[tuple[str, Any]]) -> Reading:
    """Return every event and fact of resources, each with its place in the file."""
    rows: list[Row] = []
    dropped: list[Problem] = []
    skipped: Counter[str] = Counter()
    onsets: dict[str, list[pd.Timestamp]] = {}
    for where, resource in resources:
        kind = resource.get("resourceType") if isinstance(resource, dict) else None
        if kind not in MODELS:
            skipped[f"resource {kind}"] += 1
            continue
        try:
            MODELS[kind].model_validate(resource)
            _take(kind, resource, rows, onsets)
        except _Skipped as reason:
            skipped[str(reason)] += 1
        except ValidationError as error:
            first = error.errors()[0]
            element = ".".join(str(part) for part in first["loc"])
            found = f"not FHIR R4 ({element}: {first['msg']}), the resource was left out"
            dropped.append(problem(file, where, found, "correct it where it was exported"))
        except LIBRARY_FAULTS as error:
            found = f"cannot be understood ({error}), the resource was left out"
            dropped.append(problem(file, where, found, "correct it where it was exported"))
    rows += _onsets(onsets, skipped)
    advice = "correct them in the source if they are needed"
    dropped += [
        problem(file, reason, f"{count} left out", advice)
        for reason, count in sorted(skipped.items())
    ]
    return Reading(records=_once_a_day(records(rows)), dropped=tuple(dropped))


def _resources(file: SourceFile) -> Iterator[tuple[str, Any]]:
    for where, document in documents(file):
        if not isinstance(document, dict) or "resourceType" not in document:
            raise SourceUnreadable(
                file.name, where, "no resourceType", "check that this is a FHIR document"
            )
        if document["resourceType"] != "Bundle":
            yield where, document
            continue
        entries = document.get("entry", [])
        if not isinstance(entries, list):
            raise SourceUnreadable(
                file.name, where, "Bundle.entry is not a list", "export the Bundle again"
            )
        for number, entry in enumerate(entries):
            at = f"entry {number}" if where == "*" else f"{where} entry {number}"
            yield at, entry.get("resource", {}) if isinstance(entry, dict) else {}


def _take(
    kind: str, resource: dict[str, Any], rows: list[Row], onsets: dict[str, list[pd.Timestamp]]
) -> None:
    if kind == "Patient":
        rows += _patient(resource)
        return
    subject = _subject_label(kind, resource)
    if kind == "Condition":
        onsets.setdefault(subject, []).append(_when(kind, resource.get("onsetDateTime")))
    elif kind == "Procedure":
        rows.append(_therapy(subject, resource))
    else:
        rows.append(_observation(subject, resource))


def _patient(patient: dict[str, Any]) -> list[Row]:
    subject = str(patient.get("id") or "")
    if not subject:
        raise _Skipped("Patient without an id")
    rows: list[Row] = []
    if patient.get("gender") in {"male", "female"}:
        rows.append((subject, None, "REHABCAST//SEX", None, patient["gender"]))
    if "birthDate" in patient:
        born = _when("Patient", patient["birthDate"])
        rows.append((subject, born, BIRTH_DATE, None, None))
    core = {
        str(extension.get("url")).removeprefix(US_CORE): _category(extension)
        for extension in patient.get("extension", [])
        if str(extension.get("url")).startswith(US_CORE)
    }
    if race := core.get("race"):
        rows.append((subject, None, "REHABCAST//RACE", None, race))
    if label := _ethnicity(core.get("race", ""), core.get("ethnicity", "")):
        rows.append((subject, None, "REHABCAST//ETHNICITY", None, label))
    return rows


def _ethnicity(race: str, ethnicity: str) -> str:
    """Join OMB race and ethnicity as the vocabulary does; empty where either is unknown."""
    if ethnicity == "Hispanic or Latino":
        return "Hispanic"
    if ethnicity != "Not Hispanic or Latino" or not race:
        return ""
    return RACES.get(race, "other")


def _category(extension: dict[str, Any]) -> str:
    """Return the OMB category of a US Core extension, else its text."""
    inner = {part.get("url"): part for part in extension.get("extension", [])}
    coded = inner.get("ombCategory", {}).get("valueCoding", {}).get("display", "")
    return str(coded or inner.get("text", {}).get("valueString", ""))


def _subject_label(kind: str, resource: dict[str, Any]) -> str:
    reference = str((resource.get("subject") or {}).get("reference") or "")
    subject = reference.removeprefix("urn:uuid:").rsplit("/", 1)[-1]
    if not subject:
        raise _Skipped(f"{kind} without a subject")
    return subject


def _when(kind: str, text: Any) -> pd.Timestamp:
    """Return the wall clock of a FHIR dateTime; one without a day can't be used."""
    if len(str(text or "")) < len("2020-01-01"):
        raise _Skipped(f"{kind} whose date has no day")
    try:
        return pd.Timestamp(str(text)).tz_localize(None)
    except ValueError as error:
        raise _Skipped(f"{kind} whose date cannot be read") from error


def _observation(subject: str, observation: dict[str, Any]) -> Row:
    if observation.get("status") in {"entered-in-error", "cancelled", "unknown"}:
        raise _Skipped(f"Observation that is {observation['status']}")
    codes = [
        f"{SYSTEMS[coding['system']]}//{coding.get('code')}"
        for coding in observation["code"].get("coding", [])
        if coding.get("system") in SYSTEMS
    ]
    code = next((code for code in codes if code in vocabulary()), None)
    if code is None:
        text = observation["code"].get("text") or codes or "(without a code of a known system)"
        raise _Skipped(f"Observation {text}, not in the vocabulary")
    entry = vocabulary()[code]
    period = observation.get("effectivePeriod") or {}
    when = _when("Observation", observation.get("effectiveDateTime") or period.get("start"))
    if entry.kind is Kind.EVENT:
        return (subject, when, code, None, None)
    if entry.kind is Kind.PERSON:
        raise _Skipped(f"Observation of {entry.name}, which is a fact of the Patient resource")
    quantity = observation.get("valueQuantity") or {}
    unit = quantity.get("code") or quantity.get("unit")
    if _bare(unit) != _bare(entry.unit):
        raise _Skipped(f"Observation of {entry.name} in {unit!r}, expected {entry.unit!r}")
    value = float(quantity.get("value", math.nan))
    if not math.isfinite(value):
        raise _Skipped(f"Observation of {entry.name} without a value")
    return (subject, when, code, value, None)


def _bare(unit: Any) -> str:
    """Return a UCUM unit without its annotations, which have no meaning: `{steps}/d` is `/d`."""
    return _ANNOTATION.sub("", str(unit)) or str(unit)


def _therapy(subject: str, procedure: dict[str, Any]) -> Row:
    codings = (procedure.get("code") or {}).get("coding", [])
    if not any(c.get("system") == SNOMED and c.get("code") in THERAPIES for c in codings):
        raise _Skipped("Procedure that is not a coded therapy")
    if procedure.get("status") != "completed":
        raise _Skipped("Procedure that was not completed")
    period = procedure.get("performedPeriod") or {}
    start = _when("Procedure", period.get("start"))
    end = _when("Procedure", period.get("end"))
    minutes = (end - start).total_seconds() / 60
    if minutes <= 0:
        raise _Skipped("Procedure that ends before it starts")
    return (subject, start, "REHABCAST//THERAPY", minutes, None)


def _onsets(onsets: dict[str, list[pd.Timestamp]], skipped: Counter[str]) -> list[Row]:
    rows: list[Row] = []
    for subject, dates in onsets.items():
        if len(set(dates)) == 1:
            rows.append((subject, dates[0], ONSET, None, None))
        else:
            skipped[
                "Conditions of a subject with several, of which none is known as the onset"
            ] += 1
    return rows


def _once_a_day(table: pd.DataFrame) -> pd.DataFrame:
    """Add up a day's therapy, and keep the last of several values of anything else."""
    table = table.sort_values(["subject_label", "time", "code"], kind="stable", na_position="first")
    day = table["time"].dt.normalize()
    therapy = table["code"] == "REHABCAST//THERAPY"
    total = (
        table["numeric_value"]
        .groupby([table["subject_label"], table["code"], day])
        .transform("sum")
    )
    table = table.assign(numeric_value=table["numeric_value"].where(~therapy, total), day=day)
    return table.drop_duplicates(["subject_label", "code", "day"], keep="last").drop(columns="day")


FORMAT = Format(
    name="fhir",
    title="FHIR R4 document",
    matches=lambda head: (
        head.lstrip(b"\xef\xbb\xbf \r\n\t")[:1] in {b"{", b"["} and b'"resourceType"' in head
    ),
    read=read,
)
