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

COLUMNS = ("Lost", "Withdrew", "Died", "Missed")


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
    shares_of = [_shares(shown.get((f.axis, f.group))) for f in judged]
    # A column of which no number may be shown says nothing.
    kept = [name for name in COLUMNS if any(shares[name] is not None for shares in shares_of)]
    yield Table(
        caption=f"“{RULE_OF_ALL}”, “{RULE}”: of 100 outcomes that were due, to the nearest 5",
        columns=("Group", *kept, "Judgement"),
        rows=tuple(
            (
                group_in_words(f.axis, f.group),
                *(_in_100(shares[name]) for name in kept),
                _judgement(f),
            )
            for f, shares in zip(judged, shares_of, strict=True)
        ),
        widths=(7, *(2 for _ in kept), 8),
    )


def _shares(row: ShownLosses | None) -> dict[str, float | None]:
    if row is None:
        return dict.fromkeys(COLUMNS)
    shares = (row.lost, row.withdrew, row.died, row.missed)
    return dict(zip(COLUMNS, shares, strict=True))


def _in_100(share: float | None) -> str:
    return HIDDEN_COUNT if share is None else f"{100 * share:.0f}"


def _judgement(finding: Finding) -> str:
    words = JUDGED[finding.outcome].rstrip(".")
    return (
        f"{words}{'' if finding.outcome is Outcome.PASS else ': trace a random part of the lost'}."
    )
