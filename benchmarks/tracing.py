"""Benchmark: harm that hides in loss is found where a random share of the lost is traced.

SIMULATED deployments of five years as in `benchmarks/evidence.py`; whoever is drawn is found.
Beside it in the same run: the tests that act, which see only whose outcome came, and the warning of
losses. `make bench NAME=tracing` prints, as its last line, one JSON object. A number says how many
deployments there are of each kind.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping

import numpy as np
from evidence import median, weeks_in_words
from rich.table import Table

from audits.sequential.plan import load_plan
from rehabcast.output import stdout_console
from support.deployments import LIMIT, Setting, acts, simulated, warns_of_losses
from support.traced_deployments import warns

DEPLOYMENTS = int(sys.argv[1]) if sys.argv[1:] else 100
AT_ONCE = 20
SHARES = (0.3, 0.5, 1.0)

NULLS: Mapping[str, Setting] = {
    "at its limit, the worst third never seen": Setting(harm=LIMIT, people=40, lost_worst=0.33),
    "at its limit, the best third never seen": Setting(harm=LIMIT, people=40, lost_best=0.33),
    "the same, errors skewed by -1": Setting(harm=LIMIT, people=40, lost_best=0.33, skew=True),
}
HARMS: Mapping[str, Setting] = {
    "3 points beyond the limit, the worst third never seen, 40 people a week": Setting(
        harm=LIMIT + 3, people=40, lost_worst=0.33
    ),
    "the same, 100 people a week": Setting(harm=LIMIT + 3, people=100, lost_worst=0.33),
}


def weeks_found(setting: Setting, seed: int) -> dict[str, np.ndarray]:
    """Return the week in which each deployment is found, by method."""
    parts: dict[str, list[np.ndarray]] = {}
    for start in range(0, DEPLOYMENTS, AT_ONCE):
        people = simulated(setting, min(AT_ONCE, DEPLOYMENTS - start), seed + start)
        found = {f"traced {share:.0%}": warns(people, share, seed + start) for share in SHARES}
        (found["not traced"],) = acts(people, load_plan().starts)
        found["warned of losses"] = warns_of_losses(people)
        for name, weeks_D in found.items():
            parts.setdefault(name, []).append(weeks_D)
    return {name: np.concatenate(some) for name, some in parts.items()}


def main() -> None:
    """Run and print everything."""
    began, rows = time.monotonic(), []
    for title, settings, first_seed in (
        ("rule kept (SIMULATED); warned or acted falsely", NULLS, 10_000),
        ("harm (SIMULATED); weeks until found, 10/50/90 %", HARMS, 20_000),
    ):
        table: Table | None = None
        for number, (name, setting) in enumerate(settings.items()):
            found = weeks_found(setting, first_seed + 1000 * number)
            table = table or Table(title, *found)
            table.add_row(
                name,
                *(
                    f"{int((~np.isnan(weeks_D)).sum())} of {DEPLOYMENTS}"
                    if settings is NULLS
                    else weeks_in_words(weeks_D, 0)
                    for weeks_D in found.values()
                ),
            )
            stdout_console.print(name, f"{time.monotonic() - began:.0f} s")
            rows.append(
                {"name": name, "deployments": DEPLOYMENTS}
                | {
                    method: {
                        "found": int((~np.isnan(weeks_D)).sum()),
                        "median": median(weeks_D),
                    }
                    for method, weeks_D in found.items()
                }
            )
        stdout_console.print(table)
    print(json.dumps({"benchmark": "tracing", "rows": rows}))


if __name__ == "__main__":
    main()
