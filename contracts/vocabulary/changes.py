"""Changes of a score: which are more than the error of measuring one person."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

from contracts.naming.units import unit_in_words
from contracts.naming.worded import Worded
from contracts.vocabulary.instruments import (
    Figure,
    ImportantDifference,
    MeasurementError,
    instruments,
)
from contracts.vocabulary.known import vocabulary

SURE_95 = 1.959964 * math.sqrt(2)
"""Standard errors of measurement by which two scores of one person without change differ at most,
in 95 of 100 (Weir 2005)."""

SURE_90 = 1.644854 * math.sqrt(2)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeastChange:
    """The smallest change of one person's score that is more than the error of measuring.

    Parameters
    ----------
    points
        In the instrument's unit.
    error
        What it follows from.
    """

    points: float
    error: MeasurementError


def least_change(code: str, score: float | None = None) -> LeastChange | None:
    """Return the largest of the published smallest changes; None where none was read.

    Parameters
    ----------
    score
        The earlier one, which some errors depend on: without it they are left out.
    """
    known = instruments().get(code)
    if known is None:
        return None
    found = [
        LeastChange(points=points, error=error)
        for error in known.errors
        if (points := _points(error, score)) is not None
    ]
    return max(found, key=lambda least: least.points, default=None)


def _points(error: MeasurementError, score: float | None) -> float | None:
    """Return what an error means for a change from a score; None where it does not hold of it."""
    size = error.value if error.to is None else error.to
    depends = error.percent or error.scores_from is not None or error.scores_below is not None
    if score is None:
        return None if depends else size * (SURE_95 if error.kind == "sem" else 1.0)
    below = error.scores_below is not None and score >= error.scores_below
    if below or (error.scores_from is not None and score < error.scores_from):
        return None
    size *= SURE_95 if error.kind == "sem" else 1.0
    return abs(score) * size / 100 if error.percent else size


def standard_error(code: str) -> float | None:
    """Return the largest published standard error of measurement; None where none was read.

    Also where the smallest detectable change was published with its confidence, which says as much.
    """
    known = instruments().get(code)
    sure = {"sem": 1.0, "mdc90": SURE_90, "mdc95": SURE_95}
    found = [
        error.value / sure[error.kind]
        for error in (() if known is None else known.errors)
        if error.kind in sure
        and not error.percent
        and error.scores_below is None
        and error.scores_from is None
    ]
    return max(found, default=None)


def amount_in_words(code: str, amount: float) -> str:
    """Return an amount of a code with its unit, such as `6 points`."""
    return with_unit(code, f"{amount:g}")


def with_unit(code: str, shown: str) -> str:
    """Return a score or a change as it is shown, with its unit: wherever a sentence says one."""
    return str(Amount(code, shown))


class Amount(Worded):
    """A score or a change with its unit, to be said in the reader's language.

    Parameters
    ----------
    shown
        The number as it is shown.
    """

    shown: str
    unit: str

    def __new__(cls, code: str, shown: str) -> Self:
        """Make the text in English, and keep its number and unit."""
        unit = unit_of(code, float(shown.replace(",", ""))) if code in vocabulary() else ""
        made = super().__new__(cls, f"{shown} {unit}".rstrip())
        made.shown, made.unit = shown, unit
        return made


def unit_of(code: str, amount: float) -> str:
    """Return the unit of an amount in words: `points`, of one `point`."""
    unit = unit_in_words(vocabulary()[code].unit)
    word, blank, rest = unit.partition(" ")
    is_one = abs(amount) == 1 and len(word) > len("ms") and word.endswith("s")
    return f"{word.removesuffix('s')}{blank}{rest}" if is_one else unit


def noise_in_words(code: str, change: float, before: float | None = None) -> str:
    """Say that a change of one person is less than the error of measuring; empty where it is not.

    Wherever a change of a score is worded, this is said behind it.

    Parameters
    ----------
    change
        Of the score, of either sign.
    before
        The earlier score; None where it is not of one person, such as a milestone's gain.
    """
    least = least_change(code, before)
    if least is None or abs(change) >= least.points:
        return ""
    return (
        f"less than the {amount_in_words(code, round(least.points, 2))} by which two scores of one"
        f" person may differ without any change ({figure_in_words(least.error)}), so that it is"
        " partly noise"
    )


def size_in_words(code: str, figure: Figure) -> str:
    """Return a figure with its unit: `6 points`, `6.5 to 12.5 points`, `20 % of the score`."""
    until = "" if figure.to is None else f" to {figure.to:g}"
    unit = unit_of(code, figure.value if figure.to is None else figure.to)
    return f"{figure.value:g}{until} {'% of the score' if figure.percent else unit}".rstrip()


def difference_in_words(code: str, difference: ImportantDifference) -> str:
    """Return an important difference with what is known of it."""
    for_whom = "" if difference.direction == "both" else difference.direction
    judged = f"judged by {difference.anchor}" if difference.anchor else ""
    about = (for_whom, difference.meaning, difference.time, judged, figure_in_words(difference))
    return f"{size_in_words(code, difference)} ({'; '.join(part for part in about if part)})"


def figure_in_words(figure: Figure) -> str:
    """Say of whom and from where a figure is."""
    people = "" if figure.people is None else f"n = {figure.people:,}"
    return "; ".join(part for part in (figure.population, people, figure.source) if part)
