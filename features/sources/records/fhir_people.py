"""Patients: facts of a person, and whether the person has died."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from features.measurements.records import BIRTH_DATE, DEATH
from features.sources.records.fhir_statements import LeftOut, Said, Statement
from features.sources.records.json_shapes import mapping, mappings, text

US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-"
RACES = {
    "White": "non-Hispanic White",
    "Black or African American": "non-Hispanic Black",
    "Asian": "Asian",
}


def patient(resource: dict[str, Any]) -> Iterator[Said]:
    """Yield a Patient's sex, birth date, race and ethnicity, death, and doubts about the record."""
    if (gender := text(resource.get("gender"))) in {"male", "female"}:
        yield Statement(code="REHABCAST//SEX", text=gender)
    if born := text(resource.get("birthDate")):
        yield Statement(code=BIRTH_DATE, start=born)
    yield from death(resource)
    yield from _groups(resource)
    if resource.get("active") is False:
        yield LeftOut(
            field="Patient",
            found="Patient whose record is no longer in use (active = false), what it holds was"
            " kept",
            advice="check that this is the record of the right person",
        )
    if any(link.get("type") == "replaced-by" for link in mappings(resource.get("link"))):
        yield LeftOut(
            field="Patient",
            found="Patient whose record was replaced by another (link), the two were kept apart",
            advice="export the record that replaced it",
        )


def death(resource: dict[str, Any]) -> Iterator[Statement]:
    """Yield that a Patient has died, also where the resource is not valid otherwise."""
    died = str(resource.get("deceasedBoolean") or "").casefold() not in {"", "false"}
    if died or resource.get("deceasedDateTime"):
        yield Statement(code=DEATH, start=text(resource.get("deceasedDateTime")))


def _groups(resource: dict[str, Any]) -> Iterator[Statement]:
    core = {
        url.removeprefix(US_CORE): _category(extension)
        for extension in mappings(resource.get("extension"))
        if (url := text(extension.get("url"))).startswith(US_CORE)
    }
    if race := core.get("race"):
        yield Statement(code="REHABCAST//RACE", text=race)
    if label := joined_ethnicity(core.get("race", ""), core.get("ethnicity", "")):
        yield Statement(code="REHABCAST//ETHNICITY", text=label)


def joined_ethnicity(race: str, ethnicity: str) -> str:
    """Join OMB race and ethnicity as the vocabulary does; empty where either is unknown."""
    if ethnicity == "Hispanic or Latino":
        return "Hispanic"
    if ethnicity != "Not Hispanic or Latino" or not race:
        return ""
    return RACES.get(race, "other")


def _category(extension: dict[str, Any]) -> str:
    """Return the OMB category of a US Core extension, else its text."""
    inner = {text(part.get("url")): part for part in mappings(extension.get("extension"))}
    coding = mapping(inner.get("ombCategory", {}).get("valueCoding"))
    return text(coding.get("display")) or text(inner.get("text", {}).get("valueString"))
