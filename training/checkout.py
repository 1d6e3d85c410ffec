"""Which commit of the code runs, where it runs from a checkout."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PATIENCE_SECONDS = 10
CHANGED = "-changed"
"""Follows the commit where files of the checkout differ from it."""


@cache
def commit_of_checkout(root: Path = ROOT) -> str | None:
    """Return the commit that is checked out; None where there is no checkout, or no git.

    What decides is the digest of the code (`contracts.digests.code_digest`), which every run
    records: a commit is how people find the same code.
    """
    if not (root / ".git").exists():
        return None
    commit = _git(root, "rev-parse", "HEAD")
    if commit is None:
        return None
    changes = _git(root, "status", "--porcelain", "--untracked-files=no")
    return commit if changes == "" else commit + CHANGED


def _git(root: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603
            ["git", "-C", str(root), *words],  # noqa: S607
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
