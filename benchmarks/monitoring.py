"""Benchmark: false alerts of people in whom nothing changed, and how soon changes are told.

Beside them stands what a test finds that knows everything of a patient but the day of the change.
Everybody is SIMULATED. `--write` sets the limits of `serving/monitoring/limits.toml` by the
declared rates, from other people than those who are counted here. Prints two tables and, as its
last line, one JSON object. About five minutes on one idle core: `make bench NAME=monitoring`.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections import Counter, defaultdict
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from rich.table import Table

import serving.monitoring as monitoring
from contracts.cohort import WEAR_TIME
from contracts.observation import Observation
from rehabcast.output import stdout_console
from serving.monitoring import limits as declared
from serving.monitoring.daily import BEFORE_DAYS, MOST_DAYS, judged
from serving.monitoring.series import CARE, WINDOW_DAYS
from serving.state.alerting.looking import look_at_waiting
from serving.state.store import Store
from support.alert_limits import Array, episodes, limit_lines
from support.ideal_watch import CHANGES, found_at_best, watched
from support.monitored import (
    DAYS_A_MONTH,
    DAYS_A_QUARTER,
    PLANTS,
    Person,
    fixed_rule,
    wearers,
)
from support.repository import UPPER_LIMB, repository_task

CALIBRATION_SEED, TEST_SEED = 101, 202
CALIBRATION_SHARDS, TEST_SHARDS = 6, 2
IDEAL_DRAWS = 20
LIMITS = Path(monitoring.__path__[0]) / "limits.toml"


def set_limits() -> str:
    """Return the limits that keep the declared rates among people in whom nothing changed."""
    people = list(wearers(CALIBRATION_SEED, CALIBRATION_SHARDS))
    months = sum(len(person.days()) for person in people) / DAYS_A_MONTH
    lines = [
        "# Written by `python benchmarks/monitoring.py --write`: limits that keep the declared",
        f"# rates of false alarms among {len(people)} SIMULATED wearers, nothing planted.",
        "",
        f"silent_days = {_silent_days(people, months)}",
    ]
    for code, place in declared.PLACES.items():
        lines += limit_lines(
            code, place, [_windows(person, code) for person in people], months,
            weekly=code in CARE,
            # What people and plans decide neither carries over nor drifts as a body does.
            of_body=code not in CARE and code != WEAR_TIME,
        )  # fmt: skip
    return "\n".join(lines) + "\n"


def _windows(person: Person, code: str) -> Array:
    """Return what is judged of a code on each judged day, (N, T)."""
    last = person.seen_on(person.days()[-1], WINDOW_DAYS + len(person.days()) - 1)
    value = judged(last, code, last.worn())
    return np.lib.stride_tricks.sliding_window_view(value, WINDOW_DAYS)


def _silent_days(people: list[Person], months: float) -> int:
    """Return the fewest days without data that are as rare as declared, while the device is there.

    A simulated wearer who stops for good is silent in truth, and not counted.
    """
    for silent in range(3, 30):
        begun = 0
        for person in people:
            tracked = np.isfinite(person.daily[WEAR_TIME])
            worn = tracked & (np.nan_to_num(person.daily[WEAR_TIME]) >= 10)
            for day in np.flatnonzero(worn):
                after = slice(day + 1, day + 1 + silent)
                before = worn[max(0, day - BEFORE_DAYS + 1) : day + 1]
                most = before.mean() >= MOST_DAYS and len(before) >= 7
                begun += bool(most and tracked[after].all() and not worn[after].any()
                              and day + silent in person.days())  # fmt: skip
        if begun / months <= declared.SILENCES_A_MONTH:
            return silent
    raise AssertionError("no silence is as rare as declared")


def false_alerts(people: list[Person]) -> dict[str, Any]:
    """Count alerts that begin in people in whom nothing was planted, by kind."""
    target = repository_task(UPPER_LIMB).target
    began: Counter[str] = Counter()
    fixed, days = 0, 0
    for person in people:
        told: dict[str, list[int]] = defaultdict(list)
        fixed_on: dict[str, list[int]] = defaultdict(list)
        for day in person.days():
            for alert in person.alerts(day, target):
                told[alert.id].append(day)
            for code in fixed_rule(person.seen_on(day)):
                fixed_on[code].append(day)
        days += len(person.days())
        for name, on in told.items():
            began[name] += len(episodes(on))
        fixed += sum(len(episodes(on)) for on in fixed_on.values())
    months = days / DAYS_A_MONTH
    return {
        "people": len(people),
        "months": months,
        "by_alert_a_month": {name: count / months for name, count in sorted(began.items())},
        "a_quarter": sum(began.values()) / days * DAYS_A_QUARTER,
        "fixed_rule_a_quarter": fixed / days * DAYS_A_QUARTER,
    }


def planted_day(person: Person, number: int) -> int:
    """Return the day on which a change is planted in the so many-th person."""
    return person.enrolment + 35 + number % 28


def at_best(people: list[Person], code: str) -> dict[str, float]:
    """Return how often a test finds a change that knows all but its day, at the same rate."""
    days = [planted_day(person, number) for number, person in enumerate(people)]
    followed = [_followed(person, code, day) for person, day in zip(people, days, strict=True)]
    rate = declared.PLACES[code].false_alarms
    week, fortnight = found_at_best(
        code, watched(people, days), np.array(followed), rate, seed=TEST_SEED, draws=IDEAL_DRAWS
    )
    return {"at_best": week, "at_best_in_two": fortnight}


def found(people: list[Person], name: str) -> dict[str, Any]:
    """Count in how many a planted change is told within a week, by us and by a fixed rule."""
    target = repository_task(UPPER_LIMB).target
    plant, code = PLANTS[name]
    ours = later = fixed = count = 0
    delays = []
    for number, person in enumerate(people):
        day = planted_day(person, number)
        if not _followed(person, code, day):
            continue
        count += 1
        changed = plant(person, day)
        week, fortnight = range(day, day + 7), range(day, day + 14)
        told = [d for d in fortnight if any(a.code == code and a.since_day >= day - 3
                                       for a in changed.alerts(d, target))]  # fmt: skip
        ours += bool(told and told[0] in week)
        later += bool(told)
        delays += [told[0] - day + 1] if told else []
        fixed += any(code in fixed_rule(changed.seen_on(d)) for d in week)
    return {
        "people": count,
        "found": ours / count,
        "found_in_two": later / count,
        "fixed_rule": fixed / count,
        "median_days": float(np.median(delays)) if delays else None,
        **(at_best(people, code) if code in CHANGES else {}),
    }


def _followed(person: Person, code: str, day: int) -> bool:
    """Say whether there is something that could change: values on most days, or a high score."""
    if code not in person.daily:
        before = [score for at, score in person.scores if day - 28 <= at < day]
        return bool(before) and before[-1] >= 15
    hours_D = np.nan_to_num(person.daily[WEAR_TIME])
    return bool((hours_D[day - 14 : day + 7] >= 10).mean() >= MOST_DAYS)


def looks_a_second(people: list[Person]) -> float:
    """Return how many records of six weeks a worker looks at in a second of processor time."""
    count, now = 100, datetime.now(UTC)
    task = repository_task(UPPER_LIMB)
    # Without a model: how long a forecast takes is measured by `make bench NAME=service`.
    served = SimpleNamespace(bundle=SimpleNamespace(task=task))
    snapshot: Any = SimpleNamespace(served=served, withdrawn="not asked for a course")
    with tempfile.TemporaryDirectory() as folder:
        store = Store(f"sqlite:///{folder}/service.db")
        for number, person in enumerate(people[:count]):
            values = [
                Observation(code=code, day_since_onset=int(day), value=float(value_D[day]))
                for code, value_D in person.daily.items()
                for day in np.flatnonzero(np.isfinite(value_D[:48]))
            ]
            store.add("ward", f"P-{number}", person.enrolment, values, actor="bench", now=now)
        started = time.process_time()
        while look_at_waiting(store, "ward", [snapshot], now):
            pass
        seconds = time.process_time() - started
        store.close()
    return count / seconds


def main() -> None:
    """Write the limits, or count what they do."""
    if "--write" in sys.argv:
        LIMITS.write_text(set_limits(), "utf-8")
        return
    people = list(wearers(TEST_SEED, TEST_SHARDS))
    false = false_alerts(people)
    plants = {name: found(people, name) for name in PLANTS}
    table = Table("alert", "a patient and month", title="False alerts, SIMULATED, nothing planted")
    for name, rate in false["by_alert_a_month"].items():
        table.add_row(name, f"{rate:.4f}")
    table.add_row("all, a patient and QUARTER", f"{false['a_quarter']:.2f}")
    table.add_row("fixed rule, a patient and QUARTER", f"{false['fixed_rule_a_quarter']:.2f}")
    stdout_console.print(table)
    columns = (
        "planted", "people", "found in a week", "in two", "median day", "fixed rule", "at best",
    )  # fmt: skip
    table = Table(*columns, title="Planted changes, SIMULATED")
    for name, row in plants.items():
        table.add_row(name, str(row["people"]), f"{row['found']:.0%}",
                      f"{row['found_in_two']:.0%}", str(row["median_days"]),
                      f"{row['fixed_rule']:.0%}",
                      f"{row['at_best']:.0%}" if "at_best" in row else "")  # fmt: skip
    stdout_console.print(table)
    looks = looks_a_second(people)
    stdout_console.print(f"records looked at in a second of processor time: {looks:.0f}")
    print(json.dumps({"false_alerts": false, "planted": plants, "looks_a_second": looks}))


if __name__ == "__main__":
    main()
