"""What earlier outcomes begin to say, as a monthly edition tells it."""

from __future__ import annotations

from collections.abc import Iterator

from audits.report.document import Block, Heading, Paragraph, Table
from audits.report.monthly.content import Edition
from audits.report.monthly.picture import ranked
from audits.report.monthly.wording import row_of

TESTS_IN_TABLE = 5
"""The other tests are in the JSON."""


def early_outcomes(edition: Edition) -> Iterator[Block]:
    """Yield the section; nothing of an edition made before there was any."""
    early = edition.early
    if early is None:
        return
    yield Heading(level=1, text="Before the outcome that counts")
    if early.weeks is None:
        yield Paragraph(text=f"Earlier outcomes are not tested: {early.why_not}.")
        return
    yield Paragraph(
        text="The same rules are asked of an earlier score of each forecast, that of week"
        f" {early.weeks} after enrolment or, where it was given later, the next one, with a"
        " stricter limit. Errors there say only in part what those of the outcome that counts will"
        " be: these tests warn, and neither take anybody out of service nor say that all is well."
    )
    shown = [test for test in ranked(early.tests) if test.points]
    if not shown:
        yield Paragraph(text="Too few early outcomes were due to show any e-value yet.")
        return
    yield Table(
        caption=f"The {min(len(shown), TESTS_IN_TABLE)} early tests, of {len(early.tests)}, that"
        " speak most against a rule",
        columns=("test", "e-value", "largest", "warns at"),
        rows=tuple(map(row_of, shown[:TESTS_IN_TABLE])),
        widths=(9, 2, 2, 2),
        small=True,
    )
