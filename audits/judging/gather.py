"""The evidence for each rule in every group: bounds that hold for few people, or the bootstrap."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from audits.judging.counts import CountedRows, Counts, events_of
from audits.judging.evidence import Evidence, held_by
from audits.judging.lost.missing import Missing
from audits.judging.policy import Policy, Rule
from audits.measure.bounds import Bounds, Limit, difference_bounds, mean_bounds
from audits.measure.disparity import (
    ALL_GROUPS,
    Direction,
    Estimate,
    Statistic,
    estimates,
    p_value,
    paired,
)
from audits.measure.groups import Grouping
from audits.measure.intervals import Interval, Scores, bootstrap, widest_interval
from audits.measure.metric_definitions import Unit
from audits.measure.metrics import Measure, available_measures, horizons
from audits.measure.people import PeopleOfGroups, RowSums, has_person_means, people_of_groups
from audits.measure.prediction_table import has_forecast
from audits.measure.shares import share_bounds, share_difference_bounds
from contracts.predictions import REFUSED

MONTE_CARLO = 8.0
"""Three times 2.67, the standard deviation over seeds of a 95 % percentile bound, in standard
errors over the root of the replicates (from the density of an order statistic)."""


def in_groups(
    table: pd.DataFrame,
    groupings: Sequence[Grouping],
    rules: Sequence[Rule],
    policy: Policy,
    missing: Missing | None,
) -> Iterator[Evidence]:
    """Return the evidence for rules that compare a group with nobody or with everyone else."""
    if not groupings:
        return
    analytic = [rule for rule in rules if is_analytic(rule)]
    measured = dict.fromkeys(m for rule in analytic for m in measures(table, rule))
    sums = {measure: RowSums.of(table, measure, policy.thresholds) for measure in measured}
    counted = events_of(table, measured, policy.thresholds)
    for grouping in groupings:
        people = {
            m: people_of_groups(sums[m], grouping)
            if missing is None
            else missing.people(table, sums[m], grouping, m)
            for m in measured
        }
        counts = {m: _counts(grouping, counted.get(m), people[m]) for m in measured}
        for rule in analytic:
            for measure in _applicable(table, rule, grouping):
                yield from analytic_evidence(
                    rule, measure, grouping, people[measure], counts[measure], policy, missing
                )
    yield from _by_bootstrap(table, groupings, [r for r in rules if r not in analytic], policy)


def against(
    table: pd.DataFrame,
    other: pd.DataFrame,
    groupings: Sequence[Grouping],
    rule: Rule,
    policy: Policy,
    missing: Missing | None,
) -> Iterator[Evidence]:
    """Compare the candidate with a comparator on the same forecasts, person by person.

    Parameters
    ----------
    other
        The comparator's rows, in the order of the candidate's.
    """
    table, other = forecast_by_both(table, other)
    if not is_analytic(rule):
        yield from _against_by_bootstrap(table, other, groupings, rule, policy)
        return
    for measure in measures(table, rule):
        sums = RowSums.of(table, measure, policy.thresholds)
        difference = sums.less(RowSums.of(other, measure, policy.thresholds))
        counted = events_of(table, [measure], policy.thresholds).get(measure)
        for grouping in groupings:
            if rule.axes is None or grouping.axis in rule.axes:
                people = people_of_groups(difference, grouping)
                counts = _counts(grouping, counted, people)
                yield from analytic_evidence(
                    rule, measure, grouping, people, counts, policy, missing
                )


def measures(table: pd.DataFrame, rule: Rule) -> tuple[Measure, ...]:
    """Return what a rule measures in a table; nothing where its columns are missing."""
    days = horizons(table) if rule.each_horizon else (None,)
    return available_measures(table, rule.metric, days)


def _applicable(table: pd.DataFrame, rule: Rule, grouping: Grouping) -> tuple[Measure, ...]:
    if rule.axes is not None and grouping.axis not in rule.axes:
        return ()
    return measures(table, rule)


def is_analytic(rule: Rule) -> bool:
    """Return whether a rule is decided by bounds of people's means, without a bootstrap."""
    of_people = {Statistic.VALUE, Statistic.DIFFERENCE, Statistic.AGAINST_COMPARATOR}
    two_sided_share = (
        rule.metric.definition.unit is Unit.SHARE
        and rule.statistic is Statistic.VALUE
        and rule.direction is Direction.WITHIN
    )
    return has_person_means(rule.metric) and rule.statistic in of_people and not two_sided_share


