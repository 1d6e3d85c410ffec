"""What one more score would be worth to a patient's forecast, as facts and in words."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from contracts.naming.worded import Worded
from contracts.sequences import SequenceBatch
from contracts.vocabulary.changes import Amount
from inference.bundle import Bundle
from serving.forecast.measured_again.worth import DAYS, Unknown, worth_measuring
from serving.settled import NextMeasurement

WHY = {
    Unknown.NO_LATER_FORECAST: Worded("this model gives no forecast so late"),
    Unknown.HORIZON_PASSED: Worded("the forecast is for a day that will be past, or that very day"),
    Unknown.TOO_FEW_PEOPLE: Worded("too few people like this one were seen so late"),
}


def next_measurement(
    bundle: Bundle, batch: SequenceBatch, quantiles_1HQ: NDArray[np.float64], horizon: int
) -> NextMeasurement:
    """Return what one more score in `DAYS` days would be worth at a horizon."""
    weeks = bundle.task.horizons[horizon].weeks
    worth = worth_measuring(bundle, batch, quantiles_1HQ[0], horizon)
    if isinstance(worth, Unknown):
        return NextMeasurement(days=DAYS, horizon_weeks=weeks, why_not_known=str(WHY[worth]))
    return NextMeasurement(
        days=DAYS,
        horizon_weeks=weeks,
        width_80=worth.now,
        expected_width_80=worth.expected,
        narrower_by=worth.now - worth.expected,
    )


def in_words(fact: NextMeasurement, code: str, step: float) -> Worded:
    """Say what a measurement would be worth, rounded to what the instrument tells apart.

    Parameters
    ----------
    step
        Distance between neighbouring scores; 0 where any number can be one.
    """
    points = shown_points(fact, step)
    if points is None:
        return Worded(
            "Nobody can say what measuring again in %(days)s days would tell: %(why)s.",
            days=fact.days, why=Worded(fact.why_not_known),
        )  # fmt: skip
    now, then, less = points
    if less <= 0:
        return Worded(
            "Measured again in %(days)s days, the 80 %% range for week %(week)s would be no"
            " narrower on average: it is %(width)s wide now.",
            days=fact.days, week=fact.horizon_weeks, width=Amount(code, f"{now:g}"),
        )  # fmt: skip
    return Worded(
        "Measured again in %(days)s days, the 80 %% range for week %(week)s would be about"
        " %(amount)s narrower on average: %(expected)s wide instead of %(width)s.",
        days=fact.days, week=fact.horizon_weeks, amount=Amount(code, f"{less:g}"),
        expected=f"{then:g}", width=Amount(code, f"{now:g}"),
    )  # fmt: skip


def share_narrower(fact: NextMeasurement) -> float | None:
    """Return the share of a range that one more score takes away; None where nobody knows."""
    if not fact.width_80 or fact.narrower_by is None:
        return None
    return fact.narrower_by / fact.width_80


def shown_points(fact: NextMeasurement, step: float) -> tuple[float, float, float] | None:
    """Return the width now, with the score, and their difference, as a reader can subtract them.

    Each rounded by itself, 24.4 and 18.6 would be 24 and 19 wide and 6 apart.
    """
    if fact.width_80 is None or fact.narrower_by is None:
        return None
    now, less = rounded(fact.width_80, step), rounded(fact.narrower_by, step)
    return now, now - less, less


def rounded(points: float, step: float) -> float:
    """Round score points to whole steps, or to two digits where there are none."""
    return round(points / step) * step if step else float(f"{points:.2g}")
