from __future__ import annotations

from itertools import permutations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from serving.forecast.shapley import coalitions, shapley_weights


@given(st.integers(1, 5), st.integers(0, 2**31))
def test_values_are_the_mean_marginal_gain_over_all_orders(players: int, seed: int) -> None:
    """Against the definition: join one by one, in every order (Shapley 1953)."""
    value_K = np.random.default_rng(seed).normal(size=2**players)
    gained = np.zeros(players)
    orders = list(permutations(range(players)))
    for order in orders:
        joined = 0
        for player in order:
            gained[player] += value_K[joined | 1 << player] - value_K[joined]
            joined |= 1 << player
    np.testing.assert_allclose(shapley_weights(players) @ value_K, gained / len(orders), atol=1e-12)


def test_a_coalition_is_its_number_in_binary() -> None:
    assert coalitions(2).tolist() == [[False, False], [True, False], [False, True], [True, True]]


def test_nobody_shares_nothing() -> None:
    assert shapley_weights(0).shape == (0, 1)
