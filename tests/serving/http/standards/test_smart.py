"""What the service says that it grants is what it grants."""

from __future__ import annotations

import secrets
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import jwt

from serving.access.authentication import read_access

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
    assert "client-confidential-asymmetric" in told["capabilities"]
    assert set(told["scopes_supported"]) == {"forecast", "cds"}
    endpoint, now = told["token_endpoint"], int(time.time())
    claims = {
        "iss": "ehr", "sub": "ehr", "aud": endpoint, "iat": now, "exp": now + 60,
        "jti": secrets.token_hex(8),
    }  # fmt: skip
    form = {
        "grant_type": "client_credentials",
        "scope": " ".join(told["scopes_supported"]),
        "client_assertion_type": ASSERTION,
        "client_assertion": jwt.encode(claims, signers.client, "ES384", headers={"kid": "c"}),
    }
    issued = httpx.post(f"{server.address}{urlsplit(endpoint).path}", data=form)
    assert issued.status_code == 200, issued.text
    assert issued.json()["scope"] == "cds forecast"


def test_a_service_without_tokens_of_its_own_says_so(application: Any, tmp_path: Path) -> None:
    assert application.ask(PATH).status_code == 404
    (tmp_path / "access.toml").write_text('audience = "https://here.test"\n')
    application.runtime.access = read_access(tmp_path / "access.toml")
    assert application.ask(PATH, Authorization="").status_code == 404
