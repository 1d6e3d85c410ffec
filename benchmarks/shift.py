"""Benchmark: shifts in who comes are found before outcomes, and seasons are none.

SIMULATED deployments of five years, 200 of each kind without a shift and 60 with one, 20 people a
week at three sites, eight quantities. Beside it, in the same deployments, fixed-sample tests each
four weeks with the same chance of a false alarm over five years. `make bench NAME=shift` takes some
minutes and prints, as its last line, one JSON object; numbers after the script's name are those of
deployments.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np
from rich.table import Table

from rehabcast.output import stdout_console
from support import arriving, monthly_shift
from support.arriving import Setting

KEPT, SHIFTED = (int(given) for given in sys.argv[1:3] or ("200", "60"))
"""Deployments of each kind: a rate of false alarms needs more of them than a median of weeks."""
AT_ONCE = 20
"""Deployments computed beside each other: more need more memory, and are no faster."""

LATE = 130

NULLS = {
    "people come as they came, sites half a standard deviation apart": Setting(),
    "a season of .33 standard deviations in every channel": Setting(season=0.33),
    "a season of 1 standard deviation": Setting(season=1.0),
}
SHIFTS = {
    "a tenth (one site) measured .5 higher": Setting(site="third site", shift=0.5, from_week=LATE),
    "a tenth, 1 higher": Setting(site="third site", shift=1.0, from_week=LATE),
    "three tenths (one site) measured .5 higher": Setting(
        site="second site", shift=0.5, from_week=LATE
    ),
    "three tenths, .5 higher, with a season of .33": Setting(
        site="second site", shift=0.5, from_week=LATE, season=0.33
    ),
    "three tenths, .5 higher, from week 26": Setting(site="second site", shift=0.5, from_week=26),
    "three tenths, another sensor: 1.5 times the spread": Setting(
        site="second site", noise=1.5, from_week=LATE
    ),
    "three tenths, missing in 40 % instead of 10 %": Setting(
        site="second site", missing=0.4, from_week=LATE
    ),
    "everyone measured .5 higher": Setting(shift=0.5, from_week=LATE),
    "everyone, .5 higher, with a season of .33": Setting(shift=0.5, from_week=LATE, season=0.33),
    "everyone, .5 higher, from week 26": Setting(shift=0.5, from_week=26),
    "no forecast for 15 % of everyone instead of 5 %": Setting(refused=0.15, from_week=LATE),
}
METHODS = ("betting", "monthly", "monthly, by season")


def weeks_in_words(week_D: np.ndarray, since: int) -> str:
    """Say when a tenth, half and nine tenths were found, how many were, and how many too early."""
    early_D = week_D < since
    late_D = np.sort(np.where(np.isnan(week_D) | early_D, np.inf, week_D - since))
    shown = [late_D[int(q * (len(late_D) - 1))] for q in (0.1, 0.5, 0.9)]
    said = "/".join("-" if np.isinf(s) else f"{s:.0f}" for s in shown)
    return f"{said} ({np.isfinite(late_D).mean():.0%}; {early_D.mean():.0%} before)"


def found_of(setting: Setting, deployments: int, seed: int) -> list[np.ndarray]:
    """Return the week in which each method first warns of each deployment; NaN where never."""
    parts = []
    for start in range(0, deployments, AT_ONCE):
        some = min(AT_ONCE, deployments - start), seed + 1000 * start
        parts.append((arriving.warned(setting, *some), *monthly_shift.warned(setting, *some)))
    return [np.concatenate(of_method) for of_method in zip(*parts, strict=True)]


def main() -> None:
    """Run and print everything."""
    began, rows = time.monotonic(), []
    tables = {
        False: Table("kept (SIMULATED)", *METHODS),
        True: Table("shift (SIMULATED)", *METHODS),
    }
    for number, (name, setting) in enumerate([*NULLS.items(), *SHIFTS.items()]):
        is_shift = number >= len(NULLS)
        deployments = SHIFTED if is_shift else KEPT
        found = found_of(setting, deployments, seed=300 + number)
        said = [
            weeks_in_words(week_D, setting.from_week)
            if is_shift
            else f"{int((~np.isnan(week_D)).sum())} of {deployments}"
            for week_D in found
        ]
        tables[is_shift].add_row(name, *said)
        rows.append(
            {"name": name, "deployments": str(deployments)} | dict(zip(METHODS, said, strict=True))
        )
        stdout_console.print(name, *said, f"{time.monotonic() - began:.0f} s")
    for table in tables.values():
        stdout_console.print(table)
    print(json.dumps({"benchmark": "shift", "rows": rows}))


if __name__ == "__main__":
    main()
