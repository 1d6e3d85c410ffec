"""`rehabcast cohort simulate`, `floor` and `draw`: a cohort that knows its truth."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from rehabcast.commands.output import AsJson, emit, progress, words

if TYPE_CHECKING:
    import pandas as pd

    from features.simulate.realism import Gate
    from features.simulate.scenario import Scenario

Workers = Annotated[
    int, typer.Option(min=1, help="Processes; the result is the same for any number.")
]
CORES = len(os.sched_getaffinity(0))


def simulate(
    destination: Annotated[Path, typer.Argument(help="New cohort folder; must not exist yet.")],
    subjects: Annotated[int, typer.Option(min=1, help="How many subjects.")] = 600,
    seed: Annotated[int, typer.Option(help="Seed of every random number.")] = 0,
    scenario: Annotated[
        Path | None, typer.Option(help="What is simulated, see scenarios/; default, plain stroke.")
    ] = None,
    report: Annotated[
        bool, typer.Option("--report", help="Print each realism gate: source, target and value.")
    ] = False,
    workers: Workers = 1,
    as_json: AsJson = False,
) -> None:
    """Write a SIMULATED cohort, no real person is in it, and its truth beside it (NAME-truth)."""
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
    record = _written(destination, parameters, subjects=subjects, seed=seed)
    gates = realism_gates(samples) if report else []
    if report:
        record["gates"] = [{**asdict(gate), "held": gate.held} for gate in gates]
    readable = gate_table(gates, subjects) if report else _written_table(record)
    emit(record, readable, as_json=as_json)
    words.print(f"SIMULATED cohort: {destination}; its truth: {truth_folder(destination)}")


def _scenario(file: Path | None) -> Scenario:
    from features.simulate.scenario import Scenario, read_scenario

    return Scenario() if file is None else read_scenario(file)


def _written(folder: Path, scenario: Scenario, *, subjects: int, seed: int) -> dict[str, Any]:
    import meds
    import pyarrow.parquet as pq

    from contracts.digests import folder_digest
    from features.simulate.truth import truth_folder

    data = folder / meds.data_subdirectory
    return {
        "cohort": str(folder),
        "truth": str(truth_folder(folder)),
        "simulated": True,
        "scenario": scenario.name,
        "planted": scenario.about,
        "subjects": subjects,
        "seed": seed,
        "events": sum(pq.ParquetFile(file).metadata.num_rows for file in data.glob("*.parquet")),
        "digest": folder_digest(data),
    }


def _written_table(record: dict[str, Any]) -> Table:
    table = Table("what", "value", title="SIMULATED, no real person")
    for name in ("scenario", "planted", "subjects", "seed", "events", "digest"):
        table.add_row(name, str(record[name])[:60])
    return table


def gate_table(gates: list[Gate], subjects: int) -> Table:
    """Return the realism gates as a table for people."""
    from features.simulate.realism import GATE_SUBJECTS

    few = f"; they are meant for {GATE_SUBJECTS:,} subjects" if subjects < GATE_SUBJECTS else ""
    table = Table(
        title=f"Realism gates: {sum(gate.held for gate in gates)} of {len(gates)} held"
        " (SIMULATED, no real person)",
        caption=f"Bounds are those of the sources' own uncertainty{few}.",
    )
    for heading in ("figure", "source", "reported", "bounds", "here", "held"):
        table.add_column(heading, justify="right" if heading in {"reported", "here"} else "left")
    for gate in gates:
        table.add_row(
            gate.name,
            gate.source,
            f"{gate.target:g}",
            f"{gate.low:g} to {gate.high:g}",
            f"{gate.value:.1f}",
            "yes" if gate.held else "NO",
        )
    return table


def floor(
    cohort: Annotated[Path, typer.Argument(help="SIMULATED cohort folder, with its truth beside.")],
    task: Annotated[Path, typer.Option("--task", help="Task file: what is forecast, from what.")],
    subjects: Annotated[
        int | None, typer.Option(min=1, help="Only the first so many subjects; default, all.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the Monte-Carlo draws.")] = 0,
    workers: Workers = CORES,
    as_json: AsJson = False,
) -> None:
    """Work out the best possible forecast of every subject, origin and horizon (the Bayes floor).

    It is written into the truth folder as floor-TASK.parquet; no honest model can do better on
    average, and a model that seems to has seen what it must not.
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
    table.to_parquet(file, index=False)
    rows = floor_scores(table, batch, forecast_task)
    record = {
        "floor": str(file),
        "simulated": True,
        "task": forecast_task.name,
        "subjects": int(table[SUBJECT].nunique()),
        "rows": rows.to_dict("records"),
    }
    emit(record, _floor_table(rows), as_json=as_json)


def _floor_table(rows: pd.DataFrame) -> Table:
    table = Table(
        *rows.columns,
        title="The best possible forecast (SIMULATED, no real person)",
        caption="MC error: standard error of the forecast's own mean, in points.",
    )
    for row in rows.itertuples(index=False):
        table.add_row(
            *(f"{value:.2f}" if isinstance(value, float) else str(value) for value in row)
        )
    return table


def draw(
    cohort: Annotated[Path, typer.Argument(help="SIMULATED cohort folder, with its truth beside.")],
    picture: Annotated[Path, typer.Argument(help="Picture to write: .png, .svg or .pdf.")],
    subjects: Annotated[int, typer.Option(min=1, max=50, help="How many subjects.")] = 10,
) -> None:
    """Draw the courses and wearable channels of a few simulated subjects, truth and record."""
    from features.simulate.picture import draw_subjects_of

    draw_subjects_of(cohort, picture, subjects)
    words.print(f"Drew {subjects} SIMULATED subjects: {picture}")
