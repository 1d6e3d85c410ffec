"""Findings on lost outcomes: whether a group lost more of them than others, or too many."""

from __future__ import annotations

import math
from collections.abc import Iterator

from audits.judging.lost.missing import Missing, of_group
from audits.judging.wording import group_in_words
from audits.measure.disparity import Statistic
from audits.measure.groups import EVERYONE, Grouping, everyone
from audits.measure.losses import Losses, LossTerms, is_due, lost_rows
from contracts.predictions import SUBJECT
from contracts.verdict import Finding, Outcome

LOST = "outcomes lost"
RULE = "no group's outcomes lost more often"
RULE_OF_ALL = "not too many outcomes lost"
"""Metric and rules of the findings on lost outcomes."""


def loss_findings(missing: Missing) -> Iterator[Finding]:
    """Yield a binding finding on everyone, and one on each group of each varied attribute."""
    for grouping in (everyone(missing.rows), *missing.attributes):
        if grouping.axis != EVERYONE and grouping.is_constant:
            continue
        lost = of_group(missing.rows, grouping, missing.terms)
        events = _people_by_loss(missing, grouping)
        for group, label in enumerate(grouping.labels_G):
            if lost.people_G[group] > 0:
                yield _finding(grouping, label, group, lost, events[group], missing.terms)


def no_follow_up(why: str) -> Finding:
    """Return the binding finding that nobody knows which outcomes were lost."""
    return Finding(
        rule=RULE_OF_ALL, metric=LOST, statistic=Statistic.VALUE, axis=EVERYONE, group=EVERYONE,
        subjects=0, events=None, value=None, low=None, high=None, limit=None, binding=True,
        outcome=Outcome.INSUFFICIENT,
        reason=f"{EVERYONE}: {why}, so nobody knows whose outcomes were lost; this policy asks for"
        " it. Train the version again with this version of rehabcast.",
    )  # fmt: skip


def _people_by_loss(missing: Missing, grouping: Grouping) -> list[int]:
    """Return per group the people with a lost outcome or those without, whichever are fewer."""
    lost_N = (lost_rows(missing.rows) > 0) & is_due(missing.rows)
    counts = []
    for group in range(len(grouping.labels_G)):
        mine_N = (grouping.group_N == group) & is_due(missing.rows)
        people = missing.rows.loc[mine_N, SUBJECT].nunique()
        with_loss = missing.rows.loc[mine_N & lost_N, SUBJECT].nunique()
        counts.append(min(with_loss, people - with_loss))
    return counts


def _finding(
    grouping: Grouping, label: str, group: int, lost: Losses, events: int, terms: LossTerms
) -> Finding:
    compared = grouping.axis != EVERYONE
    share = float(lost.share_G[group])
    difference = float(lost.difference_G[group]) if compared else 0.0
    high = float(lost.high_G(terms.confidence)[group]) if compared else 0.0
    outcome = _outcome(share, difference, high, terms)
    is_known = compared and math.isfinite(high)
    return Finding(
        rule=RULE if compared else RULE_OF_ALL,
        metric=LOST,
        statistic=Statistic.DIFFERENCE if compared else Statistic.VALUE,
        axis=grouping.axis,
        attributes=grouping.attributes,
        group=label,
        subjects=int(lost.people_G[group]),
        events=events,
        value=share if not compared else difference if is_known else None,
        low=2 * difference - high if is_known else None,
        high=high if is_known else None,
        limit=terms.maximum_difference if compared else terms.maximum_share,
        binding=True,
        outcome=outcome,
        reason=_sentence(grouping, label, lost, group, terms, outcome),
    )


def _outcome(share: float, difference: float, high: float, terms: LossTerms) -> Outcome:
    """Return whether few enough are lost; a number that is not known never passes."""
    if share <= terms.maximum_share and high <= terms.maximum_difference:
        return Outcome.PASS
    beyond = share > terms.maximum_share or difference > terms.maximum_difference
    return Outcome.REVIEW if beyond else Outcome.INSUFFICIENT


def _sentence(
    grouping: Grouping, label: str, lost: Losses, group: int, terms: LossTerms, outcome: Outcome
) -> str:
    share = float(lost.share_G[group])
    most = f"at most {terms.maximum_share:.0%} may be"
    who = f"{group_in_words(grouping.axis, label)} (n = {int(lost.people_G[group])})"
    if grouping.axis == EVERYONE:
        return f"{who}: {share:.0%} of the outcomes that were due are lost; {most}."
    if not math.isfinite(float(lost.error_G[group])):
        return (
            f"{who}: {share:.0%} of the outcomes that were due are lost; to be compared it takes at"
            " least two people in the group and two elsewhere."
        )
    points = 100 * float(lost.difference_G[group])
    side = "above" if points >= 0 else "below"
    high = 100 * float(lost.high_G(terms.confidence)[group])
    ways_out = "" if outcome is Outcome.PASS else " Trace a random part of the lost."
    return (
        f"{who}: {share:.0%} of the outcomes that were due are lost, {abs(points):.0f} percentage"
        f" points {side} everyone else's (upper {100 * terms.confidence:g} % bound {high:.0f});"
        f" {most}, and with certainty not more than"
        f" {100 * terms.maximum_difference:.0f} percentage points above.{ways_out}"
    )
