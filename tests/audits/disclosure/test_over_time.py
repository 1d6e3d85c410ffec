"""Numbers that are told month after month change only when enough people moved."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from audits.disclosure.over_time import Cell, last_shown, shown
from contracts.groups import MINIMUM_SHOWN

FEW = st.integers(-14, 14)
MONTHS = st.lists(st.dictionaries(st.sampled_from("abc"), FEW), min_size=2, max_size=40)
"""How many people more or fewer each month, by cell; so few that a wrong rule shows them."""


@settings(max_examples=200)
@given(MONTHS)
def test_a_number_changes_only_when_eleven_people_moved(
    months: list[dict[str, int]],
) -> None:
    cells = [("forecast", "sex", name) for name in "abc"]
    truly: Counter[Cell] = Counter()
    numbers: dict[Cell, int] = {}
    at_change = dict.fromkeys(cells, 0)
    for month in months:
        for name, moved in month.items():
            cell = ("forecast", "sex", name)
            truly[cell] = max(0, truly[cell] + moved)
        before, numbers = numbers, last_shown(numbers, truly)
        for cell in cells:
            seen = shown(numbers.get(cell, 0))
            assert seen is None or seen >= MINIMUM_SHOWN
            if seen != shown(before.get(cell, 0)):
                assert abs(truly[cell] - at_change[cell]) >= MINIMUM_SHOWN
            if numbers.get(cell, 0) != before.get(cell, 0):
                at_change[cell] = truly[cell]
            # It is not far from the truth either.
            assert abs(truly[cell] - numbers.get(cell, 0)) < MINIMUM_SHOWN


def test_whoever_comes_alone_is_not_seen() -> None:
    cell = ("forecast", "sex", "female")
    first = last_shown({}, {cell: 29})
    for came in range(1, MINIMUM_SHOWN):
        assert last_shown(first, {cell: 29 + came}) == first
    assert shown(last_shown(first, {cell: 40})[cell]) == 40
