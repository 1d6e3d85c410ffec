"""An address is told of new alerts: signed, of nothing else, again until it arrives."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from contracts.errors import ContractError
from contracts.observation import Observation
from serving.forecast.audit_status import ServedModel
from serving.state.alerting import webhook as module
from serving.state.alerting.looking import look_at_waiting
from serving.state.alerting.webhook import SIGNATURE, TIMESTAMP, Webhook, key_in
from serving.state.champion import Snapshot
from serving.state.consent import set_consent
from serving.state.store import Store
from serving.state.watch.caseload import page
from serving.state.watch.decisions import Decision, decide
from tests.refusals import refuses

KEY = b"k" * 32
NOW = datetime.now(UTC)
SCORE = "REHABCAST//FUGL_MEYER_UE"
LATER = timedelta(hours=2)


class Receiver:
    """A server that notes what it is sent, and answers with the statuses that it is given."""

    def __init__(self) -> None:
        self.got: list[tuple[Any, bytes]] = []
        self.statuses: list[int] = []
        noted = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                noted.got.append((self.headers, body))
                self.send_response(noted.statuses.pop(0) if noted.statuses else 204)
                self.send_header("Location", "/elsewhere")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}/secret-path"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.got]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    opened = Receiver()
    yield opened
    opened.server.shutdown()
    opened.server.server_close()


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Store]:
    with closing(Store(f"sqlite:///{tmp_path / 'own.db'}")) as opened:
        yield opened


@pytest.fixture
def webhook(own: Store, receiver: Receiver, served: ServedModel) -> Iterator[Webhook]:
    """One that waits to be told to look."""
    snapshots = [Snapshot(served)]
    with closing(Webhook(own, receiver.address, KEY, lambda: snapshots, seconds=600)) as opened:
        yield opened


def put(store: Store, subject: str, *scores: tuple[int, float]) -> None:
    values = [Observation(code=SCORE, day_since_onset=day, value=score) for day, score in scores]
    store.add("ward", subject, 5, values, actor="dr", now=NOW)


def test_a_new_alert_is_told_once_signed_and_with_nothing_of_the_patient(
    own: Store, receiver: Receiver, webhook: Webhook
) -> None:
    put(own, "P", (6, 39), (20, 44), (34, 22))
    assert [webhook.once(NOW), webhook.once(NOW + LATER)] == [1, 0]
    ((headers, body),) = receiver.got
    assert set(json.loads(body)) == {"id", "tenant", "subject", "kind"}
    (sent,) = receiver.bodies
    assert (sent["tenant"], sent["subject"], sent["kind"]) == ("ward", "P", "score fell")
    signed = headers[TIMESTAMP].encode() + b"." + body
    expected = hmac.new(KEY, signed, hashlib.sha256).hexdigest()
    assert headers[SIGNATURE] == f"sha256={expected}"
    assert headers[TIMESTAMP] == str(int(NOW.timestamp()))
    put(own, "P", (35, 10))
    assert webhook.once(NOW + LATER) == 1
    assert receiver.bodies[1]["id"] != sent["id"]


def test_what_does_not_arrive_is_sent_again_later_each_time_with_the_same_id(
    own: Store, receiver: Receiver, webhook: Webhook
) -> None:
    put(own, "P", (20, 44), (34, 22))
    receiver.statuses = [500, 302, 404]
    waits: list[int] = []
    at = NOW
    for _ in range(4):
        webhook.once(at)
        for seconds in range(1, 100):
            if webhook.once(at + timedelta(seconds=seconds)) or len(receiver.got) > len(waits) + 1:
                waits.append(seconds)
                at += timedelta(seconds=seconds)
                break
    assert waits == [10, 20, 40]
    assert len({body["id"] for body in receiver.bodies}) == 1
    assert [headers[TIMESTAMP] for headers, _ in receiver.got] == sorted(
        {headers[TIMESTAMP] for headers, _ in receiver.got}
    )
    assert webhook.problem is None


def test_a_receiver_that_is_away_is_an_operators_matter_without_its_address(
    own: Store, receiver: Receiver, webhook: Webhook, caplog: pytest.LogCaptureFixture
) -> None:
    put(own, "P", (20, 44), (34, 22))
    receiver.statuses = [503]
    assert webhook.once(NOW) == 0
    assert str(webhook.problem) == "alerts cannot be sent (HTTP 503): check the webhook's receiver"
    receiver.server.server_close()
    receiver.server.socket.close()
    webhook.once(NOW + LATER)
    assert webhook.problem is not None
    assert "secret-path" not in str(webhook.problem) + caplog.text


def test_what_was_acknowledged_or_whose_consent_is_withdrawn_is_not_told(
    own: Store, receiver: Receiver, webhook: Webhook
) -> None:
    put(own, "P", (20, 44), (34, 22))
    put(own, "Q", (20, 44), (34, 22))
    look_at_waiting(own, None, webhook._snapshots(), NOW)
    ((_, alert), _) = page(own.engine, "ward", NOW.date(), None, 9)
    seen = Decision(decision="acknowledged", person="Dr", reason="seen", until="", day=34, urgency=3,
                    time=NOW.isoformat())  # fmt: skip
    decide(own.engine, "ward", "P", alert, seen, actor="ehr", now=NOW)
    set_consent(own.engine, "ward", "Q", "withdrawn", actor="dr", now=NOW)
    assert webhook.once(NOW) == 0
    assert receiver.got == []


def test_two_workers_tell_it_once_and_a_worker_that_dies_leaves_it_to_the_other(
    own: Store, receiver: Receiver, webhook: Webhook
) -> None:
    put(own, "P", (20, 44), (34, 22))
    look_at_waiting(own, None, webhook._snapshots(), NOW)
    with own.engine.begin() as connection:
        assert len(module.take(connection, NOW)) == 1
    assert webhook.once(NOW) == 0
    assert webhook.once(NOW + timedelta(seconds=module.LEASE_SECONDS)) == 1


def test_the_thread_goes_on_after_any_error_and_says_so_if_it_ends(
    own: Store, receiver: Receiver, served: ServedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def fails(*_: Any) -> int:
        calls.append(1)
        raise RuntimeError("secret-path")

    monkeypatch.setattr(Webhook, "once", fails)
    hook = Webhook(own, receiver.address, KEY, lambda: Snapshot(served), seconds=0.01)
    deadline = time.monotonic() + 10
    while len(calls) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(calls) >= 3
    assert hook.problem is not None
    hook.close()
    ended = Webhook(own, receiver.address, KEY, lambda: Snapshot(served), seconds=600)
    ended._closing.set()
    ended._thread.join()
    ended._closing.clear()
    assert str(ended.problem) == "alerts are not sent any more: restart this worker"


def test_the_key_is_private_and_as_long_as_the_signature(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_bytes(b"a" * 32 + b"\n")
    file.chmod(0o600)
    tmp_path.chmod(0o700)
    assert key_in(file) == b"a" * 32
    file.write_bytes(b"a" * 31)
    with refuses(ContractError):
        key_in(file)


def test_a_message_that_cannot_be_sent_at_all_keeps_none_from_being_sent(
    own: Store, receiver: Receiver, webhook: Webhook, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    body = module.Message.body

    def fails_for_p(message: module.Message) -> bytes:
        if message.subject == "P":
            raise RuntimeError("secret-path")
        return body(message)

    monkeypatch.setattr(module.Message, "body", fails_for_p)
    put(own, "P", (20, 44), (34, 22))
    put(own, "Q", (20, 44), (34, 22))
    assert webhook.once(NOW) == 1
    assert [sent["subject"] for sent in receiver.bodies] == ["Q"]
    assert "(RuntimeError)" in str(webhook.problem)
    assert "secret-path" not in caplog.text
