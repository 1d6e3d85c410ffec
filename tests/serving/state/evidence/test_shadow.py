"""The shadow's forecasts are on record, marked, and in no answer; its faults are nobody's."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from contracts.scope import OutsideGroup, Scope, ScopeAttribute
from serving.access.trust import Caller
from serving.forecast.audit_status import ServedModel
from serving.http.examples import RECORD
from serving.http.runtime import Runtime, forecast
from serving.schemas import ForecastAnswer, ForecastRequest
from serving.state.champion import Snapshot
from serving.state.consent import Consents
from serving.state.evidence import shadow as module
from serving.state.evidence.reading import SHADOW
from serving.state.evidence.shadow import Shadow
from serving.state.forecast_log import ForecastLog
from serving.state.store import Store
from serving.state.tables import entry_table
from stores.database import reading

CALLER = Caller(name="dr", scopes=frozenset(), tenant="ward")
REQUEST = msgspec.convert(RECORD, ForecastRequest)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store(f"sqlite:///{tmp_path / 'service.db'}", make=True)) as opened:
        yield opened


def runtime(store: Store, tmp_path: Path, shadow: ServedModel | None) -> Runtime:
    log = ForecastLog(store, tmp_path / "spool")
    champions: Any = SimpleNamespace(close=lambda: None, problems=list)
    access: Any = None
    return Runtime(
        champions=champions, store=store, consents=Consents(store.engine), forecast_log=log,
        access=access, shadow=None if shadow is None else Shadow(shadow, log),
    )  # fmt: skip


def asked(own: Runtime, served: ServedModel, request: ForecastRequest = REQUEST) -> ForecastAnswer:
    return forecast(
        own, Snapshot(served), request, route="forecast", caller=CALLER, records={}
    )  # fmt: skip


def as_shadow(served: ServedModel) -> ServedModel:
    status = replace(
        served.audit_status, model_version="arm/2", outcome=None,
        valid_until=datetime.max.replace(tzinfo=UTC),
    )  # fmt: skip
    return replace(served, audit_status=status)


def on_record(store: Store) -> list[Any]:
    with reading(store.engine) as connection:
        return list(connection.execute(sa.select(entry_table).order_by(entry_table.c.sequence)))


def said_on_record(folder: Path) -> list[str]:
    rows = on_record(Store(f"sqlite:///{folder / 'service.db'}"))
    return [json.loads(json.loads(row.content)["output"])["status"] for row in rows]


def test_what_a_shadow_says_is_on_record_and_in_no_answer(
    store: Store, tmp_path: Path, served: ServedModel
) -> None:
    answers = []
    for shadow in (None, as_shadow(served)):
        own = runtime(store, tmp_path, shadow)
        answer = asked(own, served)
        answers.append(msgspec.structs.replace(answer, forecast_id=""))
        assert "arm/2" not in msgspec.json.encode(answer).decode()
        assert own.shadow is None or own.shadow.problem is None
        own.close()
    assert answers[0] == answers[1]
    assert answers[0].status == "forecast"
    rows = on_record(Store(f"sqlite:///{tmp_path / 'service.db'}"))
    details = [json.loads(row.details) for row in rows]
    assert [(d["route"], d["model_version"]) for d in details] == [
        ("forecast", "arm/1"), ("forecast", "arm/1"), (SHADOW, "arm/2")
    ]  # fmt: skip
    said = json.loads(json.loads(rows[-1].content)["output"])
    assert (said["status"], said["reasons"], rows[-1].subject) == ("forecast", None, "P-1")


def test_a_shadow_forecasts_for_those_whom_the_champion_refuses(
    store: Store, tmp_path: Path, served: ServedModel
) -> None:
    nobody = ScopeAttribute(
        attribute="sex", inside=(), outside=(OutsideGroup(label="female", rules=("r",)),)
    )
    narrow = replace(
        served,
        audit_status=replace(
            served.audit_status, scope=Scope(attributes=(nobody,), share_inside=0.0)
        ),
    )
    own = runtime(store, tmp_path, as_shadow(served))
    assert asked(own, narrow).status == "no forecast"
    own.close()
    assert said_on_record(tmp_path) == ["no forecast", "forecast"]
    # Where it is the champion itself, only for them: what others were given is on record.
    again = Store(f"sqlite:///{tmp_path / 'service.db'}")
    itself = replace(
        as_shadow(served),
        audit_status=replace(as_shadow(served).audit_status, model_version="arm/1"),
    )
    own = runtime(again, tmp_path, itself)
    assert asked(own, narrow).status == "no forecast"
    assert asked(own, served).status == "forecast"
    own.close()
    assert said_on_record(tmp_path)[2:] == ["no forecast", "forecast", "forecast"]
    rows = on_record(Store(f"sqlite:///{tmp_path / 'service.db'}"))
    assert sum(json.loads(row.details)["route"] == SHADOW for row in rows[2:]) == 1


def test_neither_time_nor_faults_of_a_shadow_reach_an_answer(
    store: Store, tmp_path: Path, served: ServedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ill(*_: Any, **__: Any) -> Any:
        time.sleep(0.3)
        raise RuntimeError("of the shadow")

    monkeypatch.setattr(module, "respond", ill)
    own = runtime(store, tmp_path, as_shadow(served))
    began = time.monotonic()
    answers = [asked(own, served) for _ in range(3)]
    assert {answer.status for answer in answers} == {"forecast"}
    assert time.monotonic() - began < 10
    own.close()
    assert own.shadow is not None
    problem = own.shadow.problem
    assert problem is not None
    assert "arm/2" in problem.reason
    rows = on_record(Store(f"sqlite:///{tmp_path / 'service.db'}"))
    assert {json.loads(row.details)["model_version"] for row in rows} == {"arm/1"}


def test_a_shadow_of_another_task_and_a_person_without_consent_are_left_alone(
    store: Store, tmp_path: Path, served: ServedModel, served_walking: ServedModel
) -> None:
    own = runtime(store, tmp_path, as_shadow(served_walking))
    asked(own, served)
    own.close()
    assert len(on_record(Store(f"sqlite:///{tmp_path / 'service.db'}"))) == 1
    again = Store(f"sqlite:///{tmp_path / 'service.db'}")
    own = runtime(again, tmp_path, as_shadow(served))
    own.consents.set("ward", "P-1", "withdrawn", actor="dr", now=datetime.now(UTC))
    assert asked(own, served).status == "no forecast"
    own.close()
    rows = on_record(Store(f"sqlite:///{tmp_path / 'service.db'}"))
    assert [row.kind for row in rows] == ["forecast", "consent", "forecast"]
