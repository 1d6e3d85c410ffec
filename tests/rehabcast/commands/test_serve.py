from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec
import pytest

from audits.ledger.ledger import Ledger
from rehabcast.commands.service.asking import (
    request_forecast,
    request_instruments,
    service_of,
)
from rehabcast.commands.service.serve import pages_address
from rehabcast.settings import Settings
from serving.http.client import NotAnswered
from serving.http.examples import RECORD
from serving.schemas import ForecastRequest, Refusal
from serving.server import run as server
from tests.conftest import ROOT
from tests.rehabcast.command_line import Said, run


def serve(folder: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "rehabcast", "serve", *arguments], cwd=folder, text=True,
        capture_output=True, check=False, timeout=90,
        env={**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", **settings},
    )  # fmt: skip


def test_what_is_no_port_is_refused(tmp_path: Path) -> None:
    done = serve(tmp_path, "--development", "--port", "99999999")
    assert done.returncode == 2
    assert "Invalid value for '--port'" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_champion_the_command_ends_and_says_so(tmp_path: Path) -> None:
    """It used to start for ever again a worker that can't start."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    Ledger(f"sqlite:///{tmp_path / 'mlruns' / 'ledger.db'}").close()
    done = serve(
        tmp_path, "--development", REHABCAST_MODEL="nope", REHABCAST_WORKERS="3",
        REHABCAST_PORT=port,
    )  # fmt: skip
    assert done.returncode == 5
    assert "nope" in done.stderr
    assert done.stderr.count("rehabcast: ") == 1
    assert "Traceback" not in done.stderr


@pytest.fixture
def refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Said]:
    """Runs `serve`, which must end before it serves."""
    monkeypatch.chdir(tmp_path)

    def no_server(*_: Any) -> int:
        raise AssertionError("the service was started")

    monkeypatch.setattr(server, "serve", no_server)

    def refused(*words: str) -> Said:
        said = run(capsys, monkeypatch, "serve", *words)
        assert said.text.count("\n") == 1, said
        return said

    return refused


def test_what_no_worker_could_start_with_ends_the_command_at_once(
    tmp_path: Path, refused: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as used:
        used.bind(("127.0.0.1", 0))
        used.listen()
        said = refused("--development", "--port", str(used.getsockname()[1]))
        assert (said.code, "is in use" in said.text) == (8, True)
        port = str(used.getsockname()[1])
    monkeypatch.setenv("REHABCAST_PORT", port)
    for words, code, why in (
        ((), 4, "no client may use this service"),
        (("--development",), 4, "there is no ledger in mlruns/ledger.db"),
        (("--development", "--host", "0.0.0.0"), 3, "for loopback only"),  # noqa: S104
    ):
        said = refused(*words)
        assert (said.code, why in said.text) == (code, True), said
        assert list(tmp_path.iterdir()) == []
    ledger = tmp_path / "mlruns" / "ledger.db"
    Ledger(f"sqlite:///{ledger}").close()
    said = refused("--development")
    assert (said.code, "has no champion" in said.text) == (5, True), said
    ledger.write_bytes(b"no database " * 1000)
    said = refused("--development")
    assert (said.code, "not an SQLite database" in said.text) == (8, True), said
    (tmp_path / "access.toml").write_text("[[client]\n")
    monkeypatch.setenv("REHABCAST_ACCESS", "access.toml")
    assert refused().code == 3


@pytest.fixture
def refusing() -> Iterator[str]:
    """Address of a server that takes nobody's token, and says so as the service does."""

    class Refusing(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            said = msgspec.json.encode(
                Refusal(error="Unauthorized", reason="no", what_to_do="sign in")
            )
            self.send_response(401)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as listening:
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{listening.server_port}"
        listening.shutdown()


@pytest.mark.parametrize(
    ("token", "advice"),
    [(None, "set REHABCAST_TOKEN to a token of the service"), ("another-token", "sign in")],
)
@pytest.mark.parametrize("ask", [request_forecast, request_instruments])
def test_who_has_no_token_is_told_which_setting_it_is(
    refusing: str, token: str | None, advice: str, ask: Callable[..., Any]
) -> None:
    with pytest.raises(NotAnswered) as refusal:
        ask(refusing, token, msgspec.convert(RECORD, ForecastRequest))
    assert (refusal.value.what_to_do, refusal.value.status) == (advice, 401)


def test_every_instrument_and_one_task_contradict_each_other(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    said = run(
        capsys, monkeypatch, "forecast", "--subject", "1", "--cohort", "nowhere",
        "--every-instrument", "--task", "arm",
    )  # fmt: skip
    assert (said.code, "--task: of no use with --every-instrument" in said.text) == (3, True), said


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "http://127.0.0.1:3000"),
        ("localhost", "http://localhost:3000"),
        ("::1", "http://[::1]:3000"),
    ],
)
def test_the_service_is_asked_where_it_listens(
    host: str, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REHABCAST_TOKEN", raising=False)
    settings = Settings(host=host, port=3000)
    assert service_of(settings, None) == (address, None)
    assert service_of(settings, "https://elsewhere") == ("https://elsewhere", None)
    assert pages_address(settings, "t").startswith(f"{address}/pages/")
