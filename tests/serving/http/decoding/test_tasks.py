"""Several tasks in one service, from outside: each asked for by name, each judged by itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from serving.faults import Fault
from serving.formats.cds.discovery import prefetch_of
from serving.formats.cds.hooks import SERVICE
from serving.http.decoding import RequestInvalid
from serving.http.decoding.tasks import chosen
from serving.http.examples import EXAMPLES, RECORD, brought_forward
from serving.state.champion import Snapshot
from serving.state.champions import Champions
from tests.serving.dates import BUNDLE, HOOK
from tests.serving.http.standards.conftest import Application

ARM, WALKING = "stroke-upper-limb", "stroke-gait-speed"
SCORE, SPEED = "REHABCAST//FUGL_MEYER_UE", "REHABCAST//WALK_TEST_SPEED"
INSTRUMENTS = {ARM: SCORE, WALKING: SPEED}
OBSERVATIONS = [
    *RECORD["observations"], {"code": SPEED, "day_since_onset": 10, "value": 0.42},
]  # fmt: skip
BOTH = {**RECORD, "observations": OBSERVATIONS, "explain": False}


NAMES = st.text("abc-", max_size=3)


@given(served=st.lists(NAMES.filter(bool), min_size=1, max_size=4), task=NAMES)
def test_a_task_is_found_where_it_is_one_and_otherwise_all_are_listed(
    served: list[str], task: str
) -> None:
    followed: dict[str, Any] = {
        str(n): SimpleNamespace(
            current=SimpleNamespace(
                served=SimpleNamespace(bundle=SimpleNamespace(task=SimpleNamespace(name=name)))
            )
        )
        for n, name in enumerate(served)
    }
    champions = Champions(followed)
    matching = [name for name in served if task in {"", name}]
    if len(matching) == 1:
        assert chosen(champions, task).served.bundle.task.name == matching[0]
        return
    with pytest.raises(RequestInvalid) as refused:
        chosen(champions, task)
    if not matching or not task:
        assert refused.value.what_to_do == f"send one of these: {', '.join(served)}"
    assert not task or task in served or f"{task} " not in refused.value.reason


ROUTES: dict[str, tuple[str, Any]] = {
    "forecast": ("/v1/forecast", BOTH),
    "many": ("/v1/forecasts", {"requests": [BOTH]}),
    "explain": ("/v1/explain", BOTH),
    "FHIR": ("/v1/fhir/forecast", BUNDLE),
    "operation": ("/fhir/$evaluate", BUNDLE),
    "course": ("/v1/subjects/P-1/course", None),
    "model": ("/v1/model", None),
}  # fmt: skip


@pytest.mark.parametrize("route", ROUTES)
def test_without_a_task_a_request_is_told_which_there_are(two: Application, route: str) -> None:
    path, body = ROUTES[route]
    assert two.ask("/v1/observations", {**RECORD, "observations": OBSERVATIONS}).status_code == 200
    for query in ("", "?task=nobody-s-task"):
        if not query and path in {"/v1/fhir/forecast", "/fhir/$evaluate"}:
            # Answered by each: tests/serving/http/standards/test_every_instrument.py.
            continue
        named = dict.fromkeys(["task"], "nobody-s-task") if query else {}
        if body is not None and route in {"forecast", "explain"}:
            answer = two.ask(path, {**body, **named})
        elif route == "many":
            answer = two.ask(path, {"requests": [{**BOTH, **named}]})
        else:
            answer = two.ask(path + query, body)
        assert answer.status_code == 400, answer.text
        assert f"{ARM}, {WALKING}" in answer.text
        assert "nobody-s" not in answer.text


def test_each_task_is_answered_by_its_own_model(two: Application) -> None:
    for task, version in ((ARM, "arm/1"), (WALKING, "walking/1")):
        answer = two.ask("/v1/forecast", {**BOTH, "task": task}).json()
        assert answer["status"] == "forecast", answer
        model = answer["model"]
        assert (model["task"], model["model_version"]) == (task, version)
        assert answer["instrument_code"] == INSTRUMENTS[task]
        card = two.ask(f"/v1/model?task={task}").json()
        assert card["model"]["model_version"] == version
        operation = {
            **EXAMPLES["/fhir/$evaluate"],
            "parameter": [
                {"name": "bundle", "resource": BUNDLE}, {"name": "task", "valueString": task},
            ],
        }  # fmt: skip
        answers = [
            two.ask(f"/v1/fhir/forecast?task={task}", BUNDLE), two.ask("/fhir/$evaluate", operation)
        ]  # fmt: skip
        # The bundle has a score of the arm alone.
        assert [each.status_code for each in answers] == [200 if task == ARM else 422] * 2
    many = two.ask(
        "/v1/forecasts", {"requests": [{**BOTH, "task": task} for task in (WALKING, ARM)]}
    ).json()
    assert [each["instrument_code"] for each in many["answers"]] == [SPEED, SCORE]


def test_a_record_is_of_a_person_and_each_task_reads_it(two: Application) -> None:
    assert two.ask("/v1/observations", {**RECORD, "observations": OBSERVATIONS}).status_code == 200
    for task in INSTRUMENTS:
        of_record = two.ask("/v1/forecast", {"subject": "P-1", "task": task}).json()
        assert of_record["instrument_code"] == INSTRUMENTS[task]
        seen = two.ask(f"/v1/subjects/P-1/course?task={task}").json()
        assert seen["forecast"]["instrument_code"] == INSTRUMENTS[task]
    versions = {row.details for row in two.on_record("forecast")}
    assert len(versions) == 2


def test_each_task_is_a_cds_service_that_asks_for_its_own_data(two: Application) -> None:
    services = two.ask("/cds-services", Authorization="").json()["services"]
    assert [each["id"] for each in services] == [f"{SERVICE}-{ARM}", f"{SERVICE}-{WALKING}"]
    assert len({each["title"] for each in services}) == 2
    tasks = [each.current.served.bundle.task for each in two.champions]
    assert [each["prefetch"] for each in services] == [prefetch_of(task) for task in tasks]
    assert services[0]["prefetch"] != services[1]["prefetch"]
    cards = two.ask(f"/cds-services/{SERVICE}-{ARM}", HOOK).json()["cards"]
    assert len(cards) == 2
    assert cards[0]["source"]["url"] == f"https://clinic.test/about?task={ARM}"
    (refusal,) = two.ask(f"/cds-services/{SERVICE}-{WALKING}", HOOK).json()["cards"]
    assert "No forecast" in refusal["summary"]
    for name in (SERVICE, f"{SERVICE}-nobody-s"):
        assert two.ask(f"/cds-services/{name}", HOOK).status_code == 404
    assert two.on_record("forecast")
    said = brought_forward(EXAMPLES[f"/cds-services/{SERVICE}/feedback"], "2026-01-15",
                           datetime.now(UTC).date())  # fmt: skip
    said["feedback"][0] |= {
        "card": cards[0]["uuid"],
        "outcomeTimestamp": datetime.now(UTC).isoformat(),
    }
    assert two.ask(f"/cds-services/{SERVICE}-{ARM}/feedback", said).status_code == 200


def test_a_withdrawn_model_takes_no_other_down(two: Application) -> None:
    arm, walking = two.champions
    walking.current = Snapshot(walking.current.served, Fault("walking/1 was revoked", "wait"))
    refused = two.ask("/v1/forecast", {**BOTH, "task": WALKING}).json()
    assert (refused["status"], "was revoked" in refused["reason"]) == ("no forecast", True)
    assert two.ask("/v1/forecast", {**BOTH, "task": ARM}).json()["status"] == "forecast"
    assert len(two.ask(f"/cds-services/{SERVICE}-{ARM}", HOOK).json()["cards"]) == 2
    assert two.ask(f"/v1/model?task={WALKING}").json()["withdrawn"]
    assert not two.ask(f"/v1/model?task={ARM}").json()["withdrawn"]
    # And each is served to whom its own audit lets it be served.
    held = SimpleNamespace(outside=lambda _: (), is_everyone=True, attributes=(), pairs=())
    status = replace(arm.current.served.audit_status, scope=held)
    arm.current = Snapshot(replace(arm.current.served, audit_status=status))
    assert two.ask(f"/v1/model?task={ARM}").json()["model"]["scope"]["everyone"] is True
    assert two.ask(f"/v1/model?task={WALKING}").json()["model"]["scope"] is None


def test_a_caseload_has_the_alerts_of_every_task_each_once(two: Application) -> None:
    falls = [(6, 39, 1.2), (20, 44, 1.3), (34, 20, 0.3)]
    observations = [
        {"code": code, "day_since_onset": day, "value": value}
        for day, score, speed in falls
        for code, value in ((SCORE, score), (SPEED, speed))
    ]
    body = {"subject": "P-1", "enrolment_day": 5, "observations": observations}
    assert two.ask("/v1/observations", body).status_code == 200
    # What a withdrawn model is about is still watched.
    two.champions[1].current = Snapshot(two.champions[1].current.served, Fault("revoked", "wait"))
    told = two.ask("/v1/alerts").json()
    assert {(row["alert"], row["task"]) for row in told["alerts"]} == {
        (f"score fell:{SCORE}", ARM), (f"score fell:{SPEED}", WALKING),
    }  # fmt: skip
    for task, code in INSTRUMENTS.items():
        rows = two.ask(f"/v1/alerts?task={task}").json()["alerts"]
        assert [row["code"] for row in rows] == [code]
        one = two.ask("/v1/alerts/decisions", {
            "subject": "P-1", "alert": f"score fell:{code}", "decision": "acknowledged",
            "by": "Dr A", "reason": "seen",
        })  # fmt: skip
        assert one.status_code == 200
    assert two.ask("/v1/alerts").json()["alerts"] == []
    assert two.ask("/v1/alerts?task=nobody-s").status_code == 400


def test_the_page_lists_the_tasks_and_has_one_for_each(two: Application) -> None:
    page = two.ask("/about", Authorization="").text
    for task in INSTRUMENTS:
        assert f'href="?task={task}"' in page
    assert "walking/1" in two.ask(f"/about?task={WALKING}", Authorization="").text
    assert two.ask("/about?task=nobody-s", Authorization="").status_code == 400


def test_forecasts_are_counted_by_task(two: Application) -> None:
    two.ask("/v1/forecast", {**BOTH, "task": ARM})
    two.ask("/v1/forecasts", {"requests": [{**BOTH, "task": ARM}, {**BOTH, "task": WALKING}]})
    two.ask(f"/cds-services/{SERVICE}-{WALKING}", HOOK)
    metrics = two.ask("/metrics").text
    for task, status, count in (
        (ARM, "forecast", 2), (WALKING, "forecast", 1), (WALKING, "no forecast", 1),
    ):  # fmt: skip
        assert f'rehabcast_forecasts_total{{status="{status}",task="{task}"}} {count}.0' in metrics


def test_one_task_may_be_named_and_need_not_be(application: Any) -> None:
    plain = application.ask("/v1/forecast", {**RECORD, "explain": False}).json()
    named = application.ask("/v1/forecast", {**RECORD, "explain": False, "task": ARM}).json()
    assert {**plain, "forecast_id": ""} == {**named, "forecast_id": ""}
    other = application.ask("/v1/forecast", {**RECORD, "task": WALKING})
    assert (other.status_code, ARM in other.text) == (400, True)
    (service,) = application.ask("/cds-services").json()["services"]
    assert service["id"] == SERVICE
    assert application.ask(f"/cds-services/{SERVICE}", HOOK).json()["cards"][0]["source"][
        "url"
    ] == ("https://clinic.test/about")
