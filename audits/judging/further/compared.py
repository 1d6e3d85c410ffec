"""Of whom a plan's criteria ask, and of whom nothing could be compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import pandas as pd

from audits.changes.plan import ChangePlan, Criterion, ShownOn, Who
from audits.measure.groups import EVERYONE, by_attribute
from contracts.changes.comparison import CriterionResult, Shown
from contracts.predictions import GROUP
from contracts.scope import Scope

Numbered = Mapping[int, Criterion]
"""Criteria of a plan, by their place in it."""


def criteria_on(plan: ChangePlan, shown_on: ShownOn) -> Numbered:
    """Return the criteria of a plan that are judged on some people's forecasts."""
    return {
        number: criterion
        for number, criterion in enumerate(plan.criteria)
        if criterion.shown_on is shown_on
    }


def inside(table: pd.DataFrame, scope: Scope) -> pd.Series[bool]:
    """Return which rows are of people in scope."""
    columns = [str(name) for name in table.columns if str(name).startswith(GROUP)]
    names = [name.removeprefix(GROUP) for name in columns]
    rows = table[columns].astype(str).itertuples(index=False, name=None)
    is_inside = [not scope.outside(dict(zip(names, labels, strict=True))) for labels in rows]
    return pd.Series(is_inside, index=table.index, dtype=bool)


def nobody_compared(
    criteria: Numbered, served: pd.DataFrame, found: Sequence[CriterionResult]
) -> Iterator[CriterionResult]:
    """Yield the groups who would be served, and of whom no forecast could be compared.

    Parameters
    ----------
    served
        The candidate's rows of whom it would be served to.
    """
    attributes = by_attribute(served)
    for number, criterion in criteria.items():
        if criterion.who is Who.EVERYONE:
            continue
        compared = {(r.axis, r.group) for r in found if r.criterion == number}
        audited = {grouping.axis for grouping in attributes}
        for axis in criterion.attributes or ():
            if axis not in audited:
                yield _not_shown(number, criterion, axis, EVERYONE)
        for grouping in attributes:
            if criterion.attributes is not None and grouping.axis not in criterion.attributes:
                continue
            for group in () if grouping.is_constant else grouping.labels_G:
                if (grouping.axis, group) not in compared:
                    yield _not_shown(number, criterion, grouping.axis, group)


def _not_shown(number: int, criterion: Criterion, axis: str, group: str) -> CriterionResult:
    return CriterionResult(
        criterion=number, measure=criterion.metric, axis=axis, group=group,
        result=Shown.NOT_SHOWN,
    )  # fmt: skip
