"""What a board reads of the change plan: what changed, by which criterion, met or not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from audits.changes.authored import load_plan
from audits.changes.plan import EXAMPLE, ChangePlan
from audits.report.board.change_plan import NO_PLAN
from audits.report.board.governance import governance_edition
from audits.report.content import Report
from audits.report.crosswalk import answers
from audits.report.document import Notice, Table
from audits.report.editions import to_html, to_pdf
from contracts.changes.comparison import CriterionResult, PlanComparison, Shown
from contracts.changes.facts import Aspect, VersionFacts

OUTSIDE = "Outside of the change plan."


@pytest.fixture(scope="module")
def plan() -> ChangePlan:
    return load_plan(EXAMPLE)


def facts(people: int, **changed: tuple[str, ...]) -> VersionFacts:
    data = {"data": (f"{people} people",), **changed}
    return VersionFacts(facts={aspect: data.get(aspect.name.lower(), ("1",)) for aspect in Aspect})


def result(number: int, group: str, shown: Shown = Shown.MET) -> CriterionResult:
    return CriterionResult(
        criterion=number, measure="mean absolute error", axis="sex", group=group, result=shown
    )


def with_plan(report: Report, plan: ChangePlan, **changed: Any) -> Report:
    fields: dict[str, Any] = {
        "plan_digest": plan.digest,
        "champion": "arm/2",
        "champion_bundle_digest": "1" * 64,
        "before": facts(90),
        "after": facts(120),
        "criteria": tuple(result(n, group) for n in range(3) for group in ("female", "male")),
    }
    change = PlanComparison(**{**fields, **changed})
    verdict = report.verdict.model_copy(update={"change": change})
    return report.model_copy(update={"verdict": verdict, "plan": plan})


def text_of(report: Report) -> str:
    return str(governance_edition(report, ()).as_record())


def test_without_a_plan_the_report_says_so(report: Report) -> None:
    assert NO_PLAN in text_of(report)
    assert OUTSIDE not in text_of(report)


def test_a_version_within_the_plan_is_shown_with_what_changed_and_what_is_met(
    report: Report, plan: ChangePlan
) -> None:
    document = governance_edition(with_plan(report, plan), ())
    changed, criteria = (
        block for block in document.blocks if isinstance(block, Table) and "arm/2" in block.caption
    )
    ((what, answer, test),) = changed.rows
    assert (what, answer) == ("more people", "planned")
    assert "Cross-fitting by subject" in test
    assert [row[1] for row in criteria.rows] == ["Met in all 2 comparisons."] * 3
    assert "This version keeps to it." in str(document.as_record())
    assert not any(isinstance(b, Notice) and b.title == OUTSIDE for b in document.blocks)


def test_what_is_outside_stands_on_top_and_is_marked(
    report: Report, plan: ChangePlan, tmp_path: Path
) -> None:
    outside = with_plan(
        report,
        plan,
        after=facts(120, architecture=("<b>gru</b>",)),
        criteria=(
            result(0, "female", Shown.NOT_MET), result(0, "male"),
            result(1, "male", Shown.NOT_SHOWN),
        ),
    )  # fmt: skip
    document = governance_edition(outside, ())
    notices = [block.title for block in document.blocks if isinstance(block, Notice)]
    assert notices[-1] == OUTSIDE
    read = str(document.as_record())
    for words in (
        "another architecture (was: 1; now: <b>gru</b>)", "NOT PLANNED",
        "NOT MET in 1 of 2: sex: female: worse than that",
        "NOT SHOWN in 1 of 1: sex: male: not shown", "NOT SHOWN: no comparison was made.",
        "outside of it in 4 points",
    ):  # fmt: skip
        assert words in read
    assert "&lt;b&gt;gru" in to_html(document, tmp_path)
    assert to_pdf(document, tmp_path).startswith(b"%PDF")


def test_a_planned_change_without_its_external_validation_is_marked(
    report: Report, plan: ChangePlan
) -> None:
    strict = plan.model_copy(
        update={"changes": tuple(c.model_copy(update={"external_validation": True})
                                 for c in plan.changes)}
    )  # fmt: skip
    assert "EXTERNAL VALIDATION IS MISSING" in text_of(with_plan(report, strict))
    attached = with_plan(report, strict, external_validation=True)
    assert "EXTERNAL VALIDATION IS MISSING" not in text_of(attached)


def test_the_first_version_and_one_that_returns_have_nothing_to_be_compared(
    report: Report, plan: ChangePlan
) -> None:
    first = with_plan(report, plan, champion=None, champion_bundle_digest=None, before=None)
    assert "This is the first version" in text_of(first)
    back = with_plan(report, plan, returns=True, after=facts(90), criteria=())
    assert "were in service before" in text_of(back)
    assert OUTSIDE not in text_of(back)


def test_the_parts_of_a_change_control_plan_are_answered_from_it(
    report: Report, plan: ChangePlan
) -> None:
    without = {a.item: a for a in answers(report, "FDA PCCP")}
    assert [item for item, answer in without.items() if not answer.is_available] == ["1", "3"]
    answered = {a.item: a for a in answers(with_plan(report, plan), "FDA PCCP")}
    assert all(answer.is_available for answer in answered.values())
    for item, words in {
        "1": plan.changes[0].description, "2b": plan.retrain_when.conditions[0],
        "2c": "2 of 3 criteria are by group", "2d": plan.rollback.how, "3": plan.impact_together,
    }.items():  # fmt: skip
        assert words in answered[item].text
    act = {a.item: a for a in answers(with_plan(report, plan), "EU AI Act")}
    assert act["13(3)(c)"].is_available
    assert plan.digest[:12] in act["13(3)(c)"].text
