"""The test that nothing beats: it finds more where there is more to find, and keeps its rate."""

from __future__ import annotations

import numpy as np
import pytest

from features.simulate.channels import STEPS
from support.ideal_watch import CHANGES, Watched, found_at_best
from support.monitored import HEART

PEOPLE, DAYS, DAY = 150, 90, 60
EVERYBODY = np.ones(PEOPLE, dtype=np.bool_)


def days_worn(share: float) -> Watched:
    worn_PD = np.random.default_rng(0).random((PEOPLE, DAYS)) < share
    judged_PD = np.zeros((PEOPLE, DAYS), dtype=np.bool_)
    judged_PD[:, 14:] = True
    return Watched(worn_PD, judged_PD, np.full(PEOPLE, DAY))


def test_what_it_finds_follows_what_there_is_to_find(monkeypatch: pytest.MonkeyPatch) -> None:
    def found(code: str, rate: float, worn: float = 1.0) -> float:
        return found_at_best(code, days_worn(worn), EVERYBODY, rate, seed=1, draws=2)[0]

    plain = found(STEPS.code, 0.05)
    assert 0.85 < plain < 0.99
    assert found(STEPS.code, 0.005) < plain < found(STEPS.code, 0.5)
    assert found(STEPS.code, 0.05, worn=0.5) < plain
    assert found(HEART, 0.05) > 0.95
    monkeypatch.setitem(CHANGES, STEPS.code, -0.01)
    # Of a change that is none it tells as much as the rate allows in a week.
    assert found(STEPS.code, 0.05) < 0.1
