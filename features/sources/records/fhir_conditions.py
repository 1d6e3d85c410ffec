"""Conditions: which diagnosis is the task's, and whether and when it began."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from contracts.cohort import ONSET
from contracts.onset import OnsetCodes
from features.sources.records.fhir_statements import LeftOut, Said, Statement
from features.sources.records.json_shapes import mapping, mappings, text

SNOMED = "http://snomed.info/sct"
OIDS = {
    "urn:oid:2.16.840.1.113883.6.96": SNOMED,
    "urn:oid:2.16.840.1.113883.6.3": "icd-10",
    "urn:oid:2.16.840.1.113883.6.90": "icd-10",
    "urn:oid:2.16.840.1.113883.6.135": "icd-10",
    "urn:oid:2.16.578.1.12.4.1.1.7110": "icd-10",
}
"""OID registries of HL7 and Norway: SNOMED CT; ICD-10, ICD-10-CM, ICD-10-AM, Norwegian ICD-10."""

CONFIRMED = {"confirmed"}
HAPPENED = {"active", "recurrence", "relapse", "inactive", "resolved"}
"""FHIR R4, condition-clinical: a condition that is resolved has begun all the same, and a problem
list calls a stroke inactive some weeks later. One in remission is not what a person recovers from.
"""

OTHER_CONDITION = "Condition.code"
"""Field of a condition that is not the task's."""

NO_DIAGNOSIS = "Condition.verificationStatus"
"""Field of a condition of the task that nobody has confirmed, or that was found not to be there."""

CERTAINTY = "icd-10-gm-diagnosesicherheit"
CERTAIN = "G"
"""Extension of German ICD-10-GM codes: A excluded, V suspected, Z status after, G certain."""

LONGEST_SYSTEM = 200
"""Characters: a search in a longer one, made for it, would take minutes."""

_ICD10 = re.compile(r"(icd|cim|cie|cid)[-_]?10(?!.*pcs)", re.IGNORECASE)
"""Systems of ICD-10 and its national forms: CIM in French and Italian, CIE in Spanish, CID in
Portuguese."""
_DOUBT = {"unconfirmed", "provisional", "differential"}
_OTHER_ONSETS = ("onsetAge", "onsetString", "onsetRange")


def condition(resource: dict[str, Any], codes: OnsetCodes) -> Iterator[Said]:
    """Yield the onset that a Condition gives, or why it gives none."""
    matching = _matching(resource, codes)
    if not matching:
        yield other_condition(resource, codes)
        return
    if (doubt := _doubt(resource, matching)) is not None:
        yield LeftOut(
            field=NO_DIAGNOSIS,
            found=f"{codes.condition} that is {doubt} gives no onset",
            advice="correct its status in the source if it is the one that counts",
            cause=f"onsets that are {doubt}",
        )
        return
    start = _start(resource, codes)
    if start:
        yield Statement(code=ONSET, start=start)
        return
    other = next((name for name in _OTHER_ONSETS if name in resource), None)
    yield LeftOut(
        field=ONSET,
        found=f"{codes.condition} without a date of its onset"
        + (f" ({other} is no date)" if other else ""),
        advice="give onsetDateTime, or declare in the map's onset.fallbacks what may stand for it",
        cause="onsets without a date",
    )


def is_another(resource: dict[str, Any], codes: OnsetCodes) -> bool:
    """Return whether a Condition, valid or not, has no coding of the task's condition."""
    return not _matching(resource, codes)


def other_condition(resource: dict[str, Any], codes: OnsetCodes) -> LeftOut:
    """Say that a Condition is not the task's."""
    return LeftOut(
        field=OTHER_CONDITION,
        found=f"Condition {described(resource)} is no {codes.condition} and gives no onset",
        advice="",
    )


def _matching(resource: dict[str, Any], codes: OnsetCodes) -> list[dict[str, Any]]:
    return [coding for coding in _codings(resource) if is_of(coding, codes)]


def is_of(coding: dict[str, Any], codes: OnsetCodes) -> bool:
    """Return whether a coding is one of the condition's."""
    system, code = text(coding.get("system")), text(coding.get("code")).strip()
    system = OIDS.get(system, system)
    if len(system) > LONGEST_SYSTEM:
        return False
    if system == SNOMED or system.startswith(f"{SNOMED}/"):
        return code in codes.snomed
    if not _ICD10.search(system):
        return False
    plain = code.upper().replace(".", "")
    return any(plain.startswith(prefix.replace(".", "")) for prefix in codes.icd10)


def described(resource: dict[str, Any]) -> str:
    """Return a Condition's codes for a message; no free text, which may name a person."""
    codes = [
        code
        for coding in _codings(resource)
        if re.fullmatch(r"[A-Za-z0-9.\-]{1,20}", code := text(coding.get("code")))
    ]
    return ", ".join(codes) or "without a code"


def _codings(resource: dict[str, Any]) -> list[dict[str, Any]]:
    return mappings(mapping(resource.get("code")).get("coding"))


def _doubt(resource: dict[str, Any], matching: list[dict[str, Any]]) -> str | None:
    """Return why a Condition is not the onset by its status; None where it may be."""
    for status in _status_of(resource.get("verificationStatus")):
        if status not in CONFIRMED:
            return f"only {status}" if status in _DOUBT else status
    for status in _status_of(resource.get("clinicalStatus")):
        if status not in HAPPENED:
            return status
    if not any(_certainty(coding) in {"", CERTAIN} for coding in matching):
        return "excluded, suspected or past (Diagnosesicherheit)"
    return None


def _status_of(concept: Any) -> list[str]:
    """Return the codes of a status, else its text: one that nobody knows is not passed over."""
    codings = mappings(mapping(concept).get("coding"))
    codes = [code for coding in codings if (code := text(coding.get("code")))]
    words = codes or [text(mapping(concept).get("text"))]
    return [re.sub(r"[^a-z\- ]", "", word.lower())[:30] for word in words if word]


def _certainty(coding: dict[str, Any]) -> str:
    for extension in mappings(coding.get("extension")):
        if text(extension.get("url")).endswith(CERTAINTY):
            return text(mapping(extension.get("valueCoding")).get("code")) or "?"
    return ""


def _start(resource: dict[str, Any], codes: OnsetCodes) -> str:
    if written := text(resource.get("onsetDateTime")):
        return written
    for fallback in codes.fallbacks:
        if fallback == "onsetPeriod":
            written = text(mapping(resource.get("onsetPeriod")).get("start"))
        else:
            written = text(resource.get(fallback))
        if written:
            return written
    return ""
