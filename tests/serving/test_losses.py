"""What was answered with success is on record, whatever happens to processes and databases."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from serving.http.examples import RECORD
from serving.state.store import Store
from serving.state.tables import feedback_table, forecast_table, observation_table
from tests.serving.retrying_proxy import Proxy, proxied

CALLERS = 6
SCOPES = "forecast observe feedback"
ASK = {**RECORD, "explain": False}


@dataclass
class Ledger:
    """What was accepted, by what it leaves on record, and what was not, by status."""

    accepted: dict[str, list[str]] = field(
        default_factory=lambda: {"forecast": [], "observations": [], "feedback": []}
    )
    refused: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def count(self) -> int:
        return sum(map(len, self.accepted.values()))


@dataclass
class Issuer:
    """An identity provider whose key may change; nobody signs with one that is not known yet."""

    sign: Callable[[], str]

    def token(self) -> str:
        return self.sign()


def send(http: httpx.Client, n: int, last: str) -> tuple[str, str, httpx.Response]:
    """Send one request of the mix; return its kind, and what it leaves on record."""
    if n % 10 < 2:
        subject = f"L-{n}"
        sent = {**RECORD, "subject": subject}
        return "observations", subject, http.post("/v1/observations", json=sent)
    if n % 10 == 2 and last:
        about = {"forecast_id": last, "outcome": "accepted", "reason": f"n {n}"}
        return "feedback", f"n {n}", http.post("/v1/feedback", json=about)
    answer = http.post("/v1/forecast", json=ASK)
    made = answer.json().get("forecast_id", "") if answer.status_code == 200 else ""
    return "forecast", made, answer


def run(port: int, caller: int, ledger: Ledger, issuer: Issuer, stop: threading.Event) -> None:
    n, last = caller, ""
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as http:
        while not stop.is_set():
            http.headers["authorization"] = f"Bearer {issuer.token()}"
            kind, trace, answer = send(http, n, last)
            with ledger.lock:
                if answer.status_code == 200:
                    ledger.accepted[kind].append(trace)
                else:
                    ledger.refused[f"{kind} {answer.status_code}"] += 1
            last = trace if kind == "forecast" and trace else last
            n += CALLERS


def port_of(server: Any) -> int:
    return int(server.address.rpartition(":")[2])


def kill_a_worker(server: Any) -> None:
    workers = psutil.Process(server.process.pid).children()
    workers[0].kill()


def upgrade(old: Any, new: Any, proxy: Proxy) -> None:
    """Send requests to the new servers, and stop the old ones, which answer what they have."""
    proxy.upstreams[:] = [port_of(new)]
    os.kill(old.process.pid, signal.SIGTERM)
    assert old.process.wait(timeout=60) == 0


def restart(postgres: Any) -> None:
    postgres.stop()
    time.sleep(3)
    postgres.start()


def until(ledger: Ledger, callers: list[Future[None]], count: float) -> None:
    """Wait until so many requests were accepted."""
    deadline = time.monotonic() + 1_800
    while ledger.count < count:
        assert time.monotonic() < deadline, ledger.refused
        assert not any(one.done() for one in callers), [one.exception() for one in callers]
        time.sleep(0.05)


@contextmanager
def started(
    serve: Any, until_ready: Any, bundle_folder: Path, folder: Path, store: str
) -> Iterator[Any]:
    folder.mkdir()
    with serve(folder, bundle_folder, workers=3, store=store) as server:
        assert until_ready(server), server.log
        yield server


def rotate(folder: Path, issuer: Issuer, signers: Any) -> None:
    """Publish a second key, wait until it is known, and sign with it from then on."""
    new = ec.generate_private_key(ec.SECP256R1())
    public = {**ECAlgorithm.to_jwk(new.public_key(), as_dict=True), "kid": "new"}
    path = folder / "issuer.json"
    known = json.loads(path.read_text())
    path.write_text(json.dumps({"keys": [*known["keys"], public]}))
    time.sleep(1)
    issuer.sign = lambda: signers.issued(new, "ES256", "new", scope=SCOPES)


def missing(url: str, ledger: Ledger) -> dict[str, int]:
    """Return how many accepted requests of each kind are not on record."""
    columns = {"forecast": forecast_table.c.id, "observations": observation_table.c.subject,
               "feedback": feedback_table.c.reason}  # fmt: skip
    with closing(Store(url)) as store, store.engine.connect() as connection:
        return {
            kind: len(set(traces) - set(connection.execute(sa.select(columns[kind])).scalars()))
            for kind, traces in ledger.accepted.items()
        }


@pytest.mark.soak
def test_nothing_that_was_accepted_is_lost(
    serve: Any, until_ready: Any, signers: Any, bundle_folder: Path, tmp_path: Path, postgres: Any,
    capsys: Any,
) -> None:  # fmt: skip
    """A worker killed, a rolling upgrade, a database restarted, a key rotated; 10,000 requests."""
    requests = int(os.environ.get("REHABCAST_LOSSES_REQUESTS", "10000"))
    ledger, stop = Ledger(), threading.Event()
    issuer = Issuer(lambda: signers.issued(scope=SCOPES))
    with (
        started(serve, until_ready, bundle_folder, tmp_path / "new", postgres.url) as new,
        started(serve, until_ready, bundle_folder, tmp_path / "old", postgres.url) as old,
        proxied(port_of(old)) as proxy,
        ThreadPoolExecutor(CALLERS) as pool,
    ):
        callers = [pool.submit(run, proxy.port, n, ledger, issuer, stop) for n in range(CALLERS)]
        events: list[Callable[[], None]] = [
            lambda: kill_a_worker(old),
            lambda: upgrade(old, new, proxy),
            lambda: restart(postgres),
            lambda: rotate(new.folder, issuer, signers),
            lambda: kill_a_worker(new),
        ]
        try:
            for number, event in enumerate(events, start=1):
                until(ledger, callers, number * requests / (len(events) + 1))
                event()
            until(ledger, callers, requests)
        finally:
            stop.set()
    lost = missing(postgres.url, ledger)
    with capsys.disabled():
        counts = {kind: len(traces) for kind, traces in ledger.accepted.items()}
        print(  # noqa: T201  (the figures are what it is run for)
            f"\naccepted {counts}, lost {lost}, not accepted {dict(ledger.refused)},"
            f" tried again by the proxy {proxy.retried}"
        )
    assert lost == {"forecast": 0, "observations": 0, "feedback": 0}
    # Nothing but what a caller is asked to try again.
    assert {reason.split()[1] for reason in ledger.refused} <= {"429", "503"}
