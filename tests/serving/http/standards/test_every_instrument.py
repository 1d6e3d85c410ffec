"""A FHIR Bundle without a task, of a service of several models: what each says, in one Bundle."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B.bundle import Bundle

from contracts.vocabulary.code import REHABCAST_SYSTEM
from serving.faults import Fault
from serving.forecast.audit_status import ServedModel
from serving.formats.fhir import limits
from serving.formats.fhir.every_instrument import MODEL, TASK
from serving.instruments import EACH_BY_ITSELF
from serving.state.champion import Snapshot
from tests.serving.dates import BUNDLE, OBSERVATION
from tests.serving.http.standards.conftest import Application
from tests.serving.http.standards.test_fhir import references, resolved

ARM, WALKING = "stroke-upper-limb", "stroke-gait-speed"
SPEED: dict[str, Any] = {
    **OBSERVATION, "id": "speed", "code": {
        "coding": [{"system": REHABCAST_SYSTEM, "code": "WALK_TEST_SPEED"}]
    }, "valueQuantity": {"value": 0.42, "system": "http://unitsofmeasure.org", "code": "m/s"},
}  # fmt: skip
BOTH = {**BUNDLE, "entry": [*BUNDLE["entry"], {"resource": SPEED}]}


@pytest.fixture
def two(served: ServedModel, served_walking: ServedModel, tmp_path: Path) -> Iterator[Application]:
    with closing(Application(tmp_path, served, served_walking)) as opened:
        yield opened


def of_kind(bundle: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    found = (each["resource"] for each in bundle["entry"])
    return [each for each in found if each["resourceType"] == kind]


def said_by(bundle: dict[str, Any]) -> list[tuple[str, Any]]:
    return [
        (each["method"]["text"], each["prediction"]) for each in of_kind(bundle, "RiskAssessment")
    ]


@pytest.mark.parametrize("path", ["/v1/fhir/forecast", "/fhir/$evaluate"])
def test_one_bundle_holds_what_each_model_says_alone(two: Application, path: str) -> None:
    answer = two.ask(path, BOTH)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    Bundle.model_validate(found)
    alone = [two.ask(f"{path}?task={task}", BOTH).json() for task in (ARM, WALKING)]
    assert said_by(found) == [each for one in alone for each in said_by(one)]
    # Each reference resolves to one entry, also where both models read the same resource.
    assert all(resolved(found, each) for each in references(found) if each.startswith("urn:"))
    assert len({each["fullUrl"] for each in found["entry"]}) == len(found["entry"])
    (noted,) = of_kind(found, "OperationOutcome")
    assert [each["severity"] for each in noted["issue"]] == ["information"]
    assert noted["issue"][0]["details"]["text"] == EACH_BY_ITSELF
    assert [row.details.count('"route":"fhir"') for row in two.on_record("forecast")] == [1] * 4


def test_a_model_without_a_forecast_says_why_in_an_outcome_of_its_own(two: Application) -> None:
    two.runtime.champions._models[1]["balance"] = (
        lambda: None,
        Fault("not promoted", "promote it"),
    )
    found = two.ask("/v1/fhir/forecast", BUNDLE).json()
    Bundle.model_validate(found)
    assert len(of_kind(found, "RiskAssessment")) == 1
    outcomes = {
        (each["meta"]["tag"][0]["system"], each["meta"]["tag"][0]["code"]): each["issue"]
        for each in of_kind(found, "OperationOutcome")
    }
    alone = two.ask(f"/v1/fhir/forecast?task={WALKING}", BUNDLE)
    assert outcomes[TASK, WALKING] == alone.json()["issue"]
    # The Bundle has no score of walking: only who asked for it by name is on record as refused.
    asked = [json.loads(row.details)["model_version"] for row in two.on_record("forecast")]
    assert asked == ["arm/1", "walking/1"]
    assert outcomes[MODEL, "balance"][0]["details"]["text"] == "not promoted"
    assert len(outcomes) == 2
    arm = two.champions[0]
    arm.current = Snapshot(arm.current.served, Fault("arm/1 was revoked", "wait"))
    none = two.ask("/v1/fhir/forecast", BUNDLE)
    assert (none.status_code, of_kind(none.json(), "RiskAssessment")) == (200, [])
    assert len(of_kind(none.json(), "OperationOutcome")) == 3


def test_a_score_that_was_sent_and_cannot_be_used_is_a_refusal_on_record(two: Application) -> None:
    wrong = {**SPEED, "valueQuantity": {**SPEED["valueQuantity"], "value": 99}}
    bundle = {**BUNDLE, "entry": [*BUNDLE["entry"], {"resource": wrong}]}
    found = two.ask("/v1/fhir/forecast", bundle).json()
    assert len(of_kind(found, "RiskAssessment")) == 1
    asked = [json.loads(row.details)["model_version"] for row in two.on_record("forecast")]
    assert asked == ["arm/1", "walking/1"]


def test_a_bundle_that_not_all_can_read_in_time_is_refused_once(
    two: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MAX_ELEMENTS", 30)
    large = two.ask("/v1/fhir/forecast", BUNDLE)
    assert (large.status_code, large.json()["resourceType"]) == (422, "OperationOutcome")
    assert "2 models would read it" in large.text
    assert two.on_record("forecast") == []
