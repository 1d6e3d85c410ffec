"""Shapley values from the value of every coalition."""

from __future__ import annotations

from functools import cache
from math import factorial

import numpy as np
from numpy.typing import NDArray


@cache
def coalitions(players: int) -> NDArray[np.bool_]:
    """Return every coalition as a row of membership, (2^players, players); row k is k in binary."""
    number_K = np.arange(2**players)
    return np.asarray((number_K[:, None] >> np.arange(players)) % 2 == 1, dtype=np.bool_)


@cache
def shapley_weights(players: int) -> NDArray[np.float64]:
    """Return the matrix (players, 2^players) from values of coalitions to Shapley values.

    Source: Shapley 1953. A coalition S without the player has weight |S|! (n - |S| - 1)! / n!,
    negative for S and positive for S with the player.
    """
    if players == 0:
        return np.zeros((0, 1))
    member_KP = coalitions(players)
    size_K = member_KP.sum(axis=1)
    others_KP = size_K[:, None] - member_KP
    weight_S = np.array(
        [factorial(s) * factorial(players - s - 1) / factorial(players) for s in range(players)]
    )
    signed_KP = np.where(member_KP, 1.0, -1.0) * weight_S[others_KP]
    return np.asarray(signed_KP.T, dtype=np.float64)
