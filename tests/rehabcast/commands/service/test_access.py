"""Keys and clients by command: private files, and a token that the service takes."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc.jwk import ECKey
from typer.testing import CliRunner

from contracts.errors import RehabcastError
from rehabcast.commands.service import access as commands
from rehabcast.main import app
from serving.access.authentication import authenticate, read_access
from serving.access.grants import grant, token_form

Run = Callable[..., Any]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    before = os.umask(0)
    monkeypatch.setattr(os, "umask", os.umask)

    def call(*words: str, code: int = 0) -> Any:
        done = CliRunner().invoke(app, ["access", *words])
        if isinstance(done.exception, RehabcastError):
            assert code == done.exception.exit_code, done.exception
            return str(done.exception)
        assert done.exit_code == code, done.output
        return json.loads(done.stdout) if "--json" in words else done.stdout

    yield call
    os.umask(before)


def test_a_client_gets_a_token_with_nothing_but_commands(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = run("init", "access", "--audience", "https://here.test", "--json")
    assert made == {"access": "access/access.toml", "made": ["access/token-key.pem"]}
    monkeypatch.setenv("REHABCAST_ACCESS", "access/access.toml")
    run("add-client", "ehr", "--scopes", "forecast cds", "--tenant", "north")
    file = tmp_path / "access" / "access.toml"
    trusted = read_access(file)
    assert (trusted.clients["ehr"].scopes, trusted.clients["ehr"].tenant) == (
        {"forecast", "cds"}, "north",
    )  # fmt: skip
    listed = run("list", "--json")
    assert listed["trusted"] == [
        {"kind": "client", "name": "ehr", "tenant": "north", "scopes": ["cds", "forecast"]}
    ]

    def answer(url: str, data: dict[str, str], **_: Any) -> httpx.Response:
        assert url == "https://here.test/auth/token"
        form = token_form(httpx.Request("POST", url, data=data).read())
        issued = grant(
            trusted, form, path="/auth/token", now=datetime.now(UTC), use_once=lambda *_: True
        )
        return httpx.Response(200, json=issued)

    monkeypatch.setattr(commands.httpx, "post", answer)
    token = run("token", "ehr", "--scopes", "cds").strip()
    caller = authenticate(
        trusted, token, path="/cds-services", peer="10.0.0.9", now=datetime.now(UTC),
        use_once=lambda *_: True,
    )  # fmt: skip
    assert (caller.name, caller.scopes, caller.tenant) == ("client:ehr", {"cds"}, "north")
    private = [path for path in (tmp_path / "access").rglob("*")]
    assert {stat.S_IMODE(path.stat().st_mode) for path in private} == {0o600}
    assert stat.S_IMODE((tmp_path / "access").stat().st_mode) == 0o700
    run("remove-client", "ehr")
    assert read_access(file).clients == {}
    assert "no client ehr" in run("remove-client", "ehr", code=4)


def test_issuers_and_keys_that_others_made(run: Run, tmp_path: Path) -> None:
    run("init", "access")
    where = ("--access", "access/access.toml")
    public = ECKey.generate_key("P-256", {"kid": "one"})
    (tmp_path / "theirs.json").write_text(json.dumps({"keys": [public.as_dict(private=False)]}))
    run("add-client", "lab", "--scopes", "observe", "--jwks", "theirs.json", *where)
    run("add-issuer", "https://idp.test", "--jwks", "https://idp.test/keys", *where)
    claim = ("--tenant-claim", "hospital", "--tenants", "north south")
    run("add-issuer", "https://two.test", "--jwks", "https://two.test/keys", *claim, *where)
    trusted = read_access(tmp_path / "access" / "access.toml")
    assert trusted.clients["lab"].keys.find("one") is not None
    assert trusted.issuers["https://two.test"].tenants == {"north", "south"}
    assert "https://two.test" in run("list", *where)


def test_what_would_be_wrong_changes_nothing(run: Run, tmp_path: Path) -> None:
    run("init", "access")
    file = tmp_path / "access" / "access.toml"
    where = ("--access", str(file))
    run("add-client", "ehr", "--scopes", "cds", *where)
    before = {path: path.read_bytes() for path in file.parent.iterdir()}
    private = ECKey.generate_key("P-256", {"kid": "one"})
    (tmp_path / "private.json").write_text(json.dumps({"keys": [private.as_dict(private=True)]}))
    for words in (
        ("add-client", "ehr", "--scopes", "cds"),
        ("add-client", "EHR", "--scopes", "cds"),
        ("add-client", "../x", "--scopes", "cds"),
        ("add-client", "development", "--scopes", "cds"),
        ("add-client", "lab", "--scopes", "fly"),
        ("add-client", "lab", "--scopes", " "),
        ("add-client", "lab", "--scopes", "cds", "--tenant", "ehr"),
        ("add-client", "lab", "--scopes", "cds", "--jwks", "missing.json"),
        ("add-client", "lab", "--scopes", "cds", "--jwks", "private.json"),
        ("add-issuer", "ehr", "--jwks", "https://idp.test/keys"),
        ("add-issuer", "i", "--jwks", "https://idp.test/keys", "--tenant-claim", "t"),
    ):
        run(*words, *where, code=3)
        assert {path: path.read_bytes() for path in file.parent.iterdir()} == before, words
    run("init", "access", code=3)
    assert {path: path.read_bytes() for path in file.parent.iterdir()} == before
    assert "audience" in run("init", "other", "--audience", "here", code=3)


@pytest.mark.parametrize("address", ["http://keys.test/x", "https://u:p@keys.test/x", "ftp://x/y"])
def test_an_address_that_the_service_would_refuse_is_not_added(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    run("init", "access")
    monkeypatch.setenv("REHABCAST_ACCESS", "access/access.toml")
    before = (tmp_path / "access/access.toml").read_bytes()
    said = run("add-client", "lab", "--scopes", "forecast", "--jwks", address, code=3)
    assert "client 'lab'" in said
    assert address not in said
    assert "issuer 'idp'" in run("add-issuer", "idp", "--jwks", address, code=3)
    assert (tmp_path / "access/access.toml").read_bytes() == before
    run("list")


def test_a_name_that_is_too_long_is_refused_without_all_of_it(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("init", "access")
    monkeypatch.setenv("REHABCAST_ACCESS", "access/access.toml")
    said = run("add-client", "a" * 3_000, "--scopes", "forecast", code=3)
    assert "it is longer than 200 characters" in said
    assert len(said) < 200


def test_a_key_that_another_has_is_refused_before_anything_is_written(
    run: Run, tmp_path: Path
) -> None:
    run("init", "access")
    there = ("--access", "access/access.toml")
    run("add-client", "ehr", "--scopes", "forecast", *there)
    taken = tmp_path / "taken.json"
    keys = json.loads((tmp_path / "access" / "ehr.json").read_text())
    keys["keys"][0]["kid"] = "lab"
    taken.write_text(json.dumps(keys))
    file = tmp_path / "access" / "access.toml"
    before, files = file.read_bytes(), sorted(file.parent.iterdir())
    said = run("add-client", "lab", "--scopes", "forecast", "--jwks", str(taken), *there, code=3)
    assert "the client 'ehr' and the client 'lab' have the same key" in said
    said = run("add-issuer", "https://idp.test", "--jwks", str(taken), *there, code=3)
    assert "have the same key" in said
    assert (file.read_bytes(), sorted(file.parent.iterdir())) == (before, files)
