from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest

from audits.changes.authored import load_plan
from audits.changes.plan import EXAMPLE
from audits.judging.judge import AuditInputs, judge
from audits.judging.policy import Policy
from audits.report.board.governance import governance_edition
from audits.report.content import ModelFacts, Report, compose, trained_on
from audits.report.document import Table
from audits.report.technical import technical_edition
from contracts.changes.comparison import PlanComparison
from contracts.changes.facts import VersionFacts
from contracts.predictions import LAST_SCORE, QUANTILE_COLUMNS, TRUTH
from contracts.verdict import Finding, Outcome, Verdict

ROOT = Path(__file__).resolve().parents[3]
SMALL = ("sex", "not recorded")


def test_a_report_is_read_back_as_it_was_written(report: Report) -> None:
    assert Report.model_validate_json(report.model_dump_json()) == report


def test_what_earlier_readers_do_not_know_is_written_only_where_there_is_some(
    report: Report,
) -> None:
    """They refuse a report with a key that they do not know, also where it says null."""
    record = json.loads(report.model_dump_json())
    assert not {"plan", "clusters", "some_wait"} & set(record)
    assert "recovery_rule_published" not in record["facts"]
    assert "change" not in record["verdict"]
    plan = load_plan(EXAMPLE)
    change = PlanComparison(plan_digest=plan.digest, after=VersionFacts(facts={}))
    verdict = report.verdict.model_copy(update={"change": change})
    planned = report.model_copy(update={"plan": plan, "verdict": verdict})
    record = json.loads(planned.model_dump_json())
    assert {"plan"} == {"plan", "clusters", "some_wait"} & set(record)
    assert record["verdict"]["change"]["plan_digest"] == plan.digest
    assert Report.model_validate_json(planned.model_dump_json()) == planned


def test_a_bedside_rule_is_called_published_only_where_it_was(report: Report) -> None:
    facts = report.facts.model_copy(update={"recovery_rule_published": False})
    other = report.model_copy(update={"facts": facts})
    assert Report.model_validate_json(other.model_dump_json()) == other
    said = {
        which: [str(made(each, ()).blocks) for made in (governance_edition, technical_edition)]
        for which, each in (("published", report), ("fitted", other))
    }
    for published, fitted in zip(said["published"], said["fitted"], strict=True):
        assert "nobody published a recovery rule" not in published
        assert "nobody published a recovery rule" in fitted
        assert f"“{report.policy.recovery_rule}” is here a share of what is missing" in fitted


def test_its_schema_tells_every_field(report: Report) -> None:
    schema = Report.model_json_schema()
    only_where_there_is_some = {"clusters", "plan", "some_wait"}
    assert set(schema["properties"]) == set(report.model_dump()) | only_where_there_is_some
    assert schema["additionalProperties"] is False


def test_the_published_schema_is_that_of_the_code() -> None:
    path = ROOT / "docs" / "schemas" / "audit-report.schema.json"
    assert json.loads(path.read_text("utf-8")) == Report.model_json_schema()


def numbers(finding: Finding) -> set[object]:
    return {finding.subjects, finding.value, finding.low, finding.high, finding.p_value}


def test_a_group_of_seven_is_judged_and_nothing_of_it_is_told(
    report: Report, verdict: Verdict
) -> None:
    judged = [f for f in verdict.findings if (f.axis, f.group) == SMALL]
    assert {f.subjects for f in judged if "AUROC" not in f.metric and f.horizon_day is None} == {7}
    reported = [f for f in report.verdict.findings if (f.axis, f.group) == SMALL]
    assert len(reported) == len(judged)
    assert all(numbers(f) == {None} for f in reported if f.subjects is None)
    assert all(f.subjects in {None, 0} for f in reported)
    assert [f.outcome for f in reported] == [f.outcome for f in judged]
    assert "n = 7" not in report.model_dump_json()
    assert not any(row.subjects for row in report.performance if (row.axis, row.group) == SMALL)
    assert SMALL not in {(row.axis, row.group) for row in report.label_sensitivity}


