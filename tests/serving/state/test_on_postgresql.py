"""The service's store on a real PostgreSQL server, as a hospital would run it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from contracts.errors import ForecastRefused, IntegrityError
from contracts.observation import Observation
from serving.http.examples import RECORD
from serving.state.forecast_log import Made, append, forget, verify_chain
from serving.state.store import Store
from serving.state.tables import forecast_table

NOW = datetime(2026, 11, 24, tzinfo=UTC)


@pytest.fixture
def store(postgres: Any) -> Iterator[Store]:
    with closing(Store(postgres.url)) as opened:
        yield opened


def made(number: int, *, days_ago: int = 0) -> Made:
    from contracts.digests import record_digest

    output = f'{{"answer": {number}}}'
    return Made(
        id=f"{number:032x}",
        time=(NOW - timedelta(days=days_ago)).isoformat(timespec="seconds"),
        kind="forecast",
        actor="dr",
        model_version="arm/1",
        bundle_digest="b" * 64,
        input_digest="i" * 64,
        output_digest=record_digest({"output": output}),
        output=output,
    )


def test_two_workers_append_to_one_chain(
    serve: Any, until_ready: Any, bundle_folder: Path, tmp_path: Path, postgres: Any
) -> None:
    asked = 120
    with serve(tmp_path, bundle_folder, workers=2, store=postgres.url) as server:
        assert until_ready(server), server.log
        ask = {**RECORD, "explain": False}

        def forecast(_: int) -> httpx.Response:
            # A connection each: either worker may take it.
            with httpx.Client(headers=dict(server.http.headers), timeout=30) as http:
                return http.post(f"{server.address}/v1/forecast", json=ask)

        with ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(forecast, range(asked)))
        assert {each.status_code for each in answers} == {200}
        workers = server.log.count("Service rehabcast initialized")
    assert workers == 2
    with closing(Store(postgres.url)) as store:
        assert verify_chain(store) == asked
        with store.engine.connect() as connection:
            kept = set(connection.execute(sa.select(forecast_table.c.id)).scalars())
    assert kept == {each.json()["forecast_id"] for each in answers}


def test_appends_race_and_the_chain_holds(store: Store) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: append(store, [made(4 * n + k) for k in range(4)]), range(50)))
    assert verify_chain(store) == 200


def test_retention_empties_the_old_answers_and_a_changed_one_is_found(store: Store) -> None:
    append(store, [made(n, days_ago=n) for n in range(10)])
    assert forget(store, NOW - timedelta(days=5)) == 4
    assert forget(store, NOW - timedelta(days=5)) == 0
    assert verify_chain(store) == 10
    with store.engine.begin() as connection:
        connection.execute(
            sa.update(forecast_table).where(forecast_table.c.sequence == 2).values(output="{}")
        )
    with pytest.raises(IntegrityError, match="answer of entry 2"):
        verify_chain(store)


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
        told = list(pool.map(lambda _: store.use_once("digest", expires, NOW), range(16)))
    assert told.count(True) == 1
