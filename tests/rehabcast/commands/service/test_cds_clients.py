"""A record system is added by command, and then calls what the command printed."""

from __future__ import annotations

import json
import secrets
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey
from typer.testing import CliRunner

from contracts.errors import RehabcastError
from rehabcast.main import app
from serving.access.authentication import Access, authenticate, read_access

ACCESS = ("--access", "access/access.toml")


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    run("init", "access", "--audience", "https://here.test")
    return tmp_path / "access" / "access.toml"


def run(*words: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, ["access", *words])
    if isinstance(done.exception, RehabcastError):
        assert code == done.exception.exit_code, done.exception
        return str(done.exception)
    assert done.exit_code == code, done.output
    return done.stdout


def sent(key: Any, algorithm: str, issuer: str, audience: str, seconds: int) -> str:
    now = int(time.time())
    claims = {
        "iss": issuer, "aud": audience, "iat": now, "exp": now + seconds,
        "jti": secrets.token_hex(8),
    }  # fmt: skip
    header = {"alg": algorithm, "kid": "k", "typ": "JWT"}
    return jwt.encode(header, claims, key, algorithms=[algorithm])


# As the public sandbox signs its tokens, and as Epic does: for a quarter of an hour, with RSA.
SYSTEMS: dict[str, tuple[Any, str, int]] = {
    "https://sandbox.test": (ECKey.generate_key("P-384", {"kid": "k"}), "ES384", 300),
    "https://epic.test/oauth2": (RSAKey.generate_key(2048, {"kid": "k"}), "RS384", 900),
}


@pytest.mark.parametrize("issuer", SYSTEMS)
def test_a_system_that_was_added_calls_what_it_was_told(
    file: Path, tmp_path: Path, issuer: str
) -> None:
    key, algorithm, seconds = SYSTEMS[issuer]
    (tmp_path / "theirs.json").write_text(json.dumps({"keys": [key.as_dict(private=False)]}))
    words = ("add-cds-client", issuer, "--jwks", "theirs.json", "--tenant", "north")
    told = json.loads(run(*words, "--longest-seconds", str(seconds), *ACCESS, "--json"))
    assert told["discovery"] == "https://here.test/cds-services"
    trusted = read_access(file)
    for address in (told["service"], told["feedback"]):
        token = sent(key, algorithm, issuer, address, seconds)
        caller = _caller(trusted, token, address)
        assert (caller.name, caller.tenant) == (f"cds:{issuer}", "north")
    listed = json.loads(run("list", *ACCESS, "--json"))["trusted"]
    assert [(each["kind"], each["name"]) for each in listed] == [("CDS client", issuer)]
    run("remove-client", issuer, *ACCESS)
    assert not read_access(file).cds_clients


def _caller(trusted: Access, token: str, address: str) -> Any:
    return authenticate(
        trusted, token, path=address.removeprefix(trusted.audience), peer="10.0.0.9",
        now=datetime.now(UTC), use_once=lambda *_: True,
    )  # fmt: skip


def test_what_is_printed_names_every_address_that_tokens_are_for(file: Path) -> None:
    said = run("add-cds-client", "https://ehr.test", "--jwks", "https://ehr.test/jwk", *ACCESS)
    for address in ("", "/recovery-forecast", "/recovery-forecast/feedback"):
        assert f" https://here.test/cds-services{address}\n" in said
    assert "at most 300 seconds" in said
    assert read_access(file).cds_clients["https://ehr.test"].jku == "https://ehr.test/jwk"


def test_a_system_can_be_added_after_another_was_removed(file: Path, tmp_path: Path) -> None:
    """The name of its file of keys was that of an entry that is still there."""
    for number in range(1, 4):
        key = ECKey.generate_key("P-256", {"kid": f"k{number}"})
        theirs = json.dumps({"keys": [key.as_dict(private=False)]})
        (tmp_path / f"{number}.json").write_text(theirs)
    add = [("add-cds-client", f"https://{n}.test", "--jwks", f"{n}.json") for n in range(1, 4)]
    run(*add[0], *ACCESS)
    run(*add[1], *ACCESS)
    said = run("remove-client", "https://1.test", *ACCESS)
    assert "cds-client-1.json, can be deleted" in said
    run(*add[2], *ACCESS)
    assert set(read_access(file).cds_clients) == {"https://2.test", "https://3.test"}


@pytest.mark.parametrize(
    "words",
    [
        ("https://ehr.test", "--jwks", "http://keys.test/x"),
        ("https://ehr.test", "--jwks", "missing.json"),
        ("https://ehr.test", "--jwks", "https://keys.test/x", "--tenant", "a b"),
        ("https://ehr.test", "--jwks", "https://taken.test/x"),
        ("https://here.test", "--jwks", "https://keys.test/x"),
        (" ", "--jwks", "https://keys.test/x"),
    ],
)
def test_what_the_service_would_refuse_is_not_added(file: Path, words: tuple[str, ...]) -> None:
    run("add-cds-client", "https://taken.test", "--jwks", "https://taken.test/x", *ACCESS)
    before = file.read_bytes()
    run("add-cds-client", *words, *ACCESS, code=3)
    assert file.read_bytes() == before
