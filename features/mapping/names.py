"""What a column may be by its name: the words of six languages, and codes."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from contracts.naming.parsing import parsed_toml
from contracts.vocabulary import code_of_token, vocabulary
from contracts.vocabulary.units import fault_of
from features.mapping.findings import Reason, Why

LANGUAGES = ("en", "de", "es", "fr", "tr", "ur")

VISIT = re.compile(
    r"(?:t|v|visit|visite|m|w|wk|week|woche|monat|month|mois|hafta|ay|bl|zeit)?\d{1,2}"
)
"""Words at the end of a name that number a visit."""

FILLERS = frozenset({
    "total", "tot", "sum", "score", "scores", "summe", "gesamt", "punkte", "wert", "index",
    "points", "value", "puntos", "puntuacion", "toplam", "puan", "skoru", "adm", "admission",
    "dc", "discharge", "bl", "baseline", "pre", "post", "aufnahme", "entlassung", "ingreso",
    "alta", "entree", "sortie", "yatis", "taburcu", "followup", "fu",
})  # fmt: skip
"""Words that a name has beside the instrument's."""

SHORTEST_PART = 4
"""Letters of a name that is looked for within others: shorter ones stand in many words."""

UNITS = {
    "m/s": "m/s", "meter/s": "m/s", "s": "s", "sec": "s", "sek": "s", "sekunden": "s",
    "seconds": "s", "sn": "s", "m": "m", "meter": "m", "metre": "m", "metres": "m", "ft":
    "[ft_i]", "feet": "[ft_i]", "kg": "kg", "lb": "[lb_av]", "lbs": "[lb_av]", "cm": "cm", "km":
    "km", "h": "h", "std": "h", "min": "min", "minuten": "min", "minutes": "min", "bpm": "/min",
    "/min": "/min", "km/h": "km/h", "kmh": "km/h", "deg": "deg", "grad": "deg", "°": "deg",
    "years": "a", "jahre": "a", "ans": "a", "yil": "a", "ml/kg/min": "mL/kg/min", "%": "%", "n":
    "N", "km/d": "km/d", "h/d": "h/d", "min/d": "min/d",
}  # fmt: skip
"""UCUM's unit of what stands in brackets, or at the end of a name."""


@lru_cache(maxsize=1 << 14)
def normalised(text: str) -> str:
    """Return a name without case, accents and signs: `Größe (cm)` and `groesse_cm` are alike."""
    text = (
        text.casefold()
        .replace("ß", "ss")
        .replace("\u0131", "i")
        .replace("'", " ")
        .replace("\u2019", " ")
    )
    plain = unicodedata.normalize("NFKD", text)
    plain = "".join(sign for sign in plain if not unicodedata.combining(sign))
    return " ".join(re.findall(r"[^\W_]+", plain))


def squeezed(text: str) -> str:
    """Return a name as one word: `6-MWT`, `6 MWT` and `6mwt` are alike."""
    return normalised(text).replace(" ", "")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A code that a column may be, by its name.

    Parameters
    ----------
    code
        Of the vocabulary.
    strength
        3 where the name is its code, 2 one of its names, 1 where a part of it is.
    reason
        The name that it was known by.
    """

    code: str
    strength: int
    reason: Reason


@cache
def _words() -> dict[str, Any]:
    return parsed_toml(Path(__file__).with_name("words.toml").read_text("utf-8"))


@cache
def instruments() -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return each instrument's code with what it is called, shipped in this version or not."""
    text = Path(__file__).with_name("instruments.toml").read_text("utf-8")
    return tuple(
        (
            row["code"],
            tuple(row["headers"]) + tuple(n for lang in LANGUAGES for n in row.get(lang, ())),
        )
        for row in parsed_toml(text)["instrument"]
    )


@cache
def _by_name() -> dict[str, tuple[tuple[str, str], ...]]:
    """Return the codes, with the name as it is written, of each squeezed name."""
    found: dict[str, dict[str, str]] = {}
    columns = tuple((row["code"], tuple(row["names"])) for row in _words()["column"])
    for code, names in (*instruments(), *columns):
        for name in names:
            found.setdefault(squeezed(name), {}).setdefault(code, name)
    return {name: tuple(codes.items()) for name, codes in found.items()}


