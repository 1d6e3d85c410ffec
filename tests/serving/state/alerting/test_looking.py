"""Day after day: an alert that lasts is one alert."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from contracts.observation import Observation
from serving.state.alerting import looking
from serving.state.alerting.looking import look_at_waiting
from serving.state.store import Store
from serving.state.watch.caseload import page, read_recent
from serving.state.watch.decisions import Decision, decide
from tests.conftest import ROOT
from training.task import read_task

ONSET = datetime(2026, 1, 1, 12, tzinfo=UTC)
STEPS = "LOINC//41950-7"
TASK = read_task(ROOT / "tasks" / "stroke-upper-limb.toml")
NO_MODEL: Any = [
    SimpleNamespace(served=SimpleNamespace(bundle=SimpleNamespace(task=TASK)), withdrawn="revoked")
]


def steps(day: int) -> float:
    fallen = 33 <= day < 70 or day >= 95
    return [310.0, 280.0, 350.0][day % 3] if fallen else [4500.0, 5200.0, 4800.0, 5000.0][day % 4]


def test_who_has_acknowledged_a_lasting_change_is_told_again_only_of_another_one(
    tmp_path: Path,
) -> None:
    shown, since = [], {}
    with closing(Store(f"sqlite:///{tmp_path / 'own.db'}")) as store:
        for day in range(5, 105):
            now = ONSET + timedelta(days=day)
            value = Observation(code=STEPS, day_since_onset=day, value=steps(day))
            store.add("ward", "P", 5, [value], actor="gateway", now=now)
            assert look_at_waiting(store, "ward", NO_MODEL, now) == 0
            watched = read_recent(store.engine, "ward", "P", now.date())
            assert watched is not None
            assert watched.today == day
            for _, alert in page(store.engine, "ward", now.date(), None, 9):
                shown.append(day)
                since[day] = alert.since_day
                seen = Decision(decision="acknowledged", person="Dr", reason="seen", until="",
                                day=day, urgency=int(alert.urgency), time=now.isoformat())  # fmt: skip
                decide(store.engine, "ward", "P", alert, seen, actor="ehr", now=now)
    assert len(shown) == 2, shown
    assert 34 <= shown[0] <= 37
    assert 96 <= shown[1] <= 101
    assert 32 <= since[shown[0]] <= 33
    assert 93 <= since[shown[1]] <= 95


SCORE = TASK.target.code


def put_fallen(store: Store, *subjects: str) -> None:
    for subject in subjects:
        values = [
            Observation(code=SCORE, day_since_onset=d, value=v) for d, v in ((5, 44), (9, 22))
        ]
        store.add("ward", subject, 5, values, actor="dr", now=ONSET)


def test_a_record_that_cannot_be_looked_at_keeps_nobody_from_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    look_at = looking.look_at

    def fails_for_q(store: Any, watched: Any, *also: Any) -> Any:
        if watched.subject == "Q":
            raise RuntimeError("secret of Q")
        return look_at(store, watched, *also)

    with closing(Store(f"sqlite:///{tmp_path / 'own.db'}")) as store:
        put_fallen(store, "P", "Q", "R")
        assert look_at_waiting(store, None, NO_MODEL, ONSET) == 0
        put_fallen(store, "S")
        tomorrow = ONSET + timedelta(days=1)
        monkeypatch.setattr(looking, "look_at", fails_for_q)
        assert look_at_waiting(store, None, NO_MODEL, tomorrow) == 0
        # What was found of Q before is still shown, and Q does not wait before all others for ever.
        shown = {place.subject for place, _ in page(store.engine, "ward", tomorrow.date(), None, 9)}
        assert shown == set("PQRS")
        assert look_at_waiting(store, None, NO_MODEL, tomorrow) == 0
    assert caplog.text.count("RuntimeError at test_looking.py") == 1
    assert "secret" not in caplog.text


def test_a_go_ends_when_its_time_is_spent_and_looks_at_one_at_least(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(1_000))
    monkeypatch.setattr(
        "serving.state.alerting.looking.time", SimpleNamespace(monotonic=lambda: 0.2 * next(clock))
    )
    with closing(Store(f"sqlite:///{tmp_path / 'own.db'}")) as store:
        put_fallen(store, "P", "Q", "R", "S", "T")
        assert look_at_waiting(store, None, NO_MODEL, ONSET, 0.3) == 3
        assert look_at_waiting(store, None, NO_MODEL, ONSET, 0.0) == 2
        assert look_at_waiting(store, None, NO_MODEL, ONSET) == 0
