"""Observations: which are measurements, of what, when, and with which value."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from contracts.vocabulary import Code, Kind, code_of_token, vocabulary
from contracts.vocabulary.code import REHABCAST_SYSTEM, SYSTEM_OF
from contracts.vocabulary.units import NoConversion, UnitUnknown, bare, conversion, is_count
from features.measurements.records import Amount
from features.sources.records.fhir_documents import ADDRESS
from features.sources.records.fhir_sides import has_side, side_of
from features.sources.records.fhir_statements import BY_PERIOD, LeftOut, Said, Statement
from features.sources.records.json_shapes import mapping, mappings, number, text

SHOWN = frozenset(SYSTEM_OF.values())
"""Systems whose codes are repeated in what was left out; a code of another may be anything."""

UCUM = "http://unitsofmeasure.org"
MEASURED = {"final", "amended", "corrected"}
"""FHIR R4, observation-status: the values that are complete and verified."""

OF_EITHER_FORM = "http://loinc.org|96761-2"
"""LOINC's total of the Barthel index, of whichever form."""

SHORT_FORM = 20
"""Points of the short form of the Barthel index, which is sent under the same code as the form of
100 points: a total up to here may be of either."""

COUNTS = frozenset({"score", "scores", "point", "points", "pts"})
"""Units in words, without a UCUM code, that say no more than that it is a score."""

_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)
MOST_UNIT = 40
_BOOLEANS = {True: "yes", False: "no"}


def observation(
    resource: dict[str, Any], own: Mapping[str, str] = MappingProxyType({})
) -> Iterator[Said]:
    """Yield an Observation's value and its components' values, of the vocabulary's codes.

    `own` has the vocabulary's code of a hospital's own `system|code`, as the map declares it.
    """
    components = mappings(resource.get("component"))
    coded = [
        (part, entry)
        for part in (resource, *components)
        if (entry := code_of_concept(part.get("code"), own)) is not None
    ]
    if not coded:
        yield LeftOut(
            field="Observation.code",
            found=f"Observation {_described(resource.get('code'))}, not in the vocabulary",
            advice="",
        )
        return
    start, end = _effective(resource)
    if (reason := _reason(resource, coded, start)) is not None:
        yield reason
        return
    source = _device(resource)
    for part, entry in coded:
        for said in _value(part, entry, start, end, source, len(coded) > 1):
            if isinstance(said, Statement) and said.number is not None and has_side(entry):
                yield replace(said, side=side_of(resource))
            else:
                yield said


def _reason(
    resource: dict[str, Any], coded: list[tuple[dict[str, Any], Code]], start: str
) -> LeftOut | None:
    """Return why a whole Observation is left out; None where it counts."""
    field = coded[0][1].code
    if (reason := _status(resource, field)) is not None:
        return reason
    if resource.get("focus"):
        found = "Observation of somebody or something else (focus)"
        return LeftOut(field=field, found=found, advice="")
    if start or all(entry.kind is Kind.PERSON for _, entry in coded):
        return None
    scheduled = "effectiveTiming" in resource
    return LeftOut(
        field=field,
        found="Observation whose time is a schedule (effectiveTiming)"
        if scheduled
        else "Observation without the time of its measurement",
        advice="give effectiveDateTime or effectivePeriod",
    )


def _status(resource: dict[str, Any], field: str) -> LeftOut | None:
    status = text(resource.get("status"))
    if status in MEASURED:
        return None
    if status == "preliminary":
        return LeftOut(
            field=field,
            found="Observation that is preliminary, not yet verified",
            advice="export it again when it is final",
            cause="preliminary Observations",
        )
    return LeftOut(
        field=field, found=f"Observation that is {status}", advice="",
        cause=f"Observations that are {status}",
    )  # fmt: skip


