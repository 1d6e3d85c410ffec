"""Counts that are told again and again: one changes only when enough people moved.

Of 60 people and of 61 a month later the difference is one person. So what is told of a cell stays
as it was until at least `MINIMUM_SHOWN` people more or fewer are in it than when it last changed,
and then it is told to a ten. People of a cell that was never told wait until they are so many.
"""

from __future__ import annotations

from collections.abc import Mapping

from contracts.groups import last_shown as number_last_shown
from contracts.groups import rounded_people

Cell = tuple[str, ...]
"""What is counted, and of which attribute and label."""


def last_shown(before: Mapping[Cell, int], now: Mapping[Cell, int]) -> dict[Cell, int]:
    """Return the number of people that each cell is told from.

    Parameters
    ----------
    before
        What this function returned the last time; empty the first time.
    now
        People in each cell now; a cell that is not named has none.

    Returns
    -------
    The number as it was when the cell last changed, 0 where it never did.
    """
    return {
        cell: number_last_shown(before.get(cell, 0), now.get(cell, 0))
        for cell in sorted({*before, *now})
    }


def shown(people: int) -> int | None:
    """Return what readers see of a number of `last_shown`: at least so many; None where hidden."""
    return rounded_people(people)