def limit_of(rule: Rule) -> Limit:
    """Return what a rule asks for, as bounds need it."""
    return Limit(direction=rule.direction, value=rule.limit, confidence=rule.confidence)


def bounds_of(rule: Rule, people: PeopleOfGroups) -> Bounds:
    """Return the bounds that a rule is decided by; it is one of those that need no bootstrap."""
    limit = limit_of(rule)
    is_share = rule.metric.definition.unit is Unit.SHARE
    if rule.statistic is Statistic.AGAINST_COMPARATOR:
        return mean_bounds(people, limit)
    if rule.statistic is Statistic.VALUE:
        return (share_bounds if is_share else mean_bounds)(people, limit)
    return (share_difference_bounds if is_share else difference_bounds)(people, limit)


Both = tuple[Sequence[Counts], Sequence[Counts]]
"""People and events of each group, and of its rest."""


def _counts(grouping: Grouping, counted: CountedRows | None, people: PeopleOfGroups) -> Both:
    inside_G, rest_G = (m.people_G.astype(int).tolist() for m in (people.inside, people.rest))
    if counted is None:
        return (
            [Counts(subjects=n, events=None) for n in inside_G],
            [Counts(subjects=n, events=None) for n in rest_G],
        )
    # Whoever counts in the rest's denominator is an event of the rest.
    rest = [Counts(subjects=n, events=n) for n in rest_G]
    return counted.by_group(grouping), rest


def analytic_evidence(
    rule: Rule,
    measure: Measure,
    grouping: Grouping,
    people: PeopleOfGroups,
    counts: Both,
    policy: Policy,
    missing: Missing | None,
) -> Iterator[Evidence]:
    """Return the evidence of a rule in each group of a grouping; only its names are read."""
    bounds = bounds_of(rule, people)
    to_bear_G = (
        np.zeros(len(grouping.labels_G))
        if missing is None
        else missing.to_bear(rule, measure, grouping, people, policy.important_difference)
    )
    is_compared = rule.statistic is Statistic.DIFFERENCE
    numbers = zip(
        grouping.labels_G, *counts,
        *(values_G.tolist() for values_G in (
            bounds.estimate_G, bounds.low_G, bounds.high_G, bounds.p_G, bounds.error_G,
            bounds.suspected_G, to_bear_G,
        )),
        strict=True,
    )  # fmt: skip
    held = iter(held_by(grouping, people.alike))
    for label, inside, rest, estimate, low, high, p, error, drawn, to_bear in numbers:
        is_known = math.isfinite(low) and math.isfinite(high)
        yield Evidence(
            rule=rule, measure=measure, axis=grouping.axis, attributes=grouping.attributes,
            group=label, counts=inside, rest=rest if is_compared else None, estimate=estimate,
            interval=Interval(low=low, high=high) if is_known else None,
            p_value=p if math.isfinite(p) else None, suspected=drawn, error=error, to_bear=to_bear,
            held_by=next(held), score_unit=policy.score_unit,
        )  # fmt: skip


