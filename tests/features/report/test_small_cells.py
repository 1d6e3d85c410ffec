from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from features.report.small_cells import hidden_groups


def split(sizes: tuple[int, ...]) -> dict[str, frozenset[int]]:
    """Return groups of consecutive people of these sizes."""
    ends = [0, *itertools.accumulate(sizes)]
    return {f"g{n}": frozenset(range(a, b)) for n, (a, b) in enumerate(itertools.pairwise(ends))}


def hidden(*attributes: tuple[int, ...]) -> set[tuple[str, str]]:
    people = frozenset(range(sum(attributes[0])))
    return hidden_groups(people, {f"a{n}": split(sizes) for n, sizes in enumerate(attributes)})


def test_a_small_group_takes_the_next_smallest_with_it() -> None:
    assert hidden((60, 6, 30)) == {("a0", "g1"), ("a0", "g2")}
    assert hidden((60, 6, 5, 30)) == {("a0", "g1"), ("a0", "g2")}
    assert hidden((60, 6, 4, 30)) == {("a0", "g1"), ("a0", "g2"), ("a0", "g3")}
    assert hidden((60, 40)) == set()
    assert hidden((6, 4)) == {("a0", "g0"), ("a0", "g1")}


def test_groups_of_two_attributes_that_differ_by_few_are_not_both_shown() -> None:
    # g0 of both differ by three people; so do the g1, which are hidden with one of them.
    assert len(hidden((40, 60), (43, 57))) == 2


@given(st.lists(st.lists(st.integers(0, 4), min_size=60, max_size=60), min_size=1, max_size=3))
def test_nothing_shown_tells_of_fewer_than_eleven(labels: list[list[int]]) -> None:
    everybody = frozenset(range(60))
    groups = {
        f"a{n}": {
            f"g{g}": frozenset(p for p in everybody if label[p] == g) for g in sorted(set(label))
        }
        for n, label in enumerate(labels)
    }
    gone = hidden_groups(everybody, groups)
    shown = [h for name, of in groups.items() for g, h in of.items() if (name, g) not in gone]
    known = [everybody, *shown]
    for name, of in groups.items():
        left = frozenset().union(*(h for g, h in of.items() if (name, g) in gone))
        assert not left or len(left) >= 11
        assert sum((name, g) in gone for g in of) != 1 or len(of) == 1
    for one, other in itertools.combinations(known, 2):
        assert not 0 < len(one ^ other) < 11
