"""`rehabcast cohort simulate`, `floor` and `draw`: cohorts whose truth is known."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from contracts.errors import ContractError
from rehabcast.commands.learning.training import TaskOption
from rehabcast.output import (
    IF_PRESENT,
    INLINE,
    AsJson,
    emit,
    progress,
    stderr_console,
)
from stores.cores import usable_cores
from stores.private_files import written_whole

if TYPE_CHECKING:
    import pandas as pd

    from features.simulate.realism import Gate
    from features.simulate.scenario import Scenario

Workers = Annotated[
    int, typer.Option(min=1, max=256, help="How many processes; the result does not depend on it.")
]
CORES = usable_cores()
LONGEST_CELL = 60
PICTURES = (".png", ".svg", ".pdf")


@dataclass(frozen=True, slots=True, kw_only=True)
class GateResult:
    """A realism gate, and whether the cohort's figure is within its bounds."""

    gate: Gate = field(metadata=INLINE)
    held: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedCohort:
    """A simulated cohort as written.

    Parameters
    ----------
    cohort, truth
        Its folder, and the folder of its truth.
    scenario, planted
        Name of the scenario, and what was planted in it.
    subjects, seed, events, digest
        How many subjects, drawn from which seed; how many events, and the digest of the data.
    gates
        The realism gates; None unless requested.
    """

    cohort: Path
    truth: Path
    simulated: bool = True
    scenario: str
    planted: str
    subjects: int
    seed: int
    events: int
    digest: str
    gates: tuple[GateResult, ...] | None = field(default=None, metadata=IF_PRESENT)


@dataclass(frozen=True, slots=True, kw_only=True)
class FloorResult:
    """The Bayes floor of a simulated cohort.

    Parameters
    ----------
    floor
        File of the best possible forecasts.
    task, subjects
        What was forecast, and for how many subjects.
    rows
        Scores by origin and horizon (`training.comparison.bayes_floor.floor_scores`).
    """

    floor: Path
    simulated: bool = True
    task: str
    subjects: int
    rows: pd.DataFrame


def simulate(
    destination: Annotated[Path, typer.Argument(help="New cohort folder; must not exist yet.")],
    subjects: Annotated[int, typer.Option(min=1, help="How many subjects.")] = 600,
    seed: Annotated[int, typer.Option(min=0, help="Seed of every random number.")] = 0,
    scenario: Annotated[
        Path | None,
        typer.Option(help="TOML file, see scenarios/; by default stroke, nothing planted."),
    ] = None,
    report: Annotated[
        bool, typer.Option("--report", help="Print every realism gate: source, target and value.")
    ] = False,
    workers: Workers = 1,
    as_json: AsJson = False,
) -> None:
    """Write a SIMULATED cohort, without any real person, and its truth beside it (NAME-truth)."""
    from features.simulate.realism import realism_gates
    from features.simulate.truth import truth_folder
    from features.simulate.write import shard_count, write_simulated

    parameters = _scenario(scenario)
    with progress("simulating", shard_count(subjects)) as advance:
        samples = write_simulated(
            destination,
            subjects=subjects,
            seed=seed,
            scenario=parameters,
            workers=workers,
            advance=advance,
        )
    gates = (
        tuple(GateResult(gate=gate, held=gate.held) for gate in realism_gates(samples))
        if report
        else None
    )
    result = _simulated_cohort(destination, parameters, subjects, seed, gates)
    emit(result, _cohort_table(result) if gates is None else gate_table(result), as_json=as_json)
    stderr_console.print(f"SIMULATED cohort: {destination}; its truth: {truth_folder(destination)}")


def _scenario(file: Path | None) -> Scenario:
    from features.simulate.scenario import Scenario, read_scenario

    return Scenario() if file is None else read_scenario(file)


def _simulated_cohort(
    folder: Path,
    scenario: Scenario,
    subjects: int,
    seed: int,
    gates: tuple[GateResult, ...] | None,
) -> SimulatedCohort:
    import meds
    import pyarrow.parquet as pq

    from contracts.digests import folder_digest
    from features.simulate.truth import truth_folder

    data = folder / meds.data_subdirectory
    return SimulatedCohort(
        cohort=folder,
        truth=truth_folder(folder),
        scenario=scenario.name,
        planted=scenario.about,
        subjects=subjects,
        seed=seed,
        events=sum(pq.ParquetFile(file).metadata.num_rows for file in data.glob("*.parquet")),
        digest=folder_digest(data),
        gates=gates,
    )