def candidates(header: str) -> tuple[Candidate, ...]:
    """Return the codes that a column's name may mean, the likeliest first; often none."""
    known = vocabulary()
    if exact := _by_code(header):
        return (Candidate(exact, 3, Reason(Why.FHIR_CODE, (exact,))),)
    plain = without_unit(header)
    found: dict[str, Candidate] = {}
    for strength, why, name in _readings(plain):
        for code, written in (*_by_name().get(name, ()), *_own_names(name)):
            if code in known and code not in found:
                found[code] = Candidate(code, strength, Reason(why, (written,)))
    if not found:
        found = {c.code: c for c in _contained(plain) if c.code in known}
    return tuple(found.values())


def relatives(candidate: Candidate) -> tuple[Candidate, ...]:
    """Return other forms of an instrument, by code: BARTHEL_20 beside BARTHEL."""
    stem = re.sub(r"_\d+$", "", candidate.code)
    return tuple(
        replace(candidate, code=code, strength=1)
        for code in vocabulary()
        if code != candidate.code
        and (code == stem or re.fullmatch(rf"{re.escape(stem)}_\d+", code))
    )


def _by_code(header: str) -> str:
    """Return the code that a name spells out: ours, or a LOINC number."""
    text = header.strip()
    if text in vocabulary():
        return text
    if loinc := re.search(r"(?<![\d-])(\d{3,7}-\d)(?![\d-])", text):
        entry = code_of_token(f"http://loinc.org|{loinc[1]}")
        return "" if entry is None else entry.code
    return ""


def _own_names(name: str) -> list[tuple[str, str]]:
    """Return codes by the names that the vocabulary itself gives them, added ones as well."""
    return [
        (entry.code, entry.name)
        for entry in vocabulary().values()
        if name in {squeezed(entry.name), squeezed(entry.code.partition("//")[2])}
    ]


def _readings(header: str) -> list[tuple[int, Why, str]]:
    """Return a name as it is, and without the words that only say which visit or total it is."""
    words = normalised(header).split()
    kept = [w for w in words if w not in FILLERS]
    while len(kept) > 1 and VISIT.fullmatch(kept[-1]):
        kept = kept[:-1]
    readings = [(2, Why.NAME, "".join(words))] if words else []
    if kept and kept != words:
        readings.append((1, Why.NAME_PART, "".join(kept)))
    return readings


def _contained(header: str) -> list[Candidate]:
    """Return codes of which a name of several letters stands within the column's name."""
    words = normalised(header).split()
    found: list[tuple[int, Candidate]] = []
    for name, codes in _by_name().items():
        if len(name) < SHORTEST_PART:
            continue
        for code, written in codes:
            if _within(normalised(written).split(), words):
                found.append((-len(name), Candidate(code, 1, Reason(Why.NAME_PART, (written,)))))
    return [candidate for _, candidate in sorted(found, key=lambda row: row[0])]


def _within(parts: list[str], words: list[str]) -> bool:
    return any(words[n : n + len(parts)] == parts for n in range(len(words) - len(parts) + 1))


_BRACKETS = re.compile(r"\s*[(\[]([^)\]]{1,12})[)\]]\s*$")


def without_unit(header: str) -> str:
    """Return a name without the unit that stands in brackets at its end."""
    return _BRACKETS.sub("", header)


def unit_of(header: str) -> str:
    """Return the unit of UCUM that a name says, empty where it says none."""
    if bracket := _BRACKETS.search(header):
        return unit_named(bracket[1])
    last = normalised(header).split()[-1:]
    return UNITS.get(last[0], "") if last and last[0] not in {"m", "h", "s", "n"} else ""


def unit_named(written: str) -> str:
    """Return the unit of UCUM that a unit is, as people or UCUM write it; empty for another."""
    text = written.strip()
    return UNITS.get(text.casefold(), "") or ("" if fault_of(text) else text)


def is_called(header: str, role: str) -> bool:
    """Return whether a column is called as one of a role of `words.toml`, such as `subject`."""
    return squeezed(without_unit(header)) in _role(role)


@cache
def _role(role: str) -> frozenset[str]:
    words: list[str] = _words()[role]["names"]
    return frozenset(map(squeezed, words))


def label_meanings(cell: str) -> tuple[str, ...]:
    """Return the labels of the vocabulary that a written one may stand for."""
    labels: dict[str, list[str]] = _words()["labels"]
    plain = normalised(cell)
    return tuple(label for label, words in labels.items() if plain in words)


def is_not_measured(cell: str) -> bool:
    """Return whether a cell says in words that nothing was, or could be, measured."""
    return squeezed(cell) in _role("not_measured")
