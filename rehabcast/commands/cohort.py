"""`rehabcast cohort ...`: import, simulate and validate cohorts."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from contracts.cohort import Cohort
from contracts.errors import Problem
from rehabcast.commands import simulation
from rehabcast.commands.engine import Engine, EngineOption, RayAddress
from rehabcast.commands.output import AsJson, emit, words

if TYPE_CHECKING:
    from features.importing import Imported

app = typer.Typer(no_args_is_help=True, help="Import, simulate and validate cohorts.")
SHOWN = 20

Destination = Annotated[Path, typer.Argument(help="New cohort folder; must not exist yet.")]


@app.command("import")
def import_(
    format_name: Annotated[
        str,
        typer.Argument(
            metavar="FORMAT",
            help="auto finds it by content; or stroke-specs, tables (SOURCE is the column map),"
            " nhanes-wrist, depresjon, welltory, lifesnaps, nhanes-minutes, or one file format.",
        ),
    ],
    source: Annotated[
        Path, typer.Argument(help="File, folder of files, or folder with a folder a subject.")
    ],
    destination: Destination,
    map_file: Annotated[
        Path | None,
        typer.Option("--map", help="TOML file with what the files don't say (docs/importing.md)."),
    ] = None,
    engine: EngineOption = Engine.LOCAL,
    ray_address: RayAddress = None,
    as_json: AsJson = False,
) -> None:
    """Read a source and write a validated cohort; what was left out is said, with its place.

    Exits 0 only when something sound was imported.
    """
    from features.importing import import_source
    from features.ray_runners import collect_on_ray

    run = collect_on_ray(ray_address) if engine is Engine.RAY else None
    done = import_source(
        source, destination, format_name=format_name, map_file=map_file, runner=run
    )
    _show(done.cohort, destination, as_json=as_json, done=done)


app.command()(simulation.simulate)
app.command()(simulation.floor)
app.command()(simulation.draw)


@app.command("export")
def export_cohort(
    folder: Annotated[Path, typer.Argument(help="Cohort folder (MEDS layout).")],
    destination: Annotated[Path, typer.Argument(help="New folder; must not exist yet.")],
    form: Annotated[str, typer.Option("--format", help="meds, or csv.")] = "meds",
    as_json: AsJson = False,
) -> None:
    """Write a cohort for other programs: a plain MEDS folder, or CSV tables."""
    from features.cohort import read_cohort
    from features.export import export

    files = [str(file) for file in export(read_cohort(folder), folder, destination, form)]
    emit({"files": files}, "\n".join(files), as_json=as_json)


@app.command()
def validate(
    folder: Annotated[Path, typer.Argument(help="Cohort folder (MEDS layout).")],
    as_json: AsJson = False,
) -> None:
    """Check a cohort against its contract; list every problem with file, row and field."""
    from features.cohort import read_cohort

    _show(read_cohort(folder), folder, as_json=as_json)


def _show(cohort: Cohort, folder: Path, *, as_json: bool, done: Imported | None = None) -> None:
    from features.summary import summarise

    summary = {"valid": True, "cohort": str(folder), **summarise(cohort)}
    summary["rules"] = [{"rule": rule.rule, "rows": rule.rows} for rule in cohort.provenance.rules]
    if done is not None:
        summary["read"] = list(done.read)
        summary["dropped"] = [asdict(problem) for problem in done.dropped]
        summary["unreadable"] = [asdict(problem) for problem in done.unreadable]
    emit(summary, cohort_table(cohort, summary), as_json=as_json)
    if not as_json:
        for title, problems in _losses(done):
            words.print(f"{title} ({len(problems)}):", markup=False)
            for problem in problems[:SHOWN]:
                words.print(f"  {problem}", markup=False)
            if len(problems) > SHOWN:
                words.print(f"  ... and {len(problems) - SHOWN} more (metadata/import.json)")
        words.print(f"{folder} is a valid cohort.")


def _losses(done: Imported | None) -> list[tuple[str, tuple[Problem, ...]]]:
    if done is None:
        return []
    named = [("left out, or to know", done.dropped), ("files not imported", done.unreadable)]
    return [(title, problems) for title, problems in named if problems]


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
