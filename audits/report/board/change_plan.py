"""What the change plan of a model's line says of this version, for a board."""

from __future__ import annotations

from collections.abc import Iterable

from audits.changes.outside import NotPlanned, NotValidated, outside_plan
from audits.changes.plan import ChangePlan
from audits.changes.wording import change_in_words, criterion_in_words, result_in_words
from audits.report.content import Report
from audits.report.document import Block, Heading, Notice, Paragraph, Table
from contracts.changes.comparison import PlanComparison, Shown
from contracts.changes.difference import Change, differences

NO_PLAN = (
    "There is no change plan for later versions of this model. Each is judged by the policy and"
    " approved by two people, whatever changed."
)

LEFT_OUT = (
    "Some people have another outcome now than when the version in service was trained, such as of"
    " a later visit. Their forecasts of that outcome are left out of this comparison, and of no"
    " other."
)


def change_plan(report: Report) -> Iterable[Block]:
    """Yield what is planned, what changed and whether each criterion is met."""
    yield Heading(level=1, text="Change plan")
    plan, found = report.plan, report.verdict.change
    if plan is None or found is None:
        yield Paragraph(text=NO_PLAN)
        return
    yield Paragraph(text=_sentence(plan, found))
    if found.before is None:
        return
    changed = differences(found.before, found.after, fewer_people=found.fewer_people)
    yield Table(
        caption=f"What changed since {found.champion}, and what the plan says of it",
        columns=("What changed", "In the plan", "How it is tested"),
        rows=tuple(_change_row(plan, found, change) for change in changed)
        or (("Nothing that can be seen in what both versions are made of", "", ""),),
        widths=(7, 4, 8),
    )
    if found.returns:
        return
    if found.other_outcomes:
        yield Paragraph(text=LEFT_OUT)
    yield Table(
        caption=f"The plan's criteria against {found.champion}; groups outside of the scope are"
        " not compared",
        columns=("Criterion", "Met or not"),
        rows=tuple(
            (criterion_in_words(criterion), _met(found, number))
            for number, criterion in enumerate(plan.criteria)
        ),
        widths=(9, 10),
    )


def outside_notice(report: Report) -> Iterable[Block]:
    """Yield a notice on top where the version may not follow under the plan."""
    plan, found = report.plan, report.verdict.change
    if plan is None or found is None or not outside_plan(plan, found):
        return
    yield Notice(
        tone="blocked",
        title="Outside of the change plan.",
        text=f"Whatever the verdict, this version can't replace {found.champion}: it changes what"
        " the approved plan does not name, or was not shown to meet the plan's criteria. No"
        " override changes that; two people can approve another plan.",
    )


def _sentence(plan: ChangePlan, found: PlanComparison) -> str:
    allows = ", ".join(change.kind for change in plan.changes)
    begin = (
        f"Change plan {plan.version} ({plan.digest[:12]}), approved by two people, allows later"
        f" versions with: {allows}."
    )
    if found.champion is None:
        return f"{begin} This is the first version, so there is nothing that it could differ from."
    if found.returns and not outside_plan(plan, found):
        return f"{begin} These very bytes were in service before, so nothing changes by them."
    outside = len(outside_plan(plan, found))
    points = "point" if outside == 1 else "points"
    if outside == 0:
        return f"{begin} This version keeps to it."
    return (
        f"{begin} This version is outside of it in {outside} {points}, marked below: it can't"
        " replace the version in service, and no override changes that."
    )


def _change_row(plan: ChangePlan, found: PlanComparison, change: Change) -> tuple[str, ...]:
    planned = plan.change(change.kind)
    outside = [
        each
        for each in outside_plan(plan, found)
        if isinstance(each, NotPlanned | NotValidated) and each.change == change
    ]
    if planned is None:
        return (change_in_words(change), "NOT PLANNED", "")
    answer = "planned, but EXTERNAL VALIDATION IS MISSING" if outside else "planned"
    return (change_in_words(change), answer, planned.test)


def _met(found: PlanComparison, number: int) -> str:
    results = [result for result in found.criteria if result.criterion == number]
    if not results:
        return "NOT SHOWN: no comparison was made."
    if all(result.result is Shown.MET for result in results):
        return f"Met in all {len(results)} comparisons." if len(results) > 1 else "Met."
    parts = []
    for shown, words in ((Shown.NOT_MET, "NOT MET"), (Shown.NOT_SHOWN, "NOT SHOWN")):
        if open_ones := [result for result in results if result.result is shown]:
            lines = "; ".join(result_in_words(result) for result in open_ones)
            parts.append(f"{words} in {len(open_ones)} of {len(results)}: {lines}.")
    return " ".join(parts)
