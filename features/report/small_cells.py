"""Which cells of the page's tables are hidden, so that nobody can be worked out from the others.

A table has one attribute's groups by week, and everybody: groups add up to everybody. That is all
that binds its cells, so the smallest are hidden until no sum tells of fewer than 11 people. (The
audit's report shows intersections too; there an integer programme is needed, `audits.disclosure`.)
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping

from contracts.groups import MINIMUM_SHOWN

People = frozenset[int]


def hidden_groups(
    everybody: People, groups: Mapping[str, Mapping[str, People]]
) -> set[tuple[str, str]]:
    """Return the groups to hide in one week; all of them where everybody is too few.

    Parameters
    ----------
    everybody
        People with a value in the week.
    groups
        People of each group of each attribute; a person is in one group of an attribute.
    """
    size = {(name, group): len(held) for name, of in groups.items() for group, held in of.items()}
    if len(everybody) < MINIMUM_SHOWN:
        return set(size)
    members = {(name, group): held for name, of in groups.items() for group, held in of.items()}
    hidden = {cell for cell, people in size.items() if people < MINIMUM_SHOWN}
    while True:
        shown = {cell: held for cell, held in members.items() if cell not in hidden}
        revealing = [*_revealed_by_everybody(members, hidden)] or [
            *_revealed_by_difference(everybody, shown)
        ]
        if not revealing:
            return hidden
        hidden.add(min(revealing, key=lambda cell: (size[cell], cell)))


def _revealed_by_everybody(
    members: Mapping[tuple[str, str], People], hidden: set[tuple[str, str]]
) -> Iterator[tuple[str, str]]:
    """Yield the shown groups of an attribute whose hidden ones are few together."""
    for name in sorted({name for name, _ in hidden}):
        cells = [cell for cell in members if cell[0] == name]
        together = frozenset[int]().union(*(members[cell] for cell in cells if cell in hidden))
        alone = sum(cell in hidden for cell in cells) == 1
        if 0 < len(together) < MINIMUM_SHOWN or alone:
            yield from (cell for cell in cells if cell not in hidden)


def _revealed_by_difference(
    everybody: People, shown: Mapping[tuple[str, str], People]
) -> Iterator[tuple[str, str]]:
    """Yield groups that differ by few people from another one, from everybody or from the rest."""
    for cell, held in shown.items():
        if 0 < len(everybody - held) < MINIMUM_SHOWN:
            yield cell
    for (one, first), (other, second) in itertools.combinations(shown.items(), 2):
        apart = first ^ second
        if 0 < len(apart) < MINIMUM_SHOWN or 0 < len(everybody - apart) < MINIMUM_SHOWN:
            yield min(one, other, key=lambda cell: (len(shown[cell]), cell))
