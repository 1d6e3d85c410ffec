"""What is erased is gone, and the record still proves that it was there and was erased."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from contracts.errors import ForecastRefused, ServiceUnavailable
from contracts.observation import Observation
from serving.schemas import FeedbackRequest
from serving.state import privacy
from serving.state.consent import Consents, set_consent, withdrawn
from serving.state.forecast_log import ForecastEntry, append
from serving.state.privacy import erase, export
from serving.state.store import NotOnRecord, Store
from serving.state.verification import verify
from tests.refusals import refuses

NOW = datetime(2026, 11, 24, tzinfo=UTC)
PERSON = "person-canary-4711"
SCORE = Observation(code="REHABCAST//FUGL_MEYER_UE", day_since_onset=10, value=61.25)


@pytest.fixture
def own_store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store(f"sqlite:///{tmp_path / 'own.db'}")) as opened:
        yield opened


def fill(store: Store) -> None:
    store.add("ward", PERSON, 10, [SCORE], actor="dr", now=NOW)
    store.add("ward", "other", 10, [SCORE], actor="dr", now=NOW)
    entry = ForecastEntry(
        id="a" * 32, time=NOW.isoformat(), route="forecast", actor="dr", tenant="ward",
        subject=PERSON, model_version="arm/1", bundle_digest="b" * 64, input_digest="c" * 64,
        output='{"median": "output-canary"}',
    )  # fmt: skip
    append(store, [entry])
    feedback = FeedbackRequest(forecast_id="a" * 32, outcome="wrong", reason="reason-canary")
    store.add_feedback("ward", [feedback], actor="dr", now=NOW)


def test_what_an_export_hands_out_is_read_where_it_is_put_on_record(own_store: Store) -> None:
    """In one transaction, so that an erasure comes before or after, and never in between."""
    fill(own_store)
    begun: list[object] = []
    sa.event.listen(own_store.engine, "begin", begun.append)
    export(own_store, "ward", PERSON, actor="op", now=NOW)
    assert len(begun) == 1


def test_an_export_has_all_of_a_person_and_nothing_of_another(own_store: Store) -> None:
    store = own_store
    fill(store)
    exported = export(store, "ward", PERSON, actor="op", now=NOW)
    assert [entry["kind"] for entry in exported] == ["observations", "forecast", "feedback"]
    text = json.dumps(exported)
    assert "output-canary" in text
    assert "reason-canary" in text
    assert "61.25" in text
    assert "other" not in text
    assert verify(store).entries["export"] == 1
    with refuses(NotOnRecord):
        export(store, "clinic", PERSON, actor="op", now=NOW)


def test_what_is_erased_is_in_no_byte_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "service.db"
    with closing(Store(f"sqlite:///{file}")) as store:
        fill(store)
        assert PERSON.encode() in file.read_bytes()
        assert erase(store, "ward", PERSON, reason="asked for it", actor="op", now=NOW) == 3
    left = file.read_bytes()
    assert [
        text for text in (PERSON, "output-canary", "reason-canary") if text.encode() in left
    ] == []
    assert b"c" * 64 not in left


def test_an_erasure_leaves_a_proof_and_a_record_that_verifies(store: Store) -> None:
    fill(store)
    erase(store, "ward", PERSON, reason="asked for it", actor="op", now=NOW)
    seen = verify(store)
    assert (seen.findings, seen.entries["erasure"]) == ((), 1)
    assert store.record("ward", "other") == (10, [SCORE])
    with refuses(NotOnRecord):
        store.record("ward", PERSON)
    with refuses(NotOnRecord):
        erase(store, "ward", PERSON, reason="asked for it", actor="op", now=NOW)
    # The same identifier may be enrolled again.
    assert store.add("ward", PERSON, 12, [SCORE], actor="dr", now=NOW) == 1
    assert verify(store).findings == ()


def test_a_withdrawal_counts_until_consent_is_given_again(own_store: Store) -> None:
    store = own_store
    consents = Consents(store.engine, seconds=0.02)
    consents.require("ward", PERSON)
    consents.set("ward", PERSON, "withdrawn", actor="dr", now=NOW)
    with refuses(ForecastRefused, match="withdrawn consent"):
        consents.require("ward", PERSON)
    with refuses(ForecastRefused, match="withdrawn consent"):
        store.add("ward", PERSON, 10, [SCORE], actor="dr", now=NOW)
    consents.require("clinic", PERSON)
    assert withdrawn(store.engine, "ward") == [("ward", PERSON)]
    consents.set("ward", PERSON, "given", actor="dr", now=NOW)
    consents.require("ward", PERSON)
    consents.close()


def test_a_withdrawal_outlives_an_erasure_for_every_reader(store: Store) -> None:
    fill(store)
    seen_before = Consents(store.engine, seconds=600)
    set_consent(store.engine, "ward", PERSON, "withdrawn", actor="dr", now=NOW)
    erase(store, "ward", PERSON, reason="asked for it", actor="op", now=NOW)
    seen_before.refresh()
    seen_after = Consents(store.engine, seconds=600)
    for consents in (seen_before, seen_after):
        with refuses(ForecastRefused, match="withdrawn consent"):
            consents.require("ward", PERSON)
        consents.require("clinic", PERSON)
        consents.require("ward", "other")
    with refuses(ForecastRefused, match="withdrawn consent"):
        store.add("ward", PERSON, 10, [SCORE], actor="dr", now=NOW)
    with store.engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT * FROM service_entry").all()
    assert not any(PERSON in str(row) for row in rows)
    set_consent(store.engine, "ward", PERSON, "given", actor="dr", now=NOW)
    for consents in (seen_before, seen_after):
        consents.refresh()
        consents.require("ward", PERSON)
    store.add("ward", PERSON, 10, [SCORE], actor="dr", now=NOW)
    # Erased as somebody who consents: nothing is in force any more.
    erase(store, "ward", PERSON, reason="asked for it", actor="op", now=NOW)
    seen_before.refresh()
    seen_before.require("ward", PERSON)
    assert verify(store).findings == ()
    seen_before.close()
    seen_after.close()


def test_a_record_that_is_shorter_than_it_was_takes_no_withdrawal_back(own_store: Store) -> None:
    store = own_store
    fill(store)
    set_consent(store.engine, "ward", PERSON, "withdrawn", actor="dr", now=NOW)
    consents = Consents(store.engine, seconds=0.02)
    with store.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM service_consent")
        connection.exec_driver_sql("DELETE FROM service_entry WHERE kind = 'consent'")
    deadline = time.monotonic() + 20
    while consents.problem is None and time.monotonic() < deadline:
        time.sleep(0.02)
    assert "still count" in str(consents.problem)
    with refuses(ForecastRefused):
        consents.require("ward", PERSON)
    consents.close()


def test_an_erasure_says_where_old_rows_could_not_be_overwritten(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(privacy, "LOCK_SECONDS", 1)
    fill(store)
    with store.engine.connect() as other:
        other.exec_driver_sql("LOCK TABLE service_measurement IN ACCESS SHARE MODE")
        with refuses(ServiceUnavailable, match="files still have the old rows"):
            erase(store, "ward", PERSON, reason="asked for it", actor="op", now=NOW)
    with refuses(NotOnRecord):
        store.record("ward", PERSON)
    assert verify(store).findings == ()


def test_an_erased_forecast_takes_no_feedback(own_store: Store) -> None:
    store = own_store
    fill(store)
    erase(store, "ward", PERSON, reason="asked for it", actor="op", now=NOW)
    feedback = FeedbackRequest(forecast_id="a" * 32, outcome="wrong", reason="about the person")
    with refuses(NotOnRecord):
        store.add_feedback("ward", [feedback], actor="dr", now=NOW)


def test_withdrawals_that_were_seen_count_while_the_database_is_away(
    tmp_path: Path,
) -> None:
    with closing(Store(f"sqlite:///{tmp_path / 's.db'}")) as store:
        set_consent(store.engine, "ward", PERSON, "withdrawn", actor="dr", now=NOW)
        consents = Consents(store.engine, seconds=60)
        with store.engine.begin() as connection:
            connection.exec_driver_sql("DROP TABLE service_consent")
        with pytest.raises(Exception, match="no such table"):
            consents.refresh()
        with refuses(ForecastRefused):
            consents.require("ward", PERSON)
        consents.close()
