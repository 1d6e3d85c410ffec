"""Who gets in: by a trial on this machine, by an identity provider, and who does not."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.access.access_file import read_access, written_as_toml
from serving.http.middleware import RequestMiddleware
from serving.http.runtime import Runtime
from serving.http.shutdown import Shutdown
from serving.pages.mounted import Pages
from serving.pages.page import go
from serving.pages.table import PAGES
from tests.serving.conftest import Signers
from tests.serving.pages.conftest import TOKEN, Browser

TRIAL = "/pages/sign-in/trial"


@dataclass
class Provider:
    """An identity provider on this machine: discovery, keys, and the token endpoint."""

    address: str
    signers: Signers
    keys: bytes
    claims: dict[str, Any] = field(default_factory=dict)
    asked: dict[str, str] = field(default_factory=dict)
    beside: dict[str, str] = field(default_factory=dict)
    """What comes beside the token, such as the patient of a launch."""
    sent: dict[str, str] = field(default_factory=dict)

    def sign_in(self, address: str, **claims: Any) -> dict[str, str]:
        """Play the person who signs in at the provider; return the query that it sends back."""
        self.asked = {k: v[0] for k, v in parse_qs(urlsplit(address).query).items()}
        now = int(time.time())
        self.claims = {
            "iss": self.address, "aud": "rehabcast", "sub": "dr-1", "iat": now, "exp": now + 60,
            "nonce": self.asked["nonce"], "name": "Dr. One", "groups": ["physio"], **claims,
        }  # fmt: skip
        return {"code": "a-code", "state": self.asked["state"]}

    def exchange(self, form: dict[str, str]) -> dict[str, Any] | None:
        self.sent = form
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if form["code"] != "a-code" or challenge != self.asked["code_challenge"]:
            return None
        token = jwt.encode(self.claims, self.signers.rsa, algorithm="RS256", headers={"kid": "rsa"})
        return {"id_token": token, "access_token": "unused", "token_type": "Bearer", **self.beside}


@pytest.fixture
def provider(signers: Signers, write_access: Any, tmp_path: Path) -> Iterator[Provider]:
    folder = tmp_path / "provider"
    folder.mkdir(mode=0o700)
    write_access(folder, signers)
    found: list[Provider] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            here = found[0].address
            if self.path == "/keys":
                return self.answer(200, found[0].keys)
            # The record system's SMART configuration has the same two addresses.
            document = {
                "issuer": here, "authorization_endpoint": f"{here}/authorize",
                "token_endpoint": f"{here}/token",
            }  # fmt: skip
            return self.answer(200, json.dumps(document).encode())

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            said = found[0].exchange({k: v[0] for k, v in parse_qs(body).items()})
            self.answer(400 if said is None else 200, json.dumps(said or {}).encode())

        def answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    found.append(Provider(address, signers, (folder / "issuer.json").read_bytes()))
    yield found[0]
    server.shutdown()
    server.server_close()


@pytest.fixture
def with_provider(
    runtime: Runtime, provider: Provider, tmp_path: Path, browser: Browser
) -> Browser:
    folder = tmp_path / "access"
    folder.mkdir(mode=0o700)
    path = folder / "access.toml"
    path.touch(mode=0o600)
    path.write_text(f"""
