"""What a stricter policy would have said of the same forecasts, for every edition."""

from __future__ import annotations

from collections.abc import Iterable

from audits.judging.wording import group_in_words, limit_in_words
from audits.policies.stricter import StricterLimit
from audits.report.content import Report
from audits.report.document import Block, Heading, Paragraph, Table
from contracts.verdict import Outcome


def stricter_policy(report: Report) -> Iterable[Block]:
    """Say what the stricter policy that rehabcast ships would have said of the same forecasts."""
    if not report.stricter:
        return
    yield Heading(level=1, text="What a stricter policy would have said")
    yield Paragraph(
        text="The verdict is that of the board's policy alone. Beside it, the same forecasts were"
        " judged by the tighter limits of the stricter policy that comes with rehabcast"
        " (rehabcast policy new FILE --strict). What was found for those in the last column does"
        " not break the tighter limit, but is not certain enough to show that it is kept. Only"
        " groups whose numbers this report shows are listed."
    )
    rules = {rule.name: rule for rule in report.policy.rules}
    unit = report.policy.score_unit
    yield Table(
        caption="By rule: the board's limit, the stricter one, and who would not have passed",
        columns=("Rule", "Limit", "Stricter limit", "Would be blocked", "Would need review",
                 "Could not be shown"),
        rows=tuple(
            (
                each.rule,
                limit_in_words(rules[each.rule], unit),
                limit_in_words(
                    rules[each.rule].model_copy(update={"limit": each.stricter}), unit
                ),
                *(
                    _those(each, outcome)
                    for outcome in (Outcome.BLOCKED, Outcome.REVIEW, Outcome.INSUFFICIENT)
                ),
            )
            for each in report.stricter
        ),
        widths=(4, 2, 2, 4, 4, 4),
        small=True,
    )  # fmt: skip


def _those(limit: StricterLimit, outcome: Outcome) -> str:
    named = [group_in_words(f.axis, f.group) for f in limit.findings if f.outcome is outcome]
    return "; ".join(named) or "none"
