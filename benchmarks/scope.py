"""Benchmark: a scope is proposed to grow by who is served well, and by nobody else.

SIMULATED deployments of five years, 200 of each kind, with weekly looks and outcomes 30 weeks after
people come; the audit left out a tenth of them, and silent forecasts are compared with their
outcomes. Beside it, in the same deployments and of the same rules, stands what looking without an
e-process would be: a t-test of all outcomes so far, each week, one-sided at 2.5 %. `make bench
NAME=scope` takes about two minutes on one core and prints, as its last line, one JSON object.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np
import scipy
from evidence import weeks_in_words
from numpy.typing import NDArray
from rich.table import Table

from audits.judging.policy import load_policy
from audits.sequential.betting import ONE_START, e_process
from audits.sequential.growing import doubts
from audits.sequential.hypotheses import LOSSES, Hypothesis
from audits.sequential.plan import load_plan
from contracts.groups import MINIMUM_SHOWN, GroupName
from rehabcast.output import stdout_console
from support.deployments import (
    LIMIT,
    MILESTONE,
    POINTS,
    SMALL,
    WEEKS,
    People,
    Setting,
    first_week,
    growth_of,
    late,
    payoffs_of,
    simulated,
)

DEPLOYMENTS = int(sys.argv[1]) if sys.argv[1:] else 200
FEWEST = 8
"""People from whom on an audit judges, and so a t-test here."""

LEFT_OUT = (1, 5)
"""Groups that share the error budget."""

MISSES = {
    "promised too much, exactly at the limit": Setting(harm=LIMIT),
    "promised too little, exactly at the limit": Setting(harm=-LIMIT),
    "the same, errors skewed by -1": Setting(harm=-LIMIT, skew=True),
    "ranges hold in exactly 65 %": Setting(coverage_small=0.65),
    "overlooked exactly 25 points oftener": Setting(missed=0.40),
    "3 points beyond the limit, the worst third never seen": Setting(
        harm=LIMIT + 3, lost_worst=0.33
    ),
}
"""The group misses one rule, if only by nothing; all others are kept."""

FINE = {
    "no disparity": Setting(),
    "no disparity, 60 people a week": Setting(people=60),
    "2 points off": Setting(harm=2.0),
    "ranges hold in 75 %": Setting(coverage_small=0.75),
    "30 % of all outcomes never come, at random": Setting(lost=0.3),
}
"""Every rule is kept, with room."""

Weeks = NDArray[np.float64]


def tested() -> tuple[Hypothesis, ...]:
    """Return what is bet against of the group that is left out, by the shipped policy."""
    group = GroupName(attribute="first", label=SMALL)
    return doubts(load_policy(), [group], (MILESTONE,), POINTS)


def betting(people: People) -> list[Weeks]:
    """Return the week in which the group is proposed, for each number of groups left out."""
    smallest_WD, enough_WD = np.full((1, 1), np.inf), np.ones((1, 1), dtype=np.bool_)
    for each in tested():
        smallest_WD = np.minimum(smallest_WD, e_process(growth_of(people, each), ONE_START))
        cell_P, _ = payoffs_of(people, each)
        paid_C = np.bincount(cell_P, minlength=people.deployments * WEEKS).astype(np.float64)
        paid_WD = late(paid_C, people)[:, :, 0].cumsum(axis=0)
        enough_WD = enough_WD & (paid_WD >= MINIMUM_SHOWN)
    alpha = load_plan().alpha
    return [first_week((smallest_WD >= groups / alpha) & enough_WD) for groups in LEFT_OUT]


def repeated_t(people: People) -> Weeks:
    """Return the week in which a t-test of every rule first passes; losses are not looked at."""
    passes_WD = np.ones((1, 1), dtype=np.bool_)
    for each in tested():
        if each.rule != LOSSES:
            passes_WD = passes_WD & _passes(people, each)
    return first_week(passes_WD)


def _passes(people: People, each: Hypothesis) -> NDArray[np.bool_]:
    cell_P, payoff_P = payoffs_of(people, each)
    cells = people.deployments * WEEKS
    sums = [np.bincount(cell_P, payoff_P**power, cells) for power in range(3)]
    sums_CK = np.stack(sums, axis=1, dtype=np.float64)
    count_WD, total_WD, squares_WD = np.moveaxis(late(sums_CK, people).cumsum(axis=0), 2, 0)
    count = np.maximum(count_WD, 2)
    variance_WD = (squares_WD - total_WD**2 / count) / (count - 1)
    spread_WD = np.sqrt(np.maximum(variance_WD, 0) / count)
    bound_WD = total_WD / count - scipy.stats.t.ppf(0.975, count - 1) * spread_WD
    # Of numbers that are all the same a t-test says nothing.
    return np.asarray((count_WD >= FEWEST) & (spread_WD > 1e-9) & (bound_WD > 0))


def main() -> None:
    """Run and print everything."""
    began, rows = time.monotonic(), []
    names = [f"betting, {n} left out" for n in LEFT_OUT]
    misses = Table("misses a rule (SIMULATED)", *names, "t-test each week")
    fine = Table("kept with room (SIMULATED); weeks 10/50/90 %", *names, "t-test each week")
    for table, kinds, seed in ((misses, MISSES, 300), (fine, FINE, 400)):
        for number, (name, setting) in enumerate(kinds.items()):
            people = simulated(setting, DEPLOYMENTS, seed=seed + number)
            found = [*betting(people), repeated_t(people)]
            if table is misses:
                cells = [f"{int((~np.isnan(w)).sum())} of {DEPLOYMENTS}" for w in found]
            else:
                cells = [weeks_in_words(w, 0) for w in found]
            table.add_row(name, *cells)
            rows.append({"name": name, **dict(zip((*names, "t"), cells, strict=True))})
            stdout_console.print(name, f"{time.monotonic() - began:.0f} s")
    stdout_console.print(misses)
    stdout_console.print(fine)
    print(json.dumps({"benchmark": "scope", "deployments": DEPLOYMENTS, "rows": rows}))


if __name__ == "__main__":
    main()
