"""A benchmark's record as tables for people."""

from __future__ import annotations

from typing import Any

from rich.table import Table


def standings(record: dict[str, Any]) -> Table:
    """Return who stands where over all forecasts; the candidate is the first that can be served."""
    table = Table(
        "model", "CRPS", "winner's difference", "can be served",
        title="Over all origins and horizons",
        caption=f"candidate by the rule (docs/benchmarks.md): {record['winner']}",
    )  # fmt: skip
    for row in record["standings"]:
        table.add_row(
            row["model"],
            f"{row['crps']:.3g}",
            _difference(row["difference"]),
            "yes" if row["servable"] else "no",
        )
    return table


def leaderboard(record: dict[str, Any]) -> Table:
    """Return the benchmark as a table; differences are the first family minus the row's."""
    label = "SIMULATED " if record["simulated"] else ""
    how = (
        f"{record['repeats']} x {record['folds']}-fold by subject"
        if record["by"] == "subject"
        else "leave one site out"
    )
    first = min(row["origin_day"] for row in record["rows"])
    table = Table(
        title=f"{label}{record['cohort']}, {how}, forecast on day {first}",
        caption="difference: the first model minus this one, with its 95 % interval by subject"
        " bootstrap; below 0 the first is better. Early: within the task's early_days of onset."
        " Skill: from last observation (0) to the Bayes floor (1).",
    )
    skilled = any(row["skill"] is not None for row in record["rows"])
    for heading in (
        "who", "week", "model", "n", "MAE", "CRPS", "80 %", "90 %", "width",
        *(["skill"] if skilled else []), "MAE difference", "CRPS difference",
    ):  # fmt: skip
        table.add_column(heading, no_wrap=True)
    for row in (row for row in record["rows"] if row["origin_day"] == first):
        table.add_row(
            row["population"],
            str(row["weeks"]),
            row["model"],
            str(row["subjects"]),
            f"{row['mae']:.3g}",
            f"{row['crps']:.3g}",
            f"{row['coverage_80']:.0%}",
            f"{row['coverage_90']:.0%}",
            f"{row['width_80']:.3g}",
            *([f"{row['skill']:.2f}"] if skilled else []),
            _difference(row["mae_difference"]),
            _difference(row["crps_difference"]),
        )
    return table


def prices(record: dict[str, Any]) -> Table:
    """Return what each family costs as a table."""
    table = Table("model", "fit s", "ms alone", "ms of 1,000", "parameters", title="Price")
    for name, price in record["prices"].items():
        table.add_row(
            name,
            f"{price['fit_seconds']:.2f}",
            f"{price['alone_ms']:.2f}",
            f"{price['together_ms']:.3f}",
            "" if price["parameters"] is None else f"{price['parameters']:,}",
        )
    return table


def _difference(difference: dict[str, float] | None) -> str:
    if difference is None:
        return ""
    return "{mean:+.2g} [{low:+.2g}, {high:+.2g}]".format(**difference)
