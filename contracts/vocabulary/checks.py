"""What an added code must be: every fault of an entry, as field, what was found and what to do."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import cache

from pydantic import BaseModel, ConfigDict

from contracts.vocabulary.code import NOT_RECORDED, REHABCAST_SYSTEM, SYSTEM_OF, Domain, Kind
from contracts.vocabulary.known import shipped
from contracts.vocabulary.units import fault_of

LONGEST_NAME, LONGEST_LABEL, LONGEST_SOURCE = 80, 60, 200
MOST_LABELS, MOST_FHIR = 50, 10
LARGEST = 1e9
"""A cohort keeps numbers as 32-bit floats."""

CODE = re.compile(r"[A-Z][A-Z0-9_]{1,31}//[A-Za-z0-9][A-Za-z0-9_-]{0,63}", re.ASCII)
LOINC = re.compile(r"LOINC//(?P<number>[1-9][0-9]{0,6})-(?P<check>[0-9])", re.ASCII)
TOKEN = re.compile(r"(?:https?://|urn:)[^\s|,$\\]{1,200}\|[^\s|,$\\](?:[^|,$\\]{0,60}[^\s|,$\\])?")
OWN_EXAMPLE = "OURHOSPITAL//KNEE_SCORE"

MEASURED = frozenset({Kind.ASSESSMENT, Kind.DAILY})

Fault = tuple[str, str, str]
"""Field, what was found, what to do."""


class Entry(BaseModel):
    """An entry as it is written; its types are right, what it says may not be."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    code: str
    name: str
    kind: str
    modality: str
    source: str
    domain: str | None = None
    unit: str = ""
    low: float | None = None
    high: float | None = None
    labels: list[str] = []
    better: str | None = None
    step: float | None = None
    fhir: list[str] = []


def faults_of(entry: Entry) -> Iterator[Fault]:
    """Yield everything that is wrong with an entry."""
    yield from _code(entry.code)
    yield from _text("name", entry.name, LONGEST_NAME)
    yield from _text("source", entry.source, LONGEST_SOURCE)
    if entry.name.casefold() in _shipped_names() and entry.code not in shipped():
        yield "name", f"{entry.name!r} is the name of another code of rehabcast", "name it apart"
    if entry.kind not in list(Kind):
        yield "kind", f"{_short(entry.kind)} is none", f"write one of {', '.join(Kind)}"
        return
    kind = Kind(entry.kind)
    yield from _modality(entry.modality, kind)
    yield from _domain(entry.domain, kind)
    yield from _numbers(entry, kind)
    yield from _direction(entry, kind)
    yield from _labels(entry, kind)
    yield from _fhir(entry)


def _code(code: str) -> Iterator[Fault]:
    space = code.partition("//")[0]
    if space == "LOINC":
        if (loinc := LOINC.fullmatch(code)) is None:
            yield "code", f"{_short(code)} has not the form of a LOINC code", "write LOINC//12345-6"
        elif int(loinc["check"]) != _check_digit(loinc["number"]):
            yield "code", f"{code} is no LOINC code: its check digit is wrong", "look it up"
    elif CODE.fullmatch(code) is None:
        yield (
            "code", f"{_short(code)} has not the form of a code",
            f"write it as {OWN_EXAMPLE}: capital letters, digits and _ before the //, letters,"
            " digits, _ and - after it",
        )  # fmt: skip
    elif space in SYSTEM_OF or space.startswith("MEDS"):
        yield "code", f"{space} is not yours to define codes in", f"write it as {OWN_EXAMPLE}"


