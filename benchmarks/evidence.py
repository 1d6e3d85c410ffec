"""Benchmark: evidence over time acts on harm, and leaves alone what keeps its rules.

SIMULATED deployments of five years, 200 of each kind, with weekly looks and outcomes 30 weeks after
people come (26, and 4 of grace). Beside it stands an audit of fixed samples once a year with the
same chance of error, in the same deployments, and bets without restarts. `make bench NAME=evidence`
takes about four minutes on one core and prints, as its last line, one JSON object (the benchmark
`monitoring` is that of patients' alerts). `--draw FILE` draws some of them instead.
"""

from __future__ import annotations

import json
import sys
import time

import matplotlib.pyplot as plt
import numpy as np
from rich.table import Table

from audits.sequential.betting import ONE_START
from audits.sequential.plan import load_plan
from rehabcast.output import stdout_console
from support.deployments import (
    HARMS,
    NULLS,
    Setting,
    acts,
    means,
    simulated,
    warns_of_losses,
)
from support.yearly_audits import yearly

DEPLOYMENTS = int(sys.argv[1]) if sys.argv[1:] and sys.argv[1].isdigit() else 200
DRAWN = 20


METHODS = ("betting", "yearly", "one start", "loss warning")


def weeks_in_words(week_D: np.ndarray, since: int) -> str:
    """Say when a tenth, half and nine tenths of deployments were found, and how many were."""
    found_D = ~np.isnan(week_D)
    late_D = np.sort(np.where(found_D, week_D - since, np.inf))
    shown = [late_D[int(q * (len(late_D) - 1))] for q in (0.1, 0.5, 0.9)]
    said = "/".join("-" if np.isinf(s) else f"{s:.0f}" for s in shown)
    return f"{said} ({found_D.mean():.0%})"


def draw(file: str) -> None:
    """Draw how the evidence grows in some deployments: with harm from week 104, and without."""
    figure, axes = plt.subplots(figsize=(7.5, 3.6), layout="constrained")
    plan = load_plan()
    for setting, colour, label in (
        (
            NULLS["signed error of a tenth at its limit"],
            "#555555",
            "at its limit: rule kept",
        ),
        (HARMS["the same, from week 104"], "#D55E00", "3 points beyond it from week 104"),
    ):
        (mean_WD,) = means(simulated(setting, DRAWN, seed=7), plan.starts)
        style = "-" if setting.from_week else ":"
        lines = axes.semilogy(mean_WD, style, color=colour, linewidth=0.8)
        lines[0].set_label(label)
    for level, name in ((1 / plan.alpha, "out of service"), (1 / plan.warn_alpha, "warning")):
        axes.axhline(level, color="#0072B2", linewidth=1)
        axes.text(2, level * 1.15, name, color="#0072B2", fontsize=8)
    axes.axvline(104, color="black", linewidth=0.5)
    axes.set(
        xlabel="week (outcomes come 30 weeks after people)",
        ylabel="mean e-value",
        ylim=(0.1, 1e5),
        title=f"{DRAWN} SIMULATED deployments of each kind, 20 people a week",
        xlim=(0, 260),
    )
    axes.legend(loc="upper left", bbox_to_anchor=(0, 0.9), fontsize=8, frameon=False)
    figure.savefig(file, dpi=130)


def row(name: str, setting: Setting, seed: int) -> dict[str, object]:
    """Run one kind of deployment."""
    people = simulated(setting, DEPLOYMENTS, seed)
    betting, single = acts(people, load_plan().starts, ONE_START)
    fixed = yearly(people)
    return {
        "name": name,
        "deployments": DEPLOYMENTS,
        "since": setting.from_week,
        "betting": betting.tolist(),
        "yearly": fixed.tolist(),
        "one start": single.tolist(),
        "loss warning": warns_of_losses(people).tolist(),
    }


def main() -> None:
    """Run and print everything."""
    began = time.monotonic()
    nulls = Table(
        "kept (SIMULATED)",
        "acted on falsely",
        "yearly audit",
        "bets from one start",
        "warned of losses",
    )
    found = []
    for number, (name, setting) in enumerate(NULLS.items()):
        result = row(name, setting, seed=100 + number)
        found.append(result)
        nulls.add_row(
            name,
            *(f"{int((~np.isnan(np.array(result[k]))).sum())} of {DEPLOYMENTS}" for k in METHODS),
        )
        stdout_console.print(name, f"{time.monotonic() - began:.0f} s")
    harms = Table(
        "harm (SIMULATED); weeks since it began, 10/50/90 %",
        "betting",
        "yearly audit",
        "one start",
        "warned of losses",
    )
    for number, (name, setting) in enumerate(HARMS.items()):
        result = row(name, setting, seed=200 + number)
        found.append(result)
        harms.add_row(
            name,
            *(
                weeks_in_words(np.array(result[k], dtype=np.float64), setting.from_week)
                for k in METHODS
            ),
        )
        stdout_console.print(name, f"{time.monotonic() - began:.0f} s")
    stdout_console.print(nulls)
    stdout_console.print(harms)
    shown = [
        {k: v for k, v in each.items() if isinstance(v, str | int)}
        | {
            k: {
                "acted": int((~np.isnan(np.array(each[k]))).sum()),
                "median": median(np.array(each[k], dtype=np.float64)),
            }
            for k in METHODS
        }
        for each in found
    ]
    print(json.dumps({"benchmark": "evidence", "rows": shown}))


def median(week_D: np.ndarray) -> float | None:
    """Return the week of the median deployment; None where it is in fewer than half."""
    middle = float(np.median(np.where(np.isnan(week_D), np.inf, week_D)))
    return None if np.isinf(middle) else middle


if __name__ == "__main__":
    if sys.argv[1:2] == ["--draw"]:
        draw(sys.argv[2])
    else:
        main()
