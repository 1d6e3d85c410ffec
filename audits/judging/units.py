"""Numbers of metrics in their units, with as many decimals as matter."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from audits.measure.metric_definitions import Unit
from audits.measure.metrics import Metric
from contracts.vocabulary import vocabulary

MOST_MORE = 3
"""Decimals beyond the usual that may be said: an interval that is narrower has no width."""
RATIO_DECIMALS = 2
SCORE = "{score}"
"""UCUM annotation of scores that have no unit but their points."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreUnit:
    """Unit of an instrument's scores.

    Parameters
    ----------
    name
        `points`, or the unit itself, such as `m/s`.
    decimals, rounded_decimals
        In tables and findings; and in plain sentences, to a tenth of what patients notice.
    more
        Decimals more than usual, of scores and of every other number that is said beside them.
    """

    name: str = "points"
    decimals: int = 2
    rounded_decimals: int = 1
    more: int = 0

    def rounded(self, value: float) -> str:
        """Return the size of an amount of score, rounded for a plain sentence."""
        return f"{self.size(value)} {self.name}"

    def size(self, value: float) -> str:
        """Return what `rounded` does, without the unit."""
        return fixed(abs(value), self.rounded_decimals + self.more)

    def apart(self, low: float, high: float, decimals: int) -> ScoreUnit:
        """Return this unit with as many decimals more as it takes to tell two ends apart.

        Of many people an interval is narrow: "between 0.7 and 0.7" would say that it is certain.
        """
        more = range(MOST_MORE + 1) if low != high else (0,)
        return replace(
            self,
            more=next(
                (n for n in more if fixed(low, decimals + n) != fixed(high, decimals + n)), more[0]
            ),
        )


POINTS = ScoreUnit()


def score_unit(instrument: str, important_difference: float) -> ScoreUnit:
    """Return the unit of an instrument's scores.

    Parameters
    ----------
    instrument, important_difference
        Code of the instrument, and the smallest change of its score that patients notice.
    """
    rounded_decimals = max(0, 1 - math.floor(math.log10(important_difference)))
    code = vocabulary().get(instrument)
    return ScoreUnit(
        name=POINTS.name if code is None or code.unit == SCORE else code.unit,
        decimals=max(POINTS.decimals, rounded_decimals + 1),
        rounded_decimals=rounded_decimals,
    )


def in_unit(metric: Metric, score: ScoreUnit, *values: float) -> str:
    """Return a metric's value, or the ends of a range of it, with its unit."""
    unit = {
        Unit.SHARE: " %", Unit.POINTS: f" {score.name}", Unit.NUMBER: "", Unit.DAYS: " days",
        Unit.HOURS: " hours",
    }[metric.definition.unit]  # fmt: skip
    return without_unit(metric, score, *values) + unit


def without_unit(metric: Metric, score: ScoreUnit, *values: float) -> str:
    """Return what `in_unit` does, without the unit: shares in per cent."""
    return numbers(
        score, decimals_of(metric, score), *(factor_of(metric) * value for value in values)
    )


def numbers(score: ScoreUnit, decimals: int, *values: float) -> str:
    """Return one number, or the ends of a range told apart, with decimals at least as given."""
    unit = score.apart(min(values), max(values), decimals) if len(values) > 1 else score
    return " to ".join(fixed(value, decimals + unit.more) for value in values)


def factor_of(metric: Metric) -> int:
    """Return 100 for shares, which are said in per cent."""
    return 100 if metric.definition.unit is Unit.SHARE else 1


def decimals_of(metric: Metric, score: ScoreUnit) -> int:
    """Return with how many decimals a metric is usually said, as `factor_of` has it."""
    return {
        Unit.SHARE: 0, Unit.POINTS: score.decimals, Unit.NUMBER: 3, Unit.DAYS: 0, Unit.HOURS: 1,
    }[metric.definition.unit]  # fmt: skip


def fixed(value: float, decimals: int) -> str:
    """Return a number with fixed decimals; never "-0"."""
    # Adding zero turns a rounded -0.0 into 0.0.
    return f"{round(value, decimals) + 0.0:.{decimals}f}"
