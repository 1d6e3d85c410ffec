"""What the scores of instruments mean: differences that matter, errors of measurement, totals.

The figures are data (`figures.toml`), each with population, source and standing, and are read when
they are asked for: a process that only reads codes does not pay for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from contracts.naming.parsing import parsed_toml

Standing = Literal["read", "noted"]
"""Read at its source (nearly always the abstract), or noted as read for other work of ours."""

Direction = Literal["better", "worse", "both"]

ErrorKind = Literal["sem", "mdc", "mdc90", "mdc95", "sdc", "variation"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A number of a study.

    Parameters
    ----------
    value, to
        In the instrument's unit; from one to the other where studies or anchors differ.
    percent
        Whether it is in per cent of the earlier score instead.
    population, people
        Of whom, and how many; empty and None where it was not noted.
    source, standing
        Where it is from, and how sure that is.
    """

    value: float
    to: float | None = None
    percent: bool = False
    population: str = ""
    people: int | None = None
    source: str
    standing: Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportantDifference(Figure):
    """A change of a score that matters.

    Parameters
    ----------
    direction
        For whom it was found: who got better, worse, or both where the source tells no difference.
    meaning
        What it is beside others of the same study, such as small and substantial.
    time, anchor
        When, and by what it was judged to matter.
    """

    direction: Direction = "both"
    meaning: str = ""
    time: str = ""
    anchor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasurementError(Figure):
    """How far two measurements of one person differ although nothing has changed.

    Parameters
    ----------
    kind
        `sem`: standard error of measurement. `mdc`, `mdc90`, `mdc95`, `sdc`: the smallest change
        that is no error, at a confidence that was not noted, of 90 %, 95 %. `variation`: from
        visit to visit.
    scores_from, scores_below
        The earlier scores of which it holds; None for all.
    """

    kind: ErrorKind
    scores_from: float | None = None
    scores_below: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryRule:
    """A rule of the bedside: the score comes to last + share * (best - last).

    Parameters
    ----------
    share
        Share of the missing points that comes back.
    population, source, standing
        Of whom it was published, where, and how sure that is.
    """

    share: float
    population: str
    source: str
    standing: Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class CodedAs:
    """The instrument's code in a terminology, and where that was read."""

    system: Literal["LOINC", "SNOMED CT"]
    code: str
    display: str
    read_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """What is known of an instrument beyond its entry in the vocabulary.

    Parameters
    ----------
    code
        Of the entry.
    abbreviation
        As it is usually written; empty where there is none.
    of
        The code of the total that it is an item of. Totals are read, never added from items.
    side
        The side that it names, whichever is affected.
    note, licence
        Floor, ceiling and traps; whose it is. Recalled where they do not say that they were read.
    coded, differences, errors
        Codes of terminologies, important differences and measurement errors.
    recovery_rule
        The rule that was published of its recovery; None where nobody published one.
    """

    code: str
    abbreviation: str = ""
    of: str = ""
    side: Literal["", "left", "right"] = ""
    note: str = ""
    licence: str = ""
    coded: tuple[CodedAs, ...] = ()
    differences: tuple[ImportantDifference, ...] = ()
    errors: tuple[MeasurementError, ...] = ()
    recovery_rule: RecoveryRule | None = None


@cache
def instruments() -> Mapping[str, Instrument]:
    """Return what is known of instruments, by code."""
    text = Path(__file__).with_name("figures.toml").read_text("utf-8")
    return MappingProxyType(
        {entry["code"]: _instrument(entry) for entry in parsed_toml(text)["instrument"]}
    )


def published_recovery_rule(code: str) -> RecoveryRule | None:
    """Return the recovery rule that was published of an instrument; None where none is known.

    A rule of another instrument says nothing of this one: it is never carried over.
    """
    known = instruments().get(code)
    return None if known is None else known.recovery_rule


def _instrument(entry: dict[str, Any]) -> Instrument:
    parts = {
        "coded": tuple(CodedAs(**row) for row in entry.get("coded", ())),
        "differences": tuple(ImportantDifference(**row) for row in entry.get("differences", ())),
        "errors": tuple(MeasurementError(**row) for row in entry.get("errors", ())),
    }
    rule = entry.get("recovery_rule")
    return Instrument(**{**entry, **parts, "recovery_rule": rule and RecoveryRule(**rule)})
