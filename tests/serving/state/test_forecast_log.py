"""The forecast log on a real PostgreSQL server, as a hospital would run it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from contracts.digests import record_digest
from contracts.errors import IntegrityError
from serving.http.examples import RECORD
from serving.state.forecast_log import ForecastEntry, append, forget, verify_chain
from serving.state.store import Store
from serving.state.tables import forecast_table

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def entry(number: int, *, days_ago: int = 0) -> ForecastEntry:
    output = f'{{"answer": {number}}}'
    return ForecastEntry(
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


def test_two_workers_append_to_one_log(
    serve: Any, until_ready: Any, bundle_folder: Path, tmp_path: Path, postgres: Any
) -> None:
    requests = 120
    with serve(tmp_path, bundle_folder, workers=2, store=postgres.url) as server:
        assert until_ready(server), server.log
        ask = {**RECORD, "explain": False}

        def forecast(_: int) -> httpx.Response:
            # A connection each: either worker may take it.
            with httpx.Client(headers=dict(server.http.headers), timeout=30) as http:
                return http.post(f"{server.address}/v1/forecast", json=ask)

        with ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(forecast, range(requests)))
        assert {answer.status_code for answer in answers} == {200}
        workers = server.log.count("a worker takes requests")
    assert workers == 2
    with closing(Store(postgres.url)) as store:
        assert verify_chain(store) == requests
        with store.engine.connect() as connection:
            kept = set(connection.execute(sa.select(forecast_table.c.id)).scalars())
    assert kept == {answer.json()["forecast_id"] for answer in answers}


def test_appends_race_and_the_chain_stays_valid(store: Store) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: append(store, [entry(4 * n + k) for k in range(4)]), range(50)))
    assert verify_chain(store) == 200


def test_retention_empties_the_old_answers_and_a_changed_one_is_found(store: Store) -> None:
    append(store, [entry(n, days_ago=n) for n in range(10)])
    assert forget(store, NOW - timedelta(days=5)) == 4
    assert forget(store, NOW - timedelta(days=5)) == 0
    assert verify_chain(store) == 10
    with store.engine.begin() as connection:
        connection.execute(
            sa.update(forecast_table).where(forecast_table.c.sequence == 2).values(output="{}")
        )
    with pytest.raises(IntegrityError, match="answer of entry 2"):
        verify_chain(store)
