"""Exercise that is done less well is told by the service's own look, and steady exercise is not.

SIMULATED days: `make bench NAME=exercise_alerts` has many people, and rates.
"""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from contracts.exercise import codes
from contracts.observation import Observation
from serving.monitoring import daily
from serving.monitoring.limits import Limit, limit_of
from serving.state.alerting.looking import look_at_waiting
from serving.state.store import Store
from serving.state.watch.caseload import page
from tests.serving.state.alerting.test_looking import NO_MODEL

ONSET = datetime(2026, 1, 1, 12, tzinfo=UTC)
FALLS = 40
"""Day on which the change begins."""


def values(day: int, generator: np.random.Generator, *, worse: bool) -> dict[str, float]:
    """Return a day of exercise: from one day on a fifth less far, more jerkily, and the trunk."""
    far, jerky, trunk = (0.8, -0.5, 1.8) if worse and day >= FALLS else (1.0, 0.0, 1.0)
    return {
        codes.ADHERENCE: 0.9, codes.REPETITIONS: 16.0,
        codes.RANGE: far * 1.2 * float(np.exp(generator.normal(0, 0.06))),
        codes.SMOOTHNESS: -2.4 + jerky + generator.normal(0, 0.2),
        codes.TRUNK: trunk * 10 * float(np.exp(generator.normal(0, 0.2))),
    }  # fmt: skip


def told(folder: Path, *, worse: bool) -> dict[str, int]:
    """Return the first day on which each alert of exercise is shown, looked at every other day."""
    generator, first = np.random.default_rng(3), dict[str, int]()
    with closing(Store(f"sqlite:///{folder / 'own.db'}")) as store:
        until = -1
        for day in range(FALLS - 10, FALLS + 22, 2):
            now = ONSET + timedelta(days=day)
            store.add("ward", "P", 0, [
                Observation(code=code, day_since_onset=each, value=value)
                for each in range(until + 1, day + 1)
                for code, value in values(each, generator, worse=worse).items()
            ], actor="gateway", now=now)  # fmt: skip
            until = day
            assert look_at_waiting(store, "ward", NO_MODEL, now) == 0
            for _, alert in page(store.engine, "ward", now.date(), None, 9):
                first.setdefault(alert.code, day)
    return first


def test_exercise_done_less_well_is_told_within_weeks_and_steady_exercise_never(
    tmp_path: Path,
) -> None:
    found = told(tmp_path, worse=True)
    assert set(found) == {codes.RANGE, codes.SMOOTHNESS, codes.TRUNK}
    assert all(FALLS < day <= FALLS + 21 for day in found.values()), found
    (tmp_path / "steady").mkdir()
    assert told(tmp_path / "steady", worse=False) == {}


def test_the_limit_of_what_nobody_simulated_told_little_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody_simulated(code: str) -> Limit:
        return limit_of("another code")

    monkeypatch.setattr(daily, "limit_of", nobody_simulated)
    assert told(tmp_path, worse=True) == {}
