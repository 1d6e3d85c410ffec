"""What would settle how much of a range, and what stays open, as facts and in words."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from contracts.forecast import LOWER_80, UPPER_80
from contracts.task import Target
from contracts.vocabulary.changes import amount_in_words
from inference.bundle import Bundle
from inference.widening import width_of_many
from serving.forecast.measured_again.facts import in_words, rounded
from serving.settled import NextMeasurement, Uncertainty


def uncertainty(
    bundle: Bundle, again: NextMeasurement, quantiles_HQ: NDArray[np.float64], horizon: int
) -> Uncertainty:
    """Tell apart what one more score, and what more people to learn from, would settle.

    Parameters
    ----------
    again
        What one more score is worth at this horizon.
    quantiles_HQ
        The calibrated forecast.
    """
    share = None if bundle.by_people_H is None else float(bundle.by_people_H[horizon])
    width = float(quantiles_HQ[horizon, UPPER_80] - quantiles_HQ[horizon, LOWER_80])
    then = again.expected_width_80
    return Uncertainty(
        horizon_weeks=bundle.task.horizons[horizon].weeks,
        width_80=width,
        by_measuring_again=again.narrower_by,
        by_more_people=None if share is None else width - width_of_many(width, share),
        stays_open=None if share is None or then is None else width_of_many(then, share),
    )


def sentences(
    again: NextMeasurement | None, settled: Uncertainty | None, target: Target
) -> Iterator[str]:
    """Yield what is said of them, if it was asked."""
    if again is None or settled is None:
        return
    yield str(in_words(again, target.code, target.step))
    if settled.by_more_people is not None:
        yield _more_people(settled.by_more_people, settled, target, again.days)


def _more_people(narrower: float, settled: Uncertainty, target: Target, days: int) -> str:
    """Say what more people would settle, and what stays open with both."""
    points = rounded(narrower, target.step)
    less = f"about {amount_in_words(target.code, points)}" if points > 0 else "hardly"
    said = (
        "If the model had learned from many more people, the range for week"
        f" {settled.horizon_weeks} would be {less} narrower"
    )
    if settled.stays_open is None:
        return f"{said}."
    left = amount_in_words(target.code, rounded(settled.stays_open, target.step))
    return f"{said}; measured again in {days} days as well, it would still be {left} wide."
