"""SIMULATED early outcomes of the people of `deployments`: errors that go with the later ones.

The tests are those of the shipped policy and plan at the earlier horizon, as the product asks them.

Letters: N people of all deployments, D deployments, W weeks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy

from audits.judging.policy import load_policy
from audits.sequential.betting import e_process
from audits.sequential.early import early_hypotheses
from audits.sequential.hypotheses import Hypothesis
from audits.sequential.plan import EarlyWarning, load_plan
from support.deployments import (
    GROUPS,
    LIMIT,
    POINTS,
    SD,
    SMALL,
    WEEKS,
    Array,
    People,
    Setting,
    first_week,
    growth_of,
)

EARLY = EarlyWarning.model_validate(load_plan().model_dump()["early"])
EARLY_WEEKS = 8
"""The outcome of week 4, and 4 of grace."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """How early errors go with those of the outcome that counts.

    Parameters
    ----------
    correlation
        Of the two errors of a person, what was planted aside.
    gap
        Part of the harm that shows early.
    fades
        Points of harm to the small group that show early and are gone later.
    coverage, coverage_small
        Chance of an early outcome inside its range, and that in the small group.
    """

    correlation: float = 0.6
    gap: float = 0.8
    fades: float = 0.0
    coverage: float = 0.8
    coverage_small: float = 0.8


def early_of(people: People, setting: Setting, proxy: Proxy, seed: int) -> People:
    """Draw the early outcomes of people; they are lost as often, and not the same ones."""
    rng = np.random.default_rng(seed)
    count = len(people.cell_N)
    is_small_N = people.label_N["first"] == SMALL
    is_harmed_N = is_small_N & (people.cell_N % WEEKS >= setting.from_week)
    drawn_N = (people.value_N["signed error"] - setting.harm * is_harmed_N) / SD
    own = np.sqrt(1 - proxy.correlation**2)
    error_N = SD * (proxy.correlation * drawn_N + own * rng.normal(size=count))
    error_N += (proxy.gap * setting.harm + proxy.fades) * is_harmed_N
    chance_N = np.where(is_small_N, proxy.coverage_small, proxy.coverage)
    half_width_N = SD * scipy.stats.norm.ppf((1 + chance_N) / 2)
    return People(
        deployments=people.deployments, cell_N=people.cell_N, label_N=people.label_N,
        value_N={
            "signed error": error_N,
            "mean absolute error": np.abs(error_N),
            "coverage of the 80 % interval": (np.abs(error_N) <= half_width_N).astype(np.float64),
            # Less time has passed since the last score.
            "last observation": np.abs(rng.normal(0, 7.5, count)),
            "proportional recovery": np.abs(rng.normal(0, 7.0, count)),
        },
        observed_N=rng.random(count) >= setting.lost, late_weeks=EARLY_WEEKS,
    )  # fmt: skip


def asked_early() -> tuple[Hypothesis, ...]:
    """Return what the shipped policy and plan ask early of these groups."""
    groups = {name: tuple(shares) for name, shares in GROUPS.items()}
    return early_hypotheses(load_policy(), groups, POINTS, EARLY)


def warns_early(people: People) -> Array:
    """Return the week in which each deployment is first warned of early outcomes; NaN: never."""
    tests, starts = asked_early(), load_plan().starts
    largest = np.zeros((WEEKS, people.deployments))
    for each in tests:
        largest = np.maximum(largest, e_process(growth_of(people, each), starts))
    return first_week(largest >= len(tests) / EARLY.alpha)


Case = tuple[Setting, Proxy]

AT_LIMIT, HARM = LIMIT, LIMIT + 3
NULLS: dict[str, Case] = {
    "no disparity": (Setting(), Proxy()),
    "no disparity, 60 people a week": (Setting(people=60), Proxy()),
    "signed error of a tenth at both limits": (Setting(harm=AT_LIMIT), Proxy()),
    "signed error of a tenth at both limits, 60 people a week": (
        Setting(harm=AT_LIMIT, people=60), Proxy(),
    ),
    "coverage of a tenth and of everyone at their early limits": (
        Setting(), Proxy(coverage=0.7423, coverage_small=0.68),
    ),
    "coverage at the early limits, 60 people a week": (
        Setting(people=60), Proxy(coverage=0.7423, coverage_small=0.68),
    ),
    "signed error of a tenth at the late limit, as large early": (
        Setting(harm=AT_LIMIT), Proxy(gap=1.0),
    ),
    "as large early, 60 people a week": (Setting(harm=AT_LIMIT, people=60), Proxy(gap=1.0)),
    "a tenth 5.8 points off early, and none later": (Setting(), Proxy(fades=5.8)),
}  # fmt: skip
"""Rules are kept by the outcomes that count; in the last three they are not kept early."""

HARMS: dict[str, Case] = {
    "correlation .6, four fifths of the gap": (Setting(harm=HARM), Proxy()),
    "60 people a week": (Setting(harm=HARM, people=60), Proxy()),
    "from week 104": (Setting(harm=HARM, from_week=104), Proxy()),
    "from week 104, 60 people a week": (Setting(harm=HARM, from_week=104, people=60), Proxy()),
    "correlation .9, all of the gap": (Setting(harm=HARM), Proxy(correlation=0.9, gap=1.0)),
    "correlation .9, all of the gap, 60 people a week": (
        Setting(harm=HARM, people=60), Proxy(correlation=0.9, gap=1.0),
    ),
    "correlation .6, a fifth of the gap": (Setting(harm=HARM), Proxy(gap=0.2)),
    "correlation .6, a fifth of the gap, 60 people a week": (
        Setting(harm=HARM, people=60), Proxy(gap=0.2),
    ),
    "correlation .2, four fifths of the gap": (Setting(harm=HARM), Proxy(correlation=0.2)),
}  # fmt: skip
"""A tenth is 3 points beyond the limit; how much of it shows early."""
