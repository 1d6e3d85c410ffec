"""The follow-up table beside a prediction table: what each group lost, and who stands for them.

Letters: G groups.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audits.judging.policy import Rule
from audits.measure.disparity import Statistic
from audits.measure.groups import Grouping, by_attribute, intersections
from audits.measure.losses import (
    Losses,
    LossTerms,
    losses,
    lost_after_tracing,
    lost_rows,
    missed_rows,
    points_to_bear,
    share_to_bear,
)
from audits.measure.metric_definitions import Unit
from audits.measure.metrics import Measure, Metric
from audits.measure.people import PeopleOfGroups, RowSums, people_of_groups
from audits.measure.prediction_table import KEY
from audits.measure.reweighted import recovered
from contracts.predictions import (
    CLUSTER,
    DRAWN,
    EARLY_ERROR,
    GROUP,
    STATUS,
    TRACING_CHANCE,
    OutcomeStatus,
)
from contracts.scope import Scope

Array = NDArray[np.float64]
CAME = (OutcomeStatus.OBSERVED, OutcomeStatus.TRACED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Excess:
    """Share of its outcomes that each group of a grouping lost beyond others, by label.

    Parameters
    ----------
    as_lost
        As if nobody had been drawn to be traced.
    after_tracing
        Where those who were traced stand for the others.
    """

    as_lost: Mapping[str, float]
    after_tracing: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """A follow-up table, and what the policy asks of it.

    Parameters
    ----------
    rows, terms
        The table, and the terms.
    attributes
        How its rows are divided.
    excess
        By axis.
    """

    rows: pd.DataFrame
    terms: LossTerms
    attributes: tuple[Grouping, ...]
    excess: Mapping[str, Excess]

    @staticmethod
    def of(rows: pd.DataFrame, terms: LossTerms) -> Missing:
        """Measure what every group and pair lost."""
        attributes = by_attribute(rows)
        excess = {g.axis: _excess(rows, g, terms, certain=False) for g in attributes}
        # Pairs are many and small: only what is certain counts against them.
        excess |= {g.axis: _excess(rows, g, terms, certain=True) for g in intersections(attributes)}
        return Missing(rows=rows, terms=terms, attributes=tuple(attributes), excess=excess)

    def inside(self, scope: Scope) -> Missing:
        """Return the same of those in scope only."""
        names = [str(name) for name in self.rows.columns if str(name).startswith(GROUP)]
        labels = self.rows[names].astype(str)
        is_outside = {
            row: bool(
                scope.outside({
                    name.removeprefix(GROUP): label for name, label in zip(names, row, strict=True)
                })
            )
            for row in labels.drop_duplicates().itertuples(index=False, name=None)
        }  # fmt: skip
        kept = [not is_outside[row] for row in labels.itertuples(index=False, name=None)]
        return Missing.of(self.rows[kept].reset_index(drop=True), self.terms)

    def people(
        self, table: pd.DataFrame, sums: RowSums, grouping: Grouping, measure: Measure
    ) -> PeopleOfGroups:
        """Return a metric by person, where traced people stand for the lost if they can."""
        return people_with_traced(self.rows, self.terms, table, sums, grouping, measure)

    def to_bear(
        self, rule: Rule, measure: Measure, grouping: Grouping, people: PeopleOfGroups,
        important_difference: float,
    ) -> Array:  # fmt: skip
        """Return by how much a rule's bounds may be too good in each group, (G,)."""
        found = self.excess.get(grouping.axis)
        if found is None:
            return np.zeros(len(grouping.labels_G))
        is_compared = rule.statistic is Statistic.AGAINST_COMPARATOR
        shares = found.after_tracing if is_recovered(measure) and not is_compared else found.as_lost
        excess_G = np.array([shares.get(label, 0.0) for label in grouping.labels_G])
        unit = rule.metric.definition.unit
        if unit is Unit.SHARE and not is_compared:
            return share_to_bear(excess_G, people.inside.mean_G, rule.direction)
        spread_G = np.sqrt(np.fmax(people.inside.variance_G, people.pooled_G))
        # How a comparator would have served the lost, nobody assumes.
        at_least = important_difference if unit is Unit.POINTS and not is_compared else 0.0
        return points_to_bear(excess_G, spread_G, at_least)


