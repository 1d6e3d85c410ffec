"""E-values as they are told: a point for each 11 people, and none ever changes."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from audits.judging.policy import load_policy
from audits.sequential.betting import growth
from audits.sequential.course import courses
from audits.sequential.hypotheses import hypotheses
from audits.sequential.plan import load_plan
from audits.sequential.state import standings
from contracts.groups import MINIMUM_SHOWN

PLAN = load_plan()
TESTED = hypotheses(load_policy(), {"sex": ("female", "male")}, ("important gain",), 14.875)[:4]


def week(number: int, people: tuple[int, ...], payoff: float) -> tuple[int, dict[str, Any]]:
    paid = {t.name: n for t, n in zip(TESTED, people, strict=True) if n}
    bound = {t.name: t.bound for t in TESTED}
    return number, {
        "growth": {
            name: growth(np.full(n, payoff * bound[name]), bound[name]).tolist()
            for name, n in paid.items()
        },
        "payoffs": paid,
        "due": sum(people),
        "observed": sum(people),
        "due_of": {},
    }


PEOPLE = st.tuples(*[st.integers(0, 6)] * len(TESTED))
WEEKS = st.lists(st.tuples(PEOPLE, st.floats(-0.9, 0.9)), min_size=1, max_size=25)


@settings(max_examples=60, deadline=None)
@given(WEEKS, st.data())
def test_what_was_told_is_told_again_and_eleven_people_stand_between_two_points(
    drawn: list[tuple[tuple[int, ...], float]], data: st.DataObject
) -> None:
    weeks = [week(100 + n, *each) for n, each in enumerate(drawn)]
    until = data.draw(st.integers(1, len(weeks)))
    whole, part = (courses(100, some, TESTED, PLAN) for some in (weeks, weeks[:until]))
    for now, before in zip((whole.mean, *whole.tests), (part.mean, *part.tests), strict=True):
        assert now[: len(before)] == before
    for test, points in zip(TESTED, whole.tests, strict=True):
        edges = [-1, *(point.week - 100 for point in points)]
        for start, end in pairwise(edges):
            between = weeks[start + 1 : end + 1]
            assert sum(s["payoffs"].get(test.name, 0) for _, s in between) >= MINIMUM_SHOWN
        largest = [point.largest for point in points]
        assert largest == sorted(largest)


def test_a_told_value_is_that_of_the_test() -> None:
    weeks = [week(100 + n, (11, 11, 11, 11), 0.4) for n in range(6)]
    stand = standings(100, weeks, TESTED, PLAN)
    whole = courses(100, weeks, TESTED, PLAN)
    assert [points[-1].e_value for points in whole.tests] == [
        float(f"{test.e_value:.2g}") for test in stand.tests
    ]
    assert whole.mean[-1].largest == float(f"{stand.largest_mean:.2g}")
    assert [point.week for point in whole.mean] == list(range(100, 106))


def test_without_a_week_there_is_no_point() -> None:
    none = courses(0, [], TESTED, PLAN)
    assert (none.mean, none.tests) == ((), ((),) * len(TESTED))
