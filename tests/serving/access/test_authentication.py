from __future__ import annotations

import hashlib
import hmac
import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from contracts.errors import ContractError
from serving.access.authentication import (
    JWT_BEARER,
    Access,
    Caller,
    allow,
    authenticate,
    grant,
    read_access,
)
from serving.access.tokens import AccessDenied
from serving.http.endpoints import ENDPOINTS
from serving.http.examples import RECORD

AUDIENCE = "https://rehabcast.test"


class Once:
    def __init__(self) -> None:
        self.seen: set[str] = set()

    def __call__(self, token: str, expires: int, now: datetime) -> bool:
        fresh = token not in self.seen
        self.seen.add(token)
        return fresh


@pytest.fixture(scope="module")
def access(write_access: Any, signers: Any, tmp_path_factory: pytest.TempPathFactory) -> Access:
    folder = tmp_path_factory.mktemp("access")
    write_access(folder, signers)
    return read_access(folder / "access.toml")


def who(access: Access, token: str, once: Any = None, peer: str = "10.0.0.9") -> Caller:
    return authenticate(
        access,
        token,
        path="/v1/forecast",
        peer=peer,
        now=datetime.now(UTC),
        use_once=once or Once(),
    )


def test_a_token_of_the_issuer_names_the_caller_and_the_scopes(
    access: Access, signers: Any
) -> None:
    caller = who(access, signers.issued(scope="forecast explain"))
    assert caller == Caller("dr", frozenset({"forecast", "explain"}))
    allow(caller, "explain")
    with pytest.raises(AccessDenied) as denied:
        allow(caller, "metrics")
    assert denied.value.status == 403


def test_elliptic_curves_are_taken_too(access: Access, signers: Any) -> None:
    assert who(access, signers.issued(signers.ec, "ES256", "ec")).name == "dr"


def bad_tokens(signers: Any) -> dict[str, str]:
    now = int(time.time())
    public = signers.rsa.public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    claims = {"iss": "https://idp.test", "aud": AUDIENCE, "exp": now + 60, "scope": "forecast"}
    header = {"kid": "rsa"}

    def part(content: dict[str, Any]) -> str:
        return jwt.utils.base64url_encode(json.dumps(content).encode()).decode()

    signing = f"{part({'alg': 'HS256', 'kid': 'rsa'})}.{part(claims)}"
    confused = jwt.utils.base64url_encode(
        hmac.new(pem, signing.encode(), hashlib.sha256).digest()
    ).decode()
    return {
        "none given": "",
        "not a JWT": "abc",
        "expired": signers.issued(exp=now - 120),
        "wrong audience": signers.issued(aud="https://elsewhere.test"),
        "wrong issuer": signers.issued(iss="https://evil.test"),
        "alg none": jwt.encode(claims, None, algorithm="none", headers=header),
        "HS with the public key": f"{signing}.{confused}",
        "unknown kid": signers.issued(kid="other"),
        "another key under a known kid": signers.issued(signers.ec, "ES256", "rsa"),
        "without expiry": jwt.encode(
            {k: v for k, v in claims.items() if k != "exp"}, signers.rsa, "RS256", header
        ),
        "PS is not an accepted algorithm": jwt.encode(claims, signers.rsa, "PS256", header),
        "changed": signers.issued()[:-4] + "AAAA",
    }


def test_every_bad_token_is_refused(access: Access, signers: Any) -> None:
    for what, token in bad_tokens(signers).items():
        with pytest.raises(AccessDenied) as denied:
            who(access, token)
        assert denied.value.status == 401, what


def test_a_client_signs_for_itself_once_and_for_five_minutes_at_most(
    access: Access, signers: Any
) -> None:
    once, token = Once(), signers.asserted()
    assert who(access, token, once) == Caller("ehr", frozenset({"forecast", "cds"}))
    with pytest.raises(AccessDenied, match="used before"):
        who(access, token, once)
    with pytest.raises(AccessDenied, match="five minutes"):
        who(access, signers.asserted(exp=int(time.time()) + 3600))
    with pytest.raises(AccessDenied, match="needs a jti"):
        who(access, signers.asserted(jti=""))
    assert who(access, signers.asserted(aud=f"{AUDIENCE}/v1/forecast")).name == "ehr"
    with pytest.raises(AccessDenied, match="is not valid"):
        who(access, signers.asserted(aud=f"{AUDIENCE}/v1/model"))