def _by_bootstrap(
    table: pd.DataFrame, groupings: Sequence[Grouping], rules: Sequence[Rule], policy: Policy
) -> Iterator[Evidence]:
    of_rule = {rule.name: measures(table, rule) for rule in rules}
    measured = tuple(dict.fromkeys(measure for found in of_rule.values() for measure in found))
    if not measured:
        return
    counted = [CountedRows.of(table, measure, policy.thresholds) for measure in measured]
    for scores in _scores(table, groupings, measured, policy):
        grouping = scores.grouping
        counts_of = [rows.by_group(grouping) for rows in counted]
        for rule in rules:
            if rule.axes is not None and grouping.axis not in rule.axes:
                continue
            for measure in of_rule[rule.name]:
                column = measured.index(measure)
                counts = counts_of[column]
                enough_G = np.array(
                    [c.subjects >= rule.minimum_subjects for c in counts], dtype=np.bool_
                )
                for estimate in estimates(scores, column, rule.statistic, enough_G):
                    yield _bootstrapped(estimate, rule, measure, scores, counts, policy)


def _against_by_bootstrap(
    table: pd.DataFrame,
    other: pd.DataFrame,
    groupings: Sequence[Grouping],
    rule: Rule,
    policy: Policy,
) -> Iterator[Evidence]:
    measured = measures(table, rule)
    counted = [CountedRows.of(table, measure, policy.thresholds) for measure in measured]
    both = [_scores(rows, groupings, measured, policy) for rows in (table, other)]
    for candidate, comparator in zip(*both, strict=True):
        grouping = candidate.grouping
        if rule.axes is not None and grouping.axis not in rule.axes:
            continue
        for column, measure in enumerate(measured):
            counts = counted[column].by_group(grouping)
            for estimate in paired(candidate, comparator, column):
                yield _bootstrapped(estimate, rule, measure, candidate, counts, policy)


def _scores(
    table: pd.DataFrame,
    groupings: Sequence[Grouping],
    measured: tuple[Measure, ...],
    policy: Policy,
) -> list[Scores]:
    return bootstrap(
        table, groupings, measured, replicates=policy.replicates, seed=policy.seed,
        thresholds=policy.thresholds,
    )  # fmt: skip


def _bootstrapped(
    estimate: Estimate,
    rule: Rule,
    measure: Measure,
    scores: Scores,
    counts: Sequence[Counts],
    policy: Policy,
) -> Evidence:
    grouping, draws = scores.grouping, scores.draws
    labels = grouping.labels_G
    small = tuple(
        label for label, c in zip(labels, counts, strict=True) if c.subjects < rule.minimum_subjects
    )
    error = draws.error(estimate.replicate_R, estimate.group)
    return Evidence(
        rule=rule,
        measure=measure,
        axis=grouping.axis,
        attributes=grouping.attributes,
        group=ALL_GROUPS if estimate.group is None else labels[estimate.group],
        counts=_total(counts) if estimate.group is None else counts[estimate.group],
        estimate=estimate.value,
        interval=widest_interval(
            estimate.replicate_R, confidence=rule.confidence, draws=draws, group=estimate.group
        ),
        p_value=p_value(
            rule.direction, rule.limit, estimate, draws, is_ratio=rule.statistic.is_ratio
        ),
        small_groups=small if estimate.group is None else (),
        error=error,
        monte_carlo=MONTE_CARLO * error / math.sqrt(policy.replicates),
        held_by=() if estimate.group is None else held_by(grouping, draws)[estimate.group],
        score_unit=policy.score_unit,
    )


def _total(counts: Sequence[Counts]) -> Counts:
    return Counts(
        subjects=sum(c.subjects for c in counts),
        events=None if counts[0].events is None else sum(c.events or 0 for c in counts),
    )


def forecast_by_both(table: pd.DataFrame, other: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Leave out what either model refused: else one that refuses hard cases would look better."""
    if REFUSED not in table.columns and REFUSED not in other.columns:
        return table, other
    refused_N = ~(has_forecast(table).to_numpy() & has_forecast(other).to_numpy())
    return table.assign(**{REFUSED: refused_N}), other.assign(**{REFUSED: refused_N})
