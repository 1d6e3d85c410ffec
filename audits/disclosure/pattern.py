"""Which cells to hide: the fewest that leave a reader nothing about few people (integer programme).

Each set of cells has a variable, 1 where it is hidden. Hidden must be

- a set of fewer than 11 people, or people with or without a milestone, and one whose rest is;
- of a line with a hidden child, another child or the parent; where the parent is shown, children of
  at least 11 people together; where the parent is hidden, at least one child;
- one of two sets that differ by 1 to 10 people.

Among all ways to do so, HiGHS finds one that hides the least (people of a set in logarithms, groups
weighing six times as much as intersections). What the attacker (`attack.leaks`) still finds becomes
another constraint, until he finds nothing. Letters: S sets, D denominators.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from audits.disclosure.attack import close_pairs, leaks
from audits.disclosure.cells import Bools, Cells, Line, small
from contracts.groups import MINIMUM_SHOWN

WEIGHT_OF = {0: 60.0, 1: 6.0, 2: 1.0}
"""How bad it is to hide everyone, a group and an intersection, by the number of attributes."""

HORIZON_WEIGHT = 0.5
"""How bad it is to hide one horizon instead of all together."""

GAP, NODES = 0.05, 500
"""How far from the best a pattern may be, and how long to look for a better one. Not a time: the
same cohort gets the same pattern on every machine."""

MOST_ROUNDS, ROUNDS_PER_MORE = 60, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class _AtLeast:
    """A weighted sum of the variables of some sets must be at least `least`."""

    weight_of: dict[int, float]
    least: float = 0.0


def _some_of(sets: Sequence[int], least: int) -> _AtLeast:
    return _AtLeast(weight_of=dict.fromkeys(sets, 1.0), least=float(min(least, len(sets))))


def hidden_sets(
    cells: Cells, hidden_already_S: Bools, beside_earlier: Cells | None = None
) -> Bools:
    """Return which sets to hide.

    Parameters
    ----------
    cells
        All sets that could be shown, with their equations.
    hidden_already_S
        Sets that are hidden for another reason, such as in a coarser table.
    beside_earlier
        The same cells, and those that only earlier reports have shown (`earlier.beside`).
    """
    must_S = hidden_already_S | small(cells.people_SD) | small(cells.rest_SD)
    constraints = [*_of_lines(cells), *(_some_of(pair, 1) for pair in close_pairs(cells, ~must_S))]
    for number in range(MOST_ROUNDS):
        hidden_S = _least(cells, must_S, constraints)
        found = [leak.used for leak in leaks(cells, ~hidden_S)]
        if beside_earlier is not None:
            found += _revealed_together(cells, beside_earlier, hidden_S)
        if not found:
            return hidden_S
        # One would do for this combination; ever more, lest the next round finds its neighbour.
        constraints += [_some_of(used, 1 + number // ROUNDS_PER_MORE) for used in found]
    return np.ones(cells.sets, dtype=np.bool_)


def _revealed_together(cells: Cells, known: Cells, hidden_S: Bools) -> list[tuple[int, ...]]:
    """Return the sets of which any must be hidden, lest they tell of few beside earlier reports.

    What earlier reports tell by themselves, nobody can take back.

    Parameters
    ----------
    known
        The same cells beside earlier ones, in sets of its own.
    """
    is_known = np.zeros(known.sets, bool) if known.published_S is None else known.published_S
    shows = np.zeros(known.sets, bool)
    shows[[known.set_of[cell] for cell, s in cells.set_of.items() if not hidden_S[s]]] = True
    if len(known.set_of) == len(cells.set_of) and not (is_known & ~shows).any():
        # Earlier reports show nothing that this one does not.
        return []
    found = (
        {
            cells.set_of[cell]
            for number in leak.used
            if not is_known[number]
            for cell in known.cells_of[number]
            if cell in cells.set_of
        }
        for leak in leaks(known, is_known | shows)
    )
    return [tuple(sorted(used)) for used in found if used]


def _of_lines(cells: Cells) -> Iterator[_AtLeast]:
    for line in cells.lines:
        yield _AtLeast(weight_of={**dict.fromkeys(line.children, 1.0), line.parent: -1.0})
        for child in line.children:
            others = dict.fromkeys((*line.children, line.parent), 1.0)
            yield _AtLeast(weight_of={**others, child: -1.0})
            yield from _enough_together(cells, line, child)


def _enough_together(cells: Cells, line: Line, child: int) -> Iterator[_AtLeast]:
    """Yield that what is hidden with a small child holds at least 11 people with it."""
    for people_S in cells.people_SD.T:
        lacking = float(MINIMUM_SHOWN - people_S[child])
        if lacking > 0:
            held = {other: min(float(people_S[other]), lacking) for other in line.children}
            yield _AtLeast(weight_of={**held, line.parent: lacking, child: -lacking})


def _least(cells: Cells, must_S: Bools, constraints: list[_AtLeast]) -> Bools:
    """Return the least that satisfies all constraints; everything where none was found."""
    matrix = sparse.csr_array(
        (
            [value for each in constraints for value in each.weight_of.values()],
            [number for each in constraints for number in each.weight_of],
            np.cumsum([0, *(len(each.weight_of) for each in constraints)]),
        ),
        shape=(len(constraints), cells.sets),
    )
    least = np.array([each.least for each in constraints])
    # Here: whoever only reads reports, as the service does, starts 0.2 s sooner without.
    from scipy.optimize import Bounds, LinearConstraint, milp

    solved = milp(
        _weights(cells),
        integrality=np.ones(cells.sets),
        bounds=Bounds(must_S.astype(np.float64), 1.0),
        constraints=[LinearConstraint(matrix, least, np.inf)] if constraints else (),
        options={"mip_rel_gap": GAP, "node_limit": NODES},
    )
    if solved.x is None:
        return np.ones(cells.sets, dtype=np.bool_)
    return np.asarray(solved.x > 0.5) | must_S


def _weights(cells: Cells) -> NDArray[np.float64]:
    """Return how bad it is to hide each set: the sum over its cells."""
    weight_S = np.zeros(cells.sets)
    for cell, number in cells.set_of.items():
        kind = WEIGHT_OF[cells.attributes_of[cell.axis]]
        weight_S[number] += kind * (1.0 if cell.horizon_day is None else HORIZON_WEIGHT)
    return weight_S * np.log1p(cells.people_SD[:, 0])
