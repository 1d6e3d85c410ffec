"""What one more score would be worth to a patient's forecast, as facts and in words."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from contracts.sequences import SequenceBatch
from contracts.vocabulary.changes import amount_in_words
from inference.bundle import Bundle
from serving.forecast.measured_again.worth import DAYS, Unknown, worth_measuring
from serving.settled import NextMeasurement

WHY = {
    Unknown.NO_LATER_FORECAST: "this model gives no forecast so late",
    Unknown.HORIZON_PASSED: "week {weeks} will be past, or that very day",
    Unknown.TOO_FEW_PEOPLE: "too few people like this one were seen so late",
}


def next_measurement(
    bundle: Bundle, batch: SequenceBatch, quantiles_1HQ: NDArray[np.float64], horizon: int
) -> NextMeasurement:
    """Return what one more score in `DAYS` days would be worth at a horizon."""
    weeks = bundle.task.horizons[horizon].weeks
    worth = worth_measuring(bundle, batch, quantiles_1HQ[0], horizon)
    if isinstance(worth, Unknown):
        why = WHY[worth].format(weeks=weeks)
        return NextMeasurement(days=DAYS, horizon_weeks=weeks, why_not_known=why)
    return NextMeasurement(
        days=DAYS,
        horizon_weeks=weeks,
        width_80=worth.now,
        expected_width_80=worth.expected,
        narrower_by=worth.now - worth.expected,
    )


def in_words(fact: NextMeasurement, code: str, step: float) -> str:
    """Say what a measurement would be worth, rounded to what the instrument tells apart.

    Parameters
    ----------
    step
        Distance between neighbouring scores; 0 where any number can be one.
    """
    points = shown_points(fact, step)
    if points is None:
        days, why = fact.days, fact.why_not_known
        return f"Nobody can say what measuring again in {days} days would tell: {why}."
    start = f"Measured again in {fact.days} days, the 80 % range for week {fact.horizon_weeks}"
    now, then, less = points
    if less <= 0:
        return f"{start} would be no narrower on average ({amount_in_words(code, now)} wide now)."
    return (
        f"{start} would be about {amount_in_words(code, less)} narrower on average"
        f" ({then:g} instead of {amount_in_words(code, now)} wide)."
    )


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