def code_of_concept(concept: Any, own: Mapping[str, str]) -> Code | None:
    """Return the vocabulary's code of a concept; None where it has none, or several."""
    found = [
        vocabulary().get(own[token]) if token in own else code_of_token(token)
        for token in _tokens(concept)
    ]
    codes = {entry.code: entry for entry in found if entry is not None}
    return next(iter(codes.values())) if len(codes) == 1 else None


def _tokens(concept: Any) -> list[str]:
    """Return a concept's codings as `system|code`."""
    return [f"{text(c.get('system'))}|{text(c.get('code'))}" for c in _codings(concept)]


def _is_of_either_form(part: dict[str, Any], value: Any) -> bool:
    """Return whether a total may be of the short or of the long form of its instrument."""
    tokens = _tokens(part.get("code"))
    ours = any(token.startswith(f"{REHABCAST_SYSTEM}|") for token in tokens)
    return OF_EITHER_FORM in tokens and not ours and not isinstance(value, str) and (
        value <= SHORT_FORM
    )  # fmt: skip


def _codings(concept: Any) -> list[dict[str, Any]]:
    return mappings(mapping(concept).get("coding"))


def _described(concept: Any) -> str:
    codes = [text(c.get("code")) for c in _codings(concept) if text(c.get("system")) in SHOWN]
    words = text(mapping(concept).get("text"))
    return (words or ", ".join(codes) or "(without a code of a known system)")[:80]


def _effective(resource: dict[str, Any]) -> tuple[str, str]:
    """Return when it was measured; `issued` is when it was made available."""
    period = resource.get("effectivePeriod")
    if isinstance(period, dict):
        return text(period.get("start")), text(period.get("end"))
    return text(resource.get("effectiveDateTime")) or text(resource.get("effectiveInstant")), ""


def _device(resource: dict[str, Any]) -> str:
    """Return what measured it; empty where that isn't known."""
    device = mapping(resource.get("device"))
    reference = text(device.get("reference"))
    if reference and not reference.startswith("#"):
        address = ADDRESS.fullmatch(reference)
        base = f"{address['base']}/" if address and address["base"] else ""
        return f"{base}{address['kind']}/{address['id']}" if address else reference
    value = text(mapping(device.get("identifier")).get("value"))
    return text(device.get("display")) or value


def _value(
    part: dict[str, Any], entry: Code, start: str, end: str, source: str, has_components: bool
) -> Iterator[Said]:
    if entry.kind is Kind.EVENT:
        yield Statement(code=entry.code, start=start)
        return
    fact = entry.kind is Kind.PERSON
    # FHIR R4, obs-6: with a reason for its absence there is no value; one that is written is a 0.
    absent_here = part.get("dataAbsentReason") is not None
    value = _label(part, entry) if not entry.is_numeric else _number(part, entry)
    if value is None or absent_here:
        if not has_components:
            absent = _codings(part.get("dataAbsentReason"))
            why = f" ({text(absent[0].get('code'))[:40]})" if absent else ""
            yield LeftOut(field=entry.code, found=f"Observation without a value{why}", advice="")
        return
    if not isinstance(value, LeftOut) and _is_of_either_form(part, value):
        value = LeftOut(
            field=entry.code,
            found=f"{entry.name} of {value:g}, which may be of {SHORT_FORM} or of {entry.high:g}"
            " points",
            advice="send the total of the long form, with the code"
            f" {REHABCAST_SYSTEM}|{entry.code.rpartition('/')[2]}",
        )
    if isinstance(value, LeftOut):
        yield value
        if not fact:
            yield Statement(code=entry.code, start=start, amount=Amount.UNUSABLE, source=source)
    elif isinstance(value, str):
        yield Statement(code=entry.code, text=value)
    elif fact:
        yield Statement(code=entry.code, number=value)
    elif entry.kind is Kind.ASSESSMENT:
        yield Statement(code=entry.code, start=start, number=value, source=source)
    else:
        yield Statement(
            code=entry.code, start=start, end=end, number=value, amount=BY_PERIOD, source=source
        )


