"""`rehabcast cohort ...`: import, simulate and validate cohorts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from contracts.cohort import Cohort
from rehabcast import simulation_commands
from rehabcast.output import AsJson, emit, words

app = typer.Typer(no_args_is_help=True, help="Import, simulate and validate cohorts.")
import_app = typer.Typer(
    no_args_is_help=True, help="Read a source and write a validated cohort folder."
)
app.add_typer(import_app, name="import")

Destination = Annotated[Path, typer.Argument(help="New cohort folder; must not exist yet.")]


@import_app.command("stroke-specs")
def import_specs(
    source: Annotated[Path, typer.Argument(help="Folder of the SPECS stroke recovery files.")],
    destination: Destination,
    as_json: AsJson = False,
) -> None:
    """Import the SPECS stroke recovery data (scales as CSV, demographics as a spreadsheet)."""
    from features.cohort import write_cohort
    from features.sources.stroke_specs import import_stroke_specs

    events, provenance = import_stroke_specs(source)
    _show(write_cohort(events, provenance, destination), destination, as_json=as_json)


@import_app.command("nhanes-wrist")
def import_nhanes(
    source: Annotated[Path, typer.Argument(help="Folder of the NHANES 2011-2014 wrist summaries.")],
    destination: Destination,
    as_json: AsJson = False,
) -> None:
    """Import NHANES 2011-2014: wrist wearables, mobility and survival at 50 to 79."""
    from features.cohort import write_cohort
    from features.sources.nhanes_wrist import import_nhanes_wrist

    events, provenance = import_nhanes_wrist(source)
    _show(write_cohort(events, provenance, destination), destination, as_json=as_json)


@import_app.command("tables")
def import_table_map(
    column_map: Annotated[
        Path, typer.Argument(help="TOML file that says which column is what, beside the tables.")
    ],
    destination: Destination,
    as_json: AsJson = False,
) -> None:
    """Import plain CSV or Parquet tables with a column map (docs/importing.md has an example)."""
    from features.cohort import write_cohort
    from features.sources.tables import import_tables

    events, provenance = import_tables(column_map)
    _show(write_cohort(events, provenance, destination), destination, as_json=as_json)


app.command()(simulation_commands.simulate)
app.command()(simulation_commands.floor)
app.command()(simulation_commands.draw)


@app.command()
def validate(
    folder: Annotated[Path, typer.Argument(help="Cohort folder (MEDS layout).")],
    as_json: AsJson = False,
) -> None:
    """Check a cohort against its contract; list every problem with file, row and field."""
    from features.cohort import read_cohort

    _show(read_cohort(folder), folder, as_json=as_json)


def _show(cohort: Cohort, folder: Path, *, as_json: bool) -> None:
    from features.cohort import summarise

    summary = {"valid": True, "cohort": str(folder), **summarise(cohort)}
    summary["rules"] = [{"rule": rule.rule, "rows": rule.rows} for rule in cohort.provenance.rules]
    emit(summary, cohort_table(cohort, summary), as_json=as_json)
    if not as_json:
        words.print(f"{folder} is a valid cohort.")


def cohort_table(cohort: Cohort, summary: dict[str, Any]) -> Table:
    """Return what a person wants to know of a cohort at a glance."""
    label = "SIMULATED, no real person: " if cohort.provenance.simulated else ""
    table = Table("what", "how many", title=f"{label}{cohort.provenance.name}")
    table.add_row("subjects", str(summary["subjects"]))
    for code in summary["codes"]:
        unit = f" ({code['unit']})" if code["unit"] else ""
        table.add_row(f"{code['name']}{unit}", str(code["events"]))
    for rule in cohort.provenance.rules:
        table.add_row(f"rule: {rule.rule}", f"{rule.rows} row(s)")
    table.add_row("digest", cohort.digest[:16])
    return table
