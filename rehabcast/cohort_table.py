"""What is in a cohort, as a clinician reads it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table

from contracts.cohort import RuleCount
from contracts.naming.units import unit_in_words

if TYPE_CHECKING:
    from features.cohort.summary import CohortSummary


def cohort_table(summary: CohortSummary, rules: Sequence[RuleCount]) -> Table:
    """Return what was recorded of how many people, and which rules of the import changed a row."""
    label = "SIMULATED, no real person: " if summary.simulated else ""
    table = Table("what", "values", "people", title=f"{label}{summary.name}")
    for column in table.columns[1:]:
        column.justify = "right"
    table.add_row("people", "", f"{summary.subjects:,}")
    for code in summary.codes:
        # The names of what is counted a day say so.
        unit = "" if code.unit == "/d" else unit_in_words(code.unit)
        name = f"{code.name}, {unit}" if unit else code.name
        table.add_row(name, f"{code.events:,}", f"{code.people:,}")
    changed = [rule for rule in rules if rule.rows]
    for rule in changed:
        table.add_row(f"rule: {rule.rule}", f"{rule.rows:,} rows", "")
    if unused := len(rules) - len(changed):
        table.add_row(f"{unused} other rules of the import", "no row", "")
    table.add_row(f"digest {summary.digest[:16]}", "", "")
    return table