def people_with_traced(
    rows: pd.DataFrame, terms: LossTerms, table: pd.DataFrame, sums: RowSums, grouping: Grouping,
    measure: Measure,
) -> PeopleOfGroups:  # fmt: skip
    """Return a metric by person, where traced people of a follow-up table stand for the lost."""
    people = people_of_groups(sums, grouping)
    if not is_recovered(measure) or not (rows[STATUS] == OutcomeStatus.TRACED).any():
        return people
    of_all = recovered(
        table, sums, grouping, rows, terms.minimum_tracing_chance,
        signed=measure.metric is Metric.SIGNED_ERROR,
    )  # fmt: skip
    found = people_of_groups(of_all.sums, of_all.grouping)
    # Only people with an outcome of their own are evidence, whomever they stand for.
    return replace(
        found,
        inside=replace(found.inside, people_G=people.inside.people_G),
        rest=replace(found.rest, people_G=people.rest.people_G),
    )


def is_recovered(measure: Measure) -> bool:
    """Return whether traced people can stand for the lost: where everybody counts in a metric.

    Whether the lost have reached a milestone is not known, and only those who have count in most
    metrics of milestones.
    """
    return measure.milestone is None and measure.horizon_day is None


def of_group(rows: pd.DataFrame, grouping: Grouping, terms: LossTerms) -> Losses:
    """Return what each group lost, where the traced stand for others."""
    return losses(rows, grouping, lost_after_tracing(rows, grouping, terms.minimum_tracing_chance))


def violations(rows: pd.DataFrame, candidate: pd.DataFrame) -> Iterator[str]:
    """Yield what is wrong with a follow-up table beside the candidate's rows.

    Returns
    -------
    Nothing where the table is sound.
    """
    groups = [str(name) for name in candidate.columns if str(name).startswith((GROUP, CLUSTER))]
    absent = [
        name
        for name in (*KEY, STATUS, TRACING_CHANCE, DRAWN, EARLY_ERROR, *groups)
        if name not in rows.columns
    ]
    if absent:
        yield f"no column {', '.join(absent)}"
        return
    if unknown := set(rows[STATUS]) - set(OutcomeStatus):
        yield f"unknown status {', '.join(sorted(map(str, unknown)))}"
    if repeated := int(rows.duplicated(KEY).sum()):
        yield f"{repeated} row(s) repeat an earlier one"
        return
    if rows[groups].isna().to_numpy().any():
        yield "a row has no label"
    came = rows[rows[STATUS].isin(CAME)][KEY]
    forecast = candidate[KEY].drop_duplicates()
    if lacking := len(came) - len(came.merge(forecast, on=KEY)):
        yield f"{lacking} outcome(s) that came are not in the prediction table"
    if extra := len(rows[~rows[STATUS].isin(CAME)][KEY].merge(forecast, on=KEY)):
        yield f"{extra} outcome(s) that did not come are in the prediction table"
    traced = rows[rows[STATUS] == OutcomeStatus.TRACED]
    chance = traced[TRACING_CHANCE]
    if bad := int((~((chance > 0) & (chance <= 1) & traced[DRAWN].astype(bool))).sum()):
        yield f"{bad} traced outcome(s) are of people who were not drawn with a known chance"


def _excess(rows: pd.DataFrame, grouping: Grouping, terms: LossTerms, *, certain: bool) -> Excess:
    """Return what each group lost beyond others, and what it certainly missed beyond them.

    Assessments are missed by design too, such as where a site has another schedule: what may be
    chance does not count.
    """
    missed_N = missed_rows(rows)
    after_N = lost_after_tracing(rows, grouping, terms.minimum_tracing_chance)
    as_lost, after_tracing = (
        excess_of(
            grouping.labels_G, losses(rows, grouping, lost_N),
            losses(rows, grouping, lost_N + missed_N), terms, certain=certain,
        )
        for lost_N in (lost_rows(rows), after_N)
    )  # fmt: skip
    return Excess(as_lost=as_lost, after_tracing=after_tracing)


def excess_of(
    labels_G: Sequence[str],
    lost: Losses,
    lost_or_missed: Losses,
    terms: LossTerms,
    *,
    certain: bool,
) -> dict[str, float]:
    """Return by label what each group lost beyond others, or certainly lost or missed beyond them.

    Parameters
    ----------
    certain
        Whether only what is certain counts.
    """
    certain_G = lost_or_missed.certain_excess_G(terms.confidence)
    excess_G = np.fmax(certain_G, 0.0 if certain else lost.excess_G)
    return dict(zip(labels_G, excess_G.tolist(), strict=True))
