"""Conformal test martingales: bets against "people still come as they came", before any outcome.

The p-value of a person is the share of all people so far, the person included, who are as low or
lower in something, with chance deciding between equals:

    p_n = (number of i <= n with x_i < x_n  +  theta_n * number of i <= n with x_i = x_n) / n

While people come in an order that says nothing of them (they are exchangeable), these are
independent and uniform on [0, 1], exactly and from the first person on (Vovk, Gammerman and Shafer
2005, Algorithmic Learning in a Random World, chapter 8; Vovk 2021, Statistical Science 36:595). A
payoff that is a function of p with mean 0 can be bet on as any other (`audits.sequential.betting`).
Of x only counts by level are kept, and no person's number: a function of x that is fixed beforehand
is as exchangeable as x itself.

Letters: N people of a week, Q quantities, L levels, K bets.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from contracts.evidence.arrivals import ABSENT

Array = NDArray[np.float64]
Levels = NDArray[np.int64]

DIRECTIONS = ("higher", "lower", "further apart", "closer together")
"""What is bet on, each with every bet."""

SHARES = np.array([0.15, 0.5, 0.9])
"""Of the wealth: a mean rank of 1/2 + d makes most of it by betting 6 d (a payoff has a mean of 2 d
and a variance of 1/3), and these are within a factor of 2 of each d from .015 to .3."""

AT_ONCE = 32
"""People compared with each other at once; those before them by counts."""


def p_values(level_NQ: Levels, seen_QL: Levels, theta_NQ: Array) -> Array:
    """Return each person's p-value, (N, Q), NaN for who does not count; add them to those seen.

    Parameters
    ----------
    level_NQ
        From 0, or `ABSENT`; in an order that says nothing of people.
    seen_QL
        How many people before had each level; changed in place.
    theta_NQ
        Uniform on [0, 1), independent of all else.
    """
    p_NQ = np.full(level_NQ.shape, np.nan)
    quantities, levels = seen_QL.shape
    quantity_Q = np.arange(quantities)
    for start in range(0, len(level_NQ), AT_ONCE):
        some = slice(start, start + AT_ONCE)
        level_nQ = level_NQ[some]
        counts_nQ = level_nQ != ABSENT
        place_nQ = np.maximum(level_nQ, 0)
        # Who came before within the part, whatever the quantity: below the diagonal. Who does not
        # count is above all levels there, so neither lower than nor equal to who counts.
        before_nn1 = np.tri(len(level_nQ), k=-1, dtype=np.bool_)[:, :, None]
        mate_nQ = np.where(counts_nQ, level_nQ, levels).astype(np.int16)
        own_n1Q = level_nQ[:, None].astype(np.int16)
        lower_nQ = ((mate_nQ < own_n1Q) & before_nn1).sum(axis=1, dtype=np.uint8)
        equal_nQ = ((mate_nQ == own_n1Q) & before_nn1).sum(axis=1, dtype=np.uint8)
        upto_QL = seen_QL.cumsum(axis=1)
        own_nQ = seen_QL[quantity_Q, place_nQ]
        lower_nQ = upto_QL[quantity_Q, place_nQ] - own_nQ + lower_nQ
        people_nQ = upto_QL[:, -1] + counts_nQ.cumsum(axis=0) - counts_nQ + 1
        rank_nQ = lower_nQ + theta_NQ[some] * (equal_nQ + own_nQ + 1)
        p_NQ[some] = np.where(counts_nQ, rank_nQ / people_nQ, np.nan)
        np.add.at(
            seen_QL,
            (np.broadcast_to(quantity_Q, level_nQ.shape)[counts_nQ], level_nQ[counts_nQ]),
            1,
        )
    return p_NQ


def growth_of(p_NQ: Array) -> Array:
    """Return what p-values add to the logarithm of each bet's wealth, (Q, K).

    K is each share of the wealth on each direction, in the order of `DIRECTIONS`.
    """
    counts_NQ = ~np.isnan(p_NQ)
    high_NQ = np.where(counts_NQ, 2 * p_NQ - 1, 0.0)
    # Of |2 p - 1|, which is uniform too.
    apart_NQ = np.where(counts_NQ, 2 * np.abs(high_NQ) - 1, 0.0)
    payoff_NQD = np.stack([high_NQ, -high_NQ, apart_NQ, -apart_NQ], axis=2)
    added_QDS = np.zeros((*payoff_NQD.shape[1:], len(SHARES)))
    for start in range(0, len(p_NQ), AT_ONCE):
        # One after another, as a sum of all of them would be: of many it would leave the cache.
        added_nQDS = np.log1p(payoff_NQD[start : start + AT_ONCE, ..., None] * SHARES)
        added_nQDS[0] += added_QDS
        added_QDS = added_nQDS.sum(axis=0)
    return added_QDS.reshape(p_NQ.shape[1], -1)


def direction_of(growth_K: Array) -> str:
    """Return the direction whose bets made most of sums of `growth_of`."""
    best_D = growth_K.reshape(len(DIRECTIONS), -1).max(axis=1)
    return DIRECTIONS[int(best_D.argmax())]
