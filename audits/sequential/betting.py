"""Bets against "the rule is kept": e-processes whose looks are free.

Each person whose outcome counts pays `d`, whose mean is at most 0 while the rule is kept, and which
is never below `-b`. Who bets the share `f` of their wealth on the rule being broken then has

    S_k(t) = sum of log(1 + f_k d / b)

and no strategy makes money of a rule that is kept. Wealth is spread over several bets, and over
several starts, as one that begins with two good years has lost what it needs to see a third, bad
one:

    E(t) = sum_j w_j mean_k exp(S_k(t) - S_k(s_j)),

where what waits for its start is kept as it is. Each E starts at 1 and is a nonnegative
supermartingale while the rule is kept, so that the chance that it ever reaches 1/alpha is at most
alpha (Ville 1939), however often one looks (Waudby-Smith and Ramdas 2024, arXiv:2010.09686;
Chugg et al. 2023, arXiv:2305.17570, for fairness). The bets are constants, so that the order of
people does not matter.

Letters: N payoffs, K bets, W weeks, J starts; T tests at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

BETS_K: Array = np.geomspace(0.03, 0.95, 12)
"""Shares of the wealth: the smallest find small harm in many, the largest great harm in few."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Starts:
    """When bets start, and with which part of the wealth.

    Parameters
    ----------
    every_weeks, count
        Starts after the first, and how many there are of them.
    first_weight
        Of the first start; the others share the rest.
    """

    every_weeks: int
    count: int
    first_weight: float

    @property
    def weeks_J(self) -> NDArray[np.int64]:
        """Weeks after which each bets."""
        return self.every_weeks * np.arange(self.count + 1)

    @property
    def weights_J(self) -> Array:
        """Parts of the wealth; they add up to 1."""
        others = np.full(self.count, (1 - self.first_weight) / max(1, self.count))
        return np.concatenate([[self.first_weight if self.count else 1.0], others])


ONE_START = Starts(every_weeks=1, count=0, first_weight=1.0)


def growth(payoff_N: Array, bound: float) -> Array:
    """Return what payoffs add to the logarithm of each bet's wealth, (K,).

    Parameters
    ----------
    payoff_N
        Mean at most 0 while the rule is kept, and none below `-bound`.
    bound
        Above 0.
    """
    return np.asarray(np.log1p(np.multiply.outer(payoff_N / bound, BETS_K)).sum(axis=0))


def e_process(growth_WTK: Array, starts: Starts) -> Array:
    """Return the e-value of each test after each week, (W, T).

    Parameters
    ----------
    growth_WTK
        What each week adds (`growth`), from the first week on, weeks without anybody as zeros.
    """
    weeks, tests = growth_WTK.shape[:2]
    sums_WTK = np.concatenate([np.zeros((1, *growth_WTK.shape[1:])), growth_WTK.cumsum(axis=0)])
    e_WT = np.zeros((weeks, tests))
    for start, weight in zip(starts.weeks_J.tolist(), starts.weights_J.tolist(), strict=True):
        e_WT[:start] += weight
        # Whoever sees more than 10^300 needs no exact number.
        since_WTK = np.minimum(sums_WTK[start + 1 :] - sums_WTK[start : start + 1], 690.0)
        e_WT[start:] += weight * np.exp(since_WTK).mean(axis=2)
    return e_WT
