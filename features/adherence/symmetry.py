"""How alike both sides do what both are prescribed.

The index of Robinson 1987 (Use of force platform variables to quantify the effects of chiropractic
manipulation on gait symmetry, J Manipulative Physiol Ther 10, 172) as a share, not in per cent: the
difference of the sides over their mean, 0 where they are alike and 2 where one does nothing. Values
are medians of repetitions, so that one that was cut short decides nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import median

from contracts.exercise import Exercise, ExerciseSet, Repetition, Side

LEAST_A_SIDE = 5
"""Measured repetitions of each side from which they are compared (local)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A median of the left and of the right side."""

    left: float
    right: float

    @property
    def asymmetry(self) -> float:
        """Robinson's index as a share, without its sign."""
        mean = (self.left + self.right) / 2
        return abs(self.left - self.right) / mean if mean > 0 else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BothSides:
    """An exercise that both sides did; None where either has too few measured repetitions.

    Parameters
    ----------
    exercise
        Its name.
    range_deg, seconds
        Range of movement and time of a repetition.
    """

    exercise: str
    range_deg: Pair | None
    seconds: Pair | None


def both_sides(done: Iterable[tuple[Exercise, ExerciseSet]]) -> tuple[BothSides, ...]:
    """Return the exercises that both sides did, by name."""
    found: dict[str, dict[Side, list[Repetition]]] = defaultdict(lambda: {"left": [], "right": []})
    names: dict[str, str] = {}
    for exercise, each in done:
        name, side = exercise.key
        names.setdefault(name, exercise.name)
        found[name][side] += each.repetitions
    pairs = (
        BothSides(
            exercise=names[name],
            range_deg=_pair(sides, lambda one: one.range_deg),
            seconds=_pair(sides, lambda one: one.duration_s),
        )
        for name, sides in sorted(found.items())
    )
    return tuple(each for each in pairs if each.range_deg or each.seconds)


def _pair(
    sides: dict[Side, list[Repetition]], measure: Callable[[Repetition], float | None]
) -> Pair | None:
    left, right = (
        [value for one in sides[side] if (value := measure(one)) is not None]
        for side in ("left", "right")
    )
    if min(len(left), len(right)) < LEAST_A_SIDE:
        return None
    return Pair(left=float(median(left)), right=float(median(right)))


def asymmetry_of(pairs: Iterable[Pair | None]) -> float | None:
    """Return the median index of several exercises; None where none is known."""
    known = [pair.asymmetry for pair in pairs if pair is not None]
    return float(median(known)) if known else None