def token_request(signers: Any, **changes: Any) -> dict[str, str]:
    return {
        "grant_type": "client_credentials",
        "client_assertion_type": JWT_BEARER,
        "client_assertion": signers.asserted(aud=f"{AUDIENCE}/auth/token"),
        "scope": "forecast",
        **changes,
    }


def test_a_backend_service_gets_a_token_that_is_valid_many_times(
    access: Access, signers: Any
) -> None:
    once = Once()
    form = token_request(signers)
    issued = grant(access, form, path="/auth/token", now=datetime.now(UTC), use_once=once)
    assert issued["scope"] == "forecast"
    for _ in range(3):
        assert who(access, issued["access_token"]) == Caller("ehr", frozenset({"forecast"}))
    with pytest.raises(AccessDenied, match="used before"):
        grant(access, form, path="/auth/token", now=datetime.now(UTC), use_once=once)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"grant_type": "password"}, "grant_type"),
        ({"client_assertion": "x"}, "not a JWT"),
        ({"scope": "metrics"}, "may not have"),
    ],
)
def test_a_bad_token_request_is_refused(
    access: Access, signers: Any, changes: dict[str, str], reason: str
) -> None:
    with pytest.raises(AccessDenied, match=reason):
        grant(
            access,
            token_request(signers, **changes),
            path="/auth/token",
            now=datetime.now(UTC),
            use_once=Once(),
        )


def test_the_development_token_is_valid_on_this_machine_only() -> None:
    access = Access(development_token="made up")  # noqa: S106
    assert who(access, "made up", peer="127.0.0.1").name == "development"
    with pytest.raises(AccessDenied, match="this machine only"):
        who(access, "made up", peer="10.0.0.9")


def test_an_access_file_that_is_wrong_says_where(tmp_path: Path) -> None:
    file = tmp_path / "access.toml"
    file.write_text('audience = "a"\n[[client]]\nid = "x"\njwks = "k"\nscopes = ["fly"]\n')
    with pytest.raises(ContractError, match=r"unknown scopes \['fly'\]"):
        read_access(file)
    file.write_text("nothing")
    with pytest.raises(ContractError, match=r"access\.toml: cannot be read"):
        read_access(file)


def test_every_bad_token_is_refused_at_every_route(server: Any, signers: Any) -> None:
    """Authorization matrix: all routes by all kinds of bad token, over HTTP."""
    tokens = {**bad_tokens(signers), "used before": signers.asserted(scope="cds")}
    used = {"Authorization": f"Bearer {tokens['used before']}"}
    server.http.get("/v1/model", headers=used)
    routes = [(e.method, e.path) for e in ENDPOINTS if e.scope is not None]
    for method, path in [*routes, ("GET", "/metrics")]:
        for what, token in tokens.items():
            headers = {"Authorization": f"Bearer {token}".strip()}
            answer = server.http.request(
                method, path, headers=headers, json={} if method == "POST" else None
            )
            assert answer.status_code == 401, (path, what, answer.text)
            assert answer.headers["www-authenticate"].startswith("Bearer")
        answer = server.http.request(
            method,
            path,
            headers={"Authorization": f"Bearer {signers.issued(scope='nothing')}"},
            json={} if method == "POST" else None,
        )
        assert answer.status_code == 403, path


def test_a_backend_service_asks_over_http(server: Any, signers: Any) -> None:
    form = token_request(signers)
    issued = server.http.post("/auth/token", data=form)
    assert issued.status_code == 200, issued.text
    assert server.http.post("/auth/token", data=form).status_code == 401
    headers = {"Authorization": f"Bearer {issued.json()['access_token']}"}
    assert server.http.post("/v1/forecast", json=RECORD, headers=headers).status_code == 200
    assert server.http.get("/v1/model", headers=headers).status_code == 403
