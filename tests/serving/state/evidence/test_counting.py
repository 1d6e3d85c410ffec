"""Weeks are counted once and exactly, whenever and however often one looks, and after kill -9."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import pytest
import sqlalchemy as sa

from contracts.errors import ContractError
from contracts.observation import Observation
from contracts.predictions import CANDIDATE, MODEL, QUANTILE_COLUMNS, STATUS, TRUTH
from contracts.task import Task
from inference.matching.tables import MonitoringTables
from serving.state.evidence import accounts, tracing
from serving.state.evidence.accounts import counted, week_of
from serving.state.evidence.counting import Followed, close_weeks, tables_until, take_in
from serving.state.evidence.reading import SHADOW
from serving.state.evidence.tracing import begin
from serving.state.forecast_log import ForecastEntry, append
from serving.state.privacy import erase, forget
from serving.state.store import Store
from serving.state.tables import followed_table
from stores.database import reading, write

BEGAN = date(2026, 1, 3)
VERSION = "arm/1"
(OF_WEEK,) = (index.name for index in followed_table.indexes)


def answer_of(task: Task, name: str, median: float, day: date) -> str:
    """Return the part of an answer that counts, as `ForecastAnswer` is written."""
    return json.dumps(
        {
            "status": "forecast",
            "subject": name,
            "origin_day": 0,
            "as_of": day.isoformat(),
            "last_score": 20.0,
            "horizons": [
                {
                    "weeks": horizon.weeks,
                    "day_after_enrolment": horizon.day,
                    "quantiles": {c: median + 0.5 * n for n, c in enumerate(QUANTILE_COLUMNS, -9)},
                    "milestones": {milestone.name: 0.6 for milestone in task.milestones},
                    "last_observation": 20.0,
                    "proportional_recovery": 40.0,
                }
                for horizon in task.horizons
            ],
            "groups": [
                {"attribute": "sex", "group": ("female", "male")[len(name) % 2], "statement": "x"}
            ],
        }
    )


def forecast(
    task: Task, number: int, name: str, day: date, *, median: float = 30.0, version: str = VERSION,
    tenant: str = "ward", route: str = "forecast",
) -> ForecastEntry:  # fmt: skip
    return ForecastEntry(
        id=f"{number:032x}", time=datetime(day.year, day.month, day.day, 12, tzinfo=UTC).isoformat(),
        route=route, actor="dr", tenant=tenant, subject=name, model_version=version,
        bundle_digest="b" * 64, input_digest="i" * 64, output=answer_of(task, name, median, day),
    )  # fmt: skip


def observed(store: Store, task: Task, name: str, day: int, score: float) -> None:
    """Put a score on record; the person was enrolled 5 days after the onset."""
    store.add(
        "ward", name, 5,
        [Observation(code=task.target.code, day_since_onset=5 + day, value=score)],
        actor="dr", now=datetime(2026, 6, 1, tzinfo=UTC),
    )  # fmt: skip


def followed(task: Task, terms: str = "t" * 64) -> Followed:
    return Followed(model_version=VERSION, task=task, terms=terms, grace_days=28)


def sums(tables: MonitoringTables) -> Mapping[str, Any]:
    own = tables.predictions[tables.predictions[MODEL] == CANDIDATE]
    return {
        "due": len(tables.follow_up),
        "errors": np.round((own["q50"] - own[TRUTH]).sort_values(), 6).tolist(),
        "statuses": sorted(map(str, tables.follow_up[STATUS])),
    }


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store(f"sqlite:///{tmp_path / 'service.db'}", make=True)) as opened:
        yield opened


def people(store: Store, task: Task, count: int = 12) -> None:
    """One person a day, each asked about twice; every third is lost, every fourth comes late."""
    primary = next(h for h in task.horizons if h.weeks == task.primary_horizon_weeks)
    entries = [
        forecast(
            task, 10 * n + k, "P" * (n + 1), BEGAN + timedelta(days=n), median=30.0 + n + 50 * k
        )
        for n in range(count)
        for k in range(2)
    ]
    append(store, entries)
    for n in range(count):
        if n % 3:
            observed(store, task, "P" * (n + 1), primary.day, 30.0)
            observed(store, task, "P" * (n + 1), primary.day + 1, 5.0)


def due_week(task: Task, day: date) -> int:
    primary = next(h for h in task.horizons if h.weeks == task.primary_horizon_weeks)
    return week_of(day + timedelta(days=primary.window_days[1] + 28))


def test_whom_the_champion_refused_counts_only_where_silent_forecasts_do(
    store: Store, task: Task
) -> None:
    refused = forecast(task, 1, "P", BEGAN)
    output = json.dumps({"status": "no forecast", "subject": "P"})
    append(
        store,
        [
            msgspec.structs.replace(refused, output=output),
            forecast(task, 2, "P", BEGAN, route=SHADOW),
            forecast(task, 3, "Q", BEGAN),
        ],
    )  # fmt: skip
    of_service = replace(followed(task), silent_too=False)
    assert take_in(store, of_service) == 1
    assert take_in(store, replace(followed(task), purpose="scope")) == 2


def test_a_person_counts_once_by_the_first_forecast_when_the_outcome_is_due(
    store: Store, task: Task
) -> None:
    people(store, task)
    assert take_in(store, followed(task)) == 12
    assert take_in(store, followed(task)) == 0
    assert close_weeks(store, followed(task), BEGAN + timedelta(days=30), sums) == 0
    late = BEGAN + timedelta(days=500)
    assert close_weeks(store, followed(task), late, sums) == 2
    first, weeks = counted(store, VERSION)
    assert first == week_of(BEGAN)
    assert [week for week, _ in weeks] == [
        due_week(task, BEGAN), due_week(task, BEGAN + timedelta(days=7))
    ]  # fmt: skip
    both = [of for _, of in weeks]
    assert [of["due"] for of in both] == [7, 5]
    # Of the first forecast (k = 0), by the score nearest to the horizon.
    assert both[0]["errors"] == [1.0, 2.0, 4.0, 5.0]
    assert both[1]["statuses"] == ["lost", *["observed"] * 4]


def test_looks_are_free_daily_or_once_and_late_values_change_nothing_that_was_counted(
    tmp_path: Path, task: Task
) -> None:
    found = []
    for looks in ((700,), tuple(range(0, 701, 5))):
        with closing(Store(f"sqlite:///{tmp_path / f'{len(looks)}.db'}", make=True)) as store:
            people(store, task)
            for day in looks:
                take_in(store, followed(task))
                close_weeks(store, followed(task), BEGAN + timedelta(days=day), sums)
            found.append(counted(store, VERSION))
            observed(store, task, "P", 84, 33.0)
            erase(store, "ward", "PP", reason="asked", actor="dr", now=datetime.now(UTC))
            take_in(store, followed(task))
            close_weeks(store, followed(task), BEGAN + timedelta(days=1000), sums)
            assert counted(store, VERSION) == found[-1]
    assert found[0] == found[1]


def test_a_promotion_begins_a_new_account(store: Store, task: Task) -> None:
    people(store, task)
    take_in(store, followed(task))
    again = replace(followed(task, "u" * 64), since="2026-01-10T00:00:00+00:00")
    assert take_in(store, again) == 5
    late = BEGAN + timedelta(days=500)
    assert (
        close_weeks(store, again, late, sums) == close_weeks(store, followed(task), late, sums) - 1
    )
    assert [of["due"] for _, of in counted(store, again.service)[1]] == [5]
    assert [of["due"] for _, of in counted(store, VERSION)[1]] == [7, 5]


def test_what_is_forgotten_before_its_outcome_is_due_counts_no_more(
    store: Store, task: Task
) -> None:
    people(store, task)
    take_in(store, followed(task))
    before = datetime(2026, 1, 8, tzinfo=UTC)
    assert forget(store, before, actor="dr", now=datetime.now(UTC)) == 10
    close_weeks(store, followed(task), BEGAN + timedelta(days=500), sums)
    _, weeks = counted(store, VERSION)
    assert [of["due"] for _, of in weeks] == [2, 5]
    with reading(store.engine) as connection:
        kept = connection.execute(sa.select(followed_table.c.forecast)).scalars().all()
    assert set(kept) == {""}


def test_other_terms_are_refused_and_another_version_is_followed_beside(
    store: Store, task: Task
) -> None:
    people(store, task, 3)
    append(store, [forecast(task, 900, "Q", BEGAN, version="arm/11", route="shadow")])
    assert take_in(store, followed(task)) == 3
    with pytest.raises(ContractError, match="another monitoring plan"):
        take_in(store, followed(task, "u" * 64))
    other = Followed(model_version="arm/11", task=task, terms="u" * 64, grace_days=28)
    assert take_in(store, other) == 1


def test_the_tables_hold_every_forecast_whose_outcome_is_due_with_comparators(
    store: Store, task: Task
) -> None:
    people(store, task, 3)
    tables = tables_until(store, followed(task), BEGAN + timedelta(days=500))
    assert set(tables.predictions[MODEL]) == {
        CANDIDATE,
        "last observation",
        "proportional recovery",
    }
    last = tables.predictions[tables.predictions[MODEL] == "last observation"]
    assert (last["q05"] == 20.0).all()
    # Three people from one day each: the second forecast of that day repeats the first.
    assert len(tables.follow_up) == 3 * len(task.horizons)
    nobody = tables_until(store, followed(task), BEGAN)
    assert nobody.predictions.empty
    assert nobody.follow_up.empty


KILLED = """
import os, signal, sys
from datetime import date
from pathlib import Path
sys.path.insert(0, {root!r})
from tests.serving.state.evidence.test_counting import followed, sums
from serving.state.evidence import counting
from serving.state.store import Store
from training.task import read_task
task = read_task(Path({task!r}))
store = Store({url!r})
counting.take_in(store, followed(task))
def dying(tables):
    found = sums(tables)
    if {after!r} == found["due"]:
        os.kill(os.getpid(), signal.SIGKILL)
    return found
