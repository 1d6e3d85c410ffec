"""The service's store on a real PostgreSQL server, as a hospital would run it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from contracts.errors import ForecastRefused
from contracts.observation import Observation
from serving.state.store import Store

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def test_a_running_record_is_kept_and_never_overwritten(store: Store) -> None:
    score = Observation(code="REHABCAST//FUGL_MEYER_UE", day_since_onset=10, value=22.0)
    age = Observation(code="REHABCAST//AGE", value=68.0)
    assert store.add("P", 10, [score, age], NOW) == 2
    assert store.add("P", None, [score], NOW) == 2
    other = Observation(code=score.code, day_since_onset=10, value=23.0)
    with pytest.raises(ForecastRefused, match="nothing was added"):
        store.add("P", None, [other], NOW)
    assert store.record("P") == (10, [age, score])


def test_a_token_is_used_once_even_when_two_workers_look_at_once(store: Store) -> None:
    expires = int(NOW.timestamp()) + 60
    with ThreadPoolExecutor(8) as pool:
        accepted = list(pool.map(lambda _: store.use_once("digest", expires, NOW), range(16)))
    assert accepted.count(True) == 1
