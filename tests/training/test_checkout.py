"""Which commit runs, by real repositories."""

from __future__ import annotations

import subprocess
from pathlib import Path

from training.checkout import CHANGED, commit_of_checkout


def git(folder: Path, *words: str) -> str:
    name = ("-c", "user.name=A", "-c", "user.email=a@b.example")
    done = subprocess.run(
        ["git", "-C", str(folder), *name, *words],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.strip()


def test_a_checkout_has_a_commit_and_says_when_its_files_differ(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    (tmp_path / "code.py").write_text("1", "utf-8")
    git(tmp_path, "add", "code.py")
    git(tmp_path, "commit", "--quiet", "--message", "first")
    commit = git(tmp_path, "rev-parse", "HEAD")
    assert commit_of_checkout(tmp_path) == commit
    commit_of_checkout.cache_clear()
    (tmp_path / "code.py").write_text("2", "utf-8")
    assert commit_of_checkout(tmp_path) == commit + CHANGED


def test_what_is_no_checkout_has_none(tmp_path: Path) -> None:
    assert commit_of_checkout(tmp_path) is None
    (tmp_path / ".git").write_text("gitdir: nowhere", "utf-8")
    commit_of_checkout.cache_clear()
    assert commit_of_checkout(tmp_path) is None
