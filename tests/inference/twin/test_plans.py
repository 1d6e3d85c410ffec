"""What a plan says: its hours, its burden, and how parts alike become one."""

from __future__ import annotations

import numpy as np
import pytest

from contracts.errors import ForecastRefused
from inference.twin.plans import ALL, Part, Plan, as_now, check_plan, doses_of


def test_a_burden_is_the_mean_up_to_the_day_that_is_asked_about() -> None:
    plan = Plan(
        name="taper",
        parts=(
            Part(hours={ALL: 6.0}, days=14), Part(hours={ALL: 0.0}, days=7), Part(hours={ALL: 3.0}),
        ),
    )  # fmt: skip
    check_plan(plan)
    assert plan.minutes_a_week(7) == pytest.approx(360)
    assert plan.minutes_a_week(21) == pytest.approx(240)
    assert plan.minutes_a_week(42) == pytest.approx((360 * 2 + 180 * 3) / 6)


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ((Part(hours={ALL: 6.0}, days=14),), "plan 'p' does not say what follows its last part"),
        (
            (Part(hours={ALL: 6.0}, days=0), Part(hours={ALL: 1.0})),
            "plan 'p' part 1: 0 days",
        ),
        (
            (Part(hours={ALL: 6.0}, days=7), Part(hours={ALL: 61.0})),
            "plan 'p' part 2: 61 hours a week of 'therapy'",
        ),
    ],
)
def test_a_refusal_names_plan_and_part(parts: tuple[Part, ...], reason: str) -> None:
    with pytest.raises(ForecastRefused) as refused:
        check_plan(Plan(name="p", parts=parts))
    assert refused.value.reason == reason


def test_disciplines_add_up_and_ways_add_nothing() -> None:
    part = Part(hours={"physio": 3.0, "occupational": 2.0, "robot": 1.5})
    assert part.total == 5.0
    check_plan(Plan(name="both", parts=(part,)))


def test_parts_alike_become_one_and_shorter_plans_are_filled_up() -> None:
    same = Plan(name="same", parts=(Part(hours={ALL: 2.0}, days=9), Part(hours={"physio": 2.0})))
    other = Plan(name="other", parts=(Part(hours={ALL: 1.0}, days=9), Part(hours={ALL: 2.0})))
    doses = doses_of([same, as_now(2.0), other])
    np.testing.assert_array_equal(doses.hours_NS[0], doses.hours_NS[1])
    np.testing.assert_array_equal(doses.end_NS, [[np.inf] * 2, [np.inf] * 2, [9, np.inf]])
