"""What a killed program leaves half made is hidden, held by nobody, and removed by the next one."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from stores.folders import YOUNG_SECONDS, drafted
from stores.private_files import written_whole
from tests.forked import Forked

MAKERS: tuple[Callable[[Path], AbstractContextManager[Path]], ...] = (drafted, written_whole)

KILLED = """
import os, signal
from pathlib import Path
from stores.folders import drafted
from stores.private_files import written_whole

def work(path, maker):
    with {"drafted": drafted, "written_whole": written_whole}[maker](Path(path)) as draft:
        (draft / "half" if draft.is_dir() else draft).write_text("half")
        os.kill(os.getpid(), signal.SIGKILL)
"""


def aged(draft: Path) -> None:
    long_ago = time.time() - 2 * YOUNG_SECONDS
    os.utime(draft, (long_ago, long_ago))


def made(maker: Callable[[Path], AbstractContextManager[Path]], path: Path) -> None:
    with maker(path) as draft:
        if draft.is_dir():
            (draft / "whole").write_text("whole")
            draft.rename(path)
        else:
            draft.write_text("whole")


@pytest.mark.parametrize("maker", MAKERS)
def test_what_a_killed_program_left_is_removed_by_the_next(
    maker: Callable[[Path], AbstractContextManager[Path]], tmp_path: Path
) -> None:
    path = tmp_path / "new.csv"
    with Forked(KILLED) as forked:
        forked.start(path, maker.__name__)
        assert forked.ended() != 0
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".")
    aged(left)
    made(maker, path)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("maker", MAKERS)
def test_what_is_being_made_and_what_is_somebody_elses_stays(
    maker: Callable[[Path], AbstractContextManager[Path]], tmp_path: Path
) -> None:
    """Also of other names, which end or begin alike, and what was made just now."""
    path = tmp_path / "new.csv"
    theirs = [
        tmp_path / ".new.csv.notes.draft", tmp_path / f".other.new.csv.{'a' * 32}.draft",
        tmp_path / f".new.csv.other.{'a' * 32}.draft", tmp_path / ".abcdefgh.new.csv",
        tmp_path / ".0123abcd.other.new.csv",
    ]  # fmt: skip
    for file in theirs:
        file.write_text("theirs")
        aged(file)
    young = tmp_path / (f".new.csv.{'b' * 32}.draft" if maker is drafted else ".0123abcd.new.csv")
    young.write_text("just made")
    with maker(path) as draft:
        aged(draft)
        made(maker, path)
        assert draft.exists()
    assert {*theirs, young, path} == set(tmp_path.iterdir())
