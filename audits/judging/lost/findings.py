"""Findings on lost outcomes: whether a group lost more of them than others, or too many."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

from audits.judging.lost.missing import Missing, of_group
from audits.judging.wording import group_in_words
from audits.measure.disparity import Statistic
from audits.measure.groups import EVERYONE, Grouping, everyone
from audits.measure.losses import FEWEST_DUE, Losses, LossTerms, is_due, lost_rows
from contracts.predictions import SUBJECT
from contracts.verdict import Finding, Outcome

LOST = "outcomes lost"
RULE = "no group's outcomes lost more often"
RULE_OF_ALL = "not too many outcomes lost"
"""Metric and rules of the findings on lost outcomes."""


def loss_findings(missing: Missing, attributes: Iterable[Grouping]) -> Iterator[Finding]:
    """Yield a binding finding on everyone, and one on each group of each varied attribute.

    Parameters
    ----------
    attributes
        Of the prediction table: a group may be there before any of its windows is over.
    """
    yield from _of_grouping(missing, everyone(missing.rows), ())
    labels = {grouping.axis: grouping.labels_G for grouping in attributes}
    for grouping in missing.attributes:
        forecast = labels.get(grouping.axis, ())
        if len({*grouping.labels_G, *forecast}) > 1:
            yield from _of_grouping(missing, grouping, forecast)


def _of_grouping(
    missing: Missing, grouping: Grouping, forecast: Sequence[str]
) -> Iterator[Finding]:
    lost = of_group(missing.rows, grouping, missing.terms)
    events = _people_by_loss(missing, grouping)
    judged = set()
    for group, label in enumerate(grouping.labels_G):
        if lost.people_G[group] > 0:
            judged.add(label)
            yield loss_finding(grouping, label, group, lost, events[group], missing.terms)
    for label in forecast:
        if label not in judged:
            yield _not_due(grouping, label, missing.terms)


def _not_due(grouping: Grouping, label: str, terms: LossTerms) -> Finding:
    """Return the finding that no window of a group is over, so that nothing could be lost yet."""
    return Finding(
        rule=RULE, metric=LOST, statistic=Statistic.DIFFERENCE, axis=grouping.axis,
        attributes=grouping.attributes, group=label, subjects=0, events=None, value=None, low=None,
        high=None, limit=terms.maximum_difference, binding=True, outcome=Outcome.INSUFFICIENT,
        reason=f"{group_in_words(grouping.axis, label)}: for nobody is the time over in which an"
        " outcome can come, so nobody knows yet what this group loses.",
    )  # fmt: skip


def no_follow_up(why: str, what_to_do: str) -> Finding:
    """Return the binding finding that nobody knows which outcomes were lost."""
    return Finding(
        rule=RULE_OF_ALL, metric=LOST, statistic=Statistic.VALUE, axis=EVERYONE, group=EVERYONE,
        subjects=0, events=None, value=None, low=None, high=None, limit=None, binding=True,
        outcome=Outcome.INSUFFICIENT,
        reason=f"{EVERYONE}: {why}, so nobody knows whose outcomes were lost; this policy asks for"
        f" it. {what_to_do}.",
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


def loss_finding(
    grouping: Grouping, label: str, group: int, lost: Losses, events: int | None, terms: LossTerms
) -> Finding:
    """Return the binding finding on what a group lost.

    Parameters
    ----------
    events
        People with a lost outcome or those without, whichever are fewer; None where not counted.
    """
    compared = grouping.axis != EVERYONE
    share = float(lost.share_G[group])
    difference = float(lost.difference_G[group]) if compared else 0.0
    high = float(lost.high_G(terms.confidence)[group]) if compared else 0.0
    outcome = _outcome(share, difference, high, terms)
    if outcome is Outcome.PASS and lost.people_G[group] < FEWEST_DUE:
        outcome = Outcome.INSUFFICIENT
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
    most = f"A group may lose at most {terms.maximum_share:.0%}"
    who = f"{group_in_words(grouping.axis, label)} (n = {int(lost.people_G[group])})"
    so_much = f"{who}: {share:.0%} of the outcomes that were due are lost"
    # Whoever withdrew is not called, so there may be nobody to trace.
    ways_out = (
        ""
        if outcome is Outcome.PASS
        else " Trace a random part of the lost who have not withdrawn (rehabcast cohort trace)."
    )
    if grouping.axis == EVERYONE:
        few = f"; fewer than {FEWEST_DUE} people" if lost.people_G[group] < FEWEST_DUE else ""
        return f"{so_much}{few}. At most {terms.maximum_share:.0%} may be.{ways_out}"
    if lost.people_G[group] < FEWEST_DUE or not math.isfinite(float(lost.error_G[group])):
        return (
            f"{so_much}; to be compared it takes an outcome that was due of at least"
            f" {FEWEST_DUE} people in the group and two elsewhere."
        )
    points = 100 * float(lost.difference_G[group])
    side = "above" if points >= 0 else "below"
    high = 100 * float(lost.high_G(terms.confidence)[group])
    return (
        f"{so_much}, {abs(points):.0f} percentage points {side} everyone else's (at most"
        f" {high:+.0f} with {100 * terms.confidence:g} % certainty). {most}, and with that"
        f" certainty at most {100 * terms.maximum_difference:.0f} percentage points more than"
        " everyone else."
        f"{ways_out}"
    )
