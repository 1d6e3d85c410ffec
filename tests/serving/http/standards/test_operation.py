"""The forecast as an operation of FHIR R4."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from fhir.resources.R4B.capabilitystatement import CapabilityStatement
from fhir.resources.R4B.operationdefinition import OperationDefinition

from serving.http.examples import examples_of

FHIR = "application/fhir+json"
OPERATION = "/fhir/$evaluate"


def parameters(**without: Any) -> dict[str, Any]:
    """Return the example, with other values of its parameters; None leaves one out."""
    example = examples_of(datetime.now(UTC).date())[OPERATION]
    by_name = {each["name"]: each for each in example["parameter"]} | without
    return {**example, "parameter": [each for each in by_name.values() if each is not None]}


def test_parameters_and_a_bundle_get_what_the_route_of_fhir_answers(application: Any) -> None:
    whole = parameters()
    bundle = whole["parameter"][0]["resource"]
    said = []
    for path, body in (
        (OPERATION, whole), (OPERATION, parameters(asOf=None, condition=None)),
        (OPERATION, bundle), ("/v1/fhir/forecast", bundle),
    ):  # fmt: skip
        answer = application.ask(path, body, Content_Type=FHIR, Accept=FHIR)
        assert (answer.status_code, answer.headers["content-type"]) == (200, FHIR), answer.text
        resources = [entry["resource"] for entry in answer.json()["entry"]]
        said.append([each["prediction"] for each in resources if "prediction" in each])
    assert all(each == said[0] for each in said)


STROKE = {"name": "condition", "valueString": "another"}
WRONG: dict[str, tuple[dict[str, Any], int]] = {
    "no Bundle": ({"bundle": None}, 400),
    "a Bundle that is text": ({"bundle": {"name": "bundle", "resource": "x"}}, 400),
    "another resource": (
        {"bundle": {"name": "bundle", "resource": {"resourceType": "Patient"}}},
        422,
    ),
    "no date": ({"asOf": {"name": "asOf", "valueDate": "soon"}}, 400),
    "a date under another element": ({"asOf": {"name": "asOf", "valueString": "x"}}, 400),
    "an unknown parameter": ({"more": {"name": "<b>", "valueString": "x"}}, 400),
    "one twice": ({"more": STROKE}, 400),
    "no object": ({"more": 5}, 400),
    "a name that is a list": ({"more": {"name": ["bundle"]}}, 400),
    "a condition that is not there": ({"condition": STROKE}, 422),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_cannot_be_evaluated_is_an_operation_outcome(application: Any, what: str) -> None:
    changes, status = WRONG[what]
    answer = application.ask(OPERATION, parameters(**changes), Content_Type=FHIR)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == FHIR
    assert answer.json()["resourceType"] == "OperationOutcome"
    assert "<b>" not in answer.text


def test_the_service_describes_its_operation(application: Any) -> None:
    told = application.ask("/fhir/metadata", Authorization="")
    assert (told.status_code, told.headers["content-type"]) == (200, FHIR)
    CapabilityStatement.model_validate(told.json())
    operations = told.json()["rest"][0]["operation"]
    assert [each["name"] for each in operations] == ["evaluate", "whatif"]
    names = {each["name"] for each in parameters()["parameter"]} | {"task"}
    for operation in operations:
        path = operation["definition"].removeprefix("https://clinic.test")
        defined = application.ask(path, Authorization="")
        OperationDefinition.model_validate(defined.json())
        assert defined.json()["url"] == operation["definition"]
        given = {each["name"] for each in defined.json()["parameter"] if each["use"] == "in"}
        assert given == names


@pytest.mark.parametrize("path", [OPERATION, "/v1/fhir/forecast"])
def test_a_day_in_the_address_is_the_day_of_the_forecast(application: Any, path: str) -> None:
    """A resource may be the body, and the other parameters stand in the address: they were ignored."""
    bundle = parameters()["parameter"][0]["resource"]
    day = "asOf" if path == OPERATION else "as_of"
    said = [
        application.ask(f"{path}{query}", bundle, Content_Type=FHIR)
        for query in ("", f"?{day}=2199-01-01", f"?{day}=soon", "?condition=another", "?as=1")
    ]
    assert [answer.status_code for answer in said] == [200, 422, 400, 422, 400]
    assert "not known here" in said[-1].text
    twice = application.ask(f"{OPERATION}?asOf=2026-01-16", parameters(), Content_Type=FHIR)
    assert twice.status_code == 400


def test_a_page_loads_nothing_from_elsewhere(application: Any) -> None:
    policy = application.ask("/about", Authorization="").headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")


RECORD: dict[str, Any] = {
    "subject": "P-1", "enrolment_day": 10,
    "observations": [{"code": "REHABCAST//FUGL_MEYER_UE", "day_since_onset": 10, "value": 22}],
}  # fmt: skip


@pytest.mark.parametrize(
    ("sent", "origin"),
    [
        ({}, 0),
        ({"as_of_day": 14}, 4),
        ({"as_of_day": 14, "onset_date": "2026-01-05"}, 4),
        ({"as_of_day": 14, "onset_date": "2026-01-05", "as_of": "2026-01-19"}, 4),
        ({"as_of_day": 15, "onset_date": "2026-01-05", "as_of": "2026-01-19"}, None),
        ({"as_of_day": 14, "as_of": "2026-01-19"}, None),
        ({"as_of_day": 30_000, "onset_date": "2026-01-05"}, None),
    ],
)
def test_the_day_that_is_asked_about_may_be_sent_as_a_day_as_a_date_or_as_both(
    application: Any, sent: dict[str, Any], origin: int | None
) -> None:
    answer = application.ask("/v1/forecast", RECORD | sent)
    assert answer.status_code == 200, answer.text
    assert answer.json()["status"] == ("no forecast" if origin is None else "forecast")
    assert answer.json().get("origin_day") == origin
