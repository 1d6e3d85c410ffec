"""What callers and operators are told of a fault, and what is logged: status, words, numbers."""

from __future__ import annotations

import io
import json
import logging
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from rich.console import Console
from sqlalchemy.exc import OperationalError

from contracts.errors import ForecastRefused, IntegrityError, ServiceUnavailable
from serving.access.grants import TokenRequestRefused
from serving.access.tokens import AccessDenied
from serving.faults import Fault
from serving.forecast.audit_status import ServedModel
from serving.forecast.respond import refused
from serving.formats.cds.prefetch import PrefetchMissing
from serving.formats.plain_text import as_plain_text
from serving.http.calls import Reply
from serving.http.decoding import RequestInvalid
from serving.http.observability import RequestMetrics
from serving.http.refusals import refusal_body, refusal_of
from serving.http.runtime import Runtime
from serving.state import forecast_log as log_module
from serving.state.consent import Consents
from serving.state.entries import Event, Kind
from serving.state.entries import append as append_entry
from serving.state.forecast_log import ForecastEntry, ForecastLog
from serving.state.spool import Spool
from serving.state.store import NotOnRecord, Store
from stores.database import write
from tests.refusals import same_as_kept

NOW = datetime(2026, 11, 24, tzinfo=UTC)
SECRET = "postgresql://user:hunter2@db"  # noqa: S105

ERRORS: dict[str, Exception] = {
    "no token": AccessDenied("there is no token", "get one", code=""),
    "a bad token": AccessDenied('it says "no"\\', "get another"),
    "a scope": AccessDenied("it lacks the scope", "ask", 403, code="insufficient_scope", scope="cds"),
    "a client": TokenRequestRefused("invalid_client", "it is not registered", "ask"),
    "a grant": TokenRequestRefused("invalid_scope", "Größe", "ask for less"),
    "a body": RequestInvalid("the body is not JSON"),
    "a prefetch": PrefetchMissing("the prefetch lacks conditions (not sent)", "send it"),
    "nothing on record": NotOnRecord("nothing is on record", "send it"),
    "a record": ForecastRefused("67 is impossible", "check the entry"),
    "the store's record": IntegrityError("entry 3 was changed", "restore it"),
    "a store that is away": OperationalError(SECRET, {}, Exception(SECRET)),
    "a service that is away": ServiceUnavailable(SECRET, SECRET),
}  # fmt: skip


@pytest.mark.parametrize("what", ERRORS)
def test_an_error_has_its_status_and_words(what: str) -> None:
    refusal = refusal_of(ERRORS[what])
    body = refusal_body(refusal, is_fhir=False)
    shown = body if isinstance(body, dict) else str(body)
    headers = {name.decode(): value.decode() for name, value in refusal.headers}
    same_as_kept({"status": refusal.status, "headers": headers, "body": shown})
    assert "hunter2" not in f"{body}{headers}"


def test_readiness_names_every_fault(served: ServedModel) -> None:
    def runtime(lost: int, writable: bool, *faults: Fault | None) -> Runtime:
        parts: Any = {
            "champions": SimpleNamespace(problems=lambda: [*filter(None, [faults[0]])]),
            "forecast_log": SimpleNamespace(problem=faults[1], lost=lost),
            "consents": SimpleNamespace(problem=faults[2]),
            "store": SimpleNamespace(takes_writes=lambda: writable),
            "access": None,
        }
        return Runtime(**parts)

    assert runtime(0, True, None, None, None).problems() == []
    faults = [Fault(f"{n} is ill", "heal it") for n in ("champion", "log", "consents")]
    found = runtime(3, False, *faults).problems()
    same_as_kept([str(fault) for fault in found])


def test_a_request_is_one_line_of_json_and_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    metrics = RequestMetrics()
    logger = logging.getLogger("rehabcast.requests")
    logger.addHandler(caplog.handler)
    metrics.record("GET", "/v1/model", Reply(b"", 200, "arm/1", "f0"), "client:ehr", 0.0123456)
    metrics.record("BREW", "", Reply(b"", 404), "", 1.0)
    logger.removeHandler(caplog.handler)
    lines = [json.loads(record.getMessage()) for record in caplog.records]
    assert lines == [
        {"event": "request", "method": "GET", "route": "/v1/model", "status": 200, "ms": 12.3,
         "caller": "client:ehr", "model": "arm/1", "forecast": "f0"},
        {"event": "request", "method": "other", "route": "none", "status": 404, "ms": 1000.0,
         "caller": "", "model": "", "forecast": ""},
    ]  # fmt: skip


