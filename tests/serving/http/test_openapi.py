"""The OpenAPI document against the running service, case by case, by schemathesis."""

from __future__ import annotations

import json
import time
from datetime import UTC, date, datetime
from hashlib import sha256
from http import HTTPStatus
from typing import Any
from uuid import UUID

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from serving.formats.cds.hooks import SERVICE
from serving.http.examples import EXAMPLES
from serving.http.openapi import API_VERSION, document
from tests.serving.dates import as_of_today

WRITTEN = date(2026, 1, 16)
"""Day of the document that is kept: its examples are of the day on which it is asked for."""

PUBLISHED = ("3.8", "0722205fedd93bc4900c53aadb876e12b26105143cfab579c04f30ca123a8a5f")
"""The API's version, and the digest of its paths and schemas. Change both together."""

CHECKS = (
    not_a_server_error,
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

PATHS = sorted(
    {
        "/v1/consent", "/v1/forecast", "/v1/forecasts", "/v1/instruments", "/v1/explain", "/v1/whatif", "/v1/observations", "/v1/feedback",
        "/v1/model", "/v1/subjects/{subject}/course", "/v1/fhir/forecast", "/cds-services",
        "/cds-services/recovery-forecast", "/cds-services/recovery-forecast/feedback",
        "/cds-services/recovery-forecast-{task}", "/cds-services/recovery-forecast-{task}/feedback",
        "/readyz", "/auth/token", "/about", "/v1/corrections", "/v1/erasures",
        "/.well-known/smart-configuration",
        "/v1/fhir/whatif", "/fhir/$whatif", "/fhir/OperationDefinition/whatif",
        "/fhir/$evaluate", "/fhir/OperationDefinition/evaluate", "/fhir/metadata",
        "/v1/alerts", "/v1/alerts/decisions",
        "/v1/subjects/{subject}/points", "/v1/subjects/{subject}/alerts", "/v1/fhir/subjects/{subject}/alerts",
    }
)  # fmt: skip


UNKNOWN_FORECASTS = 1
"""Cases of feedback on a forecast that nobody gave. The service waits a second for each to come on record:
a thousand of them would wait for a quarter of an hour, and never reach what stores feedback."""


@pytest.fixture(scope="module")
def forecast_id(server: Any) -> str:
    """The id of a forecast that was given as a card; both kinds of feedback are possible on it."""
    hook = f"/cds-services/{SERVICE}"
    given = server.http.post(hook, json=as_of_today(EXAMPLES[hook])).raise_for_status().json()
    forecast_id = UUID(given["cards"][0]["uuid"]).hex
    feedback = {"forecast_id": forecast_id, "outcome": "accepted"}
    assert server.http.post("/v1/feedback", json=feedback).status_code == HTTPStatus.OK
    return forecast_id


def about(body: Any, forecast_id: str, *, today: bool) -> Any:
    """Return a case's body with a forecast on record in place of each that a case made up.

    Times are drawn from all of history, where almost none is one at which a card was decided on; so a
    card may also be given one of today.
    """
    match body:
        case {"forecast_id": str()}:
            return {**body, "forecast_id": forecast_id}
        case {"feedback": [*cards]}:
            known = {"card": str(UUID(forecast_id))}
            if today:
                known["outcomeTimestamp"] = datetime.now(UTC).isoformat()
            return {**body, "feedback": [{**each, **known} for each in cards]}
    return body


def test_every_route_is_in_the_document(server: Any) -> None:
    assert sorted(server.http.get("/openapi.json").json()["paths"]) == PATHS


def test_the_version_changes_when_the_paths_or_schemas_do() -> None:
    content = json.loads(document(WRITTEN))
    described = json.dumps([content["paths"], content["components"]], sort_keys=True)
    found = sha256(described.encode()).hexdigest()
    assert content["info"]["version"] == API_VERSION
    assert (API_VERSION, found) == PUBLISHED, (
        "the API changed: raise API_VERSION (serving/http/openapi.py), then write both here"
    )


@pytest.mark.parametrize("cases", [8, pytest.param(1_000, marks=pytest.mark.soak)])
@pytest.mark.parametrize("path", PATHS)
def test_no_case_gives_a_server_error_or_breaks_the_schema(
    server: Any, forecast_id: str, path: str, cases: int
) -> None:
    # A thousand cases of the test before may still be more than one caller may ask for.
    while (answer := server.http.get("/openapi.json")).status_code == HTTPStatus.TOO_MANY_REQUESTS:
        time.sleep(float(answer.headers["retry-after"]))
    document = answer.json()
    schema = schemathesis.openapi.from_dict(document)
    (method,) = document["paths"][path]
    operation = schema[path][method.upper()]
    drawn = 0

    @settings(
        max_examples=cases, deadline=None, suppress_health_check=list(HealthCheck),
        phases=[Phase.generate], derandomize=True, database=None,
    )  # fmt: skip
    @given(case=operation.as_strategy())
    def run(case: Any) -> None:
        nonlocal drawn
        drawn += 1
        if drawn > UNKNOWN_FORECASTS:
            case.body = about(case.body, forecast_id, today=drawn % 2 == 0)
        headers = dict(server.http.headers)
        answer = case.call(base_url=server.address, headers=headers, timeout=30)
        assert answer.status_code < 500, answer.text
        case.validate_response(answer, checks=CHECKS)

    run()


def test_the_document_is_public_and_holds_no_secret(server: Any) -> None:
    assert httpx.get(f"{server.address}/openapi.json").status_code == 200
