"""Sides: a score of the other arm is not one of the affected arm, nor one of the right of left."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from contracts.cohort import AFFECTED_ARM
from contracts.vocabulary import Code, Domain, Kind
from contracts.vocabulary.instruments import instruments
from features.measurements.records import Amount
from features.sources.records.fhir_statements import LeftOut, Statement, Version
from features.sources.records.json_shapes import mapping, mappings, text

SIDES = frozenset({"left", "right"})
OF_EITHER = "both"
UNKNOWN = "unknown"
"""A body site of a code alone: nobody here knows its side."""

_SIDE = re.compile(r"\b(left|right)\b", re.IGNORECASE)
ADVICE = (
    "send the affected arm too (urn:rehabcast:vocabulary|AFFECTED_ARM), and the site in words; a"
    " score of the affected arm needs no bodySite"
)


def side_of(resource: dict[str, Any]) -> str:
    """Return the side of an Observation's body site: left, right, `UNKNOWN`, or empty for none."""
    site = mapping(resource.get("bodySite"))
    codings = mappings(site.get("coding"))
    words = [text(site.get("text")), *(text(coding.get("display")) for coding in codings)]
    found = {side[0].lower() for word in words for side in _SIDE.finditer(word)}
    if len(found) == 1:
        return found.pop()
    return UNKNOWN if codings and not any(words) else ""


def has_side(entry: Code) -> bool:
    """Return whether a code is a score of one side: of the affected arm, or the one it names."""
    return entry.kind is Kind.ASSESSMENT and (
        entry.domain is Domain.ARM or bool(_own_side(entry.code))
    )


def _own_side(code: str) -> str:
    known = instruments().get(code)
    return "" if known is None else known.side


def of_the_affected_arm(
    stated: Iterable[tuple[Version, Statement]],
) -> tuple[list[tuple[Version, Statement]], list[tuple[str, LeftOut]]]:
    """Leave out scores whose side is not shown to be the affected one, and say which.

    A score without a side is of the affected arm, as the instruments define it, or of the side that
    its code names.
    """
    stated = list(stated)
    affected: dict[str, set[str]] = defaultdict(set)
    for version, item in stated:
        if item.code == AFFECTED_ARM and item.text:
            affected[version.label].add(item.text)
    kept, left_out = [], []
    for version, item in stated:
        own = _own_side(item.code)
        arms = {own} if own else affected[version.label]
        if not item.side or OF_EITHER in arms or arms == {item.side}:
            kept.append((version, item))
            continue
        kept.append((version, replace(item, number=None, amount=Amount.UNUSABLE, side="")))
        left_out.append((version.place, _left_out(item, arms)))
    return kept, left_out


def _left_out(item: Statement, arms: set[str]) -> LeftOut:
    advice = ADVICE
    if item.side == UNKNOWN:
        found = "Observation whose bodySite is a code without words: its side is not known"
    elif own := _own_side(item.code):
        found = f"Observation of the {item.side} side under a code of the {own} one"
        advice = "send it under the code of its side"
    elif len(arms) == 1 and arms <= SIDES:
        (arm,) = arms
        found = f"Observation of the {item.side} side, and the affected arm is the {arm} one"
        advice = "send a score of the affected arm"
    else:
        found = f"Observation of the {item.side} side, and which arm is affected is not known"
    return LeftOut(field=item.code, found=found, advice=advice, cause="scores of another side")
