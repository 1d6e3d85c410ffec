"""What is said of two plans, of doses and of the prior, as answers carry it."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np

from contracts.task import Target
from inference.similar import shown_number
from inference.twin.compare import Array, difference
from inference.twin.mechanism import DAYS_A_WEEK
from inference.twin.plans import ALL
from inference.twin.support import supported
from serving.forecast.whatif.twin import Twin
from serving.whatif import DoseSeen, LevelDifference, PriorSlope


def level_difference(one_I: Array, other_I: Array, target: Target) -> LevelDifference:
    """Compare the levels under two plans, of the same draws."""
    found = difference(one_I, other_I, target)
    numbers = asdict(found)
    del numbers["standard_error"]
    return LevelDifference(direction=found.direction, **numbers)


def doses_seen(twin: Twin) -> list[DoseSeen]:
    """Return the doses that enough people alike had."""
    courses = [(ALL, days, seen) for days, seen in twin.courses.items()]
    return [
        DoseSeen(
            kind=kind, low_hours=dose.low, high_hours=dose.high,
            people=shown_number(dose.people) or 0, share=round(dose.share, 2), over_days=days,
        )
        for kind, days, doses in [*((k, None, seen) for k, seen in twin.doses.items()), *courses]
        for dose in supported(doses)
    ]  # fmt: skip


def prior_slope(twin: Twin, target: Target) -> PriorSlope:
    """Return what 10 hours add at this level, as far as they go with their number."""
    person = twin.person
    per_hour_I = person.gains.first_slope_I() * DAYS_A_WEEK / person.gains.half_dose_I
    steep_I = person.today_I * (1 - person.today_I) * abs(target.best - target.worst)
    points_I = 10 * per_hour_I * steep_I * person.acts_I
    low, median, high = np.quantile(points_I, (0.1, 0.5, 0.9)).tolist()
    return PriorSlope(median=median, low_80=low, high_80=high, source=twin.response.source)
