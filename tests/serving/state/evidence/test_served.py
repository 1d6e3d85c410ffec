"""Whom a version served: each person once, without those whom only a shadow was asked about."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import msgspec
import pytest

from contracts.task import Task
from serving.state import entries
from serving.state.entries import Event, Kind, new_id
from serving.state.evidence.clinicians import decisions_by_clinician
from serving.state.evidence.reading import SHADOW
from serving.state.evidence.served import EVERYONE, FORECAST, REFUSED, served_until
from serving.state.forecast_log import append
from serving.state.store import Store
from stores.database import write
from tests.serving.state.evidence.test_counting import BEGAN, followed, forecast, observed

LATE = BEGAN + timedelta(days=500)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store(f"sqlite:///{tmp_path / 'service.db'}", make=True)) as opened:
        yield opened


def test_a_person_counts_once_and_a_shadow_serves_nobody(store: Store, task: Task) -> None:
    refused = msgspec.structs.replace(
        forecast(task, 9, "R", BEGAN), output=json.dumps({"status": "no forecast"})
    )
    append(
        store,
        [
            forecast(task, 1, "P", BEGAN), forecast(task, 2, "P", BEGAN + timedelta(days=9)),
            forecast(task, 3, "PP", BEGAN), forecast(task, 4, "S", BEGAN, route=SHADOW), refused,
            msgspec.structs.replace(refused, id="a" * 32, subject="P"),
        ],
    )  # fmt: skip
    primary = next(h for h in task.horizons if h.weeks == task.primary_horizon_weeks)
    observed(store, task, "P", primary.day, 30.0)
    shown = served_until(store, followed(task), LATE, is_shown=True, codes=())
    assert shown[FORECAST, EVERYONE, EVERYONE] == 2
    assert shown[REFUSED, EVERYONE, EVERYONE] == 1
    assert (shown["observed", "sex", "male"], shown["lost", "sex", "female"]) == (1, 1)
    silent = served_until(store, followed(task), LATE, is_shown=False, codes=())
    assert silent[FORECAST, EVERYONE, EVERYONE] == 3
    early = served_until(store, followed(task), BEGAN + timedelta(days=1), is_shown=True, codes=())
    assert (early[FORECAST, EVERYONE, EVERYONE], early["due", EVERYONE, EVERYONE]) == (2, 0)
    since = replace(followed(task), since=f"{BEGAN + timedelta(days=5)}T00:00:00+00:00")
    assert (
        served_until(store, since, LATE, is_shown=True, codes=())[FORECAST, EVERYONE, EVERYONE] == 1
    )


def test_clinicians_are_counted_by_person_and_month(store: Store) -> None:
    def decided(person: str, day: str, tenant: str = "ward") -> Event:
        return Event(
            id=new_id(), time=f"{day}T08:00:00+00:00", kind=Kind.ALERT, tenant=tenant, actor="ehr",
            subject="P", details={"decision": "acknowledged"}, content={"person": person},
        )  # fmt: skip

    events = [
        decided("Dr Mia Moor", "2026-11-01"), decided("dr  mia moor", "2026-11-30"),
        decided("Gus", "2026-11-05"), decided("Gus", "2026-11-05", tenant="other"),
        decided("Gus", "2026-12-01"), decided("Gus", "2026-10-31"),
    ]  # fmt: skip
    write(store.engine, lambda connection: entries.append(connection, events))
    often = decisions_by_clinician(store, date(2026, 11, 1), date(2026, 12, 1))
    assert sorted(often.values()) == [1, 1, 2]
