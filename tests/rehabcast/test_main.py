"""What is no fault of rehabcast is said in a sentence, whichever command it happens to."""

from __future__ import annotations

import errno
import os

import pytest

from rehabcast import main
from tests.rehabcast.command_line import Said, run


def failing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, error: OSError
) -> Said:
    def app() -> None:
        raise error

    monkeypatch.setattr(main, "app", app)
    return run(capsys, monkeypatch, "any", "command")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_disk_that_takes_no_more_is_said_though_the_system_names_no_file(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    for named in ((), ("out.html",)):
        said = failing(capsys, monkeypatch, OSError(number, os.strerror(number), *named))
        assert said.code == 3
        assert f"cannot be written ({os.strerror(number)})" in said.text
        assert ("out.html" in said.text) is bool(named)
        assert "Traceback" not in said.text


def test_what_the_system_says_of_a_named_file_is_said_with_its_name(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    said = failing(capsys, monkeypatch, PermissionError(errno.EACCES, "Permission denied", "x.csv"))
    assert (said.code, "x.csv cannot be used (Permission denied)" in said.text) == (3, True)


def test_another_error_of_the_system_is_a_fault_and_hides_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    said = failing(capsys, monkeypatch, OSError(errno.EBADF, "Bad file descriptor"))
    assert (said.code, "Traceback" in said.text) == (1, True)
