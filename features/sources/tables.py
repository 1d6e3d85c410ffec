"""Plain CSV or Parquet tables of values, read through a column map, a TOML file beside them.

docs/importing.md has an example. Nothing is guessed: the clock, every column, every unit and every
label is declared, and what is not declared is left out and counted.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from contracts.cohort import Provenance, RuleCount
from contracts.errors import CohortInvalid, SourceUnreadable
from features.recording import Collected
from features.sources.column_map import ColumnMap, read_column_map
from features.sources.mapped_columns import DAYS
from features.sources.table_cohort import TableCohort, vocabulary_file
from features.sources.table_rows import Found, add_rows, people_records
from features.tables.table_files import read_table

NAME = "tables"
"""As named on the command line."""


def collect_tables(column_map: Path) -> TableCohort:
    """Read the tables that a column map names.

    Raises
    ------
    ContractError
        The map can't be read or breaks its own contract.
    CohortInvalid
        Faults of whole tables or columns, each with file and field.
    """
    declared = read_column_map(column_map)
    found = Found()
    for table in declared.tables:
        try:
            rows = read_table(
                column_map.parent / table.file, table.file, declared.form_of(table),
                as_written=[table.subject],
            )  # fmt: skip
            add_rows(rows, table, declared, found)
        except SourceUnreadable as error:
            found.faults.append(error.problem)
    if found.faults:
        raise CohortInvalid(list(dict.fromkeys(found.faults)))
    files = list(dict.fromkeys(table.file for table in declared.tables))
    rule = RuleCount(rule="column or name not in the map: left out", rows=found.unmapped)
    return TableCohort(
        collected=Collected(
            records=people_records(found, nominal=declared.clock == DAYS),
            read=dict.fromkeys(files, NAME),
            dropped=list(dict.fromkeys(found.problems)),
        ),
        provenance=Provenance(
            name=declared.name,
            source=f"tables by {column_map.name}: {', '.join(files)}",
            simulated=declared.simulated,
            details=_details(declared),
            rules=(rule,) if rule.rows else (),
        ),
        dates_shifted=declared.dates_shifted or declared.clock == DAYS,
        files={
            **{Path(table.file).name: column_map.parent / table.file for table in declared.tables},
            "map": column_map,
            **vocabulary_file(declared.vocabulary, column_map.parent),
        },
        identity=tuple(f"column {name}" for name in sorted({t.subject for t in declared.tables})),
        clock=declared.clock,
    )


def _details(declared: ColumnMap) -> dict[str, Any]:
    """Return a map as a provenance keeps it; what it does not declare is not told there."""
    kept: dict[str, Any] = declared.model_dump(mode="json")
    for part, name in ((kept, "vocabulary"), *((table, "visits") for table in kept["tables"])):
        if not part[name]:
            del part[name]
    return kept
