"""What a rule is judged on, in one group or over all groups of an attribute."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum, auto

from audits.judging.counts import Counts
from audits.judging.policy import Rule
from audits.judging.units import POINTS, ScoreUnit
from audits.measure.intervals import Interval
from audits.measure.metrics import Measure


class Shortage(Enum):
    """What there is too little of to judge a rule in a group."""

    GROUP_SIZE = auto()
    """Some groups of an attribute are too small to be compared with the others."""
    PEOPLE = auto()
    EVENTS = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The estimate that a rule is judged on, with the people it rests on.

    Parameters
    ----------
    rule, measure, axis, attributes, group, counts, rest
        Which rule, measured how, on which group of how many people; and the people that the group
        is compared with, None where it is compared with nobody.
    estimate, interval
        The rule's statistic, NaN where it is undefined, with its confidence interval; None where
        too many replicates are undefined.
    p_value
        Of the limit being kept; None where undefined.
    small_groups
        Groups left out of a statistic of the whole attribute because they are too small.
    error
        Standard error of the estimate; NaN where there is none.
    suspected
        The estimate of a group that may be too small, drawn toward no difference; NaN where there
        is none.
    monte_carlo
        By how much the interval's ends depend on the draws of a bootstrap; 0 for analytic bounds.
    score_unit
        Unit of the instrument's scores.
    """

    rule: Rule
    measure: Measure
    axis: str
    attributes: tuple[str, ...]
    group: str
    counts: Counts
    estimate: float
    interval: Interval | None
    p_value: float | None
    small_groups: tuple[str, ...] = ()
    rest: Counts | None = None
    error: float = math.nan
    suspected: float = math.nan
    monte_carlo: float = 0.0
    score_unit: ScoreUnit = POINTS

    @property
    def shortage(self) -> Shortage | None:
        """What the group has too little of to be judged by the rule; None where it has enough."""
        if self.small_groups:
            return Shortage.GROUP_SIZE
        needed = self.rule.minimum_events
        for counts in (self.counts, *(() if self.rest is None else (self.rest,))):
            if counts.subjects < self.rule.minimum_subjects:
                return Shortage.PEOPLE
            if needed is not None and (counts.events or 0) < needed:
                return Shortage.EVENTS
        return None
