"""What one column is: its code with unit, labels and missing cells, or why it stays out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from contracts.vocabulary import Code, Kind, vocabulary
from contracts.vocabulary.units import NoConversion, UnitUnknown, conversion
from features.mapping.findings import (
    ColumnProposal,
    Finding,
    LeftOut,
    Option,
    Reason,
    Seen,
    Standing,
    Why,
)
from features.mapping.looks import ColumnLook
from features.mapping.names import (
    Candidate,
    candidates,
    is_called,
    is_not_measured,
    label_meanings,
    relatives,
    squeezed,
    unit_of,
)
from features.mapping.signs import numbers_of

OTHER_UNITS = {
    "m": ("[ft_i]", "cm", "km"), "kg": ("[lb_av]", "N"), "m/s": ("km/h", "cm/s", "[mi_i]/h"),
    "s": ("min", "ms"), "h/d": ("min/d",), "min/d": ("h/d",), "km/d": ("m/d",), "a": ("mo",),
    "1": ("%",), "Cel": ("[degF]",),
}  # fmt: skip
"""Other units that hospitals write a quantity in; each is converted where UCUM says how."""

ANNOTATION = "{"
"""A score or a count has no other unit."""

A_DAY = "/d"

ENOUGH_FIT = 0.95
"""Share of the cells that lie in a code's range where the column is of that code (local)."""


@dataclass(frozen=True, kw_only=True)
class Fit:
    """How the numbers of a column lie in the range of a code, in one unit.

    Parameters
    ----------
    unit
        That they would be written in.
    inside, on_step
        Share of the numbers within the range, and of those on a step of the scale.
    """

    unit: str
    inside: float
    on_step: float

    @property
    def is_good(self) -> bool:
        """Whether so many fit that the others are slips."""
        return self.inside >= ENOUGH_FIT and self.on_step >= ENOUGH_FIT

    @property
    def reason(self) -> Reason:
        """Say how they lie, as a fact."""
        if self.inside < ENOUGH_FIT:
            return Reason(Why.OUT_OF_RANGE)
        return Reason(Why.IN_RANGE if self.on_step >= ENOUGH_FIT else Why.OFF_STEP)


