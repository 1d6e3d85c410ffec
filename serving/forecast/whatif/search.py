"""Plans within a clinician's limits, and which of them no other beats for fewer minutes."""

from __future__ import annotations

from itertools import product

import numpy as np

from contracts.errors import ForecastRefused
from contracts.task import Target
from inference.twin.compare import undominated
from inference.twin.mechanism import DAYS_A_WEEK
from inference.twin.plans import ALL, Part, Plan, doses_of
from serving.forecast.whatif.facts import level_difference
from serving.forecast.whatif.twin import Twin
from serving.whatif import FoundPlan, PlanSearch

STEP_HOURS = 0.5
SHOWN = 12
"""Plans that are shown at most, spread over those that were found."""


def found_plans(
    search: PlanSearch | None, twin: Twin, target: Target, days: float
) -> list[FoundPlan]:
    """Look for plans that gain most for their minutes up to a day ahead, by rising minutes.

    Gain is the mean difference of the level to therapy as now. It is a set and no order: what
    minutes are worth to a patient is not known here.

    Raises
    ------
    ForecastRefused
        The limits contradict each other.
    """
    if search is None:
        return []
    if search.then_hours_a_week > search.most_hours_a_week:
        raise ForecastRefused(
            f"then_hours_a_week is {search.then_hours_a_week:g}, more than the"
            f" {search.most_hours_a_week:g} of most_hours_a_week",
            "correct the limits of the search",
        )
    plans = [plan for plan in _within(search, days) if not twin.unsupported(plan)]
    if not plans:
        return []
    # Hundreds of plans in single precision, and at one day: half of the time.
    quick = twin.on(days_H=np.array([days]), kind=np.float32)
    usual_I = quick.levels(doses_of([twin.now]))[0, 0]
    level_NI = quick.levels(doses_of(plans))[:, 0]
    minutes_N = np.array([plan.minutes_a_week(int(days)) for plan in plans])
    kept = undominated((level_NI - usual_I).mean(axis=1), minutes_N)
    chosen = kept[np.unique(np.linspace(0, len(kept) - 1, SHOWN).round().astype(int))]
    return [
        FoundPlan(
            hours_a_week=plans[n].parts[0].total,
            weeks=int((plans[n].parts[0].days or 0) / DAYS_A_WEEK),
            then_hours_a_week=search.then_hours_a_week,
            minutes_a_week=float(minutes_N[n]),
            difference=level_difference(level_NI[n], usual_I, target),
        )
        for n in chosen
    ]


def _within(search: PlanSearch, days: float) -> list[Plan]:
    """Return so many hours for some weeks, then others, within limits and before the horizon."""
    most_weeks = min(search.most_weeks, int(days / DAYS_A_WEEK))
    hours = np.arange(0, search.most_hours_a_week + STEP_HOURS / 2, STEP_HOURS)
    then = Part(hours={ALL: search.then_hours_a_week})
    return [
        Plan(
            name=f"{hours_a_week:g} h, {weeks} weeks",
            parts=(
                Part(hours={ALL: float(hours_a_week)}, days=int(weeks * DAYS_A_WEEK)),
                then,
            ),
        )
        for hours_a_week, weeks in product(hours, range(1, most_weeks + 1))
    ]
