"""Keys are read again in time, fail closed, and come from safe places only."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey

from contracts.errors import ContractError
from serving.access.keys import (
    MAX_AGE_SECONDS,
    MAX_BYTES,
    MAX_STALE_SECONDS,
    REREAD_SECONDS,
    Keys,
    require_source,
    usable_keys,
)
from tests.refusals import refuses


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


def jwks(*kids: str) -> str:
    keys = [ECKey.generate_key("P-256").as_dict(private=False) | {"kid": kid} for kid in kids]
    return json.dumps({"keys": keys})


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "keys.json"
    path.write_text(jwks("old"))
    return path


def known(keys: Keys, *kids: str) -> list[str]:
    return [kid for kid in kids if keys.find(kid) is not None]


def test_a_removed_key_is_not_accepted_after_ten_minutes(file: Path, clock: Clock) -> None:
    keys = Keys(str(file), clock)
    assert known(keys, "old") == ["old"]
    file.write_text(jwks("new"))
    clock.now += MAX_AGE_SECONDS
    assert known(keys, "old") == ["old"]
    clock.now += 0.1
    assert known(keys, "old", "new") == ["new"]


def test_an_unknown_key_is_looked_for_every_half_minute_at_most(file: Path, clock: Clock) -> None:
    keys = Keys(str(file), clock)
    assert known(keys, "new") == []
    file.write_text(jwks("old", "new"))
    clock.now += REREAD_SECONDS - 0.1
    assert known(keys, "new", "old") == ["old"]
    clock.now += 0.1
    assert known(keys, "new", "old") == ["new", "old"]


def test_keys_that_cannot_be_read_again_are_used_for_an_hour_and_then_none(
    file: Path, clock: Clock
) -> None:
    keys = Keys(str(file), clock)
    assert known(keys, "old") == ["old"]
    content = file.read_text()
    for broken in ("not JSON", "[]", "{}", '{"keys": 5}', "[" * 100_000, " " * (MAX_BYTES + 1)):
        file.write_text(broken)
        clock.now += MAX_AGE_SECONDS / 2
        assert known(keys, "old") == ["old"], broken
    file.unlink()
    clock.now = 1_000.0 + MAX_STALE_SECONDS
    assert known(keys, "old") == ["old"]
    clock.now += 0.1
    assert known(keys, "old") == []
    file.write_text(content)
    clock.now += REREAD_SECONDS
    assert known(keys, "old") == ["old"]


def test_a_file_of_keys_that_others_can_change_is_not_read(file: Path, clock: Clock) -> None:
    file.chmod(0o622)
    assert known(Keys(str(file), clock), "old") == []
    file.chmod(0o644)
    assert known(Keys(str(file), clock), "old") == ["old"]


class Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.server.asked += 1  # type: ignore[attr-defined]
        status, headers, body = self.server.answer  # type: ignore[attr-defined]
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def idp() -> Iterator[Any]:
    server: Any = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    server.asked, server.answer = 0, (200, {}, jwks("old").encode())
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_keys_of_a_server_are_bounded_and_never_redirected(
    idp: Any, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = f"http://127.0.0.1:{idp.server_port}"
    # A proxy set in the environment would see, and could change, what is read on this machine.
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    good = idp.answer
    assert known(Keys(here, clock), "old") == ["old"]
    for answer in (
        (301, {"Location": f"{here}/elsewhere"}, good[2]),
        (404, {}, good[2]),
        (203, {}, good[2]),
        (200, {}, good[2] + b" " * MAX_BYTES),
    ):
        asked, idp.answer = idp.asked, answer
        assert known(Keys(here, clock), "old") == [], answer[0]
        assert idp.asked == asked + 1


def test_many_requests_at_once_read_the_keys_once(idp: Any, clock: Clock) -> None:
    keys = Keys(f"http://127.0.0.1:{idp.server_port}", clock)
    found: list[list[str]] = []
    threads = [threading.Thread(target=lambda: found.append(known(keys, "old"))) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [["old"]] * 16
    assert idp.asked == 1


@pytest.mark.parametrize(
    "source",
    [
        "http://127.0.0.1.evil.test/keys", "http://127.0.0.1@evil.test/", "http://evil.test/",
        "http://localhost.evil.test/", "https://u:p@idp.test/", "ftp://127.0.0.1/", "https:///keys",
        "file:///etc/passwd", "http://[::ffff:10.0.0.1]/", "http://2130706433/", "http://0.0.0.0/",
        "https://idp.test:0/", "https://idp.test:x/", "missing.json", "", ".", "http://10.0.0.1/",
        "HTTP://evil.test/#127.0.0.1", "javascript://127.0.0.1/",
    ],
)  # fmt: skip
def test_keys_are_not_read_from_elsewhere(tmp_path: Path, source: str) -> None:
    with refuses(ContractError):
        require_source(source, tmp_path)


@pytest.mark.parametrize(
    "source",
    ["https://idp.test/keys", "http://127.0.0.1:80/keys", "http://localhost/k", "http://[::1]/k"],
)
def test_keys_are_read_by_https_or_on_this_machine(tmp_path: Path, source: str) -> None:
    assert require_source(source, tmp_path) == source


def test_a_set_of_very_many_keys_is_refused() -> None:
    with pytest.raises(ValueError, match="not a JWKS"):
        usable_keys({"keys": [{}] * 101})
