"""From evidence to an outcome: an interval beside a limit, and findings to a verdict."""

from __future__ import annotations

import math
from collections.abc import Iterable

from audits.judging.policy import Rule
from audits.measure.disparity import Direction
from audits.measure.intervals import Interval
from contracts.verdict import GRAVITY, Finding, Outcome


def decide(
    rule: Rule,
    estimate: float,
    interval: Interval | None,
    adjusted_p: float | None,
    *,
    monte_carlo: float = 0.0,
) -> Outcome:
    """Compare an interval with a rule's limit.

    Pass when the whole interval is acceptable. Blocked when none of it is, even after
    Benjamini-Hochberg over all rules and groups. Otherwise needs review when the estimate is beyond
    the limit, and insufficient evidence when it is within. Each comparison is written so that NaN
    is never a pass. An end that is closer to the limit than it depends on the draws of a bootstrap
    (`monte_carlo`) says neither: needs review.

    Every binding rule must pass in every group, so the chance that an unfair model passes does not
    grow with the number of groups (Berger 1982, an intersection-union test). The chance that a fair
    model is blocked would grow; Benjamini-Hochberg controls it.
    """
    if interval is None or not all(map(math.isfinite, (estimate, interval.low, interval.high))):
        return Outcome.INSUFFICIENT
    low, high = (rule.direction.excess(end, rule.limit) for end in (interval.low, interval.high))
    good = max(low, high) <= 0
    # With a limit on both sides, the interval may reach from beyond one to beyond the other: then
    # everything acceptable lies in it.
    same_side = rule.direction is not Direction.WITHIN or interval.low * interval.high > 0
    bad = min(low, high) > 0 and same_side
    if (good or bad) and min(abs(low), abs(high)) < monte_carlo:
        return Outcome.REVIEW
    beyond = rule.direction.excess(estimate, rule.limit) > 0
    if good:
        return Outcome.PASS
    if bad and adjusted_p is not None and adjusted_p <= 1 - rule.confidence:
        return Outcome.BLOCKED
    return Outcome.REVIEW if beyond else Outcome.INSUFFICIENT


def suspicion(rule: Rule, suspected: float) -> Outcome:
    """Judge a group that is too small for a bound: too few people never hide a suspicion.

    Parameters
    ----------
    suspected
        The estimate, drawn toward no difference as far as people are few
        (`audits.measure.bounds.Bounds.suspected_G`); NaN where there is none.
    """
    beyond = math.isfinite(suspected) and rule.direction.excess(suspected, rule.limit) > 0
    return Outcome.REVIEW if beyond else Outcome.INSUFFICIENT


def gravest(findings: Iterable[Finding]) -> Outcome:
    """Return the gravest binding outcome; insufficient evidence where nothing was judged."""
    outcomes = [finding.outcome for finding in findings if finding.binding]
    return max(outcomes, key=GRAVITY.__getitem__, default=Outcome.INSUFFICIENT)
