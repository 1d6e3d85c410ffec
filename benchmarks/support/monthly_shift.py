"""The rival: each four weeks a fixed-sample test of who came against who came before.

Kolmogorov-Smirnov for levels and Fisher's exact test for what is so or not, of each quantity for
everyone and within each group, with Bonferroni over all tests and all months: the same chance of a
false alarm, 1 in 20 over five years.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from audits.sequential.plan import load_plan
from contracts.evidence.arrivals import ABSENT, LEVELS
from support.arriving import CHANNELS, GROUPS, QUANTITIES, Setting, weeks_of
from support.deployments import WEEKS, YEAR, first_week

Array = NDArray[np.float64]
MONTH = 4


def counts_of(setting: Setting, deployments: int, seed: int) -> Array:
    """Return how many people had each level in each month, (W / 4, G, D, Q, L); G 0 is everyone."""
    groups = 1 + sum(map(len, GROUPS.values()))
    shape = WEEKS // MONTH, groups, deployments, len(QUANTITIES), LEVELS
    counts = np.zeros(shape)
    for week, (level_NDQ, group) in enumerate(weeks_of(setting, deployments, seed)):
        who = [np.ones(level_NDQ.shape[:2], dtype=np.bool_)]
        who += [group[name] == g for name, of in GROUPS.items() for g in range(len(of))]
        for g, of_group in enumerate(who):
            _, d, q = np.nonzero(of_group[..., None] & (level_NDQ != ABSENT))
            level = level_NDQ[of_group[..., None] & (level_NDQ != ABSENT)]
            np.add.at(counts[week // MONTH, g], (d, q, level), 1.0)
    return counts


def warned(setting: Setting, deployments: int, seed: int) -> tuple[Array, Array]:
    """Return the week of the first alarm, (D,): against all before; against the same month before.

    The first needs no year of people, the second is not misled by a season.
    """
    counts = counts_of(setting, deployments, seed)
    months, year = len(counts), YEAR // MONTH
    tests = months * counts.shape[1] * len(QUANTITIES)
    found = []
    for seasonal in (False, True):
        alarm = np.zeros((WEEKS, deployments), dtype=np.bool_)
        for month in range(1, months):
            before = counts[month % year : month : year] if seasonal else counts[:month]
            if len(before):
                p_value = _p_values(counts[month], before.sum(axis=0))
                is_so_D = (p_value < load_plan().alpha / tests).any(axis=(0, 2))
                alarm[MONTH * (month + 1) - 1] = is_so_D
        found.append(first_week(alarm))
    return found[0], found[1]


def _p_values(now: Array, before: Array) -> Array:
    """Return the p-value of each group, deployment and quantity, (G, D, Q)."""
    n, m = (np.maximum(each.sum(axis=-1), 1) for each in (now, before))
    below = now.cumsum(axis=-1) / n[..., None] - before.cumsum(axis=-1) / m[..., None]
    largest = np.abs(below).max(axis=-1)
    smirnov = 2 * np.exp(-2 * largest**2 * n * m / (n + m))
    exact = stats.hypergeom(n + m, now[..., 0] + before[..., 0], n)
    shares = np.minimum(1, 2 * np.minimum(exact.cdf(now[..., 0]), exact.sf(now[..., 0] - 1)))
    is_share = np.arange(len(QUANTITIES)) >= CHANNELS
    return np.asarray(np.where(is_share, shares, smirnov))
