"""One question about a patient, answered by every model in service, each as if it were alone."""

from __future__ import annotations

import json
from typing import Any

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings

from serving.faults import Fault
from serving.formats.fhir import limits
from serving.http.examples import RECORD
from serving.instruments import EACH_BY_ITSELF, InstrumentsAnswer
from serving.state.champion import Snapshot
from tests.serving.dates import BUNDLE
from tests.serving.http.decoding.test_tasks import ARM, BOTH, OBSERVATIONS, SCORE, SPEED, WALKING
from tests.serving.http.standards.conftest import Application

TASKS = (ARM, WALKING)


def alone(application: Application, body: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what each model answers that is asked by itself."""
    asked = [application.ask("/v1/forecast", {**body, "task": task}) for task in TASKS]
    assert {each.status_code for each in asked} == {200}
    return [without_id(each.json()) for each in asked]


def without_id(answer: dict[str, Any]) -> dict[str, Any]:
    return {**answer, "forecast_id": ""}


def is_measured(answer: dict[str, Any], observations: list[dict[str, Any]]) -> bool:
    return answer["instrument_code"] in {each["code"] for each in observations}


VALUES = {
    SCORE: st.integers(0, 66), SPEED: st.floats(0.05, 1.6).map(lambda each: round(each, 2)),
    "LOINC//41950-7": st.integers(200, 9_000),
}  # fmt: skip
MEASURED = st.one_of(
    st.fixed_dictionaries(
        {"code": st.just(code), "day_since_onset": st.integers(10, 40), "value": values}
    )
    for code, values in VALUES.items()
)
ASKED = st.fixed_dictionaries(
    {
        "enrolment_day": st.integers(8, 14), "explain": st.booleans(),
        "observations": st.lists(
            MEASURED, min_size=1, max_size=8,
            unique_by=lambda each: (each["code"], each["day_since_onset"]),
        ),
    },
    optional={"explain_horizon_weeks": st.sampled_from([4, 12, 26]), "as_of_day": st.just(41)},
)  # fmt: skip


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(asked=ASKED)
def test_each_answer_is_that_of_its_model_alone(two: Application, asked: dict[str, Any]) -> None:
    body = {"subject": "P-1", **asked}
    answer = two.ask("/v1/instruments", body)
    assert answer.status_code == 200, answer.text
    together = answer.json()
    assert [without_id(each) for each in together["answers"]] == alone(two, body)
    # An answer is on record, and has a number for feedback, where the patient was ever measured.
    scored = [is_measured(each, asked["observations"]) for each in together["answers"]]
    assert [bool(each["forecast_id"]) for each in together["answers"]] == scored
    assert len({each["forecast_id"] for each in together["answers"]} - {""}) == sum(scored)
    assert together["not_in_service"] == []
    assert together["limits"] == [EACH_BY_ITSELF]


@pytest.mark.parametrize("of", ["record", "bundle"])
def test_a_record_is_given_once_and_read_by_each(two: Application, of: str) -> None:
    body: dict[str, Any] = {"subject": "P-1"}
    if of == "record":
        sent = {**RECORD, "observations": OBSERVATIONS}
        assert two.ask("/v1/observations", sent).status_code == 200
    else:
        body["bundle"] = BUNDLE
    together = two.ask("/v1/instruments", body).json()["answers"]
    assert [without_id(each) for each in together] == alone(two, body)
    # The bundle has a score of the arm alone: of walking it is said why there is nothing.
    statuses = [each["status"] for each in together]
    assert statuses == ["forecast", "forecast" if of == "record" else "no forecast"]
    assert all(each["what_to_do"] for each in together if each["status"] == "no forecast")
    rows = [json.loads(row.details) for row in two.on_record("forecast")]
    asked_at_once = [each["model_version"] for each in rows if each["route"] == "instruments"]
    assert asked_at_once == (["arm/1", "walking/1"] if of == "record" else ["arm/1"])
    # Who asks for a task by its name is told, and that is on record.
    by_name = [each["model_version"] for each in rows if each["route"] == "forecast"]
    assert by_name == ["arm/1", "walking/1"]


def test_a_model_that_may_not_answer_says_why_in_its_place(two: Application) -> None:
    arm, walking = two.champions
    arm.current = Snapshot(arm.current.served, Fault("arm/1 was revoked", "wait"))
    why = Fault("nobody has promoted it", "promote it")
    two.runtime.champions._models[1]["balance"] = (lambda: None, why)
    content = two.ask("/v1/instruments", BOTH).content
    found = msgspec.json.decode(content, type=InstrumentsAnswer)
    first, second = found.answers
    assert (first.status, "arm/1 was revoked" in first.reason) == ("no forecast", True)
    assert (second.status, second.model.model_version) == ("forecast", "walking/1")
    assert [(each.model, each.reason) for each in found.not_in_service] == [
        ("balance", "nobody has promoted it")
    ]
    walking.current = Snapshot(walking.current.served, Fault("walking/1 was revoked", "wait"))
    both = two.ask("/v1/instruments", BOTH)
    assert both.status_code == 200
    assert {each["status"] for each in both.json()["answers"]} == {"no forecast"}


def test_a_model_that_comes_into_service_meanwhile_is_in_one_place(
    two: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    champions = two.runtime.champions
    champions._models[1]["balance"] = (lambda: two.champions[1], Fault("not yet", "wait"))
    arm = two.champions[0].current

    class Meanwhile:
        problem = None

        @property
        def current(self) -> Snapshot:
            champions.begin_again()
            return arm

    monkeypatch.setitem(champions._models[0], "arm", Meanwhile())
    found = two.ask("/v1/instruments", BOTH).json()
    assert [each["model"]["model_version"] for each in found["answers"]] == ["arm/1", "walking/1"]
    assert [each["model"] for each in found["not_in_service"]] == ["balance"]


def test_what_has_no_answer_for_any_is_refused_once_and_not_on_record(
    two: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert two.ask("/v1/instruments", {"subject": "nobody"}).status_code == 404
    named = two.ask("/v1/instruments", {**BOTH, "task": ARM})
    assert (named.status_code, "`task`" in named.text) == (400, False)
    monkeypatch.setattr(limits, "MAX_ELEMENTS", 30)
    large = two.ask("/v1/instruments", {"subject": "P-1", "bundle": BUNDLE})
    assert (large.status_code, "2 models would read it" in large.text) == (422, True)
    two.champions[1].current = two.champions[0].current
    twice = two.ask("/v1/instruments", BOTH)
    assert (twice.status_code, "have the task" in twice.text) == (400, True)
    assert two.on_record("forecast") == []


def test_a_service_of_one_model_answers_with_one(application: Application) -> None:
    answer = application.ask("/v1/instruments", BOTH).json()
    (only,) = answer["answers"]
    assert without_id(only) == without_id(application.ask("/v1/forecast", BOTH).json())
    assert answer["limits"] == []


def test_what_was_never_measured_is_neither_counted_nor_asked_of_a_shadow(
    two: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    class Shadow:
        problem = None

        def ask(self, question: Any) -> None:
            asked.append(question.task)

        def close(self) -> None: ...

    two.runtime.shadow = Shadow()
    two.ask("/v1/instruments", {**BOTH, "observations": OBSERVATIONS[:1]})
    metrics = two.ask("/metrics").text
    assert f'rehabcast_forecasts_total{{status="forecast",task="{ARM}"}} 1.0' in metrics
    assert f'task="{WALKING}"' not in metrics
    assert asked == [ARM]


def test_forecasts_of_all_are_counted_by_task(two: Application) -> None:
    two.ask("/v1/instruments", BOTH)
    metrics = two.ask("/metrics").text
    for task in TASKS:
        assert f'rehabcast_forecasts_total{{status="forecast",task="{task}"}} 1.0' in metrics
