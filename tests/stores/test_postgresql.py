"""No secret reaches a command line, and a program of another version is never trusted."""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from contracts.errors import ServiceUnavailable
from stores import postgresql

SECRET = "a b'c\"d\\e%/@ "  # noqa: S105

FAKE = f"""#!{sys.executable}
import json, os, pathlib, sys
if "--version" in sys.argv:
    print("pg_dump (PostgreSQL) 16.14")
    raise SystemExit
service = pathlib.Path(os.environ["PGSERVICEFILE"])
pathlib.Path(__file__).with_name("seen.json").write_text(json.dumps(
    dict(argv=sys.argv, password=os.environ.get("PGPASSWORD"), service=service.read_text(),
         mode=service.stat().st_mode, name=os.environ["PGSERVICE"])))
"""


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    program = tmp_path / "pg_dump"
    program.write_text(FAKE)
    program.chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(postgresql, "_require_same_version", lambda path, url: None)
    return tmp_path


def test_the_connection_reaches_the_program_but_no_command_line(programs: Path) -> None:
    url = make_url("postgresql://ann@host:5433/data?sslmode=require&sslpassword=hidden").set(
        password=SECRET
    )
    postgresql.run("pg_dump", ["--format=custom"], url)
    seen = json.loads((programs / "seen.json").read_text())
    assert seen["argv"][1:] == ["--no-password", "--format=custom"]
    assert seen["password"] == SECRET
    assert seen["name"] == "rehabcast"
    assert set(seen["service"].split()) == {
        "[rehabcast]", "host=host", "port=5433", "user=ann", "dbname=data", "sslmode=require",
        "sslpassword=hidden",
    }  # fmt: skip
    assert stat.S_IMODE(seen["mode"]) == 0o600
    assert SECRET not in os.environ.get("PGPASSWORD", "")


def test_a_password_of_the_surroundings_is_left_to_the_program(programs: Path) -> None:
    postgresql.run("pg_dump", [], make_url("postgresql://ann@host/data"))
    assert json.loads((programs / "seen.json").read_text())["password"] is None


def test_a_missing_program_is_a_plain_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ServiceUnavailable, match="pg_dump is missing"):
        postgresql.run("pg_dump", [], make_url("postgresql://ann@host/data"))


def test_a_failing_program_says_why_without_host_or_user(programs: Path) -> None:
    (programs / "pg_dump").write_text(
        "#!/bin/sh\necho 'connection to server at \"secret.example\" failed: Connection refused' >&2\nexit 1\n"
    )
    with pytest.raises(ServiceUnavailable, match="server does not answer") as refusal:
        postgresql.run("pg_dump", [], make_url("postgresql://ann@secret.example/data"))
    assert "secret.example" not in str(refusal.value)