def _check_digit(number: str) -> int:
    """Return LOINC's check digit (mod 10, double each second digit from the right)."""
    doubled = [2 * int(digit) for digit in reversed(number)][::2]
    single = [int(digit) for digit in reversed(number)][1::2]
    return -sum(value // 10 + value % 10 for value in (*doubled, *single)) % 10


def _text(field: str, text: str, longest: int) -> Iterator[Fault]:
    if not text.strip():
        yield field, "it is empty", "fill it in"
    elif len(text) > longest:
        yield field, f"it has {len(text)} characters", f"write {longest} at most"
    elif not is_plain(text):
        yield (
            field,
            f"{_short(text)} has blanks around it or signs that cannot be seen",
            "remove them",
        )


def is_plain(text: str) -> bool:
    """Return whether text can be shown as it is: no control or invisible sign, no outer blank."""
    signs = {unicodedata.category(letter)[0] for letter in text.replace(" ", "")}
    return text == text.strip() and not signs & {"C", "Z"}


def _short(text: str) -> str:
    return repr(text if len(text) <= LONGEST_LABEL else f"{text[:LONGEST_LABEL]}...")


@cache
def _shipped_names() -> frozenset[str]:
    return frozenset(entry.name.casefold() for entry in shipped().values())


@cache
def modalities_of(kind: Kind) -> tuple[str, ...]:
    """Return the modalities that codes of a kind may have.

    They are those of rehabcast: each is encoded and explained apart, so that another one would
    need words for clinicians, and make the explanation of every forecast several times longer.
    """
    known = sorted({entry.modality for entry in shipped().values()})
    if kind not in MEASURED:
        return ("person", "wear")
    not_measured = {"person"} | ({"assessments"} if kind is Kind.DAILY else {"therapy", "wear"})
    return tuple(name for name in known if name not in not_measured)


def _modality(modality: str, kind: Kind) -> Iterator[Fault]:
    if modality not in (known := modalities_of(kind)):
        found = f"{_short(modality)} is no modality of codes of the kind {kind}"
        yield "modality", found, f"write one of {', '.join(known)}"


def _domain(domain: str | None, kind: Kind) -> Iterator[Fault]:
    if domain is None:
        if kind in MEASURED:
            yield "domain", "it is missing", f"write one of {', '.join(Domain)}"
    elif domain not in list(Domain):
        yield "domain", f"{_short(domain)} is none", f"write one of {', '.join(Domain)}"
    elif kind not in MEASURED and domain != Domain.NONE:
        yield "domain", f"a code of the kind {kind} tells of no domain", "leave it out"


def _numbers(entry: Entry, kind: Kind) -> Iterator[Fault]:
    given = {name for name in ("low", "high") if getattr(entry, name) is not None}
    given |= {"unit"} if entry.unit else set()
    if entry.unit and (fault := fault_of(entry.unit)):
        yield "unit", fault, "write a unit of UCUM: kg, m/s, /min; of a score, {score}"
    if kind is Kind.EVENT and given:
        yield "unit", "an event has no value", f"leave out {', '.join(sorted(given))}"
    elif given or kind in MEASURED:
        for name in ("unit", "low", "high"):
            if name not in given:
                yield name, "it is missing", "a number needs a unit, low and high"
    if entry.low is not None and entry.high is not None:
        yield from _range(entry.low, entry.high, entry.step)


def _direction(entry: Entry, kind: Kind) -> Iterator[Fault]:
    if kind is not Kind.ASSESSMENT:
        for name in ("better", "step"):
            if getattr(entry, name) is not None:
                yield name, f"a code of the kind {kind} has none", "leave it out"
    elif entry.better not in {"higher", "lower"}:
        found = "it is missing" if entry.better is None else f"{_short(entry.better)} is neither"
        yield "better", found, "write higher or lower"


def _range(low: float, high: float, step: float | None) -> Iterator[Fault]:
    if max(abs(low), abs(high)) > LARGEST:
        yield (
            "high",
            "the range is too wide to be kept",
            f"use a unit with values up to {LARGEST:g}",
        )
    elif low >= high:
        yield "low", f"{low:g} is not below high, {high:g}", "write the ends of the range"
    elif step is not None:
        steps = (high - low) / step if step > 0 else 0.0
        if step < 0 or (step and abs(steps - round(steps)) > 1e-6 * max(1.0, steps)):
            yield (
                "step", f"steps of {step:g} do not lead from {low:g} to {high:g}",
                "write the distance of neighbouring scores; 0 where any number can be one",
            )  # fmt: skip


def _labels(entry: Entry, kind: Kind) -> Iterator[Fault]:
    if not entry.labels:
        return
    if kind is not Kind.PERSON:
        yield "labels", f"a code of the kind {kind} has none", "leave them out"
    if entry.unit or entry.low is not None or entry.high is not None:
        yield "labels", "a value is a label or a number, and this has both", "leave one out"
    if len(entry.labels) > MOST_LABELS:
        yield "labels", f"there are {len(entry.labels)}", f"write {MOST_LABELS} at most"
        return
    if len(set(map(str.casefold, entry.labels))) < len(entry.labels):
        yield "labels", "two of them are alike", "write each once"
    for label in entry.labels:
        yield from _text("labels", label, LONGEST_LABEL)
        if label.casefold() == NOT_RECORDED:
            yield "labels", f"{label!r} is kept for who has none", "leave it out"


def _fhir(entry: Entry) -> Iterator[Fault]:
    if len(entry.fhir) > MOST_FHIR:
        yield "fhir", f"there are {len(entry.fhir)}", f"write {MOST_FHIR} at most"
        return
    for token in entry.fhir:
        if TOKEN.fullmatch(token) is None or not is_plain(token):
            yield (
                "fhir", f"{_short(token)} is no code of FHIR",
                "write system|code, such as https://hospital.example/codes|KNEE-1",
            )  # fmt: skip
        elif token.startswith(f"{REHABCAST_SYSTEM}|"):
            yield "fhir", f"{token} is not yours to give", "leave it out: it is known by its code"
