"""The routes of monitoring from outside, on a store of their own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from fhir.resources.R4B.bundle import Bundle

from serving.faults import Fault
from serving.forecast.audit_status import ServedModel
from serving.formats.fhir.flags import flags
from serving.http.alerts import handlers
from serving.http.examples import EXAMPLES, SCORE
from serving.monitoring.answers import SubjectAlerts
from serving.state.alerting import looking
from serving.state.champion import Snapshot
from serving.state.consent import set_consent
from serving.state.verification import verify
from tests.refusals import same_as_kept
from tests.serving.http.test_on_record import Service

NOW = datetime.now(UTC)
FALLEN: list[tuple[int, float]] = [(6, 39), (20, 44), (34, 22)]
ID = f"score fell:{SCORE}"
DECIDE = "/v1/alerts/decisions"


@pytest.fixture
def service(
    served: ServedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Service]:
    # A busy machine must not change an answer.
    monkeypatch.setattr(handlers, "LOOK_SECONDS", 60.0)
    with closing(Service(served, tmp_path)) as opened:
        yield opened


def put(service: Service, subject: str, scores: list[tuple[int, float]], **also: Any) -> None:
    observations = [{"code": SCORE, "day_since_onset": d, "value": v} for d, v in scores]
    for code, values in also.items():
        name = {"steps": "LOINC//41950-7", "wear": "REHABCAST//WEAR_TIME"}[code]
        observations += [{"code": name, "day_since_onset": d, "value": v} for d, v in values]
    body = {"subject": subject, "enrolment_day": 5, "observations": observations}
    assert service.ask("/v1/observations", body).status_code == 200


def told(service: Service, query: str = "") -> list[tuple[str, str]]:
    answer = service.ask(f"/v1/alerts{query}").json()
    return [(row["subject"], row["alert"]) for row in answer["alerts"]]


def test_a_caseload_is_told_once_the_values_are_on_record(service: Service) -> None:
    put(service, "well", [(6, 39), (20, 44)])
    put(service, "fallen", FALLEN)
    steps = [(day, 4800) for day in range(5, 33)] + [(day, 300) for day in range(33, 45)]
    put(service, "slow", [(6, 39)], steps=steps)
    answer = service.ask("/v1/alerts").json()
    assert [(row["subject"], row["kind"], row["urgency"]) for row in answer["alerts"]] == [
        ("fallen", "score fell", "today"),
        ("slow", "biomarker changed", "this week"),
    ]
    assert (answer["cursor"], answer["waiting"]) == (None, 0)
    first = answer["alerts"][0]
    assert first["since_day"] == first["last_day"] == 34
    assert not any(name.endswith("_date") for name in first)
    assert first["rests_on"]["before"] == 44
    assert first["rests_on"]["limit"] == pytest.approx(6.82, abs=0.01)
    assert "fell from 44 to 22" in first["says"]


def test_pages_follow_each_other_and_one_request_looks_at_some_only(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "LOOKS", 2)
    for number in range(5):
        put(service, f"P{number}", FALLEN)
    assert service.ask("/v1/alerts").json()["waiting"] == 3
    assert service.ask("/v1/alerts").json()["waiting"] == 1
    everybody = service.ask("/v1/alerts").json()
    assert everybody["waiting"] == 0
    found, cursor = [], ""
    while cursor is not None:
        answer = service.ask(f"/v1/alerts?limit=2{cursor and '&cursor=' + cursor}").json()
        found += answer["alerts"]
        cursor = answer["cursor"]
    assert found == everybody["alerts"]
    assert len(found) == 5


def test_one_request_looks_no_longer_than_its_time(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handlers, "LOOK_SECONDS", 0.0)
    for number in range(3):
        put(service, f"P{number}", FALLEN)
    assert [service.ask("/v1/alerts").json()["waiting"] for _ in range(3)] == [2, 1, 0]


REFUSED = {
    "no limit": "/v1/alerts?limit=0",
    "a large limit": "/v1/alerts?limit=501",
    "no number": "/v1/alerts?limit=many",
    "no cursor": "/v1/alerts?cursor=x",
    "another's cursor": "/v1/alerts?cursor=WzEsMiwzLDRd",
    "a person without a record": "/v1/subjects/nobody/alerts",
    "a subject that is none": "/v1/subjects/a%20b/alerts",
    "flags of a person without a record": "/v1/fhir/subjects/nobody/alerts",
}


def test_what_is_refused(service: Service) -> None:
    put(service, "P", FALLEN)
    decision = {**EXAMPLES[DECIDE], "subject": "P"}
    tomorrow = (NOW.date() + timedelta(days=1)).isoformat()
    bodies = {
        "no such alert": {**decision, "alert": "no data:REHABCAST//WEAR_TIME"},
        "another person": {**decision, "subject": "Q"},
        "no reason": {**decision, "reason": ""},
        "no name": {**decision, "by": ""},
        "muted for ever": {**decision, "decision": "muted"},
        "muted until today": {**decision, "decision": "muted", "until": NOW.date().isoformat()},
        "acknowledged until": {**decision, "until": tomorrow},
    }
    answers = {name: service.ask(path) for name, path in REFUSED.items()}
    answers |= {name: service.ask(DECIDE, body) for name, body in bodies.items()}
    assert all(400 <= answer.status_code < 500 for answer in answers.values())
    same_as_kept({name: [a.status_code, a.json()] for name, a in answers.items()})


def test_an_acknowledged_alert_is_left_out_until_it_is_new(service: Service) -> None:
    put(service, "P", FALLEN)
    assert told(service) == [("P", ID)]
    assert service.ask(DECIDE, {**EXAMPLES[DECIDE], "subject": "P"}).status_code == 200
    assert told(service) == []
    (row,) = service.ask("/v1/subjects/P/alerts").json()["alerts"]
    assert row["hidden"]
    assert (row["decision"]["by"], row["decision"]["decision"]) == ("Dr Mia Moor", "acknowledged")
    put(service, "P", [(35, 10)])
    assert told(service) == [("P", ID)]
    assert verify(service.store).findings == ()


def test_a_muted_alert_is_shown_again_on_demand(service: Service) -> None:
    put(service, "P", FALLEN)
    until = (NOW.date() + timedelta(days=9)).isoformat()
    body = {**EXAMPLES[DECIDE], "subject": "P", "decision": "muted", "until": until}
    assert service.ask(DECIDE, body).status_code == 200
    put(service, "P", [(35, 10)])
    assert told(service) == []
    again = {**EXAMPLES[DECIDE], "subject": "P", "decision": "shown again"}
    assert service.ask(DECIDE, again).status_code == 200
    assert told(service) == [("P", ID)]


def test_nobody_else_sees_them_and_consent_counts(service: Service) -> None:
    put(service, "P", FALLEN)
    assert told(service) == [("P", ID)]
    set_consent(service.store.engine, "development", "P", "withdrawn", actor="dr", now=NOW)
    service.consents.refresh()
    assert told(service) == []
    for path in ("/v1/subjects/P/alerts", "/v1/fhir/subjects/P/alerts"):
        assert service.ask(path).status_code == 422
    assert service.ask(DECIDE, {**EXAMPLES[DECIDE], "subject": "P"}).status_code == 422


def test_without_a_model_all_but_the_course_is_told(service: Service, served: ServedModel) -> None:
    service.champion.current = Snapshot(served, Fault("revoked", "ask"))
    put(service, "P", FALLEN)
    assert told(service) == [("P", ID)]


def test_flags_are_valid_fhir(service: Service) -> None:
    put(service, "P", [(6, 39)], steps=[(day, 4000) for day in range(3, 20)])
    put(service, "Q_1", FALLEN)
    empty = service.ask("/v1/fhir/subjects/P/alerts")
    assert empty.status_code == 200
    assert Bundle.model_validate(empty.json()).entry is None
    content = service.ask("/v1/fhir/subjects/Q_1/alerts").json()
    bundle = Bundle.model_validate(content)
    flag, told_of = (entry["resource"] for entry in content["entry"])
    assert (flag["resourceType"], told_of["resourceType"]) == ("Flag", "Communication")
    identifier = {
        "system": "urn:rehabcast:subject", "value": "Q_1", "assigner": {"display": "development"},
    }  # fmt: skip
    assert flag["subject"] == told_of["subject"] == {"type": "Patient", "identifier": identifier}
    assert told_of["about"] == [{"reference": content["entry"][0]["fullUrl"]}]
    assert (told_of["priority"], told_of["status"]) == ("urgent", "preparation")
    assert "fell from 44 to 22" in flag["code"]["text"]
    again = service.ask("/v1/fhir/subjects/Q_1/alerts").json()
    assert json.dumps(again["entry"]) == json.dumps(content["entry"])
    assert bundle.type == "collection"
    assert service.ask(DECIDE, {**EXAMPLES[DECIDE], "subject": "Q_1"}).status_code == 200
    assert "entry" not in service.ask("/v1/fhir/subjects/Q_1/alerts").json()


def test_two_tenants_flags_of_one_pseudonym_are_two(service: Service) -> None:
    put(service, "P", FALLEN)
    rows = msgspec.convert(service.ask("/v1/subjects/P/alerts").json(), SubjectAlerts).alerts
    ids = [
        {entry["fullUrl"] for entry in flags(tenant, "P", rows, NOW)["entry"]}
        for tenant in ("ward", "clinic", "ward")
    ]
    assert ids[0] == ids[2]
    assert not ids[0] & ids[1]


def test_a_course_outside_the_range_is_among_them(service: Service, served: ServedModel) -> None:
    # Slow enough that the model learned from people alike.
    scores = [(10 + 7 * week, 40.0 - 2 * week) for week in range(9)]
    put(service, "P", scores)
    course = service.ask("/v1/subjects/P/course").json()
    kinds = {row["kind"]: row for row in service.ask("/v1/subjects/P/alerts").json()["alerts"]}
    assert "below the range" in course["alert"]
    assert kinds["off course"]["says"] == course["alert"]
