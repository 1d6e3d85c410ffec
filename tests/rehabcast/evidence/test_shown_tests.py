"""What a run shows of a test: nothing of few people, and nothing new for a few more."""

from __future__ import annotations

from dataclasses import replace

from audits.sequential.course import Courses, Point
from audits.sequential.hypotheses import Hypothesis
from audits.sequential.plan import load_plan
from audits.sequential.state import Standing, Standings
from contracts.groups import MINIMUM_SHOWN
from rehabcast.evidence.shown_tests import foremost, shown

TEST = Standing(
    hypothesis=Hypothesis(
        rule="r", axis="sex", group="other", sign=1, limit=1.0, bound=1.0, is_clipped=False
    ),
    e_value=3.14159, largest=4.2, payoffs=MINIMUM_SHOWN - 1, weight=0.5,
)  # fmt: skip


def stand(test: Standing) -> Standings:
    return Standings(
        weeks=9, due=99, observed=99, due_of={}, tests=(test,), mean=1.0, largest_mean=1.0
    )


def test_a_test_of_few_people_has_no_number_in_the_ledger_nor_a_line_in_a_run() -> None:
    plan = load_plan()
    assert (shown(TEST, plan).e_value, shown(TEST, plan).largest) == (None, None)
    assert foremost(stand(TEST), Courses(mean=(), tests=((),)), plan) == ()
    assert shown(replace(TEST, payoffs=MINIMUM_SHOWN), plan).e_value == TEST.e_value


def test_one_more_person_changes_nothing_that_a_run_shows() -> None:
    plan, point = load_plan(), Point(week=3, e_value=2.1, largest=2.5)
    went = Courses(mean=(), tests=((point,),))
    before = foremost(stand(replace(TEST, payoffs=12)), went, plan)
    after = foremost(stand(replace(TEST, payoffs=13, e_value=9.9, largest=9.9)), went, plan)
    assert before == after
    assert (before[0].e_value, before[0].largest) == (2.1, 2.5)