def test_another_group_is_hidden_with_it_so_that_it_cannot_be_worked_out(
    report: Report,
) -> None:
    shown = {
        row.group
        for row in report.performance
        if row.axis == "sex" and row.subjects is not None and row.events is None
    }
    assert len(shown) == 1


def test_a_table_that_broke_its_contract_is_told_by_the_verdict_alone(
    table: pd.DataFrame, quick_policy: Policy, inputs: AuditInputs, report: Report
) -> None:
    broken = table.drop(columns="q50")
    verdict = judge(broken, quick_policy, inputs)
    unscored = compose(
        broken, verdict, quick_policy, report.facts, made_at="now", valid_until="then"
    )
    assert unscored.verdict.outcome is Outcome.BLOCKED
    assert (unscored.performance, unscored.people) == ((), 0)


def test_a_task_of_milestones_only_has_a_report_in_every_edition(
    table: pd.DataFrame, quick_policy: Policy, inputs: AuditInputs, facts: ModelFacts
) -> None:
    chances = table.drop(columns=[TRUTH, LAST_SCORE, *QUANTILE_COLUMNS])
    verdict = judge(chances, quick_policy, inputs)
    report = compose(chances, verdict, quick_policy, facts, made_at="now", valid_until="then")
    assert report.people == chances["subject_id"].nunique()
    assert {row.metric for row in report.performance if row.value is not None}
    for edition in (governance_edition, technical_edition):
        assert edition(report, ()).blocks


def test_a_board_reads_the_instruments_own_unit_in_steps_that_matter(
    table: pd.DataFrame, quick_policy: Policy, inputs: AuditInputs, facts: ModelFacts
) -> None:
    """A walking speed is sentence_of in m/s to a hundredth, and its bias is not rounded away."""
    share = 0.1 / quick_policy.important_difference
    speeds = table.copy()
    scores = [TRUTH, LAST_SCORE, *QUANTILE_COLUMNS]
    speeds[scores] = table[scores] * share
    policy = quick_policy.carried_over("REHABCAST//WALK_TEST_SPEED", 0.1)
    sentence_of = {
        unit: sentence_on_everyone(
            compose(t, judge(t, p, inputs), p, facts, made_at="a", valid_until="b")
        )
        for unit, t, p in (("points", table, quick_policy), ("m/s", speeds, policy))
    }
    for unit, decimals in (("points", 1), ("m/s", 2)):
        assert sentence_of[unit].count(f" {unit}") == 2
        amounts = re.findall(rf"\d+\.\d{{{decimals}}}(?!\d)", sentence_of[unit])
        error, error_low, error_high, bias, bias_low, bias_high = map(float, amounts)
        assert 0 < error_low < error < error_high
        assert bias_low < bias < bias_high
        assert "too high on average" in sentence_of[unit]


def sentence_on_everyone(report: Report) -> str:
    """Return what the governance edition says was found over all."""
    groups = next(b for b in governance_edition(report, ()).blocks if isinstance(b, Table))
    return next(row[2] for row in groups.rows if row[0] == "everyone")


@pytest.mark.parametrize(
    ("people", "shown", "words"),
    [
        (3, None, "fewer than 11 people"),
        (10, None, "fewer than 11 people"),
        (11, 11, "at least 11 people"),
        (149, 140, "at least 140 people"),
        (150, 150, "at least 150 people"),
    ],
)
def test_nobody_can_tell_from_those_trained_on_how_few_were_not_scored(
    people: int, shown: int | None, words: str, facts: ModelFacts
) -> None:
    facts = ModelFacts.model_validate({**facts.model_dump(), "subjects": people})
    assert (facts.subjects, trained_on(facts)) == (shown, words)
    assert ModelFacts.model_validate(facts.model_dump()) == facts