def _cohort_table(result: SimulatedCohort) -> Table:
    table = Table("what", "value", title="SIMULATED, no real person")
    for name, value in (
        ("scenario", result.scenario),
        ("planted", result.planted),
        ("subjects", result.subjects),
        ("seed", result.seed),
        ("events", result.events),
        ("digest", result.digest),
    ):
        table.add_row(name, str(value)[:LONGEST_CELL])
    return table


def gate_table(result: SimulatedCohort) -> Table:
    """Return the realism gates as a table for people."""
    from features.simulate.realism import GATE_SUBJECTS

    gates = result.gates or ()
    few = (
        f"; they are meant for {GATE_SUBJECTS:,} subjects"
        if result.subjects < GATE_SUBJECTS
        else ""
    )
    table = Table(
        title=f"Realism gates: {sum(gate.held for gate in gates)} of {len(gates)} held"
        " (SIMULATED, no real person)",
        caption=f"The bounds come from the sources' own uncertainty{few}.",
    )
    for heading in ("figure", "source", "reported", "bounds", "here", "held"):
        table.add_column(heading, justify="right" if heading in {"reported", "here"} else "left")
    for gate, held in ((measured.gate, measured.held) for measured in gates):
        table.add_row(
            gate.name,
            gate.source,
            f"{gate.target:g}",
            f"{gate.low:g} to {gate.high:g}",
            f"{gate.value:.1f}",
            "yes" if held else "NO",
        )
    return table


def floor(
    cohort: Annotated[
        Path, typer.Argument(help="SIMULATED cohort folder, with its truth beside it.")
    ],
    task: TaskOption,
    subjects: Annotated[
        int | None,
        typer.Option(min=1, help="Only this many subjects, the first ones; by default all."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the Monte-Carlo draws.")] = 0,
    workers: Workers = CORES,
    as_json: AsJson = False,
) -> None:
    """Compute the best possible forecast of every subject, origin and horizon (the Bayes floor).

    It is written to the truth folder as floor-TASK.parquet. No honest model can do better on
    average; a model that seems to has seen the outcome.
    """
    from contracts.cohort import SUBJECT
    from features.cohort import read_cohort
    from features.sequences import training_sequences
    from features.simulate.floor import bayes_floor
    from features.simulate.truth import floor_file, read_truth_scenario
    from training.comparison.bayes_floor import floor_scores
    from training.task import read_task

    forecast_task, scenario = read_task(task), read_truth_scenario(cohort)
    events = read_cohort(cohort).events
    if subjects is not None:
        events = events[events[SUBJECT].isin(events[SUBJECT].unique()[:subjects])]
    batch = training_sequences(events, forecast_task)
    with progress("best possible forecasts", len(batch)) as advance:
        table = bayes_floor(
            batch, events, forecast_task, scenario, seed=seed, workers=workers, advance=advance
        )
    file = floor_file(cohort, forecast_task.name)
    with written_whole(file) as draft:
        table.to_parquet(draft, index=False)
    result = FloorResult(
        floor=file,
        task=forecast_task.name,
        subjects=int(table[SUBJECT].nunique()),
        rows=floor_scores(table, batch, forecast_task),
    )
    emit(result, _floor_table(result.rows), as_json=as_json)


def _floor_table(rows: pd.DataFrame) -> Table:
    table = Table(
        *rows.columns,
        title="The best possible forecast (SIMULATED, no real person)",
        caption="MC error: Monte-Carlo standard error of the forecast's mean, in points.",
    )
    for row in rows.itertuples(index=False):
        table.add_row(
            *(f"{value:.2f}" if isinstance(value, float) else str(value) for value in row)
        )
    return table


def draw(
    cohort: Annotated[
        Path, typer.Argument(help="SIMULATED cohort folder, with its truth beside it.")
    ],
    picture: Annotated[Path, typer.Argument(help="Picture to write: .png, .svg or .pdf.")],
    subjects: Annotated[int, typer.Option(min=1, max=50, help="How many subjects.")] = 10,
) -> None:
    """Draw recovery and wearable channels of a few simulated subjects, truth beside record."""
    from features.simulate.picture import draw_subjects_of

    if picture.suffix.lower() not in PICTURES:
        raise ContractError(
            f"{picture} is not the name of a picture that can be drawn",
            f"let it end in {', '.join(PICTURES)}",
        )
    with written_whole(picture) as draft:
        draw_subjects_of(cohort, draft, subjects)
    stderr_console.print(f"Drew {subjects} SIMULATED subjects: {picture}")
