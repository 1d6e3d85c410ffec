"""`rehabcast search`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rehabcast.commands.learning.engine import Engine, EngineOption, RayAddress
from rehabcast.commands.learning.training import (
    CohortOption,
    ConfigOption,
    SeedOption,
    TaskOption,
    cluster_at,
    parameters_of,
    tell,
    tell_of_task,
)
from rehabcast.output import INLINE, AsJson, emit, progress
from rehabcast.settings import Settings
from stores.private_files import written_whole

if TYPE_CHECKING:
    from training.fitting.config import TrainingConfig
    from training.fitting.preparation import CohortNote
    from training.task_notes import TaskNote


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchResult:
    """The best parameters, what the cohort cannot fill of the task, and what is known of that."""

    config: TrainingConfig = field(metadata=INLINE)
    cohort_notes: tuple[CohortNote, ...] = ()
    task_notes: tuple[TaskNote, ...] = ()


def search(
    cohort: CohortOption,
    task: TaskOption,
    output: Annotated[
        Path, typer.Option("--output", help="Where to write the best parameters (TOML).")
    ],
    trials: Annotated[int, typer.Option(min=1, max=10_000, help="How many settings to try.")] = 20,
    config: ConfigOption = None,
    engine: EngineOption = Engine.LOCAL,
    ray_address: RayAddress = None,
    seed: SeedOption = None,
    as_json: AsJson = False,
) -> None:
    """Search for the training parameters of lowest out-of-fold CRPS; for `train --config`."""
    from features.cohort import read_cohort
    from training.fitting.search import search as run_search
    from training.fitting.search import search_sequentially
    from training.task import read_task

    parameters = parameters_of(config, seed)
    notes: list[CohortNote] = []

    def announce(found: tuple[CohortNote, ...]) -> None:
        notes.extend(found)
        tell(found)

    searched = read_task(task)
    of_task = tell_of_task(searched)
    with progress("Search", trials) as advance:
        best = run_search(
            read_cohort(cohort),
            searched,
            parameters,
            trials=trials,
            store=Settings().store,
            strategy=cluster_at(ray_address).search
            if engine is Engine.RAY
            else search_sequentially,
            advance=advance,
            tell=announce,
        )
    with written_whole(output) as draft:
        best.write(draft)
    result = SearchResult(config=best, cohort_notes=tuple(notes), task_notes=of_task)
    emit(result, f"Best parameters: {output}", as_json=as_json)
