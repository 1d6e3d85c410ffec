"""`rehabcast cohort trace`: draw at random which of the people with lost outcomes to call."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from contracts.cohort import CODE, SUBJECT, TRACING_CHANCE
from contracts.errors import ContractError
from rehabcast.commands.training import TaskOption
from rehabcast.output import AsJson, emit, stderr_console

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from contracts.cohort import Cohort
    from contracts.task import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class TracingDraw:
    """A draw of people to trace.

    Parameters
    ----------
    calls
        CSV file with everybody whom the draw was made from.
    lost, drawn
        How many they are, and how many of them to call.
    chance
        Chance of each.
    seed
        Of the draw.
    """

    calls: Path
    lost: int
    drawn: int
    chance: float
    seed: int


def trace(
    folder: Annotated[Path, typer.Argument(help="Cohort folder (MEDS layout).")],
    task: TaskOption,
    share: Annotated[
        float, typer.Option(min=0.01, max=1.0, help="Share of the lost to call.")
    ] = 0.3,
    seed: Annotated[int, typer.Option(help="Seed of the draw.")] = 0,
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
    from training.task import read_task

    if output.exists():
        raise ContractError(f"{output} exists already", "name a new file: a draw is made once")
    cohort, forecast_task = read_cohort(folder), read_task(task)
    lost = _lost(cohort, forecast_task)
    if not len(lost):
        raise ContractError(
            "nobody is lost who was not in a draw already", "there is nobody to trace"
        )
    drawn = _drawn(len(lost), share, seed)
    chance = float(drawn.mean())
    _calls(cohort, lost, drawn, chance).to_csv(output, index=False)
    result = TracingDraw(
        calls=output, lost=len(lost), drawn=int(drawn.sum()), chance=chance, seed=seed
    )
    emit(result, f"{result.drawn} of {result.lost} lost people to call: {output}", as_json=as_json)
    if not as_json:
        stderr_console.print(
            "Call those with yes under drawn. Fill in traced_on_day (the day that the outcome holds"
            " for, on the clock of your tables) for whoever is reached, and keep the other rows."
        )


def _lost(cohort: Cohort, task: Task) -> NDArray[np.int64]:
    """Return who is lost and was in no draw yet, in ascending order."""
    from features.cohort.follow_up import ends_of, people_to_trace
    from features.sequences import cohort_sequences, training_sequences

    events = cohort.events
    layout = training_sequences(events, task).layout
    batch = cohort_sequences(events, task, layout, outcomes=False)
    lost = people_to_trace(
        batch, ends_of(events, dates_shifted=cohort.provenance.dates_shifted), task
    )
    before = events.loc[events[CODE] == TRACING_CHANCE, SUBJECT].unique()
    return np.setdiff1d(lost, before)


def _drawn(lost: int, share: float, seed: int) -> NDArray[np.bool_]:
    """Draw a fixed number at random, at least one: each has the same chance."""
    count = max(1, round(share * lost))
    drawn = np.zeros(lost, dtype=np.bool_)
    drawn[np.random.default_rng(seed).permutation(lost)[:count]] = True
    return drawn


def _calls(
    cohort: Cohort, lost: NDArray[np.int64], drawn: NDArray[np.bool_], chance: float
) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(
        {
            "subject": [cohort.label(number) for number in lost.tolist()],
            "tracing_chance": chance,
            "drawn": np.where(drawn, "yes", "no"),
            "traced_on_day": "",
        }
    )
