"""What every binding rule found: a table for each rule on groups, and one of those on everyone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from audits.judging.further.external import WHERE
from audits.judging.lost.findings import LOST
from audits.judging.policy import Policy, Rule
from audits.judging.validation import CHECK
from audits.judging.wording import limit_in_words
from audits.measure.groups import EVERYONE
from audits.report.board.drawing import scale_of
from audits.report.board.findings_in_words import (
    HIDDEN_COUNT,
    all_within,
    beyond,
    compared_with,
    found,
    is_of_binding_rule,
    judged,
    names,
    people_in_words,
    rule_of,
)
from audits.report.content import Report
from audits.report.document import Block, Bullets, Cell, Heading, Paragraph, Table
from contracts.verdict import Finding, Outcome

DRAWN = "Drawing"
MOST_NAMED = 6
UNLESS_SUSPECTED = "Too little evidence for it holds nothing back"


def what_every_rule_found(report: Report) -> Iterable[Block]:
    """Yield a table for each binding rule, and what is beyond the limit of another rule."""
    asked = (f for f in report.verdict.findings if is_of_binding_rule(report.policy, f))
    binding = [f for f in asked if f.metric != CHECK]
    on_groups = [f for f in binding if f.axis != EVERYONE and f.metric != LOST]
    # Of other people than those of this cohort there are no numbers, so only what failed is told.
    shown = [f for f in on_groups if f.evidence == "internal" or f.outcome is not Outcome.PASS]
    yield Heading(level=1, text="What every binding rule found")
    yield Paragraph(
        text="In the drawings the dot is what was found, the line its interval, the dashed line the"
        " limit. A line without an end mark goes on beyond the drawing. Intervals here are those"
        " that decide, and hold for few people too: they can be wider than in the table above."
        if binding
        else "No binding rule could be applied."
    )
    on_everyone = [
        f for f in binding if f.axis == EVERYONE and (f.metric != LOST or f.subjects == 0)
    ]
    if on_everyone:
        yield Table(
            caption="Rules on everyone",
            columns=("Rule", "What was found", DRAWN, "Judgement"),
            rows=tuple(_rows_on_everyone(report, on_everyone)),
            widths=(7, 7, 5, 7),
        )
    for findings in _by_rule(shown):
        yield _of_rule(report, findings)
    yield from _not_binding(report)


def _by_rule(findings: Iterable[Finding]) -> Iterable[list[Finding]]:
    tables: dict[tuple[str, str, str], list[Finding]] = {}
    for finding in findings:
        tables.setdefault((finding.rule, finding.metric, finding.evidence), []).append(finding)
    return tables.values()


def _of_rule(report: Report, findings: Sequence[Finding]) -> Table:
    first, policy = findings[0], report.policy
    rule = rule_of(policy, first)
    where = f"{WHERE[first.evidence]}: " if first.evidence != "internal" else ""
    caption = f"{where}“{first.rule}”: {first.metric}{_limit(policy, rule)}"
    if rule is not None and not rule.must_be_shown:
        caption += ". " + UNLESS_SUSPECTED
    scale = None if rule is None else scale_of(rule, findings)
    rows = (
        (
            _who(report, finding),
            HIDDEN_COUNT if finding.subjects is None else str(finding.subjects),
            found(finding, rule, policy.score_unit),
            "" if scale is None else scale.whisker(finding),
            judged(finding, rule),
        )
        for finding in findings
    )
    return Table(
        caption=caption,
        columns=("Group", "People", "What was found", DRAWN, "Judgement"),
        rows=tuple(rows),
        widths=(5, 2, 10, 4, 6),
    )


def _rows_on_everyone(report: Report, findings: Iterable[Finding]) -> Iterable[tuple[Cell, ...]]:
    for finding in findings:
        rule = rule_of(report.policy, finding)
        where = f"{WHERE[finding.evidence]}: " if finding.evidence != "internal" else ""
        yield (
            f"{where}“{finding.rule}”: {finding.metric}{_limit(report.policy, rule)}",
            found(finding, rule, report.policy.score_unit),
            "" if rule is None else scale_of(rule, [finding]).whisker(finding),
            judged(finding, rule),
        )


def _limit(policy: Policy, rule: Rule | None) -> str:
    return (
        ""
        if rule is None
        else f"{compared_with(rule)}; limit {limit_in_words(rule, policy.score_unit)}"
    )


def _who(report: Report, finding: Finding) -> str:
    when = "" if finding.horizon_day is None else f", day {finding.horizon_day}"
    return people_in_words(report, finding) + when


def _not_binding(report: Report) -> Iterable[Block]:
    """Say which other rules were broken; or that none was, where that is known of each number."""
    if all_within(report):
        yield Paragraph(text="No number of this audit is beyond the limit of any rule.")
    others: dict[str, list[Finding]] = {}
    for finding in beyond(report):
        if not finding.binding:
            others.setdefault(finding.rule, []).append(finding)
    if others:
        yield Paragraph(
            text="Beyond the limit of rules that do not bind. They hold nothing"
            " back, but somebody may be served less well:"
        )
        yield Bullets(
            items=tuple(
                f"“{rule}”: {names((_who(report, f) for f in findings), MOST_NAMED)}."
                for rule, findings in others.items()
            )
        )
