"""What became of the outcomes that were due, for a board."""

from __future__ import annotations

from collections.abc import Iterable

from audits.disclosure.losses import ShownLosses
from audits.judging.lost.findings import LOST, RULE, RULE_OF_ALL
from audits.judging.wording import group_in_words
from audits.report.board.findings_in_words import HIDDEN_COUNT, JUDGED
from audits.report.content import Report
from audits.report.document import Block, Heading, Paragraph, Table
from contracts.verdict import Finding, Outcome


def lost_outcomes(report: Report) -> Iterable[Block]:
    """Yield what was lost in each group, and the judgement; nothing where nobody asked."""
    terms = report.policy.lost
    judged = [f for f in report.verdict.findings if f.metric == LOST and f.subjects != 0]
    if terms is None or not judged:
        return
    shown = {(row.axis, row.group): row for row in report.lost_outcomes}
    yield Heading(level=1, text="Whose outcomes are missing")
    yield Paragraph(
        text="A model may look good because those whom it failed stopped coming. So of no group may"
        f" more than {100 * terms.maximum_share:.0f} in 100 outcomes be lost, nor, with certainty,"
        f" {100 * terms.maximum_difference:.0f} in 100 more than of everyone else. Who withdrew"
        " counts as lost; who died, or came back after a missed visit, does not."
    )
    yield Table(
        caption=f"“{RULE_OF_ALL}”, “{RULE}”: of 100 outcomes that were due, to the nearest 5",
        columns=("Group", "Lost", "Withdrew", "Died", "Missed", "Judgement"),
        rows=tuple(
            (
                group_in_words(f.axis, f.group),
                *_shares(shown.get((f.axis, f.group))),
                _judgement(f),
            )
            for f in judged
        ),
        widths=(7, 2, 2, 2, 2, 8),
    )


def _shares(row: ShownLosses | None) -> tuple[str, ...]:
    if row is None:
        return (HIDDEN_COUNT,) * 4
    shares = (row.lost, row.withdrew, row.died, row.missed)
    return tuple(HIDDEN_COUNT if share is None else f"{100 * share:.0f}" for share in shares)


def _judgement(finding: Finding) -> str:
    words = JUDGED[finding.outcome].rstrip(".")
    return (
        f"{words}{'' if finding.outcome is Outcome.PASS else ': trace a random part of the lost'}."
    )
