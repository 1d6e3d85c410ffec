"""What of a later version is outside of a change plan. The plan can only refuse."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from audits.changes.plan import ChangePlan, Criterion
from contracts.changes.comparison import CriterionResult, PlanComparison, Shown
from contracts.changes.difference import Change, ChangeKind, differences


@dataclass(frozen=True, slots=True, kw_only=True)
class NotPlanned:
    """A change that the plan does not name."""

    change: Change


@dataclass(frozen=True, slots=True, kw_only=True)
class NotValidated:
    """A planned change without the external validation that the plan asks for."""

    change: Change


@dataclass(frozen=True, slots=True, kw_only=True)
class NotMet:
    """A criterion that was not shown to be met; the result is None where nothing was compared."""

    number: int
    criterion: Criterion
    result: CriterionResult | None


Outside = NotPlanned | NotValidated | NotMet


def outside_plan(plan: ChangePlan, compared: PlanComparison) -> tuple[Outside, ...]:
    """Return everything in a later version that is outside of a plan.

    Nothing where there was no version before: a plan is about later ones. A bundle that returns to
    service has changed in nothing but perhaps for whom it is served.
    """
    if compared.before is None:
        return ()
    changed = differences(compared.before, compared.after, fewer_people=compared.fewer_people)
    if compared.returns:
        wider = tuple(change for change in changed if change.kind is ChangeKind.WIDER_SCOPE)
        return tuple(_changes(plan, compared, wider))
    return (*_changes(plan, compared, changed), *_criteria(plan, compared))


def _changes(
    plan: ChangePlan, compared: PlanComparison, changed: tuple[Change, ...]
) -> Iterator[Outside]:
    for change in changed:
        planned = plan.change(change.kind)
        if planned is None:
            yield NotPlanned(change=change)
        elif planned.external_validation and not compared.external_validation:
            yield NotValidated(change=change)


def _criteria(plan: ChangePlan, compared: PlanComparison) -> Iterator[Outside]:
    for number, criterion in enumerate(plan.criteria):
        results = [r for r in compared.criteria if r.criterion == number]
        if not results:
            yield NotMet(number=number, criterion=criterion, result=None)
        for result in results:
            if result.result is not Shown.MET:
                yield NotMet(number=number, criterion=criterion, result=result)
