"""How an edition says its facts; made last, and read by nobody's program."""

from __future__ import annotations

from datetime import date

from audits.judging.wording import group_in_words
from audits.measure.groups import EVERYONE
from audits.report.monthly.content import TestShown

NOT_SHOWN = "not shown"
VERY_LARGE = 1_000_000


def month_in_words(month: str) -> str:
    """Say a month of the form YYYY-MM."""
    return f"{date.fromisoformat(f'{month}-01'):%B %Y}"


def people_in_words(people: int | None) -> str:
    """Say a number of people as it is told."""
    return NOT_SHOWN if people is None else f"{people} or more"


def test_in_words(test: TestShown) -> str:
    """Say what a test tests: the rule, of whom, and on which side."""
    milestone = "" if test.milestone is None else f" ({test.milestone})"
    who = "" if test.attribute == EVERYONE else f", {group_in_words(test.attribute, test.group)}"
    return f"{test.rule}{milestone}{who}, {test.side}"


def row_of(test: TestShown) -> tuple[str, str, str, str]:
    """Return a test that has a point as a row: what, e-value now and at most, what is needed."""
    last = test.points[-1]
    numbers = (e_value_in_words(last.e_value), e_value_in_words(last.largest))
    return test_in_words(test), *numbers, f"{test.needed:,.0f}"


def e_value_in_words(e_value: float) -> str:
    """Say an e-value as it is told: to two digits, and of the largest that they are very large."""
    if e_value >= VERY_LARGE:
        return "over a million"
    rounded = float(f"{e_value:.2g}")
    return f"{rounded:,.0f}" if rounded >= 100 else f"{rounded:g}"
