"""The forecast log on a real PostgreSQL server, as a hospital would run it."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psutil
import sqlalchemy as sa

from contracts.errors import IntegrityError
from serving.http.examples import RECORD
from serving.state.forecast_log import ForecastEntry, append
from serving.state.privacy import forget
from serving.state.store import Store
from serving.state.tables import entry_table
from serving.state.verification import verify_chain
from tests.refusals import refuses

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def entry(number: int, *, days_ago: int = 0) -> ForecastEntry:
    output = f'{{"answer": {number}}}'
    return ForecastEntry(
        id=f"{number:032x}",
        time=(NOW - timedelta(days=days_ago)).isoformat(timespec="seconds"),
        route="forecast",
        actor="dr",
        tenant="ward",
        subject=f"P{number}",
        model_version="arm/1",
        bundle_digest="b" * 64,
        input_digest="i" * 64,
        output=output,
    )


def test_two_workers_append_to_one_log(
    serve: Any, until_ready: Any, bundle_folder: Path, tmp_path: Path, own_database: str
) -> None:
    requests = 60
    with serve(tmp_path, bundle_folder, workers=2, store=own_database) as server:
        assert until_ready(server), server.log
        # The first is ready while the other may still start.
        deadline = time.monotonic() + 120
        while server.log.count("a worker takes requests") < 2 and time.monotonic() < deadline:
            time.sleep(0.1)
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
    with closing(Store(own_database)) as store:
        assert verify_chain(store) == requests
        with store.engine.connect() as connection:
            kept = set(connection.execute(sa.select(entry_table.c.id)).scalars())
    assert kept == {answer.json()["forecast_id"] for answer in answers}


def test_appends_race_and_the_chain_stays_valid(store: Store) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: append(store, [entry(4 * n + k) for k in range(4)]), range(50)))
    assert verify_chain(store) == 200


def test_an_entry_that_is_on_record_is_not_put_there_again(store: Store) -> None:
    assert append(store, [entry(1), entry(2)]) == 2
    assert append(store, [entry(2), entry(3), entry(3)]) == 1
    assert verify_chain(store) == 3


def test_retention_empties_the_old_answers_and_a_changed_one_is_found(store: Store) -> None:
    append(store, [entry(n, days_ago=n) for n in range(10)])
    before = NOW - timedelta(days=5)
    assert forget(store, before, actor="op", now=NOW) == 4
    assert forget(store, before, actor="op", now=NOW) == 0
    assert verify_chain(store) == 10
    with store.engine.begin() as connection:
        changed = sa.update(entry_table).where(entry_table.c.sequence == 2)
        connection.execute(changed.values(content="{}"))
    with refuses(IntegrityError, match="entry 2: its content"):
        verify_chain(store)


def test_a_worker_killed_under_load_loses_no_forecast_that_it_answered(
    serve: Any, until_ready: Any, bundle_folder: Path, tmp_path: Path
) -> None:
    answered: list[str] = []
    ask = {**RECORD, "explain": False}

    def run(server: Any) -> None:
        with httpx.Client(headers=dict(server.http.headers), timeout=30) as http:
            while True:
                try:
                    answer = http.post(f"{server.address}/v1/forecast", json=ask)
                except httpx.TransportError:
                    return
                answered.append(answer.json()["forecast_id"])

    with serve(tmp_path, bundle_folder) as server:
        assert until_ready(server), server.log
        with ThreadPoolExecutor(4) as pool:
            for _ in range(4):
                pool.submit(run, server)
            while len(answered) < 60:
                time.sleep(0.001)
            workers = psutil.Process(server.process.pid).children(recursive=True)
            for process in (psutil.Process(server.process.pid), *workers):
                process.kill()
    assert list((tmp_path / "spool").glob("*.spool"))
    with serve(tmp_path, bundle_folder) as server:
        assert until_ready(server), server.log
        deadline = time.monotonic() + 30
        while len(list((tmp_path / "spool").glob("*.spool"))) > 1 and time.monotonic() < deadline:
            time.sleep(0.1)
    with closing(Store(f"sqlite:///{tmp_path / 'service.db'}")) as store:
        verify_chain(store)
        with store.engine.connect() as connection:
            kept = list(connection.execute(sa.select(entry_table.c.id)).scalars())
    assert len(kept) == len(set(kept))
    assert set(answered) <= set(kept)
    assert list((tmp_path / "spool").iterdir()) == []
