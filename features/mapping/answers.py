"""A person's answers to what a proposal leaves open."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from features.mapping.findings import (
    ColumnProposal,
    Finding,
    LeftOut,
    MapProposal,
    Option,
    Standing,
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the source a question is about; column and file are empty where it is about all."""

    file: str = ""
    column: str = ""


LEAVE_OUT = "\0leave out"
"""Answer that a column is left out, that a cell is a value, or that a label stands for no value.

No code, cell or column is written so.
"""

Ask = Callable[[Place, Finding], str | None]
"""Returns the answer of a person, None where they leave the question open."""


def answered(proposal: MapProposal, ask: Ask) -> MapProposal:
    """Return a proposal with the answers of a person, who is asked everything that is open."""
    whole = tuple(_asked(finding, Place(), ask) for finding in proposal.findings)
    tables = []
    for table in proposal.tables:
        findings = tuple(_asked(found, Place(table.file), ask) for found in table.findings)
        columns = tuple(_column(table.file, column, ask) for column in table.columns)
        tables.append(replace(table, findings=findings, columns=columns))
    return replace(proposal, findings=whole, tables=tuple(tables))


def _column(file: str, column: ColumnProposal, ask: Ask) -> ColumnProposal:
    findings = []
    for finding in column.findings:
        answer = _asked(finding, Place(file, column.column), ask)
        if answer.value != LEAVE_OUT:
            findings.append(answer)
        elif finding.key == "code":
            return replace(column, findings=(), left_out=LeftOut.OTHER)
        elif finding.key == "labels":
            no_value = (Option(finding.about),)
            findings.append(Finding("missing", Standing.CONFIRMED, no_value, about=finding.about))
    return replace(column, findings=tuple(findings))


def _asked(finding: Finding, place: Place, ask: Ask) -> Finding:
    if not finding.is_open or (answer := ask(place, finding)) is None:
        return finding
    chosen = next((option for option in finding.options if option.value == answer), Option(answer))
    return replace(finding, standing=Standing.CONFIRMED, options=(chosen,))
