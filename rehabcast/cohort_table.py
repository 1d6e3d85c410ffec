"""What is in a cohort, as a clinician reads it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table

from contracts.cohort import SUBJECTS_FILE, RuleCount
from contracts.errors import CohortInvalid, Problem, ReasonCount, as_lines
from contracts.naming.units import unit_in_words
from rehabcast.output import IF_PRESENT, INLINE, emit, stderr_console

if TYPE_CHECKING:
    from contracts.cohort import Cohort
    from features.cohort.summary import CohortSummary
    from features.importing import Changes, Imported

MOST_PROBLEMS_PRINTED = CohortInvalid.SHOWN


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
        name += f" ({code.to_confirm})" if code.to_confirm else ""
        table.add_row(name, f"{code.events:,}", f"{code.people:,}")
    changed = [rule for rule in rules if rule.rows]
    for rule in changed:
        table.add_row(f"rule: {rule.rule}", f"{rule.rows:,} rows", "")
    if unused := len(rules) - len(changed):
        table.add_row(f"{unused} other rules of the import", "no row", "")
    table.add_row(f"digest {summary.digest[:16]}", "", "")
    return table


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidCohort:
    """A cohort that meets its contract.

    Parameters
    ----------
    valid
        Always True: a cohort that breaks its contract is an error.
    cohort, summary
        Its folder, and what is in it.
    rules
        Rules that the importer applied to the source, and how many rows each affected.
    notes
        What is worth knowing of the cohort's own files.
    subjects_file
        Where it stands whose number is whose; None where the source's own identifiers are the
        numbers.
    read, dropped, unreadable
        Of an import: files that were read, what was left out of them, and files that gave nothing;
        None for a cohort that was only validated.
    left_out
        Of an import: how many things were left out, or must be looked at, by reason.
    changes
        Of an import into a cohort that was there: how many people and values it changed.
    """

    valid: bool = True
    cohort: Path
    summary: CohortSummary = field(metadata=INLINE)
    rules: tuple[RuleCount, ...]
    notes: tuple[Problem, ...] = ()
    subjects_file: Path | None = None
    read: tuple[str, ...] | None = field(default=None, metadata=IF_PRESENT)
    dropped: tuple[Problem, ...] | None = field(default=None, metadata=IF_PRESENT)
    unreadable: tuple[Problem, ...] | None = field(default=None, metadata=IF_PRESENT)
    left_out: tuple[ReasonCount, ...] | None = field(default=None, metadata=IF_PRESENT)
    changes: Changes | None = field(default=None, metadata=IF_PRESENT)


def valid_cohort(cohort: Cohort, folder: Path, imported: Imported | None = None) -> ValidCohort:
    """Return what is in a valid cohort, and what an import left out of it."""
    from features.cohort.summary import summarise

    return ValidCohort(
        cohort=folder,
        summary=summarise(cohort),
        rules=tuple(cohort.provenance.rules),
        notes=cohort.notes,
        subjects_file=folder / SUBJECTS_FILE if is_numbered(cohort) else None,
        read=None if imported is None else imported.read,
        dropped=None if imported is None else imported.dropped,
        unreadable=None if imported is None else imported.unreadable,
        left_out=None if imported is None else imported.left_out,
        changes=None if imported is None else imported.changes,
    )


def is_numbered(cohort: Cohort) -> bool:
    """Tell whether a subject's number is another than the identifier that the source gives."""
    return any(label != str(number) for number, label in cohort.labels.items())


def print_cohort(result: ValidCohort, *, as_json: bool) -> None:
    """Print what is in a cohort, and what an import left out of it or changed in it."""
    emit(result, cohort_table(result.summary, result.rules), as_json=as_json)
    if as_json:
        return
    _print_problems("left out, or worth knowing", [*(result.dropped or ()), *result.notes])
    _print_problems("files not imported", result.unreadable or ())
    if result.subjects_file:
        say(
            f"{result.summary.subjects} subject(s) were numbered;"
            f" {result.subjects_file} says whose number is whose."
        )
    if result.left_out:
        say(f"left out, or to be looked at, by reason ({sum(r.count for r in result.left_out)}):")
        for reason in result.left_out[:MOST_PROBLEMS_PRINTED]:
            say(f"  {reason.count:,}  {' '.join(reason.reason.split())}")
        if (rest := len(result.left_out) - MOST_PROBLEMS_PRINTED) > 0:
            say(f"  ... and {rest} other reasons (metadata/import.json)")
    if result.changes:
        say(_in_words(result.changes))
    say(f"{result.cohort} is a valid cohort.")


def _in_words(changes: Changes) -> str:
    if changes.is_known:
        return "This source was imported into it before: nothing was changed."
    return (
        f"Added: {changes.people:,} new person(s), {changes.new:,} new value(s);"
        f" {changes.corrected:,} corrected and {changes.gone:,} gone"
        " (imports/history.parquet has what they were)."
    )


def _print_problems(title: str, problems: Sequence[Problem]) -> None:
    if problems:
        say(f"{title} ({sum(problem.count for problem in problems)}):")
        for line in as_lines(problems, MOST_PROBLEMS_PRINTED, "metadata/import.json"):
            say(f"  {line}")


def say(text: str) -> None:
    """Print a sentence beside the result."""
    stderr_console.print(text, highlight=False)
