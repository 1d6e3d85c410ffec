"""Over generated verdicts: everything binding that failed is told, and nothing is told too well."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from audits.judging.findings import COMPARISON
from audits.judging.performance import Performance
from audits.judging.policy import Rule, load_policy
from audits.judging.validation import CHECK
from audits.judging.wording import group_in_words
from audits.measure.metrics import Metric
from audits.report.board.findings_in_words import all_within, beyond
from audits.report.board.governance import governance_edition
from audits.report.chai_card import chai_xml
from audits.report.content import ModelFacts, Report
from audits.report.document import Block, Bullets, Heading, Notice, Paragraph, Table, Whisker
from contracts.verdict import GRAVITY, Finding, Outcome, Shortage, Verdict

POLICY = load_policy()
GROUPS = (("sex", "female"), ("sex", "male"), ("hospital", "0"), ("hospital", "not recorded"))
EVERYONE = ("everyone", "everyone")
MAY_BE_OPEN = {rule.name for rule in POLICY.rules if not rule.must_be_shown}
RULE_OUTCOMES = [o for o in Outcome if o is not Outcome.WITHIN_SCOPE]
NUMBERS = st.floats(-12, 12, allow_nan=False)
INSIDE = {
    "at most": (-0.9, -0.5, -0.1),
    "at least": (0.1, 0.2, 0.3),
    "within": (-0.1, -0.06, -0.02),
}
"""Ends and estimate of a rule that holds, from its limit."""


PERFORMANCE = tuple(
            Performance(
                axis=axis, attributes=(), group=group, metric=metric, milestone=None,
                horizon_day=None, subjects=92, events=None, value=0.55, low=0.5, high=0.6,
                unit="share", denominator="forecasts",
            )
            for axis, group in (EVERYONE, *GROUPS)
            for metric in (Metric.MEAN_ABSOLUTE_ERROR, Metric.SIGNED_ERROR, Metric.COVERAGE)
        )  # fmt: skip


@st.composite
def finding(draw: st.DrawFn, rule: Rule, axis: str, group: str, outcomes: list[Outcome]) -> Finding:
    """A finding with numbers, with some, or hidden; of few or many people."""
    outcome = draw(st.sampled_from(outcomes))
    subjects = draw(st.none() | st.integers(1, 200))
    low, value, high = sorted(draw(st.tuples(NUMBERS, NUMBERS, NUMBERS)))
    if outcome is Outcome.PASS:
        low, value, high = sorted(rule.limit + step for step in INSIDE[rule.direction])
    has_value, has_interval = draw(st.booleans()), draw(st.booleans())
    small = subjects is not None and subjects < rule.minimum_subjects
    shortage = (
        Shortage.PEOPLE
        if small
        else draw(st.sampled_from([None, Shortage.EVENTS, Shortage.REST_PEOPLE]))
    )
    is_shown = subjects is not None and has_value
    return Finding(
        rule=rule.name, metric=rule.metric, statistic=rule.statistic, axis=axis,
        attributes=() if axis == "everyone" else (axis,), group=group,
        horizon_day=84 if rule.each_horizon else None, subjects=subjects, events=None,
        value=value if is_shown else None, low=low if is_shown and has_interval else None,
        high=high if is_shown and has_interval else None, limit=rule.limit,
        binding=rule.binding and (rule.must_be_shown or outcome is not Outcome.INSUFFICIENT),
        outcome=outcome, shortage=shortage if subjects is not None else None,
        reason=f"{group_in_words(axis, group)}: {rule.metric}: {outcome}.",
    )  # fmt: skip


@st.composite
def reports(draw: st.DrawFn, facts: ModelFacts) -> Report:
    """A report on some rules, each on some groups."""
    rules = draw(st.lists(st.sampled_from(POLICY.rules), min_size=1, max_size=6, unique=True))
    outcomes = draw(st.sampled_from([RULE_OUTCOMES, [Outcome.PASS]]))
    found = [
        draw(finding(rule, axis, group, outcomes))
        for rule in rules
        for axis, group in ([EVERYONE] if rule.scope == "overall" else GROUPS)
        if draw(st.booleans())
    ]
    binding = [f.outcome for f in found if f.binding]
    verdict = Verdict(
        model_version="arm/3", bundle_digest="b", predictions_digest="p", policy_digest="q",
        data_digest="d", code_digest="c", simulated=True,
        outcome=max(binding, key=GRAVITY.__getitem__, default=Outcome.INSUFFICIENT),
        findings=tuple(found),
    )  # fmt: skip
    return Report(
        verdict=verdict, policy=POLICY, facts=facts, made_at="2026-11-24", valid_until="2027",
        people=100, forecasts=100, comparators=(), unavailable=(), label_sensitivity=(),
        performance=PERFORMANCE,
    )  # fmt: skip


def texts(blocks: Iterable[Block]) -> Iterator[str]:
    for block in blocks:
        match block:
            case Heading() | Paragraph():
                yield block.text
            case Notice():
                yield f"{block.title} {block.text}"
            case Bullets():
                yield from block.items
            case Table():
                yield from (cell for row in block.rows for cell in row if isinstance(cell, str))


def is_beyond(finding: Finding) -> bool:
    """Said without the code under test: by the outcome, or by the number beside the limit."""
    if finding.outcome in {Outcome.REVIEW, Outcome.BLOCKED}:
        return True
    if finding.value is None or finding.limit is None:
        return False
    (rule,) = (r for r in POLICY.rules if r.name == finding.rule)
    sign = {"at most": 1, "at least": -1}.get(rule.direction)
    if sign is None:
        return abs(finding.value) > finding.limit
    return sign * finding.value > sign * finding.limit


REASSURING = re.compile(
    r"(?i)no number of this audit is beyond|within all|nothing .*(broken|wrong)|found none|none is"
    r" beyond"
)


@given(st.data())
@settings(max_examples=40, phases=(Phase.explicit, Phase.reuse, Phase.generate))
def test_every_failure_is_told_nobody_is_reassured_and_words_carry_what_is_drawn(
    facts: ModelFacts, data: st.DataObject
) -> None:
    report = data.draw(reports(facts))
    blocks = governance_edition(report, ()).blocks
    made = [block for block in blocks if isinstance(block, Table)]
    said = list(texts(blocks))
    every_failure_is_told_with_its_group(report, made)
    nobody_is_reassured_beside_a_number_beyond_its_limit(report, made, said)
    nobody_is_said_to_be_few_who_are_enough(report, made, said)
    words_carry_what_is_drawn_and_the_drawing_is_true(report, made)


def every_failure_is_told_with_its_group(report: Report, made: list[Table]) -> None:
    for f in report.verdict.findings:
        if (f.binding or f.rule in MAY_BE_OPEN) and f.outcome is not Outcome.PASS:
            who = group_in_words(f.axis, f.group)
            rows = [
                row
                for table in made
                for row in table.rows
                if (f"“{f.rule}”" in table.caption and str(row[0]).startswith(who))
                or (f.axis == "everyone" and f"“{f.rule}”" in str(row[0]))
            ]
            assert any(row[-1] != "Within the limit." for row in rows)


def nobody_is_reassured_beside_a_number_beyond_its_limit(
    report: Report, made: list[Table], said: list[str]
) -> None:
    found = report.verdict.findings
    anything = any(map(is_beyond, found))
    assert {id(f) for f in beyond(report)} == {id(f) for f in found if is_beyond(f)}
    if anything:
        assert not all_within(report)
        assert not [text for text in said if REASSURING.search(text)]
        assert not REASSURING.search(chai_xml(report).decode())
    groups = next(t for t in made if "Every group" in t.caption)
    for (axis, group), row in zip((EVERYONE, *GROUPS), groups.rows, strict=True):
        mine = [f for f in found if (f.axis, f.group) == (axis, group)]
        judgement = str(row[-1])
        if "was shown to hold" in judgement:
            assert all(f.outcome is Outcome.PASS for f in mine if f.binding)
        for f in mine:
            if is_beyond(f) or (f.binding and f.outcome is not Outcome.PASS):
                assert f"“{f.rule}”" in judgement


def test_what_is_all_within_says_so_once(facts: ModelFacts) -> None:
    """The property above would hold for a report that never reassures."""
    (rule,) = (r for r in POLICY.rules if r.name == "honest intervals in every group")
    sure = Finding(
        rule=rule.name, metric=rule.metric, statistic=rule.statistic, axis="sex", group="male",
        subjects=92, events=None, value=0.8, low=0.7, high=0.9, limit=0.65, binding=True,
        outcome=Outcome.PASS, reason="x",
    )  # fmt: skip
    held_back = {"outcome": Outcome.INSUFFICIENT}
    for changes, is_said in (
        ({}, True),
        ({"value": 0.55, "low": 0.4, **held_back}, False),
        ({"value": None, "low": None, "high": None, "subjects": None, **held_back}, False),
        ({"value": 0.55, "low": 0.4, "binding": False, **held_back}, False),
        ({"binding": False, "outcome": Outcome.REVIEW}, False),
        ({"metric": COMPARISON, "rule": COMPARISON, "value": None, **held_back}, True),
        ({"metric": CHECK, "rule": "order of time", "outcome": Outcome.BLOCKED}, False),
    ):
        other = sure.model_copy(update=changes)
        report = _report((sure, other), facts)
        said = [
            text for text in texts(governance_edition(report, ()).blocks) if REASSURING.search(text)
        ]
        assert len(said) == is_said, changes


def _report(found: tuple[Finding, ...], facts: ModelFacts) -> Report:
    verdict = Verdict(
        model_version="arm/3", bundle_digest="b", predictions_digest="p", policy_digest="q",
        data_digest="d", code_digest="c", simulated=True, outcome=Outcome.INSUFFICIENT,
        findings=found,
    )  # fmt: skip
    return Report(
        verdict=verdict, policy=POLICY, facts=facts, made_at="2026-11-24", valid_until="2027",
        people=100, forecasts=100, comparators=(), unavailable=(), label_sensitivity=(),
        performance=(),
    )  # fmt: skip


def nobody_is_said_to_be_few_who_are_enough(
    report: Report, made: list[Table], said: list[str]
) -> None:
    assert not [text for text in said if "too few" in text.lower()]
    needed = {rule.name: rule.minimum_subjects for rule in POLICY.rules}
    for f in report.verdict.findings:
        if f.binding and f.subjects is not None and f.subjects >= needed[f.rule]:
            judgements = {
                str(row[-1])
                for table in made
                for row in table.rows
                if f"“{f.rule}”" in f"{table.caption} {row[0]}"
                and (f.axis == "everyone" or str(row[0]).startswith(f"{f.axis}: "))
                and str(f.subjects) == row[1]
            }
            for words in judgements:
                assert "fewer people" not in words or "in the rest" in words


def words_carry_what_is_drawn_and_the_drawing_is_true(report: Report, made: list[Table]) -> None:
    by_row = {
        (rule, str(row[0])): row
        for table in made
        for row in table.rows
        if len(row) == 4
        and "“" in f"{table.caption}{row[0]}"
        and "Every group" not in table.caption
        for rule in re.findall(r"“(.*?)”", f"{table.caption}{row[0]}")[:1]
    }
    for f in report.verdict.findings:
        if not f.binding or f.axis == "everyone" or f.rule not in {r for r, _ in by_row}:
            continue
        who = group_in_words(f.axis, f.group) + ("" if f.horizon_day is None else ", day 84")
        row = by_row[f.rule, who]
        drawn = row[3]
        assert isinstance(drawn, Whisker) == (None not in {f.value, f.low, f.high})
        if isinstance(drawn, Whisker):
            assert ", between " in str(row[2])
            places = (drawn.low, drawn.value, drawn.high, *drawn.limits)
            assert all(0 <= place <= 1 and math.isfinite(place) for place in places)
            assert drawn.low <= drawn.value <= drawn.high
            (rule,) = (r for r in POLICY.rules if r.name == f.rule)
            inside = rule.direction.excess(f.value or 0.0, rule.limit) <= 0
            right, left = drawn.value >= drawn.limits[0], drawn.value <= drawn.limits[-1]
            seen_inside = {"at most": left, "at least": right, "within": right and left}
            assert seen_inside[rule.direction] == inside


@pytest.mark.parametrize("outcome", list(Outcome))
def test_a_model_that_passed_needs_no_waiver(facts: ModelFacts, outcome: Outcome) -> None:
    report = _report((), facts)
    verdict = report.verdict.model_copy(update={"outcome": outcome})
    changed = report.model_copy(update={"verdict": verdict})
    said = list(texts(governance_edition(changed, ()).blocks))
    assert any(text.startswith("None is needed") for text in said) == outcome.is_pass
