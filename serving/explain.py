"""Exact Shapley values of a forecast, by modality, in score points.

Letters: M modalities (players), K = 2^M coalitions, E embedding width.

A coalition re-runs only the small head over cached embeddings (docs/decisions/0002), so all of them
are one batch over the same embeddings and nothing is sampled. An absent player is one that the
network met in training: the base value is the forecast for somebody of whom nothing is known.
"""

from __future__ import annotations

from math import factorial

import numpy as np
import shap
from numpy.typing import NDArray

from contracts.errors import IntegrityError
from contracts.forecast import MEDIAN
from serving.bundle import Bundle, join

LARGEST_GAP = 1e-4
"""Score points by which base and contributions may miss the forecast; more is no explanation."""


def explain(
    bundle: Bundle,
    embeddings_1ME: NDArray[np.float32],
    present_1M: NDArray[np.float32],
    horizon: int,
) -> shap.Explanation:
    """Explain the median at one horizon.

    Parameters
    ----------
    embeddings_1ME, present_1M
        One pair's embeddings, and which modalities were observed.
    horizon
        Index of the horizon.

    Returns
    -------
    `values` (M,) and `base_values` in score points, `data` the present flags, `feature_names` the
    modalities. A modality that was not observed has exactly 0.

    Raises
    ------
    IntegrityError
        Base and contributions miss the forecast by more than `LARGEST_GAP`.
    """
    observed = np.flatnonzero(present_1M[0])
    coalition_KP = coalitions(len(observed))
    present_KM = np.zeros((len(coalition_KP), present_1M.shape[1]), dtype=np.float32)
    present_KM[:, observed] = coalition_KP
    worth_K = join(bundle, embeddings_1ME, present_KM)[:, horizon, MEDIAN]
    value_M = np.zeros(present_1M.shape[1])
    value_M[observed] = shapley_weights(len(observed)) @ worth_K
    gap = abs(worth_K[0] + value_M.sum() - worth_K[-1])
    if not gap <= LARGEST_GAP:
        raise IntegrityError(f"the explanation misses the forecast by {gap:.2g} points: not shown")
    return shap.Explanation(
        values=value_M,
        base_values=worth_K[0],
        data=present_1M[0],
        feature_names=list(bundle.manifest.modalities),
    )


def coalitions(players: int) -> NDArray[np.bool_]:
    """Return every coalition as a row of membership, (2^players, players); row k is k in binary."""
    number_K = np.arange(2**players)
    return np.asarray((number_K[:, None] >> np.arange(players)) % 2 == 1, dtype=np.bool_)


def shapley_weights(players: int) -> NDArray[np.float64]:
    """Return the matrix (players, 2^players) that turns coalitions' worths into Shapley values.

    Source: Shapley 1953: a coalition S without the player weighs |S|! (n - |S| - 1)! / n!, counted
    minus for S and plus for S with the player.
    """
    member_KP = coalitions(players)
    size_K = member_KP.sum(axis=1)
    others_KP = size_K[:, None] - member_KP
    weight_S = np.array(
        [factorial(s) * factorial(players - s - 1) / factorial(players) for s in range(players)]
    )
    if players == 0:
        return np.zeros((0, 1))
    signed_KP = np.where(member_KP, 1.0, -1.0) * weight_S[others_KP]
    return np.asarray(signed_KP.T, dtype=np.float64)
