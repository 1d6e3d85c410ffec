"""Pages of declared origins, as the public sandbox of CDS Hooks is one, and of others."""

from __future__ import annotations

from typing import Any

import pytest

from tests.serving.http.standards.shapes import sandbox

HOOK = "/cds-services/recovery-forecast"
SANDBOX = "https://sandbox.cds-hooks.org"


@pytest.fixture
def declared(application: Any) -> Any:
    application.runtime.origins = (SANDBOX,)
    return application


@pytest.mark.parametrize("path", ["/cds-services", HOOK, f"{HOOK}/feedback"])
def test_a_preflight_is_answered_without_a_token(declared: Any, path: str) -> None:
    method = "GET" if path == "/cds-services" else "POST"
    answer = declared.ask(
        path, method="OPTIONS", Authorization="", Origin=SANDBOX,
        Access_Control_Request_Method=method,
        Access_Control_Request_Headers="accept,authorization,content-type",
    )  # fmt: skip
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == SANDBOX
    assert "authorization" in answer.headers["access-control-allow-headers"].lower()
    assert method in answer.headers["access-control-allow-methods"]
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize(
    ("path", "body", "token", "status"),
    [
        ("/cds-services", None, "", 200),
        (HOOK, sandbox(), None, 200),
        (HOOK, {**sandbox(), "prefetch": {}}, None, 412),
        (HOOK, {"hook": 1}, None, 400),
        (HOOK, sandbox(), "Bearer x", 401),
        ("/nowhere", None, None, 404),
    ],
)
def test_every_answer_names_a_declared_origin_also_an_error(
    declared: Any, path: str, body: Any, token: str | None, status: int
) -> None:
    more = {} if token is None else {"Authorization": token}
    answer = declared.ask(path, body, Origin=SANDBOX, **more)
    assert answer.status_code == status
    assert answer.headers["access-control-allow-origin"] == SANDBOX
    assert "Origin" in answer.headers["vary"]


@pytest.mark.parametrize("origin", ["https://evil.test", f"{SANDBOX}.evil.test", "null"])
def test_another_origin_is_not_named(declared: Any, origin: str) -> None:
    preflight = declared.ask(
        HOOK, method="OPTIONS", Origin=origin, Access_Control_Request_Method="POST"
    )
    assert preflight.status_code == 400
    for answer in (preflight, declared.ask(HOOK, sandbox(), Origin=origin)):
        assert "access-control-allow-origin" not in answer.headers


def test_by_default_there_is_none(application: Any) -> None:
    answer = application.ask(HOOK, sandbox(), Origin=SANDBOX)
    assert answer.status_code == 200
    assert "access-control-allow-origin" not in answer.headers
