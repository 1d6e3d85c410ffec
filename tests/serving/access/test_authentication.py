from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import time
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from contracts.errors import ContractError
from serving.access.authentication import Access, Caller, allow, authenticate, read_access
from serving.access.development import is_forwarded
from serving.access.grants import JWT_BEARER, TokenRequestRefused, grant
from serving.access.tokens import AccessDenied
from serving.access.trust import SCOPES
from serving.http.endpoints import ENDPOINTS
from serving.http.examples import RECORD
from tests.refusals import refuses

AUDIENCE = "https://rehabcast.test"
DOCTOR = "user:https%3A//idp.test:dr"


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
    assert caller == Caller(DOCTOR, frozenset({"forecast", "explain"}), "https://idp.test")
    allow(caller, "explain")
    with refuses(AccessDenied) as denied:
        allow(caller, "metrics")
    assert denied.value.status == 403


def test_elliptic_curves_are_taken_too(access: Access, signers: Any) -> None:
    assert who(access, signers.issued(signers.ec, "ES256", "ec")).name == DOCTOR


def bad_tokens(signers: Any) -> dict[str, str]:
    now = int(time.time())
    public = signers.rsa.public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    claims = {
        "iss": "https://idp.test", "aud": AUDIENCE, "sub": "dr", "iat": now, "exp": now + 60,
        "scope": "forecast",
    }  # fmt: skip
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
        with refuses(AccessDenied) as denied:
            who(access, token)
        assert denied.value.status == 401, what


def test_a_client_signs_for_itself_once_and_for_five_minutes_at_most(
    access: Access, signers: Any
) -> None:
    once, token = Once(), signers.asserted()
    assert who(access, token, once) == Caller("client:ehr", frozenset({"forecast", "cds"}), "ehr")
    with refuses(AccessDenied, match="used before"):
        who(access, token, once)
    with refuses(AccessDenied, match="five minutes"):
        who(access, signers.asserted(exp=int(time.time()) + 3600))
    with refuses(AccessDenied, match="needs a jti"):
        who(access, signers.asserted(jti=""))
    assert who(access, signers.asserted(aud=f"{AUDIENCE}/v1/forecast")).name == "client:ehr"
    with refuses(AccessDenied, match="is not valid"):
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
        assert who(access, issued["access_token"]) == Caller(
            "client:ehr", frozenset({"forecast"}), "ehr"
        )
    with refuses(TokenRequestRefused, match="used before"):
        grant(access, form, path="/auth/token", now=datetime.now(UTC), use_once=once)


DEVELOPMENT = "made-up-development-token"


def test_the_development_token_is_valid_on_this_machine_only() -> None:
    access = Access(development_token=DEVELOPMENT)
    for peer in ("127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"):
        caller = who(access, DEVELOPMENT, peer=peer)
        assert (caller.name, caller.tenant) == ("development", "development")
    for peer in (
        "10.0.0.9",
        "",
        "testclient",
        "localhost",
        "127.0.0.1.evil.test",
        "::ffff:10.0.0.1",
    ):
        with refuses(AccessDenied, match="this machine only"):
            who(access, DEVELOPMENT, peer=peer)


def test_an_empty_token_never_equals_an_absent_or_empty_one() -> None:
    for missing in ("", " ", "\t", "short", "x" * 19, " " * 30):
        with refuses(ContractError, match="shorter than 20"):
            Access(development_token=missing)
    for access in (Access(), Access(development_token=DEVELOPMENT)):
        for token in ("", " ", "None", DEVELOPMENT[:-1], DEVELOPMENT + " "):
            with refuses(AccessDenied):
                who(access, token, peer="127.0.0.1")


PROXY_HEADERS = (
    "Forwarded", "X-Forwarded-For", "x-forwarded-host", "X-FORWARDED-PROTO", "Via", "X-Real-IP",
)  # fmt: skip


def test_what_a_proxy_adds_is_known_in_any_spelling() -> None:
    for name in (*PROXY_HEADERS, "X-Forwarded-Ssl", "x-forwarded"):
        assert is_forwarded([(b"host", b"x"), (name.encode(), b"")]), name
    assert not is_forwarded([(b"host", b"x"), (b"x-forwarder", b""), (b"not-via", b"")])
    assert not is_forwarded([])


