"""A plan's criteria on people served: a shadow beside the champion, at every look."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audits.changes.plan import ChangePlan, Criterion, ShownOn, Who
from audits.judging.further.compared import criteria_on, inside, nobody_compared
from audits.judging.policy import Policy
from audits.judging.rules import rows_of
from audits.measure.groups import EVERYONE, by_attribute
from audits.measure.looks import Earlier, confidence_at, look_at
from audits.measure.metrics import Measure, available_measures, range_of
from audits.sequential.paired import by_group, wealth, worse_by
from contracts.changes.comparison import CriterionResult, ServedComparison, Shown
from contracts.predictions import CANDIDATE, REACHED, SUBJECT
from contracts.scope import Scope

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedPairs:
    """Forecasts of a shadow and the champion for the same people in service.

    Parameters
    ----------
    comparison
        Where they come from.
    rows
        A prediction table with one row a person of each, as candidate and champion.
    """

    comparison: ServedComparison
    rows: pd.DataFrame


def served_results(
    plan: ChangePlan,
    cohort: pd.DataFrame,
    pairs: ServedPairs | None,
    scope: Scope | None,
    policy: Policy,
    earlier: Earlier,
) -> tuple[CriterionResult, ...]:
    """Judge the criteria of a plan that are judged on people served; none without pairs.

    Parameters
    ----------
    cohort
        The candidate's rows of the people whom it would be served to, whose groups have to be
        among the pairs.
    scope
        For whom the candidate would be served; None for everyone.
    earlier
        As in `audits.judging.judge`: an earlier attempt makes a criterion harder to meet.
    """
    criteria = criteria_on(plan, ShownOn.SERVED)
    if pairs is None or not criteria:
        return ()
    rows = _in_scope(pairs.rows, scope)
    if rows.empty:
        return ()
    points = pairs.comparison.points
    found = [
        result
        for number, criterion in criteria.items()
        for result in _of_criterion(number, criterion, rows, policy, earlier, points)
    ]
    return (*found, *nobody_compared(criteria, cohort, found))


def _in_scope(rows: pd.DataFrame, scope: Scope | None) -> pd.DataFrame:
    own = rows_of(rows, CANDIDATE)
    people = own[SUBJECT] if scope is None else own.loc[inside(own, scope), SUBJECT]
    return rows[rows[SUBJECT].isin(people)].reset_index(drop=True)


def _of_criterion(
    number: int,
    criterion: Criterion,
    rows: pd.DataFrame,
    policy: Policy,
    earlier: Earlier,
    points: float,
) -> Iterator[CriterionResult]:
    own, limit = rows_of(rows, CANDIDATE), criterion.worse_by_at_most
    size = range_of(criterion.metric, points=points, limit=limit)
    for measure in available_measures(own, criterion.metric):
        people, worse_N = worse_by(rows, measure, policy.thresholds)
        for axis, group, is_in_N in _groups(criterion, own, people):
            few = _is_few(criterion, measure, own, people[is_in_N])
            result = Shown.NOT_SHOWN
            if size is not None and not few:
                alpha = _alpha(criterion, earlier, axis, group)
                result = _shown(worse_N[is_in_N], limit, size, alpha)
            yield CriterionResult(
                criterion=number, measure=measure.name, milestone=measure.milestone,
                axis=axis, group=group, result=result,
            )  # fmt: skip


def _groups(
    criterion: Criterion, own: pd.DataFrame, people: NDArray[np.int64]
) -> Iterator[tuple[str, str, NDArray[np.bool_]]]:
    """Yield whom a criterion asks about, and which people those are, (N,)."""
    if criterion.who is Who.EVERYONE:
        yield EVERYONE, EVERYONE, np.ones(len(people), dtype=np.bool_)
        return
    for grouping in by_attribute(own):
        if criterion.attributes is None or grouping.axis in criterion.attributes:
            for label, is_in_N in by_group(own, grouping, people):
                yield grouping.axis, label, is_in_N


def _is_few(
    criterion: Criterion, measure: Measure, own: pd.DataFrame, people: NDArray[np.int64]
) -> bool:
    if len(people) < criterion.minimum_people or measure.milestone is None:
        return len(people) < criterion.minimum_people
    events = own.loc[own[SUBJECT].isin(people), REACHED + measure.milestone].sum()
    return bool(events < criterion.minimum_events)


def _alpha(criterion: Criterion, earlier: Earlier, axis: str, group: str) -> float:
    """Return the error of the one bound, as for the criteria on a cohort."""
    both = confidence_at(look_at(earlier, axis, group), 2 * criterion.confidence - 1)
    return (1 - both) / 2


def _shown(worse_N: Array, limit: float, size: float, alpha: float) -> Shown:
    if wealth(worse_N, limit, size) >= 1 / alpha:
        return Shown.MET
    is_beyond = np.clip(worse_N, -size, size).mean() > limit
    return Shown.NOT_MET if is_beyond else Shown.NOT_SHOWN
