"""What each route answers about a person, and what it leaves on record, in this process."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from serving.access.authentication import Access
from serving.faults import Fault
from serving.forecast.audit_status import ServedModel
from serving.forecast.question import Question, input_digest
from serving.formats.cds.hooks import SERVICE
from serving.formats.fhir.record import record_of
from serving.http import examples, handlers
from serving.http.examples import OBSERVATIONS, RECORD
from serving.http.middleware import RequestMiddleware
from serving.http.shutdown import Shutdown
from serving.state import store
from serving.state.champion import Snapshot
from serving.state.champions import Champions
from serving.state.consent import Consents
from serving.state.forecast_log import ForecastLog
from serving.state.store import Store
from tests.refusals import same_as_kept
from tests.serving.dates import BUNDLE, HOOK, as_of_today

TOKEN = "a-token-of-the-tests"  # noqa: S105
SHORT = {**RECORD, "explain": False}
LATER = [
    {"code": "REHABCAST//FUGL_MEYER_UE", "day_since_onset": 10 + day, "value": score}
    for day, score in ((20, 30), (30, 1), (50, 1))
]


class Service:
    """The whole application with one model, a store and a log of its own."""

    def __init__(self, served: ServedModel, folder: Path) -> None:
        self.store = Store(f"sqlite:///{folder / 'service.db'}")
        self.log = ForecastLog(self.store, folder / "spool")
        self.champion = SimpleNamespace(current=Snapshot(served))
        self.consents = Consents(self.store.engine, seconds=600)
        runtime: Any = SimpleNamespace(
            shadow=None,
            proxies=(), public_address="https://here",
            champions=Champions({"arm": self.champion}), store=self.store, consents=self.consents, forecast_log=self.log,
            access=Access(audience="https://here", development_token=TOKEN),
        )  # fmt: skip
        self.app: Any = RequestMiddleware(None, lambda: runtime, Shutdown())  # type: ignore[arg-type]

    def ask(self, path: str, body: Any = None) -> httpx.Response:
        async def exchange() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            headers = {"Authorization": f"Bearer {TOKEN}"}
            async with httpx.AsyncClient(
                transport=transport, base_url="http://here", headers=headers
            ) as client:
                return await client.request("GET" if body is None else "POST", path, json=body)

        return asyncio.run(exchange())

    def on_record(self) -> list[Any]:
        """Return all entries, oldest first."""
        assert self.log.settle(30)
        query = "SELECT * FROM service_entry ORDER BY sequence"
        with self.store.engine.connect() as connection:
            return list(connection.exec_driver_sql(query).all())

    def close(self) -> None:
        self.consents.close()
        self.log.close()
        self.store.close()


@pytest.fixture
def service(served: ServedModel, tmp_path: Path) -> Iterator[Service]:
    with closing(Service(served, tmp_path)) as opened:
        yield opened


REFUSED: dict[str, tuple[str, Any]] = {
    "given twice": ("/v1/forecast", {**RECORD, "bundle": BUNDLE}),
    "without the day of enrolment": (
        "/v1/forecast", {"subject": "P-1", "observations": OBSERVATIONS},
    ),
    "without observations": ("/v1/forecast", {"subject": "P-1", "enrolment_day": 10}),
    "not on record": ("/v1/forecast", {"subject": "P-1"}),
    "one of many not on record": ("/v1/forecasts", {"requests": [{"subject": "P-1"}]}),
    "a week that is past": ("/v1/forecast", {**RECORD, "explain_horizon_weeks": 2}),
    "an output that is not forecast": ("/v1/explain", {**RECORD, "output": "weight"}),
    "days of a modality without any": ("/v1/explain", {**RECORD, "days_of": "person"}),
    "days of an unknown modality": ("/v1/explain", {**RECORD, "days_of": "moon"}),
    "a value that is impossible": (
        "/v1/forecast", {**RECORD, "observations": [{**OBSERVATIONS[0], "value": 67}]},
    ),
    "a bundle of nobody": (
        "/v1/forecast", {"subject": "P-1", "bundle": {"resourceType": "Bundle"}},
    ),
    "a resource that is no bundle": ("/v1/fhir/forecast", {"resourceType": "Patient"}),
    "another condition": ("/v1/fhir/forecast?condition=nobody", BUNDLE),
    "a course of nobody": ("/v1/subjects/P-1/course", None),
    "observations without the day of enrolment": (
        "/v1/observations", {"subject": "P-1", "observations": OBSERVATIONS},
    ),
    "feedback on nothing": (
        "/v1/feedback", {"forecast_id": "0" * 32, "outcome": "accepted"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_not_answered_says_why_and_what_to_do(
    service: Service, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handlers, "WAITS", (0.0,))
    answer = service.ask(*REFUSED[what])
    body = answer.json()
    body = body.get("answers", [body])[0]
    shown = {
        name: body[name] for name in ("status", "reason", "what_to_do", "issue") if name in body
    }
    same_as_kept({"status": answer.status_code, "body": shown})


def test_a_withdrawn_model_forecasts_nothing_and_shows_why(service: Service) -> None:
    assert service.ask("/v1/observations", RECORD).status_code == 200
    why = Fault("Wrong units on ward 3", "wait")
    service.champion.current = Snapshot(service.champion.current.served, withdrawn=why)
    texts = [service.ask("/v1/forecast", SHORT).json()["reason"]]
    texts.append(service.ask("/v1/forecast", {"subject": "P-1"}).json()["reason"])
    texts.append(service.ask("/v1/fhir/forecast", BUNDLE).json()["issue"][0]["details"]["text"])
    texts.append(service.ask("/v1/subjects/P-1/course").json()["reason"])
    assert texts == ["the model was withdrawn (Wrong units on ward 3)"] * 4
    assert service.ask("/v1/model").json()["withdrawn"] == "Wrong units on ward 3: wait"
    service.champion.current = Snapshot(service.champion.current.served)
    card = service.ask("/v1/model").json()
    assert (card["withdrawn"], card["banner"], card["card"]) == ("", "", "")
    assert card["model"]["model_version"] == "arm/1"


def test_each_forecast_is_on_record_as_it_was_given(service: Service, served: ServedModel) -> None:
    ask, answers, written_today = service.ask, [], as_of_today(examples.BUNDLE)
    answers.append(ask("/v1/forecast", SHORT).json())
    assert ask("/v1/observations", {**RECORD, "subject": "P-2"}).json() == {
        "subject": "P-2", "sent": 3, "on_record": 3,
    }  # fmt: skip
    two = ask("/v1/forecasts", {"requests": [{"subject": "P-2", "explain": False}, SHORT]}).json()
    answers += two["answers"]
    answers.append(
        ask("/v1/forecast", {"subject": "P-3", "bundle": written_today, "explain": False}).json()
    )
    *_, fourth = entries = [row for row in service.on_record() if row.kind == "forecast"]
    assert [row.id for row in entries] == [answer["forecast_id"] for answer in answers]
    assert all(int(row.id, 16) % 2 == 0 and len(row.id) == 32 for row in entries)
    assert [row.subject for row in entries] == ["P-1", "P-2", "P-1", "P-3"]
    assert {(row.tenant, row.actor) for row in entries} == {("development", "development")}
    for row, answer in zip(entries, answers, strict=True):
        details, content = json.loads(row.details), json.loads(row.content)
        assert details == {
            "route": "forecast", "model_version": "arm/1", "bundle_digest": served.bundle.digest,
        }  # fmt: skip
        assert json.loads(content["output"]) == answer
        assert len(content["input_digest"]) == 64
        seconds = (datetime.now(UTC) - datetime.fromisoformat(row.time)).total_seconds()
        assert -1 <= seconds < 600
        assert answer["reasons"] is None
    record = record_of([written_today], served.bundle.task)
    question = Question(
        subject="P-3",
        enrolment_day=10,
        observations=record.observations,
        explain=False,
        as_of_day=11,
    )
    assert json.loads(fourth.content)["input_digest"] == input_digest(question)


def test_routes_of_fhir_and_hooks_name_the_patient_on_record(service: Service) -> None:
    service.ask("/v1/fhir/forecast", BUNDLE)
    service.ask(f"/cds-services/{SERVICE}", HOOK)
    service.ask("/v1/fhir/forecast", {**BUNDLE, "entry": []})
    rows = service.on_record()
    routes = [json.loads(row.details)["route"] for row in rows]
    assert routes == ["fhir", "cds-hooks", "fhir"]
    assert [row.subject for row in rows] == ["1288992", "1288992", None]
    outputs = [json.loads(json.loads(row.content)["output"]) for row in rows]
    assert [output["subject"] for output in outputs] == ["patient", "patient", ""]
    digests = [json.loads(row.content)["input_digest"] for row in rows]
    assert digests[0] == digests[1] != digests[2] == ""


def test_an_explanation_is_of_what_was_asked(service: Service) -> None:
    asked = {**SHORT, "output": "FM-UE 50 or more", "explain_horizon_weeks": 26}
    given = service.ask("/v1/explain", {**asked, "days_of": "assessments"}).json()
    reasons = given["reasons"]
    assert (reasons["output"], reasons["unit"]) == ("FM-UE 50 or more", "chance")
    assert (reasons["horizon_weeks"], reasons["days_of"]) == (26, "assessments")
    assert reasons["days"]
    chance = next(h["milestones"] for h in given["horizons"] if h["weeks"] == 26)
    assert reasons["forecast"] == pytest.approx(chance["FM-UE 50 or more"], abs=1e-4)
    score = service.ask("/v1/explain", SHORT).json()["reasons"]
    assert (score["output"], score["unit"]) == ("score", "score points")
    assert (score["days_of"], score["days"]) == (None, [])


def test_a_course_is_of_the_running_record_and_warns_after_the_days_asked(service: Service) -> None:
    assert service.ask("/v1/observations", RECORD).status_code == 200
    added = service.ask("/v1/observations", {"subject": "P-1", "observations": LATER}).json()
    assert added == {"subject": "P-1", "sent": 3, "on_record": 6}
    course = service.ask("/v1/subjects/P-1/course").json()
    assert (course["subject"], course["days_outside"]) == ("P-1", 21)
    assert [point["observed"] for point in course["points"]] == [30, 1, 1]
    assert course["forecast"]["reasons"] is None
    assert "for 21 days" in course["alert"]
    assert service.ask("/v1/subjects/P-1/course?alert_days=22").json()["alert"] == ""


def test_feedback_is_on_record_with_the_version_of_the_model(service: Service) -> None:
    forecast = service.ask("/v1/forecast", SHORT).json()["forecast_id"]
    assert service.log.settle(30)
    thanks = service.ask(
        "/v1/feedback", {"forecast_id": forecast, "outcome": "wrong", "reason": "cast"}
    )
    assert thanks.json()["message"].startswith("thank you: your feedback was stored")
    card = service.ask(f"/cds-services/{SERVICE}", HOOK).json()["cards"][1]["uuid"]
    assert service.log.settle(30)
    told = {
        "card": card,
        "outcome": "overridden",
        "outcomeTimestamp": datetime.now(UTC).isoformat(),
    }
    override = {"reason": {"code": "data-wrong"}, "userComment": "other arm"}
    for more in ({"overrideReason": override}, {"overrideReason": {}}, {}):
        sent = {"feedback": [{**told, **more}]}
        assert service.ask(f"/cds-services/{SERVICE}/feedback", sent).status_code == 200
    rows = [row for row in service.on_record() if row.kind == "feedback"]
    said = [json.loads(row.content) for row in rows]
    assert [one["reason"] for one in said] == ["cast", "data-wrong other arm", "", ""]
    details = [json.loads(row.details) for row in rows]
    assert [one["outcome"] for one in details] == ["wrong"] + ["overridden"] * 3
    assert (details[0]["about"], details[0]["model_version"]) == (forecast, "arm/1")


def told(card: str, number: int) -> dict[str, Any]:
    return {
        "card": card, "outcome": "accepted", "outcomeTimestamp": (datetime.now(UTC) + timedelta(seconds=number)).isoformat()
    }  # fmt: skip


@pytest.mark.parametrize("fails_at", [1, 2, 3])
def test_feedback_on_several_cards_is_stored_for_all_or_for_none(
    service: Service, monkeypatch: pytest.MonkeyPatch, fails_at: int
) -> None:
    """The database fails between two cards; sent again, nothing is on record twice."""
    cards = [
        service.ask(f"/cds-services/{SERVICE}", HOOK).json()["cards"][0]["uuid"] for _ in range(3)
    ]
    assert service.log.settle(30)
    sent = {"feedback": [told(card, number) for number, card in enumerate(cards)]}
    calls, look_up = [], store.forecast_of

    def failing(*arguments: Any) -> Any:
        calls.append(arguments)
        if len(calls) == fails_at:
            raise sa.exc.OperationalError("SELECT", {}, OSError("the disk is full"))
        return look_up(*arguments)

    with monkeypatch.context() as fault:
        fault.setattr(store, "forecast_of", failing)
        assert service.ask(f"/cds-services/{SERVICE}/feedback", sent).status_code == 503
    assert [row for row in service.on_record() if row.kind == "feedback"] == []
    unknown = {"feedback": [*sent["feedback"], told("0" * 8 + "-0000" * 3 + "-" + "0" * 12, 4)]}
    assert service.ask(f"/cds-services/{SERVICE}/feedback", unknown).status_code >= 400
    assert [row for row in service.on_record() if row.kind == "feedback"] == []
    assert service.ask(f"/cds-services/{SERVICE}/feedback", sent).status_code == 200
    assert len([row for row in service.on_record() if row.kind == "feedback"]) == 3


def test_a_forecast_over_http_has_a_profile_that_says_what_is_not_known(
    service: Service,
) -> None:
    answer = service.ask("/v1/forecast", RECORD).json()
    assert answer["status"] == "forecast"
    domains = {domain["domain"]: domain for domain in answer["profile"]}
    assert len(domains) == 9
    (arm,) = domains["arm"]["measures"]
    assert (arm["value"], arm["scale"]) == (22, {"low": 0, "high": 66, "better": "higher"})
    # The bundle is one without people at that time, as those of earlier versions are.
    assert domains["arm"]["not_known"] == ["own course", "people at that time"]
    assert domains["walking"] == {
        "domain": "walking",
        "measures": [],
        "not_known": ["now", "own course", "people at that time"],
    }
