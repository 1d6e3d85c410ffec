"""Benchmark: how soon alerts tell that exercise at home is done less well, and how often falsely.

Everybody is SIMULATED (`support.exercisers`). Beside the limits of today stands what a code gets
that nobody simulated: the strictest limit of all. `--write` sets the limits of
`serving/monitoring/exercise_limits.toml` by the declared rates, from other people than those who
are counted here. Prints two tables and, as its last line, one JSON object. About six minutes on one
core: `make bench NAME=exercise_alerts`; `--people 60` is a part of it.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from unittest.mock import patch

import numpy as np
from rich.table import Table

import serving.monitoring as monitoring
from rehabcast.output import stdout_console
from serving.monitoring import daily as daily_module
from serving.monitoring.alert import Alert
from serving.monitoring.daily import daily_alerts
from serving.monitoring.limits import EXERCISERS, OF_EXERCISE, Limit, limit_of
from serving.monitoring.series import WINDOW_DAYS, Series
from support.alert_limits import Array, episodes, limit_lines
from support.exercisers import DAYS, PLANTS, daily, exerciser
from support.monitored import DAYS_A_MONTH

CALIBRATION_SEED, TEST_SEED = 10_000, 20_000
PEOPLE, CALIBRATED = 240, 900
FIRST_JUDGED = 14
MONTHS_A_YEAR = 12
WEEKS = (1, 2, 4)
LIMITS = Path(monitoring.__path__[0]) / EXERCISERS


def seen_on(values: Mapping[str, Array], day: int) -> Series:
    """Return what monitoring reads of a person on a day of the programme."""
    first = max(0, day - WINDOW_DAYS + 1)
    lead = np.full(WINDOW_DAYS - (day - first + 1), np.nan)
    window = {code: np.concatenate([lead, each[first : day + 1]]) for code, each in values.items()}
    return Series(today=day, daily=window, scores={})


def told(values: Mapping[str, Array], days: Sequence[int]) -> Iterator[tuple[int, Alert]]:
    """Yield the alerts of how well exercise is done, with the day on which each is looked at."""
    for day in days:
        for alert in daily_alerts(seen_on(values, day)):
            if alert.code in OF_EXERCISE:
                yield day, alert


def set_limits(people: int) -> str:
    """Return the limits that keep the declared rates among people in whom nothing changed."""
    known = [daily(exerciser(CALIBRATION_SEED + n)) for n in range(people)]
    months = people * (DAYS - FIRST_JUDGED) / DAYS_A_MONTH
    lines = [
        "# Written by `python benchmarks/exercise_alerts.py --write`: limits that keep",
        f"# the declared rates of false alarms among {people} SIMULATED people, nothing planted.",
    ]
    for code, place in OF_EXERCISE.items():
        windows = [
            np.array([seen_on(values, day).daily[code] for day in range(FIRST_JUDGED, DAYS)])
            for values in known
        ]
        lines += limit_lines(code, place, windows, months, weekly=False, of_body=True)
    return "\n".join(lines) + "\n"


def before(code: str) -> Limit:
    """Return the limit of a code as it was while nobody had simulated it."""
    return limit_of("not simulated" if code in OF_EXERCISE else code)


def false_alerts(people: Sequence[Mapping[str, Array]]) -> dict[str, float]:
    """Return how often alerts begin in people in whom nothing was planted, a person and year."""
    began: Counter[str] = Counter()
    for values in people:
        on: dict[str, list[int]] = defaultdict(list)
        for day, alert in told(values, range(FIRST_JUDGED, DAYS)):
            on[alert.code].append(day)
        began.update({code: len(episodes(days)) for code, days in on.items()})
    years = len(people) * (DAYS - FIRST_JUDGED) / DAYS_A_MONTH / MONTHS_A_YEAR
    rates = {code: began[code] / years for code in OF_EXERCISE}
    return {**rates, "all": sum(rates.values())}


def planted_day(number: int) -> int:
    """Return the day of the programme on which a change is planted in the so many-th person."""
    return 28 + number % 21


def found(name: str, count: int) -> dict[str, float | None]:
    """Return in what share a planted change is told within weeks, and the median weeks."""
    delays = []
    for number in range(count):
        day = planted_day(number)
        values = daily(PLANTS[name](exerciser(TEST_SEED + number), day))
        days = range(day, min(day + 7 * max(WEEKS), DAYS))
        first = next((at for at, alert in told(values, days) if alert.since_day >= day - 3), None)
        delays.append(np.inf if first is None else (first - day + 1) / 7)
    middle = float(np.median(delays))
    return {
        **{f"within {weeks}": float(np.mean([each <= weeks for each in delays]))
           for weeks in WEEKS},
        "median weeks": middle if np.isfinite(middle) else None,
    }  # fmt: skip


def main() -> None:
    """Write the limits, or count what they do."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--people", type=int)
    asked = parser.parse_args()
    if asked.write:
        LIMITS.write_text(set_limits(asked.people or CALIBRATED), "utf-8")
        return
    count = asked.people or PEOPLE
    people = [daily(exerciser(TEST_SEED + number)) for number in range(count)]
    false = {"limits": false_alerts(people)}
    plants = {name: {"limits": found(name, count // 3)} for name in PLANTS}
    with patch.object(daily_module, "limit_of", before):
        false["before"] = false_alerts(people)
        for name in PLANTS:
            plants[name]["before"] = found(name, count // 3)
    table = Table("alert", "a person and year", "before", title="False alerts, SIMULATED")
    for code, rate in false["limits"].items():
        table.add_row(code, f"{rate:.2f}", f"{false['before'][code]:.2f}")
    stdout_console.print(table)
    table = Table(
        "planted", "limits", *(f"within {weeks} weeks" for weeks in WEEKS), "median weeks",
        title=f"Planted changes, SIMULATED, {count // 3} people each",
    )  # fmt: skip
    for name, by_limits in plants.items():
        for limits, row in by_limits.items():
            middle = row["median weeks"]
            shares = [f"{row[f'within {weeks}'] or 0:.0%}" for weeks in WEEKS]
            table.add_row(name, limits, *shares, "none" if middle is None else f"{middle:.1f}")
    stdout_console.print(table)
    print(json.dumps({"false_alerts_a_year": false, "planted": plants}))


if __name__ == "__main__":
    main()
