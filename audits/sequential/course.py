"""How e-values went, told so that nobody shows through: a point for each so many people.

A point is a function of weeks that were counted, and no later week changes it: what one edition has
told, the next one repeats.

Letters: W weeks, T tests.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audits.sequential.betting import e_process
from audits.sequential.hypotheses import Hypothesis
from audits.sequential.plan import MonitoringPlan
from audits.sequential.state import growths
from contracts.groups import last_shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """An e-value after a week, to two digits, and the largest until then."""

    week: int
    e_value: float
    largest: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Courses:
    """How the tests of a version went.

    Parameters
    ----------
    mean
        Of all tests that can act.
    tests
        Of each test; none where too few people paid to it.
    """

    mean: tuple[Point, ...]
    tests: tuple[tuple[Point, ...], ...]


def courses(
    first_week: int,
    weeks: Sequence[tuple[int, Mapping[str, object]]],
    followed: Sequence[Hypothesis],
    plan: MonitoringPlan,
) -> Courses:
    """Return how the tests went, with a point whenever enough more people paid.

    Parameters
    ----------
    weeks
        Number and `WeekOfOutcomes` of each counted week, as kept.
    """
    if not weeks:
        return Courses(mean=(), tests=((),) * len(followed))
    growth_WTK, payoffs_WT = growths(first_week, weeks, followed)
    e_WT = e_process(growth_WTK, plan.starts)
    due_W = np.zeros(len(e_WT), dtype=np.int64)
    for week, sums in weeks:
        due_W[week - first_week] = int(str(sums["due"]))
    acts_T = np.array([not each.warns_only for each in followed], dtype=np.bool_)
    mean_W = e_WT[:, acts_T].mean(axis=1) if acts_T.any() else np.ones(len(e_WT))
    return Courses(
        mean=tuple(_points(first_week, mean_W, due_W)),
        tests=tuple(
            tuple(_points(first_week, e_WT[:, t], payoffs_WT[:, t])) for t in range(len(followed))
        ),
    )


def _points(
    first_week: int, e_W: NDArray[np.float64], people_W: NDArray[np.int64]
) -> Iterator[Point]:
    largest, paid_W = 0.0, people_W.cumsum()
    for week in weeks_told(paid_W):
        largest = max(largest, float(e_W[week]))
        yield Point(
            week=first_week + week, e_value=float(f"{e_W[week]:.2g}"),
            largest=float(f"{largest:.2g}"),
        )  # fmt: skip


def weeks_told(paid_W: NDArray[np.int64]) -> Iterator[int]:
    """Yield the weeks after which a test is told anew: enough more people have paid by then.

    Parameters
    ----------
    paid_W
        People who have paid until each week.
    """
    told = 0
    for week, paid in enumerate(paid_W.tolist()):
        if last_shown(told, paid) != told:
            told = paid
            yield week
