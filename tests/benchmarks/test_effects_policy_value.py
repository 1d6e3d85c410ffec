from __future__ import annotations

import numpy as np
import pytest

from support.effects.policy_value import Trust, bootstrap_t, policy_value


def simulated(number: int, away: float, seed: int) -> tuple[np.ndarray, ...]:
    """Return decisions of a behaviour and the policy that does the rarer thing with chance away.

    Outcome = 1 where the second action is taken, plus the covariate, plus noise; the truth of the
    policy is the share of the second action.
    """
    rng = np.random.default_rng(seed)
    x = rng.normal(size=number)
    second = 1 / (1 + np.exp(1.5 + x))
    action = (rng.random(number) < second).astype(np.int64)
    outcome = x + action + 0.5 * rng.normal(size=number)
    policy = np.tile([1 - away, away], (number, 1))
    expected = np.stack([x, x + 1], axis=1)
    return (
        outcome,
        action,
        np.stack([1 - second, second], axis=1),
        policy,
        expected,
        np.arange(number),
    )


def test_a_value_is_that_by_hand() -> None:
    """Always the second action; the first had it with chance .5 and gave 4, .4 more than expected
    twice over; of the others it is what is expected: (3 + (4 - 3) / .5 + 3 + 3) / 3.
    """
    found = policy_value(
        np.array([4.0, 1, 2]), np.array([1, 0, 0]), np.full((3, 2), 0.5),
        np.tile([0.0, 1], (3, 1)), np.tile([1.0, 3], (3, 1)), np.arange(3), widest=100,
    )  # fmt: skip
    assert found.doubly_robust.value == pytest.approx(11 / 3)
    assert found.weighted == 4
    assert found.comparable == 1
    assert found.trust is Trust.REFUSED
    assert "1 comparable" in found.reason


def test_trust_follows_what_there_is_to_compare_with() -> None:
    def trust(number: int, away: float = 0.5, widest: float = 2.0) -> Trust:
        return policy_value(*simulated(number, away, seed=1), widest=widest).trust

    assert trust(40) is Trust.REFUSED
    assert trust(200) is Trust.WEAK
    assert trust(2_000) is Trust.SUPPORTED
    rare = policy_value(*simulated(2_000, 1.0, seed=1), widest=2.0)
    assert rare.comparable > 100
    assert rare.trust is Trust.REFUSED
    assert "hardly ever" in rare.reason


def test_an_interval_too_wide_is_refused_however_many_there_are() -> None:
    wide, narrow = (
        policy_value(*simulated(2_000, 0.1, seed=1), widest=widest) for widest in (0.01, 1.0)
    )
    assert narrow.trust is Trust.SUPPORTED
    assert narrow.reason == ""
    assert wide.trust is Trust.REFUSED
    assert "wide" in wide.reason


def test_a_value_is_not_better_by_its_own_account_than_by_the_truth() -> None:
    """SIMULATED: intervals of 80 samples hold the true value about as often as they say."""
    held, values = [], []
    for seed in range(80):
        found = policy_value(*simulated(300, 0.3, seed), widest=10).doubly_robust
        held.append(found.lower <= 0.3 <= found.upper)
        values.append(found.value)
    assert 0.84 <= np.mean(held) <= 0.96
    assert np.mean(values) == pytest.approx(0.3, abs=0.02)


def test_what_was_taken_without_a_chance_is_refused() -> None:
    with pytest.raises(ValueError, match="no chance"):
        policy_value(
            np.ones(2), np.array([0, 1]), np.array([[1.0, 0], [1, 0]]), np.full((2, 2), 0.5),
            np.ones((2, 2)), np.arange(2), widest=1,
        )  # fmt: skip


def test_parts_that_are_all_alike_leave_nothing_uncertain() -> None:
    found = bootstrap_t(np.full(5, 2.0), np.arange(5), 0.9, seed=0)
    assert (found.value, found.lower, found.upper) == (2, 2, 2)


@pytest.mark.parametrize(
    ("outcome", "policy", "named"),
    [([1.0, 2], [0.5, 0.6], "add up"), ([1.0, 2], [1.5, -0.5], "add up"),
     ([1.0, np.nan], [0.5, 0.5], "missing")],
)  # fmt: skip
def test_a_policy_or_an_outcome_that_is_none_is_refused(
    outcome: list[float], policy: list[float], named: str
) -> None:
    even = np.full((2, 2), 0.5)
    with pytest.raises(ValueError, match=named):
        policy_value(
            np.array(outcome), np.array([0, 1]), even, np.tile(policy, (2, 1)), even,
            np.arange(2), widest=1,
        )  # fmt: skip
