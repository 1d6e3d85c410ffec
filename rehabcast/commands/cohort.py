"""`rehabcast cohort ...`: import, simulate, validate and export cohorts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from contracts.errors import ContractError
from rehabcast.cohort_table import print_cohort, say, valid_cohort
from rehabcast.commands import simulation
from rehabcast.commands.learning.engine import Engine, EngineOption, RayAddress
from rehabcast.commands.learning.training import TaskOption
from rehabcast.commands.proposals import map as proposed_maps
from rehabcast.output import AsJson, emit
from stores.private_files import written_whole

if TYPE_CHECKING:
    from features.importing.unused_map import UnusedMap

app = typer.Typer(no_args_is_help=True, help="Import, simulate, validate and export cohorts.")


def named_path(written: str) -> Path:
    """Return a path that was given; an empty one would be the current folder.

    Raises
    ------
    ContractError
        It is empty, as a shell gives it for a variable that is not set.
    """
    if not written.strip():
        raise ContractError("a path is empty", "name a file or a folder; the current one is .")
    return Path(written)


Destination = Annotated[
    Path, typer.Argument(parser=named_path, help="New cohort folder; must not exist yet.")
]

CohortFolder = Annotated[
    Path, typer.Argument(parser=named_path, help="Cohort folder (MEDS layout).")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedCohort:
    """The files that an export wrote."""

    files: tuple[Path, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TracingDraw:
    """A draw of people to trace.

    Parameters
    ----------
    calls
        CSV file with everybody whom the draw was made from.
    lost, drawn
        How many they are, and how many of them to call.
    chance, seed
        Chance of each, and the seed of the draw.
    """

    calls: Path
    lost: int
    drawn: int
    chance: float
    seed: int


@app.command("import")
def import_(
    format_name: Annotated[
        str,
        typer.Argument(
            metavar="FORMAT",
            help="auto (detected by content), stroke-specs, tables (SOURCE is the column map),"
            " omop, redcap (SOURCE is the folder of the export),"
            " nhanes-wrist, ist, depresjon, welltory, lifesnaps, nhanes-minutes, or a file format.",
        ),
    ],
    source: Annotated[
        Path,
        typer.Argument(
            parser=named_path, help="File, folder of files, or folder with one folder per subject."
        ),
    ],
    destination: Annotated[
        Path | None,
        typer.Argument(parser=named_path, help="New cohort folder; must not exist yet."),
    ] = None,
    into: Annotated[
        Path | None,
        typer.Option(
            "--into",
            metavar="COHORT",
            parser=named_path,
            help="Add to this cohort instead: new people, new days, corrected values.",
        ),
    ] = None,
    map_file: Annotated[
        Path | None,
        typer.Option("--map", help="TOML file with what the files do not say (docs/importing.md)."),
    ] = None,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict", help="Write nothing if anything was left out or must be looked at."
        ),
    ] = False,
    engine: EngineOption = Engine.LOCAL,
    ray_address: RayAddress = None,
    as_json: AsJson = False,
) -> None:
    """Read a source and write a validated cohort; lists what was left out, and where it was.

    With --into, next month's export is added to a cohort that is there: see docs/importing.md.

    Exits 0 only when something valid was imported, and with --strict only when all of it was.
    """
    from features.importing import grow_cohort, import_source
    from features.importing.unused_map import unused_map
    from features.ray_runners import collect_on_ray
    from features.sources.formats import AUTO

    run = collect_on_ray(ray_address) if engine is Engine.RAY else None
    places = [place for place in (destination, into) if place is not None]
    if len(places) != 1:
        raise ContractError(
            "an import has one place: a new cohort folder, or --into with one that is there",
            "name one of the two",
        )
    if not as_json and format_name == AUTO and (found := unused_map(source, map_file)):
        say(escape(map_in_words(found, source, "COHORT" if into is None else f"--into {into}")))
    write = import_source if into is None else grow_cohort
    imported = write(
        source, places[0], format_name=format_name, map_file=map_file, runner=run, strict=strict
    )
    print_cohort(valid_cohort(imported.cohort, places[0], imported), as_json=as_json)


def map_in_words(found: UnusedMap, source: Path, place: str) -> str:
    """Say that a map lies beside a source, and how to import into a place with it."""
    if found.of_tables:
        how = f"rehabcast cohort import tables {found.path} {place}"
    else:
        how = f"rehabcast cohort import auto {source} {place} --map {found.path}"
    return f"{found.path} lies beside the source and is not used. To use it: {how}"


app.command("map")(proposed_maps.map_)
app.command()(simulation.simulate)
app.command()(simulation.floor)
app.command()(simulation.draw)


@app.command()
def trace(
    folder: CohortFolder,
    task: TaskOption,
    share: Annotated[
        float,
        typer.Option(min=0.01, max=1.0, help="How many of the lost to call, as a share of 1."),
    ] = 0.3,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the draw.")] = 0,
    output: Annotated[
        Path, typer.Option("--output", help="CSV file to write; must not exist yet.")
    ] = Path("calls.csv"),
    as_json: AsJson = False,
) -> None:
    """Draw at random whom to call of those whose outcome was due and did not come.

    Write down what they say, import the CSV with the cohort's other tables (docs/audit.md), and
    train again: those who were called stand for those who were not.
    """
    from features.cohort import read_cohort
    from features.cohort.follow_up import draw_to_trace
    from training.task import read_task

    calls = draw_to_trace(read_cohort(folder), read_task(task), share, seed)
    if calls.empty:
        advice = "there is nobody to trace"
        raise ContractError("nobody is lost who was not in a draw already", advice)
    with written_whole(output, new=True) as draft:
        calls.to_csv(draft, index=False)
    result = TracingDraw(
        calls=output, lost=len(calls), drawn=int((calls["drawn"] == "yes").sum()),
        chance=float(calls["tracing_chance"].iloc[0]), seed=seed,
    )  # fmt: skip
    emit(result, f"{result.drawn} of {result.lost} lost people to call: {output}", as_json=as_json)
    if not as_json:
        say(
            "Call those with yes under drawn. Fill in traced_on_day (the day that the outcome holds"
            " for, on the clock of your tables) for whoever is reached, and keep the other rows."
        )


@app.command("export")
def export_cohort(
    folder: CohortFolder,
    destination: Annotated[
        Path, typer.Argument(parser=named_path, help="New folder; must not exist yet.")
    ],
    form: Annotated[str, typer.Option("--format", help="meds or csv.")] = "meds",
    as_json: AsJson = False,
) -> None:
    """Write a cohort for other programs: a plain MEDS folder, or CSV tables."""
    from features.cohort import read_cohort
    from features.cohort.export import export

    files = tuple(export(read_cohort(folder), folder, destination, form))
    emit(ExportedCohort(files=files), "\n".join(map(str, files)), as_json=as_json)


@app.command()
def validate(
    folder: CohortFolder,
    as_json: AsJson = False,
) -> None:
    """Check a cohort against its contract; list every problem with file, row and field.

    The chain of its imports is checked too: that data and kept sources are as they were written.
    """
    from features.cohort import read_cohort
    from features.cohort.imports import check_chain

    cohort = read_cohort(folder)
    check_chain(folder, cohort.labels)
    print_cohort(valid_cohort(cohort, folder), as_json=as_json)
