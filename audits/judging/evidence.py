"""What a rule is judged on, in one group or over all groups of an attribute."""

from __future__ import annotations

import math
from dataclasses import dataclass

from audits.judging.counts import Counts
from audits.judging.policy import Rule
from audits.judging.units import POINTS, ScoreUnit
from audits.measure.clustered.alike import FEW, Alike
from audits.measure.clustered.draws import Draws
from audits.measure.groups import Grouping
from audits.measure.intervals import Interval
from audits.measure.metrics import Measure
from contracts.verdict import Shortage


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldBy:
    """How many clusters of a clustering, such as hospitals, hold a group."""

    clustering: str
    clusters: int

    @property
    def is_few(self) -> bool:
        """Whether they are too few to show how alike their people are."""
        return self.clusters < FEW


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
    to_bear
        By how much the bounds may be too good, because the group lost more outcomes than others.
    monte_carlo
        By how much the interval's ends depend on the draws of a bootstrap; 0 for analytic bounds.
    held_by
        The clusters that hold the group, where the task declares what people are clustered by and
        the groups are not the clusters themselves.
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
    to_bear: float = 0.0
    monte_carlo: float = 0.0
    held_by: tuple[HeldBy, ...] = ()
    score_unit: ScoreUnit = POINTS

    @property
    def bears_losses(self) -> bool:
        """Whether the interval keeps the limit even if the group's excess of lost outcomes counts.

        It is as if the outcomes lost beyond what others lose had been the worst.
        """
        if self.interval is None:
            return False
        ends = (self.interval.low - self.to_bear, self.interval.high + self.to_bear)
        return all(self.rule.direction.excess(end, self.rule.limit) <= 0 for end in ends)

    @property
    def shortage(self) -> Shortage | None:
        """What there is too little of to judge the rule, here or elsewhere; None if nothing is."""
        if self.small_groups:
            return Shortage.GROUPS
        own, rest = self.counts, self.rest
        if own.subjects < self.rule.minimum_subjects:
            return Shortage.PEOPLE
        if self._has_few_events(own):
            return Shortage.EVENTS
        if rest is not None and rest.subjects < self.rule.minimum_subjects:
            return Shortage.REST_PEOPLE
        return None if rest is None or not self._has_few_events(rest) else Shortage.REST_EVENTS

    def _has_few_events(self, counts: Counts) -> bool:
        needed = self.rule.minimum_events
        return needed is not None and (counts.events or 0) < needed


def held_by(grouping: Grouping, found: Alike | Draws | None) -> list[tuple[HeldBy, ...]]:
    """Return by how many clusters each group is held; nothing of groups that are clusters."""
    groups = len(grouping.labels_G)
    kept = () if found is None else zip(found.names, found.held_KG, strict=True)
    noise = [(name, held_G) for name, held_G in kept if groups == 1 or (held_G > 1).any()]
    return [
        tuple(HeldBy(clustering=name, clusters=int(held_G[group])) for name, held_G in noise)
        for group in range(groups)
    ]
