"""Benchmark: what outcomes of an earlier horizon are worth as a warning.

SIMULATED deployments of five years, with weekly looks, outcomes that count 30 weeks after people
come (26, and 4 of grace) and early ones after 8. Beside the early warning stand, in the same
deployments, the warning and the act of the outcomes that count. `make bench NAME=early` takes some
ten minutes on one core and prints, as its last line, one JSON object.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np
from evidence import median, weeks_in_words
from rich.table import Table

from audits.sequential.plan import load_plan
from rehabcast.output import stdout_console
from support.deployments import first_week, means, simulated
from support.early_outcomes import HARMS, NULLS, Case, early_of, warns_early

DEPLOYMENTS = int(sys.argv[1]) if sys.argv[1:] else 200
METHODS = ("early warning", "warning", "act")


def row(case: Case, seed: int) -> dict[str, np.ndarray]:
    """Run one kind of deployment; return the week of each in each deployment, NaN where never."""
    setting, proxy = case
    people, plan = simulated(setting, DEPLOYMENTS, seed), load_plan()
    (mean_WD,) = means(people, plan.starts)
    return {
        "early warning": warns_early(early_of(people, setting, proxy, seed + 1000)),
        "warning": first_week(mean_WD >= 1 / plan.warn_alpha),
        "act": first_week(mean_WD >= 1 / plan.alpha),
    }


def main() -> None:
    """Run and print everything."""
    began, rows = time.monotonic(), []
    nulls = Table("rules kept by the outcomes that count (SIMULATED)", *METHODS)
    harms = Table(
        "a tenth 3 points beyond the limit (SIMULATED); weeks since it began, 10/50/90 %",
        *METHODS, "first of both warnings", "early is first",
    )  # fmt: skip
    for number, (name, case) in enumerate({**NULLS, **HARMS}.items()):
        found, since = row(case, seed=300 + number), case[0].from_week
        first_D = np.fmin(found["early warning"], found["warning"])
        is_first_D = found["early warning"] < np.nan_to_num(found["warning"], nan=np.inf)
        if name in NULLS:
            nulls.add_row(name, *(f"{count(week_D)} of {DEPLOYMENTS}" for week_D in found.values()))
        else:
            said = (weeks_in_words(week_D, since) for week_D in (*found.values(), first_D))
            harms.add_row(name, *said, f"{is_first_D.mean():.0%}")
        rows.append(
            {"name": name, "since": since, "early is first": int(is_first_D.sum())}
            | {
                method: {"found": count(week_D), "median": median(week_D)}
                for method, week_D in {**found, "first of both warnings": first_D}.items()
            }
        )
        stdout_console.print(name, f"{time.monotonic() - began:.0f} s")
    stdout_console.print(nulls)
    stdout_console.print(harms)
    print(json.dumps({"benchmark": "early", "deployments": DEPLOYMENTS, "rows": rows}))


def count(week_D: np.ndarray) -> int:
    """Return in how many deployments something came."""
    return int((~np.isnan(week_D)).sum())


if __name__ == "__main__":
    main()