def test_the_development_token_is_not_valid_through_a_proxy(server: Any) -> None:
    """Behind a proxy on the same host every request seems to come from this machine."""
    assert server.http.get("/v1/model").status_code == 200
    for name in PROXY_HEADERS:
        assert is_forwarded([(name.lower().encode(), b"")])
        for value in ("for=10.0.0.9", "127.0.0.1", ""):
            answer = server.http.get("/v1/model", headers={name: value})
            assert answer.status_code == 401, (name, value)
            assert "through a proxy" in answer.json()["reason"]
    assert not is_forwarded([(b"host", b"x"), (b"authorization", b"Bearer x")])


@pytest.mark.parametrize("value", ["", "Bearer", "Bearer ", "Bearer  ", "Bearer \t", "bearer None"])
def test_an_empty_bearer_token_opens_nothing(server: Any, value: str) -> None:
    # Without httpx, which sends no blank at the end of a header.
    address = httpx.URL(server.address)
    for path in ("/v1/model", "/metrics"):
        with closing(http.client.HTTPConnection(str(address.host), address.port)) as connection:
            connection.request("GET", path, headers={"Authorization": value})
            assert connection.getresponse().status == 401, path


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
            challenge = answer.headers["www-authenticate"]
            assert challenge.startswith('Bearer realm="rehabcast"')
            assert ('error="invalid_token"' in challenge) is (token != ""), what
        answer = server.http.request(
            method,
            path,
            headers={"Authorization": f"Bearer {signers.issued(scope='nothing')}"},
            json={} if method == "POST" else None,
        )
        assert answer.status_code == 403, path
        assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]


def test_a_backend_service_asks_over_http(server: Any, signers: Any) -> None:
    form = token_request(signers)
    issued = server.http.post("/auth/token", data=form)
    assert issued.status_code == 200, issued.text
    assert issued.headers["cache-control"] == "no-store"
    refused = server.http.post("/auth/token", data=form)
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")
    assert set(refused.json()) == {"error", "error_description"}
    assert refused.headers["www-authenticate"].startswith("Bearer")
    twice = b"grant_type=client_credentials&grant_type=client_credentials"
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = server.http.post("/auth/token", content=twice, headers=kind)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    headers = {"Authorization": f"Bearer {issued.json()['access_token']}"}
    assert server.http.post("/v1/forecast", json=RECORD, headers=headers).status_code == 200
    assert server.http.get("/v1/model", headers=headers).status_code == 403


EVERY_SCOPE = sorted(SCOPES)
OPEN = {
    "/auth/token", "/cds-services", "/readyz", "/livez", "/healthz", "/openapi.json", "/about",
    "/.well-known/smart-configuration", "/fhir/metadata", "/fhir/OperationDefinition/evaluate",
    "/fhir/OperationDefinition/whatif",
}  # fmt: skip


def test_each_route_takes_its_own_scope_and_no_other(server: Any, signers: Any) -> None:
    """The table of roles: every route by every scope, and by all scopes but its own."""
    needed = {(e.method, e.path): e.scope for e in ENDPOINTS} | {("GET", "/metrics"): "metrics"}
    assert {path for (_, path), scope in needed.items() if scope is None} <= OPEN
    assert {scope for scope in needed.values() if scope is not None} == SCOPES
    for (method, path), scope in needed.items():
        if scope is None:
            continue
        others = " ".join(each for each in EVERY_SCOPE if each != scope)
        for granted in (*EVERY_SCOPE, others, "", scope.upper(), f"{scope}s", f"{scope},x"):
            token = signers.issued(scope=granted)
            body = {} if method == "POST" else None
            answer = server.http.request(
                method, path, json=body, headers={"Authorization": f"Bearer {token}"}
            )
            allowed = granted == scope
            assert (answer.status_code not in {401, 403}) is allowed, (path, granted)
            if not allowed:
                assert answer.status_code == 403
                assert f'scope="{scope}"' in answer.headers["www-authenticate"]


def test_a_token_of_an_issuer_is_checked_within_a_millisecond(access: Access, signers: Any) -> None:
    token = signers.issued(signers.ec, "ES256", "ec")
    who(access, token)
    times = []
    for _ in range(200):
        started = time.perf_counter()
        who(access, token)
        times.append(time.perf_counter() - started)
    print(f"a token of an issuer: median {sorted(times)[100] * 1e3:.2f} ms, ES256")  # noqa: T201
    assert sorted(times)[20] < 0.001
