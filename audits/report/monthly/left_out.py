"""Whom a version's scope may grow by, as a monthly edition says it."""

from __future__ import annotations

from collections.abc import Iterator

from audits.judging.wording import group_in_words
from audits.report.document import Block, Heading, Paragraph, Table
from audits.report.monthly.content import Edition
from audits.report.monthly.wording import NOT_SHOWN, e_value_in_words


def left_out(edition: Edition) -> Iterator[Block]:
    """Yield the section; nothing where the audit left nobody out."""
    if not edition.left_out:
        return
    yield Heading(level=1, text="Whom the scope may grow by")
    yield Paragraph(
        text="Of each group that the audit left out it is bet the other way round, against its"
        " breaking a rule. It is proposed when the e-value of every rule stands at what is needed."
        " A proposal changes nothing: only an audit, two approvals and the gate do."
    )
    yield Table(
        caption="Groups that the audit left out, and the rule that is furthest from being shown",
        columns=("group", "e-value", "needed", "slowest rule", "proposed"),
        rows=tuple(
            (
                group_in_words(each.attribute, each.label),
                NOT_SHOWN if each.e_value is None else e_value_in_words(each.e_value),
                f"{each.needed:,.0f}",
                each.slowest or NOT_SHOWN,
                "yes" if each.proposed else "no",
            )
            for each in edition.left_out
        ),
        widths=(5, 2, 2, 6, 2),
    )