def test_what_matters_most_in_a_terminal_is_bold(served: ServedModel) -> None:
    answer = refused("P-1", served, ForecastRefused("no score", "assess"))
    console = Console(width=200, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(as_plain_text(answer))
    printed = console.file.getvalue()  # type: ignore[attr-defined]
    bold = [part.partition("\x1b[0m")[0] for part in printed.split("\x1b[1m")[1:]]
    assert bold[0].startswith("SIMULATED: this model")
    assert "No forecast for subject P-1: no score" in bold
    assert not any("What to do" in part for part in bold)


def entry(number: int) -> ForecastEntry:
    return ForecastEntry(
        id=f"{number:032x}", time=NOW.isoformat(), route="forecast", actor="dr", tenant="ward",
        subject="P", model_version="arm/1", bundle_digest="b", input_digest="i", output="{}",
    )  # fmt: skip


def test_forecasts_that_no_disk_takes_are_kept_in_memory_and_then_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(log_module, "MAX_IN_MEMORY", 2)
    monkeypatch.setattr(log_module, "RETRY_SECONDS", 0.01)
    with closing(Store(f"sqlite:///{tmp_path / 's.db'}")) as store:
        log = ForecastLog(store, tmp_path / "spool")

        def full(_: bytes) -> None:
            raise OSError(SECRET)

        def away(*_: Any) -> None:
            raise OperationalError(SECRET, {}, Exception(SECRET))

        monkeypatch.setattr(log._spool, "write", full)
        with monkeypatch.context() as patch:
            patch.setattr(log_module, "append", away)
            for number in range(5):
                log.add(entry(number))
            assert log.lost == 3
            assert not log.settle(0.3)
            store_problem = str(log.problem)
        assert log.settle(20)
        deadline = time.monotonic() + 20
        while log.problem is not None and time.monotonic() < deadline:
            time.sleep(0.01)
        # All that was kept is on record: nothing is left to look at.
        same_as_kept([store_problem, str(log.problem)])
        log.close()
        with store.engine.connect() as connection:
            count = connection.exec_driver_sql("SELECT count(*) FROM service_entry").scalar()
        assert count == 2
    said = {record.getMessage() for record in caplog.records}
    assert "forecasts cannot be kept on disk until they are stored: OSError" in said
    assert any(
        text.startswith("forecasts cannot be put on record: OperationalError at ") for text in said
    )
    assert "hunter2" not in caplog.text


def test_a_line_longer_than_what_is_read_at_once_is_handed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serving.state.spool.READ_BYTES", 10)
    spool = Spool(tmp_path / "spool")
    assert spool.waiting() == []
    spool.write(b"x" * 25)
    spool.write(b"y")
    for line in (b"x" * 25 + b"\n", b"y\n"):
        assert spool.waiting()[0] == line
        spool.handed_on([line])
    assert spool.waiting() == []
    assert spool.is_empty
    spool.close()


@pytest.mark.parametrize(
    "details",
    ['{"withdrawn": {"digest": 3}}', '{"withdrawn": "digest"} "digest"', '["withdrawn", "digest"]',
     '{"other": "withdrawn", "digest": 1}'],
)  # fmt: skip
def test_an_erasure_that_cannot_be_read_is_said(tmp_path: Path, details: str) -> None:
    with closing(Store(f"sqlite:///{tmp_path / 's.db'}")) as store:
        event = Event(
            id="0" * 32, time=NOW.isoformat(), kind=Kind.ERASURE, tenant="ward", actor="op",
            details={},
        )  # fmt: skip
        write(store.engine, lambda connection: append_entry(connection, [event]))
        with store.engine.begin() as connection:
            connection.execute(sa.text("UPDATE service_entry SET details = :d"), {"d": details})
        with pytest.raises(IntegrityError) as refusal:
            Consents(store.engine, seconds=600)
        same_as_kept(str(refusal.value))


def test_a_used_token_is_known_two_minutes_after_its_end(tmp_path: Path) -> None:
    at = int(NOW.timestamp())
    with closing(Store(f"sqlite:///{tmp_path / 's.db'}")) as store:
        assert store.use_once("a", at - 120, NOW)
        assert not store.use_once("a", at + 60, NOW)
        assert store.use_once("b", at - 121, NOW)
        assert store.use_once("b", at, NOW)
        assert not store.use_once("b", at, NOW)