def fits(entry: Code, value_N: NDArray[np.float64]) -> list[Fit]:
    """Return how numbers fit a code in each unit that they may be in, the code's own first."""
    found = []
    for unit in (entry.unit, *OTHER_UNITS.get(entry.unit, ())):
        try:
            to_ours = conversion(unit, entry.unit)
        except (NoConversion, UnitUnknown):
            continue
        ours_N = to_ours(value_N)
        low, high = entry.kept_range
        inside_N = (ours_N >= low) & (ours_N <= high)
        on_step_N = np.ones(len(ours_N), dtype=np.bool_)
        if entry.kind is Kind.ASSESSMENT and entry.step:
            steps_N = (ours_N - low) / entry.step
            on_step_N = np.abs(steps_N - np.round(steps_N)) < 1e-3
        share = [float(mask.mean()) if len(mask) else 1.0 for mask in (inside_N, on_step_N)]
        # A converted value, such as of feet, lies between the steps of metres.
        found.append(
            Fit(unit=unit, inside=share[0], on_step=share[1] if unit == entry.unit else 1.0)
        )
    return found


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A code that a column may be, with how it fits."""

    candidate: Candidate
    entry: Code
    fits: tuple[Fit, ...] = ()
    right_kind: bool = True

    @property
    def is_good(self) -> bool:
        """Whether the column can be of this code."""
        return self.right_kind and (not self.fits or any(fit.is_good for fit in self.fits))

    @property
    def option(self) -> Option:
        """The code with what speaks for and against it."""
        best = next((fit for fit in self.fits if fit.is_good), self.fits[0] if self.fits else None)
        reasons = (self.candidate.reason, *(() if best is None else (best.reason,)))
        low, high = (self.entry.low, self.entry.high)
        if low is None or high is None:
            return Option(self.candidate.code, reasons)
        scale = (f"{low:g}", f"{high:g}", self.entry.to_confirm)
        return Option(self.candidate.code, (*reasons, Reason(Why.SCALE, scale)))


def proposal_of(
    column: ColumnLook, people: pd.Series, signs: str, name: str | None = None, unit: str = ""
) -> ColumnProposal:
    """Return what a column is.

    Parameters
    ----------
    people
        The subject of each row.
    signs
        Decimal and thousands signs of the table's numbers.
    name
        How it is called, where a long table says it in a cell.
    unit
        As a column of units says it; empty where there is none.
    """
    seen = column.seen(people, signs)
    if reason := _kept_out(column):
        return ColumnProposal(column=column.name, seen=Seen(few=seen.few), left_out=reason)
    judged = [_judge(c, column, signs) for c in candidates(name or column.name)]
    if not any(j.is_good for j in judged):
        # Another form of the same instrument, such as a Barthel index of 20 points.
        others = [c for j in judged for c in relatives(j.candidate)]
        judged += [j for c in others if (j := _judge(c, column, signs)).is_good]
    judged.sort(key=lambda j: (-j.candidate.strength, not j.is_good))
    judged = [j for j in judged if j.right_kind]
    if not judged:
        return ColumnProposal(column=column.name, seen=seen, left_out=_unknown(column))
    chosen = judged[0]
    good = [j for j in judged if j.is_good]
    options = tuple(j.option for j in [*good, *(j for j in judged if not j.is_good)])
    if not good:
        return ColumnProposal(
            column=column.name, seen=seen, findings=(Finding("code", Standing.ASKED, options),)
        )
    chosen = good[0]
    proved = chosen.candidate.strength == 3
    code = Finding("code", Standing.PROVED if proved else Standing.GUESSED, options)
    return ColumnProposal(
        column=column.name,
        seen=seen,
        findings=(
            code,
            *_unit(chosen, unit_of(column.name) or unit),
            *_labels(column, chosen.entry),
            *_missing(column, chosen.entry, signs),
        ),
    )


def _kept_out(column: ColumnLook) -> LeftOut | None:
    if is_called(column.name, "identifying"):
        return LeftOut.IDENTIFIES
    if not column.filled:
        return LeftOut.EMPTY
    return LeftOut.FREE_TEXT if is_called(column.name, "free_text") else None


def _unknown(column: ColumnLook) -> LeftOut:
    if column.numbers is not None:
        return LeftOut.NUMBER
    if column.dates is not None:
        return LeftOut.DATES
    return LeftOut.LABELS if column.has_labels else LeftOut.FREE_TEXT


def _judge(candidate: Candidate, column: ColumnLook, signs: str) -> Judged:
    entry = vocabulary()[candidate.code]
    if entry.kind is Kind.EVENT:
        right = column.dates is not None or column.numbers is not None
        return Judged(candidate=candidate, entry=entry, right_kind=right)
    if entry.is_numeric:
        if column.numbers is None:
            return Judged(candidate=candidate, entry=entry, right_kind=False)
        value_N = column.number_cells(signs)
        missing_N = numbers_of(column.missing_numbers(entry, signs), signs)
        kept_N = value_N[~np.isin(value_N, missing_N)]
        return Judged(candidate=candidate, entry=entry, fits=tuple(fits(entry, kept_N)))
    right = column.has_labels and column.dates is None
    return Judged(candidate=candidate, entry=entry, right_kind=right)


def _unit(judged: Judged, said: str) -> tuple[Finding, ...]:
    entry = judged.entry
    if not entry.is_numeric:
        return ()
    possible = [fit.unit for fit in judged.fits if fit.is_good]
    if entry.unit.endswith(A_DAY) and f"{said}{A_DAY}" in {fit.unit for fit in judged.fits}:
        # Of a daily value people write minutes and mean minutes a day.
        said = f"{said}{A_DAY}"
    if said in {fit.unit for fit in judged.fits} or (said and _converts(said, entry.unit)):
        reason = Reason(Why.UNIT_IN_NAME)
        proved = not possible or said in possible or entry.unit not in possible
        written = Option(said, (reason,))
        if proved:
            return (Finding("unit", Standing.PROVED, (written,)),)
        others = tuple(Option(unit, (Reason(Why.UNIT_FITS),)) for unit in possible)
        return (Finding("unit", Standing.ASKED, (written, *others)),)
    if entry.unit.startswith(ANNOTATION) or not OTHER_UNITS.get(entry.unit):
        only = Option(entry.unit, (Reason(Why.UNIT_OF_CODE),))
        return (Finding("unit", Standing.PROVED, (only,)),)
    options = tuple(
        Option(unit, (Reason(Why.UNIT_OF_CODE if unit == entry.unit else Why.UNIT_FITS),))
        for unit in possible
    )
    return (Finding("unit", Standing.GUESSED, options),)


def _converts(unit: str, ours: str) -> bool:
    try:
        conversion(unit, ours)
    except (NoConversion, UnitUnknown):
        return False
    return True


def _labels(column: ColumnLook, entry: Code) -> tuple[Finding, ...]:
    """Return which label of the vocabulary each cell stands for; none where they are the same."""
    if not entry.labels or set(column.values) <= set(entry.labels):
        return ()
    return tuple(_label(cell, entry) for cell in sorted(column.values))


def _label(cell: str, entry: Code) -> Finding:
    same = [label for label in entry.labels if squeezed(label) == squeezed(cell)]
    meant = same or [label for label in label_meanings(cell) if label in entry.labels]
    if len(meant) == 1:
        only = Option(meant[0], (Reason(Why.LABEL_WORD, (cell,)),))
        return Finding("labels", Standing.PROVED, (only,), about=cell)
    asked = tuple(Option(label) for label in (meant or entry.labels))
    return Finding("labels", Standing.ASKED, asked, about=cell)


def _missing(column: ColumnLook, entry: Code, signs: str) -> tuple[Finding, ...]:
    """Return the cells that stand for a missing value: words among numbers, and codes like 999."""
    found = []
    for word in sorted(column.words):
        if squeezed(word) in {squeezed(label) for label in entry.labels}:
            continue
        clear = not is_not_measured(word)
        why = Why.LOOKS_MISSING if clear else Why.NO_NUMBER
        standing = Standing.PROVED if clear else Standing.GUESSED
        found.append(Finding("missing", standing, (Option(word, (Reason(why),)),), about=word))
    for cell in column.missing_numbers(entry, signs) if entry.is_numeric and column.numbers else ():
        reasons = (Reason(Why.LOOKS_MISSING), Reason(Why.OUT_OF_RANGE))
        found.append(Finding("missing", Standing.GUESSED, (Option(cell, reasons),), about=cell))
    return tuple(found)