counting.close_weeks(store, followed(task), date(2027, 12, 1), dying)
"""


def test_killed_in_the_middle_of_a_week_the_next_run_counts_the_same(
    tmp_path: Path, task: Task, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The lost are drawn among as well, with one key for both stores.
    monkeypatch.setattr(tracing, "secrets", SimpleNamespace(token_hex=lambda _: "5f" * 16))
    begin(store, VERSION, "t" * 64, 0.5, 0.3, BEGAN)
    people(store, task)
    root = Path(__file__).resolve().parents[4]
    script = textwrap.dedent(
        KILLED.format(
            root=str(root), url=f"sqlite:///{tmp_path / 'service.db'}", after=5,
            task=str(root / "tasks" / "stroke-upper-limb.toml"),
        )
    )  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": str(root)}, check=False
    )
    assert done.returncode == -signal.SIGKILL
    # The week before may have been counted in the same transaction.
    assert [of["due"] for _, of in counted(store, VERSION)[1]] in ([], [7])
    close_weeks(store, followed(task), date(2027, 12, 1), sums)
    with closing(Store(f"sqlite:///{tmp_path / 'whole.db'}", make=True)) as whole:
        begin(whole, VERSION, "t" * 64, 0.5, 0.3, BEGAN)
        people(whole, task)
        take_in(whole, followed(task))
        close_weeks(whole, followed(task), date(2027, 12, 1), sums)
        assert counted(store, VERSION) == counted(whole, VERSION)
        kept = []
        for each in (store, whole):
            with reading(each.engine) as connection:
                kept.append(connection.execute(sa.select(followed_table)).all())
        assert sorted(kept[0]) == sorted(kept[1])
        assert len(kept[0]) == 2 * 12


def test_weeks_counted_one_a_transaction_or_all_in_one_are_the_same(
    tmp_path: Path, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for seconds in (0.0, 60.0):
        monkeypatch.setattr(accounts, "SECONDS_AT_ONCE", seconds)
        with closing(Store(f"sqlite:///{tmp_path / f'{seconds}.db'}", make=True)) as store:
            people(store, task)
            take_in(store, followed(task))
            assert close_weeks(store, followed(task), date(2027, 12, 1), sums) == 2
            found.append(counted(store, VERSION))
    assert found[0] == found[1]


def test_a_week_costs_no_more_however_many_were_counted_before(tmp_path: Path, task: Task) -> None:
    """In steps of SQLite's machine: by the clock a shared machine would decide."""
    steps = []
    for counted_before in (10, 2000):
        url = f"sqlite:///{tmp_path / f'{counted_before}.db'}"
        with closing(Store(url, make=True)) as store:
            # As a store of an earlier version is: the next opening makes what it lacks.
            write(store.engine, lambda c: c.execute(sa.text(f"DROP INDEX {OF_WEEK}")))
        with closing(Store(url, make=True)) as store:
            append(store, [forecast(task, 0, "P", BEGAN)])
            take_in(store, followed(task))
            rows = [
                {
                    "service": VERSION, "tenant": "ward", "subject": f"Q{n}", "week": 1,
                    "given_on": "2020-01-01", "forecast": "",
                }
                for n in range(counted_before)
            ]  # fmt: skip
            write(store.engine, lambda c, rows=rows: c.execute(sa.insert(followed_table), rows))
            steps.append(0)
            with store.engine.connect() as connection:
                inner = connection.connection.dbapi_connection
            assert isinstance(inner, sqlite3.Connection)

            def step() -> int:
                steps[-1] += 1
                return 0

            inner.set_progress_handler(step, 1)
            assert close_weeks(store, followed(task), date(2027, 12, 1), sums) == 1
    assert steps[1] < 1.5 * steps[0]


def test_people_of_two_tenants_with_one_identifier_have_outcomes_of_their_own(
    store: Store, task: Task
) -> None:
    primary = next(h for h in task.horizons if h.weeks == task.primary_horizon_weeks)
    scores = {"ward": 35.0, "clinic": 40.0}
    append(
        store,
        [
            forecast(task, n, "P", BEGAN, tenant=tenant)
            for n, tenant in enumerate([*scores, "home"])
        ],
    )
    for tenant, score in scores.items():
        store.add(
            tenant, "P", 5,
            [Observation(code=task.target.code, day_since_onset=5 + primary.day, value=score)],
            actor="dr", now=datetime(2026, 6, 1, tzinfo=UTC),
        )  # fmt: skip
    assert take_in(store, followed(task)) == 3
    assert close_weeks(store, followed(task), BEGAN + timedelta(days=400), sums) == 1
    ((_, found),) = counted(store, VERSION)[1]
    assert (found["due"], found["errors"]) == (3, [-10.0, -5.0])
