"""What a stricter policy would have said of the same forecasts: the board's rules, other limits.

The bounds are computed once more, which is cheap; nothing is drawn again, because every rule whose
limit differs is decided by a bound and not by a bootstrap. Confidence, fewest people and lost
outcomes are the board's, and every group is judged as at a first attempt. The verdict stays that of
the board's policy.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pandas as pd
from pydantic import BaseModel, ConfigDict

from audits.judging.lost.missing import Missing, violations
from audits.judging.policy import Policy, Rule, load_policy
from audits.judging.rules import apply_rules, rows_of
from audits.measure.disparity import Direction, Scope
from audits.policies.compare import ASKED
from contracts.predictions import CANDIDATE
from contracts.verdict import GRAVITY, Outcome, Verdict

STRICT = Path(__file__).with_name("strict.toml")
"""The stricter policy that rehabcast ships."""


class StricterFinding(BaseModel):
    """What a group, or everyone, would have been told."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    axis: str
    group: str
    outcome: Outcome


class StricterLimit(BaseModel):
    """A rule with the limit of the stricter policy.

    Parameters
    ----------
    rule, limit, stricter
        Name of the rule, the board's limit and the stricter one, in the rule's unit.
    findings
        Of groups only whose numbers the report shows: of a hidden one a second limit would tell
        where between the two it lies.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    rule: str
    limit: float
    stricter: float
    findings: tuple[StricterFinding, ...]


def stricter_limits(
    predictions: pd.DataFrame, policy: Policy, published: Verdict, follow_up: pd.DataFrame | None
) -> tuple[StricterLimit, ...]:
    """Judge the forecasts by the limits of the stricter policy; empty where none is stricter.

    Parameters
    ----------
    predictions
        The prediction table that the verdict is about; it keeps its contract.
    policy
        The board's.
    published
        The verdict as readers see it, without the numbers that are hidden.
    follow_up
        The follow-up table; None where there is none.
    """
    tightened = dict(_tightened(policy))
    if not tightened:
        return ()
    rules = tuple(tightened.values())
    found = apply_rules(
        predictions, policy.model_copy(update={"rules": rules}), champion=None,
        missing=_missing(follow_up, predictions, policy),
        scopes=(Scope.OVERALL, Scope.AXES),
    ).findings  # fmt: skip
    shown = {
        (f.rule, f.metric, f.axis, f.group, f.horizon_day)
        for f in published.findings
        if f.evidence == "internal" and f.value is not None
    }
    limit_of = {rule.name: rule.limit for rule in policy.rules}
    return tuple(
        StricterLimit(
            rule=rule.name,
            limit=limit_of[rule.name],
            stricter=rule.limit,
            findings=_worst_of_each(
                StricterFinding(axis=f.axis, group=f.group, outcome=f.outcome)
                for f in found
                if f.rule == rule.name
                and (f.rule, f.metric, f.axis, f.group, f.horizon_day) in shown
            ),
        )
        for rule in rules
    )


def _worst_of_each(findings: Iterable[StricterFinding]) -> tuple[StricterFinding, ...]:
    """Return the gravest finding of each group: it may have one for each milestone."""
    worst: dict[tuple[str, str], StricterFinding] = {}
    for finding in findings:
        key = (finding.axis, finding.group)
        before = worst.get(key, finding)
        worst[key] = max(before, finding, key=lambda f: GRAVITY[f.outcome])
    return tuple(worst.values())


def _tightened(policy: Policy) -> Iterator[tuple[str, Rule]]:
    """Yield the board's binding rules that the stricter policy has too, with its tighter limit."""
    strict = load_policy(STRICT).carried_over(policy.instrument, policy.important_difference)
    of_strict = {rule.name: rule for rule in strict.rules}
    for rule in policy.rules:
        other = of_strict.get(rule.name)
        if other is None or not rule.binding or any(
            getattr(rule, part) != getattr(other, part) for part in ASKED
        ):  # fmt: skip
            continue
        sign = -1 if rule.direction is Direction.AT_LEAST else 1
        if sign * other.limit < sign * rule.limit:
            yield rule.name, rule.model_copy(update={"limit": other.limit})


def _missing(
    follow_up: pd.DataFrame | None, predictions: pd.DataFrame, policy: Policy
) -> Missing | None:
    if follow_up is None or policy.lost is None:
        return None
    if any(violations(follow_up, rows_of(predictions, CANDIDATE))):
        return None
    return Missing.of(follow_up, policy.lost)
