"""The items of reporting standards, as a chapter of the technical edition."""

from __future__ import annotations

from collections.abc import Iterable

from audits.report.content import Report
from audits.report.crosswalk import STANDARDS, TEXTS, answers
from audits.report.document import Block, Heading, Paragraph, Table


def standards(report: Report) -> Iterable[Block]:
    """Yield one table for each standard, and which text of it was read."""
    yield Heading(level=1, text="Reporting standards")
    yield Paragraph(
        text="An index of where each item is answered, in our words. It does not claim conformity."
        " Items without an answer are marked as not available."
    )
    for standard in STANDARDS:
        items = answers(report, standard)
        missing = sum(not answer.is_available for answer in items)
        yield Table(
            caption=f"{standard}: {len(items)} items, {missing} not available. Read:"
            f" {TEXTS[standard]}.",
            columns=("item", "topic", "answer"),
            rows=tuple(
                (
                    answer.item,
                    answer.topic + (f" (read: {answer.read})" if answer.read else ""),
                    answer.text,
                )
                for answer in items
            ),
            widths=(2, 6, 12),
            small=True,
        )