audience = "http://127.0.0.1:3000"
[[issuer]]
name = "{provider.address}"
jwks = "{provider.address}/keys"
tenant = "ward"
[sign_in]
issuer = "{provider.address}"
client_id = "rehabcast"
roles_claim = "groups"
clinician = ["physio"]
governance = ["board"]
launch_from = ["{provider.address}/fhir"]
""")
    access = read_access(path)
    assert access.sign_in is not None
    changed = replace(runtime, access=access)
    application = RequestMiddleware(None, lambda: changed, Shutdown(), Pages(PAGES))  # type: ignore[arg-type]
    browser.http._transport._asgi.app = application  # type: ignore[attr-defined]
    return browser


def begin(browser: Browser) -> str:
    answer = browser.http.get("/pages/sign-in/begin?back=/pages/practice")
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


def test_somebody_signs_in_with_the_hospitals_account(
    with_provider: Browser, provider: Provider
) -> None:
    assert "Sign in with your hospital" in with_provider.open("/pages/sign-in")
    query = provider.sign_in(begin(with_provider))
    assert provider.asked["code_challenge_method"] == "S256"
    back = with_provider.http.get("/pages/sign-in/done", params=query)
    assert back.headers["location"] == "/pages/practice", back.text
    cookie = next(c for c in back.headers.get_list("set-cookie") if "session" in c)
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    page = with_provider.open("/pages/patients")
    assert "Dr. One" in page
    assert "Governance" not in page
    with_provider.open("/pages/operation", status=403)
    token = with_provider.token(page, "/pages/sign-out")
    assert "Sign in" in with_provider.send("/pages/sign-out", {}, token=token).text
    assert with_provider.http.get("/pages/patients").status_code == 303


def launch(browser: Browser, provider: Provider, **claims: Any) -> Any:
    """Open the page from a record system, and sign in there."""
    address = {"iss": f"{provider.address}/fhir", "launch": "xyz123"}
    sent = browser.http.get("/pages/launch", params=address)
    assert sent.status_code == 303, sent.text
    query = provider.sign_in(sent.headers["location"], **claims)
    return browser.http.get("/pages/sign-in/done", params=query)


def test_a_record_system_opens_the_page_of_its_patient(
    with_provider: Browser, provider: Provider
) -> None:
    with_provider.add("P-1", ("REHABCAST//FUGL_MEYER_UE", 10, 20.0))
    provider.beside = {"patient": "P-1"}
    back = launch(with_provider, provider)
    assert provider.asked["launch"] == "xyz123"
    assert provider.asked["aud"] == f"{provider.address}/fhir"
    assert "launch" in provider.asked["scope"].split()
    assert provider.asked["code_challenge_method"] == "S256"
    assert back.headers["location"] == "/pages/patients/P-1", back.text
    assert "Dr. One" in with_provider.open("/pages/patients/P-1")


@pytest.mark.parametrize(
    ("beside", "claims", "says"),
    [
        ({}, {}, "did not say which patient is open"),
        ({"patient": ""}, {}, "did not say which patient is open"),
        ({"patient": "P-1"}, {"nonce": "another"}, "not that of this sign-in"),
        ({"patient": "P-1"}, {"groups": ["visitors"]}, "have no role here"),
        ({"patient": "P-1"}, {"iss": "https://another.example"}, "not from the identity provider"),
    ],
)
def test_a_launch_that_is_not_whole_signs_nobody_in(
    with_provider: Browser, provider: Provider, beside: dict[str, str], claims: dict[str, Any],
    says: str,
) -> None:  # fmt: skip
    provider.beside = beside
    refused = launch(with_provider, provider, **claims)
    assert refused.status_code in {401, 403}
    assert says in refused.text
    assert with_provider.http.get("/pages/patients").status_code == 303


@pytest.mark.parametrize("patient", ["../../about", "a b", "P.1", "//evil.example", "x" * 200])
def test_a_patient_of_a_launch_leads_to_no_other_page(
    with_provider: Browser, provider: Provider, patient: str
) -> None:
    provider.beside = {"patient": patient}
    back = launch(with_provider, provider)
    location = back.headers["location"]
    assert location.startswith("/pages/patients/")
    assert "/" not in location.removeprefix("/pages/patients/")
    assert with_provider.http.get(location).status_code in {400, 404}


def test_only_listed_record_systems_open_pages(with_provider: Browser, provider: Provider) -> None:
    for query in (
        {"iss": "https://evil.example/fhir", "launch": "x"}, {"launch": "x"},
        {"iss": provider.address, "launch": "x"},
    ):  # fmt: skip
        refused = with_provider.http.get("/pages/launch", params=query)
        assert refused.status_code == 403
        assert "may not open pages here" in refused.text
    bare = with_provider.http.get("/pages/launch", params={"iss": f"{provider.address}/fhir"})
    assert bare.status_code == 400


def test_a_sign_in_that_no_record_system_began_takes_no_patient_from_it(
    with_provider: Browser, provider: Provider
) -> None:
    provider.beside = {"patient": "P-1"}
    query = provider.sign_in(begin(with_provider))
    back = with_provider.http.get("/pages/sign-in/done", params=query)
    assert back.headers["location"] == "/pages/practice"


@pytest.mark.parametrize(
    ("claims", "says"),
    [
        ({"nonce": "another"}, "not that of this sign-in"),
        ({"aud": "another"}, "not valid"),
        ({"iss": "https://another.example"}, "not from the identity provider"),
        ({"exp": 1}, "not valid"),
        ({"azp": "another"}, "issued to another service"),
        ({"groups": ["visitors"]}, "have no role here"),
        ({"groups": "visitors physio"}, "have no role here"),
    ],
)  # fmt: skip
def test_a_token_that_is_not_of_this_sign_in_is_refused(
    with_provider: Browser, provider: Provider, claims: dict[str, Any], says: str
) -> None:
    query = provider.sign_in(begin(with_provider), **claims)
    answer = with_provider.http.get("/pages/sign-in/done", params=query)
    assert answer.status_code in {401, 403}
    assert says in answer.text
    assert with_provider.http.get("/pages/patients").status_code == 303


def test_an_answer_without_a_sign_in_of_this_browser_is_refused(
    with_provider: Browser, provider: Provider
) -> None:
    query = provider.sign_in(begin(with_provider))
    other = {**query, "state": "another"}
    assert with_provider.http.get("/pages/sign-in/done", params=other).status_code == 401
    assert with_provider.http.get(
        "/pages/sign-in/done", params={"error": "access_denied", "state": query["state"]}
    ).status_code == 401  # fmt: skip
    with_provider.http.cookies.clear()
    assert with_provider.http.get("/pages/sign-in/done", params=query).status_code == 401


def test_a_trial_is_for_whoever_has_the_token_at_this_machine(browser: Browser) -> None:
    assert browser.http.get("/").headers["location"] == "/pages/sign-in"
    wrong = browser.send(TRIAL, {"person": "Ann", "password": "guessed"}, token="")
    assert wrong.status_code == 401
    assert "guessed" not in wrong.text
    assert 'value="Ann"' in wrong.text
    forwarded = {"x-forwarded-for": "203.0.113.9"}
    form = {"person": "Ann", "password": TOKEN}
    assert browser.send(TRIAL, form, token="", **forwarded).status_code == 401
    assert "one person plays every role" in browser.send(TRIAL, form, token="").text
    assert browser.http.get("/").headers["location"] == "/pages/patients"


@pytest.mark.parametrize(
    "headers",
    [{"sec-fetch-site": "cross-site"}, {"origin": "https://evil.example"}, {"origin": "null"}],
)
def test_a_form_of_another_site_is_refused(browser: Browser, headers: dict[str, str]) -> None:
    form = {"person": "Ann", "password": TOKEN}
    assert browser.send(TRIAL, form, token="", **headers).status_code == 403


def test_a_form_without_its_token_does_nothing(browser: Browser, runtime: Runtime) -> None:
    browser.sign_in("clinician")
    form = {"code": "REHABCAST//FUGL_MEYER_UE", "value": "3", "day": "50"}
    browser.add("P-1", ("REHABCAST//FUGL_MEYER_UE", 10, 20.0))
    for token in ("", "a.b", "0" * 32 + "." + "0" * 64):
        answer = browser.send("/pages/patients/P-1/score", form, token=token)
        assert answer.status_code == 409
    assert len(runtime.store.record("ward", "P-1")[1]) == 1


def test_pages_run_no_script_and_load_nothing_from_elsewhere(browser: Browser) -> None:
    answer = browser.http.get("/pages/sign-in")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "script" not in answer.text
    assert "style=" not in answer.text
    assert answer.headers["cache-control"] == "no-store"
    for address in set(re.findall(r'(?:href|src)="([^"]+)"', answer.text)):
        assert address.startswith(("/", "#")), address


def test_only_our_own_pages_are_gone_back_to(browser: Browser) -> None:
    for back in ("https://evil.example", "//evil.example", "/pages/../x", "/pages//evil.example"):
        answer = browser.http.get("/pages/language/ur", params={"back": back})
        assert answer.headers["location"] == "/pages"
    assert browser.http.get("/pages/language/xx").status_code == 404


@given(st.text())
def test_a_header_can_hold_wherever_a_browser_is_sent(path: str) -> None:
    location = go(f"/pages/{path}").location
    assert location.isascii()
    assert location.isprintable()
    assert unquote(location) == unquote(f"/pages/{path}")


@pytest.mark.parametrize("name", ["a\r\nset-cookie: x=y", "a&b=c", "مریض"])
def test_who_is_not_signed_in_is_led_back_to_the_very_page(browser: Browser, name: str) -> None:
    answer = browser.http.get(f"/pages/patients/{quote(name)}")
    assert answer.status_code == 303
    assert answer.headers["location"].isascii()
    query = parse_qs(urlsplit(answer.headers["location"]).query)
    assert query == {"back": [f"/pages/patients/{name}"]}
    assert "set-cookie" not in answer.headers


def test_a_sign_in_is_written_as_it_is_read(with_provider: Browser, tmp_path: Path) -> None:
    from serving.access.access_file import read_access_file

    path = tmp_path / "access" / "access.toml"
    written = read_access_file(path)
    path.write_text(written_as_toml(written))
    assert read_access_file(path) == written
