"""What advice would have been worth to people who were treated by somebody else's judgement.

Letters: N decisions, A actions, C clusters, R bootstrap draws.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from inference.twin.sensitivity import effective_sample_size
from support.effects.average import Estimate, by_cluster, ratio_and_error
from support.effects.nuisances import FEWEST, LEAST_CHANCE

Array = NDArray[np.float64]

ENOUGH = 100
"""Comparable decisions below which a value is called weak: 90 % intervals held only 83 to 88 %."""
DRAWS = 999


class Trust(StrEnum):
    """How far a value can be trusted."""

    SUPPORTED = "supported"
    WEAK = "weak"
    REFUSED = "refused"


@dataclass(frozen=True)
class PolicyValue:
    """The mean outcome that a policy would have had."""

    doubly_robust: Estimate
    weighted: float
    """By weighted importance sampling alone, beside it: far apart, one of the models is wrong."""
    comparable: float
    """Effective sample size of the weights."""
    outside: float
    """Share of the policy's actions that had a chance below `LEAST_CHANCE`."""
    trust: Trust
    reason: str
    """Why it is weak or refused; empty where it is supported."""


def policy_value(
    outcome_N: Array,
    action_N: NDArray[np.int64],
    behaviour_NA: Array,
    policy_NA: Array,
    expected_NA: Array,
    cluster_N: NDArray[np.int64],
    *,
    widest: float,
    level: float = 0.9,
    seed: int = 0,
) -> PolicyValue:
    """Estimate the value of a policy from decisions that another made (Dudik 2011).

    Of each decision what the policy's actions are expected to give, and the surprise of the action
    that was taken, weighted by how much more often the policy takes it. The interval is bootstrap-t
    by cluster, since weights make a normal one too narrow.

    Parameters
    ----------
    behaviour_NA, policy_NA
        Chances of each action, as it was decided (out of fold) and by the policy.
    expected_NA
        Expected outcome of each action, out of fold.
    widest
        An interval wider than this is refused: the sample size of weights cannot see how wrong the
        expected outcomes are.

    Raises
    ------
    ValueError
        If an action was taken that had no chance, a policy's chances do not add up to 1, an outcome
        is not finite or there are fewer than two clusters.
    """
    if not (np.allclose(policy_NA.sum(axis=1), 1) and (policy_NA >= 0).all()):
        raise ValueError("the chances that a policy gives to its actions have to add up to 1")
    if not np.isfinite(outcome_N).all():
        raise ValueError("an outcome is missing: leave the decision out and say so")
    row_N = np.arange(len(outcome_N))
    taken_N = behaviour_NA[row_N, action_N]
    if (taken_N <= 0).any():
        raise ValueError("an action was taken that had no chance: its behaviour is not modelled")
    weight_N = policy_NA[row_N, action_N] / taken_N
    part_N = (policy_NA * expected_NA).sum(axis=1) + weight_N * (
        outcome_N - expected_NA[row_N, action_N]
    )
    robust = bootstrap_t(part_N, cluster_N, level, seed)
    total = weight_N.sum()
    comparable = effective_sample_size(weight_N)
    outside = float((policy_NA * (behaviour_NA < LEAST_CHANCE)).sum(axis=1).mean())
    trust, reason = _judged(comparable, outside, robust.upper - robust.lower, widest)
    return PolicyValue(
        robust,
        float((weight_N * outcome_N).sum() / total) if total else float("nan"),
        comparable, outside, trust, reason,
    )  # fmt: skip


def _judged(comparable: float, outside: float, width: float, widest: float) -> tuple[Trust, str]:
    if comparable < FEWEST:
        return Trust.REFUSED, f"only {comparable:.0f} comparable decisions, {FEWEST} are needed"
    if outside > LEAST_CHANCE:
        return Trust.REFUSED, f"{outside:.0%} of its actions were hardly ever taken"
    if not width <= widest:
        return Trust.REFUSED, f"the interval is {width:.3g} wide, more than {widest:.3g}"
    if comparable < ENOUGH:
        return Trust.WEAK, f"only {comparable:.0f} comparable decisions, {ENOUGH} are enough"
    return Trust.SUPPORTED, ""


def bootstrap_t(part_N: Array, cluster_N: NDArray[np.int64], level: float, seed: int) -> Estimate:
    """Return a mean with its bootstrap-t interval, clusters drawn with replacement (Efron 1979).

    Draws in which every cluster is alike have no standard error and are left out.
    """
    sum_C, size_C = by_cluster(part_N, cluster_N)
    value, error = (float(x) for x in ratio_and_error(sum_C, size_C))
    rng = np.random.default_rng(seed)
    t_R = np.full(DRAWS, np.nan)
    for draw in range(DRAWS):
        picked_C = rng.integers(0, len(sum_C), len(sum_C))
        mean, spread = ratio_and_error(sum_C[picked_C], size_C[picked_C])
        if spread > 0:
            t_R[draw] = (mean - value) / spread
    if np.isnan(t_R).all():
        return Estimate(value, error, value, value)
    low, high = np.nanquantile(t_R, [(1 - level) / 2, (1 + level) / 2])
    return Estimate(value, error, value - float(high) * error, value - float(low) * error)
