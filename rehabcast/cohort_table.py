"""What is in a cohort, as a clinician reads it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table

from contracts.cohort import RuleCount

if TYPE_CHECKING:
    from features.cohort.summary import CohortSummary

UNITS = {
    "": "",
    "1": "",
    "%": "%",
    "/d": "",
    "/min": "a minute",
    "Hz": "Hz",
    "Hz/min": "Hz a minute",
    "a": "years",
    "deg": "degrees",
    "h": "hours",
    "h/d": "hours a day",
    "kg/m2": "kg/m\u00b2",
    "km/d": "km a day",
    "m": "metres",
    "m/s": "metres a second",
    "m[g]": "milli-g",
    "min/d": "minutes a day",
    "mm[Hg]": "mmHg",
    "ms": "ms",
    "uV": "\u00b5V",
    "{count}": "",
    "{count}/d": "counts a day",
    "{count}/min": "counts a minute",
    "{log count}/d": "logarithm of counts a day",
    "{mims}/d": "MIMS units a day",
    "{score}": "points",
}
"""Units of the vocabulary (UCUM) in words; none where the name of what is counted says it."""


def cohort_table(summary: CohortSummary, rules: Sequence[RuleCount]) -> Table:
    """Return what was recorded of how many people, and which rules of the import changed a row."""
    label = "SIMULATED, no real person: " if summary.simulated else ""
    table = Table("what", "values", "people", title=f"{label}{summary.name}")
    for column in table.columns[1:]:
        column.justify = "right"
    table.add_row("people", "", f"{summary.subjects:,}")
    for code in summary.codes:
        unit = UNITS.get(code.unit, code.unit)
        name = f"{code.name}, {unit}" if unit else code.name
        table.add_row(name, f"{code.events:,}", f"{code.people:,}")
    changed = [rule for rule in rules if rule.rows]
    for rule in changed:
        table.add_row(f"rule: {rule.rule}", f"{rule.rows:,} rows", "")
    if unused := len(rules) - len(changed):
        table.add_row(f"{unused} other rules of the import", "no row", "")
    table.add_row(f"digest {summary.digest[:16]}", "", "")
    return table
