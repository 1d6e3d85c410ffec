"""Dots with intervals beside a limit, on one scale for all rows of a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from audits.judging.policy import Rule
from audits.measure.disparity import Direction, Statistic
from audits.report.document import Whisker
from contracts.verdict import Finding

ROOM = 0.6
"""How far an interval may reach beyond dots and limits, as a share of what these span: one of very
few people would leave no room for the others."""
MARGIN = 0.06


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """A part of the line of numbers, drawn from 0 to 1.

    Parameters
    ----------
    low, high
        Its ends.
    limits
        Limits of the rule.
    """

    low: float
    high: float
    limits: tuple[float, ...]

    def at(self, value: float) -> float:
        """Return where a number is drawn, no further than the ends."""
        return min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))

    def whisker(self, finding: Finding) -> Whisker | str:
        """Draw a finding; nothing where it has no interval that may be shown."""
        if finding.value is None or finding.low is None or finding.high is None:
            return ""
        return Whisker(
            value=self.at(finding.value),
            low=self.at(finding.low),
            high=self.at(finding.high),
            is_cut_low=finding.low < self.low,
            is_cut_high=finding.high > self.high,
            limits=tuple(self.at(limit) for limit in self.limits),
        )


def scale_of(rule: Rule, findings: Sequence[Finding]) -> Scale:
    """Return a scale for findings of a rule: dots, limits and no difference are all on it."""
    limits = (-rule.limit, rule.limit) if rule.direction is Direction.WITHIN else (rule.limit,)
    same = {Statistic.VALUE: ()}.get(rule.statistic, (1.0 if rule.statistic.is_ratio else 0.0,))
    drawn = [f for f in findings if None not in {f.value, f.low, f.high}]
    dots = [*limits, *same, *(f.value for f in drawn if f.value is not None)]
    ends = [end for f in drawn for end in (f.low, f.high) if end is not None]
    span = max(dots) - min(dots) or abs(rule.limit) or 1.0
    low = max(min([*dots, *ends]), min(dots) - ROOM * span)
    high = min(max([*dots, *ends]), max(dots) + ROOM * span)
    margin = MARGIN * (high - low or span)
    return Scale(low=low - margin, high=high + margin, limits=limits)
