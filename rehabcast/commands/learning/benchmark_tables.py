"""A finished benchmark, and the tables that people read of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rich.table import Table

from rehabcast.output import INLINE

if TYPE_CHECKING:
    from training.comparison.benchmark import Benchmark
    from training.scores import Difference


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkRecord:
    """A finished benchmark, as leaderboard.json keeps it.

    Parameters
    ----------
    cohort, simulated, data_digest, task
        What it was run on.
    pretrained_on
        The cohort that a network learned from first; empty where there is none.
    winner
        The best family that can be served; None where none can.
    better_but_not_servable
        Families that are better than the winner beyond chance and cannot be served.
    benchmark
        The scores.
    """

    cohort: str
    simulated: bool
    data_digest: str
    task: str
    pretrained_on: str
    winner: str | None
    better_but_not_servable: tuple[str, ...]
    benchmark: Benchmark = field(metadata=INLINE)


def standings(record: BenchmarkRecord) -> Table:
    """Rank the families over all forecasts; the candidate is the first that can be served."""
    table = Table(
        "model", "CRPS", "winner's difference", "can be served",
        title="Over all origins and horizons",
        caption=f"candidate by the rule (docs/benchmarks.md): {record.winner}",
    )  # fmt: skip
    for row in record.benchmark.standings:
        table.add_row(
            row.model,
            f"{row.crps:.3g}",
            _difference(row.difference),
            "yes" if row.servable else "no",
        )
    return table


def leaderboard(record: BenchmarkRecord) -> Table:
    """Return the scores at each horizon; differences are the first family minus the row's."""
    benchmark = record.benchmark
    label = "SIMULATED " if record.simulated else ""
    split = (
        f"{benchmark.repeats} x {benchmark.folds}-fold by subject"
        if benchmark.by == "subject"
        else "leave one site out"
    )
    first_day = min(row.origin_day for row in benchmark.rows)
    table = Table(
        title=f"{label}{record.cohort}, {split}, forecast on day {first_day}",
        caption="difference: the first model minus this one, with its 95 % interval by subject"
        " bootstrap; below 0 the first is better. Early: within the task's early_days of onset."
        " Skill: from last observation (0) to the Bayes floor (1).",
    )
    with_skill = any(row.skill is not None for row in benchmark.rows)
    for heading in (
        "who", "week", "model", "n", "MAE", "CRPS", "80 %", "90 %", "width",
        *(["skill"] if with_skill else []), "MAE difference", "CRPS difference",
    ):  # fmt: skip
        table.add_column(heading, no_wrap=True)
    for row in (row for row in benchmark.rows if row.origin_day == first_day):
        table.add_row(
            row.population,
            str(row.weeks),
            row.model,
            str(row.subjects),
            f"{row.mae:.3g}",
            f"{row.crps:.3g}",
            f"{row.coverage_80:.0%}",
            f"{row.coverage_90:.0%}",
            f"{row.width_80:.3g}",
            *([f"{row.skill:.2f}"] if with_skill else []),
            _difference(row.mae_difference),
            _difference(row.crps_difference),
        )
    return table


def prices(benchmark: Benchmark) -> Table:
    """Return what each family costs."""
    table = Table(
        "model", "fit (s)", "alone (ms)", "each of 1,000 (ms)", "parameters", title="Cost"
    )
    for name, price in benchmark.prices.items():
        table.add_row(
            name,
            f"{price.fit_seconds:.2f}",
            f"{price.alone_ms:.2f}",
            f"{price.together_ms:.3f}",
            "" if price.parameters is None else f"{price.parameters:,}",
        )
    return table


def _difference(difference: Difference | None) -> str:
    if difference is None:
        return ""
    return f"{difference.mean:+.2g} [{difference.low:+.2g}, {difference.high:+.2g}]"