def _number(part: dict[str, Any], entry: Code) -> float | LeftOut | None:
    """Return a value in the vocabulary's unit, why it is none, or None where there is no value."""
    if (quantity := part.get("valueQuantity")) is not None:
        return _quantity(mapping(quantity), entry)
    written = next((part[k] for k in ("valueInteger", "valueString") if k in part), None)
    if written is None:
        other = next((k for k in part if k.startswith("value")), None)
        found = f"Observation whose value is no number ({other})"
        return None if other is None else LeftOut(field=entry.code, found=found)
    if not _NUMBER.fullmatch(text(written).strip()):
        return LeftOut(field=entry.code, found="Observation whose text is no plain number")
    if not is_count(entry.unit):
        return _without_unit(entry)
    return _finite(number(text(written)), entry)


def _without_unit(entry: Code) -> LeftOut:
    return LeftOut(
        field=entry.code,
        found=f"Observation of {entry.name} without a unit, expected {entry.unit!r}",
        advice="give it as a valueQuantity with its unit",
    )


def _quantity(quantity: dict[str, Any], entry: Code) -> float | LeftOut | None:
    value = number(quantity.get("value"))
    if comparator := text(quantity.get("comparator")):
        return LeftOut(
            field=entry.code,
            found=f"Observation whose value has a comparator ({comparator} {value:g}) and is no"
            " measurement",
            advice="enter the value that was measured",
            cause="values with a comparator",
        )
    if not math.isfinite(value):
        return _finite(value, entry)
    unit = _unit(quantity)
    says_nothing = unit is None or (unit.lower() in COUNTS and not text(quantity.get("code")))
    if says_nothing:
        return value if is_count(entry.unit) else _without_unit(entry)
    if unit is not None and bare(unit) == bare(entry.unit):
        return value
    # Of a unit in words nobody knows what it means: "m" may be minutes.
    if (code := text(quantity.get("code"))) and text(quantity.get("system")) == UCUM:
        try:
            return conversion(code, entry.unit)(value)
        except (NoConversion, UnitUnknown):
            pass
    return LeftOut(
        field=entry.code,
        found=f"Observation of {entry.name} in {unit!r}, expected {entry.unit!r}",
        advice="export it in the expected unit, or in one that UCUM converts into it, as its code",
        cause="values in another unit",
    )


def _finite(value: float, entry: Code) -> float | LeftOut | None:
    if math.isinf(value):
        found = f"Observation of {entry.name} whose number is too large"
        return LeftOut(field=entry.code, found=found)
    return None if math.isnan(value) else value


def _unit(quantity: dict[str, Any]) -> str | None:
    """Return a quantity's UCUM code; its unit in words only where it has no code."""
    is_ucum = text(quantity.get("system")) in {UCUM, ""}
    unit = (text(quantity.get("code")) if is_ucum else "") or text(quantity.get("unit"))
    return unit[:MOST_UNIT] or None


def _label(part: dict[str, Any], entry: Code) -> str | LeftOut | None:
    """Return a label of the vocabulary, why it is none, or None where there is no value."""
    concept = part.get("valueCodeableConcept")
    yes_or_no = part.get("valueBoolean")
    written = [
        *(text(c.get(key)) for c in _codings(concept) for key in ("code", "display")),
        text(mapping(concept).get("text")),
        text(part.get("valueString")),
        _BOOLEANS[yes_or_no] if isinstance(yes_or_no, bool) else "",
    ]
    words = [word for word in written if word]
    if not words:
        return None
    labels = {word for word in words if word in entry.labels} if entry.labels else set(words[-1:])
    if len(labels) == 1:
        return labels.pop()
    return LeftOut(
        field=entry.code,
        found=f"Observation of {entry.name} without one of its labels",
        advice=f"give one of {', '.join(entry.labels)}",
    )
