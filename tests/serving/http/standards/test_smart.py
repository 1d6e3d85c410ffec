"""What the service says that it grants is what it grants."""

from __future__ import annotations

import secrets
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import jwt
import pytest

from serving.access.authentication import read_access
from serving.http.examples import examples_of

PATH = "/.well-known/smart-configuration"
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def test_a_backend_service_finds_out_where_and_how_it_gets_a_token(
    server: Any, signers: Any
) -> None:
    answer = httpx.get(f"{server.address}{PATH}", headers={"Accept": "text/html"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    told = answer.json()
    assert told["grant_types_supported"] == ["client_credentials"]
    assert told["token_endpoint_auth_methods_supported"] == ["private_key_jwt"]
    assert told["code_challenge_methods_supported"] == ["S256"]
    assert {"client-confidential-asymmetric", "permission-v1", "permission-v2"} == set(
        told["capabilities"]
    )
    kinds = ("CarePlan", "Condition", "Observation", "Patient", "Procedure", "RiskAssessment")
    assert set(told["scopes_supported"]) == {
        "forecast", "cds", *(f"system/{kind}.rs" for kind in kinds),
    }  # fmt: skip
    issued = asked(server, signers, told, scope=" ".join(told["scopes_supported"]))
    assert issued.status_code == 200, issued.text
    assert issued.json()["scope"] == " ".join(told["scopes_supported"])


# What a client of `forecast` and `cds` asks for, what it gets, and the routes that this opens.
SMART: dict[str, tuple[str, dict[str, int]]] = {
    "system/Patient.r system/Observation.r": (
        "system/Observation.r system/Patient.r", {"/v1/forecast": 403, "/v1/observations": 403},
    ),
    "system/Patient.r": ("system/Patient.r", {"/v1/forecast": 403}),
    "system/Observation.cruds cds": (
        "cds system/Observation.rs", {"/v1/forecast": 403, "/v1/observations": 403},
    ),
    "system/RiskAssessment.rs": (
        "system/RiskAssessment.rs", {"/v1/forecast": 200, "/v1/observations": 403},
    ),
}  # fmt: skip


@pytest.mark.parametrize("scope", SMART)
def test_a_token_of_smart_scopes_opens_what_they_say(server: Any, signers: Any, scope: str) -> None:
    granted, routes = SMART[scope]
    told = httpx.get(f"{server.address}{PATH}").json()
    issued = asked(server, signers, told, scope=scope).json()
    assert issued["scope"] == granted
    headers = {"Authorization": f"Bearer {issued['access_token']}"}
    examples = examples_of(datetime.now(UTC).date())
    for route, status in routes.items():
        answer = server.http.post(route, json=examples[route], headers=headers)
        assert answer.status_code == status, answer.text


@pytest.mark.parametrize(
    "scope", ["patient/Observation.rs", "system/Observation.c", "all", "openid fhirUser", " "]
)
def test_an_unknown_scope_is_refused_as_oauth_says(server: Any, signers: Any, scope: str) -> None:
    told = httpx.get(f"{server.address}{PATH}").json()
    refused = asked(server, signers, told, scope=scope)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_scope")
    assert set(refused.json()) == {"error", "error_description"}


def asked(server: Any, signers: Any, told: dict[str, Any], **form: str) -> httpx.Response:
    """Ask for a token as the service's own document says."""
    endpoint, now = told["token_endpoint"], int(time.time())
    claims = {
        "iss": "ehr", "sub": "ehr", "aud": endpoint, "iat": now, "exp": now + 60,
        "jti": secrets.token_hex(8),
    }  # fmt: skip
    usual = {
        "grant_type": "client_credentials",
        "client_assertion_type": ASSERTION,
        "client_assertion": jwt.encode(claims, signers.client, "ES384", headers={"kid": "c"}),
    }
    return httpx.post(f"{server.address}{urlsplit(endpoint).path}", data={**usual, **form})


def test_a_service_without_tokens_of_its_own_says_so(application: Any, tmp_path: Path) -> None:
    assert application.ask(PATH).status_code == 404
    (tmp_path / "access.toml").write_text('audience = "https://here.test"\n')
    application.runtime.access = read_access(tmp_path / "access.toml")
    assert application.ask(PATH, Authorization="").status_code == 404
