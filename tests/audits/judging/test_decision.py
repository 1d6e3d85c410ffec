"""What an interval near a limit says: a bootstrap's ends depend on its draws."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audits.judging.decision import decide
from audits.judging.policy import Policy, Rule, load_policy
from audits.measure.disparity import Direction
from audits.measure.intervals import Interval
from contracts.verdict import Outcome

numbers = st.floats(-20, 20)


@pytest.fixture(scope="module")
def rule() -> Rule:
    policy: Policy = load_policy()
    return next(rule for rule in policy.rules if rule.metric == "signed error")


def with_limit(rule: Rule, direction: Direction, limit: float) -> Rule:
    return rule.model_copy(update={"direction": direction, "limit": limit})


@pytest.mark.parametrize(
    ("direction", "limit", "low", "high", "expected"),
    [
        (Direction.AT_MOST, 4.0, -4.01, 1.0, Outcome.PASS),
        (Direction.AT_MOST, 4.0, -4.01, 3.99, Outcome.REVIEW),
        (Direction.AT_LEAST, -4.0, 1.0, 4.01, Outcome.PASS),
        (Direction.AT_LEAST, -4.0, -3.99, 4.01, Outcome.REVIEW),
        (Direction.WITHIN, 4.0, -3.99, 1.0, Outcome.REVIEW),
        (Direction.WITHIN, 4.0, -3.0, 1.0, Outcome.PASS),
    ],
)
def test_only_an_end_near_the_limit_itself_needs_review(
    rule: Rule, direction: Direction, limit: float, low: float, high: float, expected: Outcome
) -> None:
    """Minus the limit of a rule with one side is a number like any other."""
    found = decide(
        with_limit(rule, direction, limit), (low + high) / 2, Interval(low=low, high=high), 1.0,
        monte_carlo=0.1,
    )  # fmt: skip
    assert found is expected


@given(
    direction=st.sampled_from(Direction), limit=st.floats(0.5, 10), side=st.sampled_from([-1, 1]),
    near=st.floats(-2, 2), other=numbers, monte_carlo=st.floats(0, 2),
    adjusted_p=st.sampled_from([0.001, 0.9]),
)  # fmt: skip
def test_draws_change_an_outcome_just_where_they_can_move_an_end_across_the_limit(
    rule: Rule, direction: Direction, limit: float, side: int, near: float, other: float,
    monte_carlo: float, adjusted_p: float,
) -> None:  # fmt: skip
    rule = with_limit(rule, direction, limit)
    ends = (side * limit + near, other)
    interval = Interval(low=min(ends), high=max(ends))
    estimate = sum(ends) / 2
    exact = decide(rule, estimate, interval, adjusted_p)
    found = decide(rule, estimate, interval, adjusted_p, monte_carlo=monte_carlo)
    nearest = min(abs(direction.excess(end, limit)) for end in ends)
    if exact is Outcome.PASS:
        assert found is (Outcome.REVIEW if nearest < monte_carlo else Outcome.PASS)
    elif nearest >= monte_carlo:
        assert found is exact
