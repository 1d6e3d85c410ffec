"""Replaces a file or a folder as a whole, and lets one program at a time do it to a folder."""

from __future__ import annotations

import ctypes
import fcntl
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path
from uuid import uuid4

from contracts.errors import ContractError

_HERE, _EXCHANGE = -100, 2
"""AT_FDCWD and RENAME_EXCHANGE of Linux (renameat2(2))."""


def draft_of(path: Path, kind: str = "draft") -> Path:
    """Return a hidden name beside a path, of its own, to write under until all of it is there."""
    return path.with_name(f".{path.name}.{uuid4().hex}.{kind}")


def drafts_left(path: Path, kind: str = "draft") -> Iterator[Path]:
    """Yield the drafts of a kind that killed programs left beside a path, and drafts of these."""
    drafts = f".{escape(path.name)}.*.{kind}"
    yield from path.parent.glob(drafts)
    yield from path.parent.glob(f".{drafts}.*.draft")


YOUNG_SECONDS = 60.0
"""Drafts that are younger are left alone: who makes one holds it a moment later."""

_DRAFT = r"\.{name}\.[0-9a-f]{{32}}\.draft"


@contextmanager
def drafted(path: Path) -> Iterator[Path]:
    """Yield a new hidden folder beside a path; what is still there after the block is removed.

    So are the drafts that killed programs left there: those that no program holds.
    """
    remove_left(path, re.compile(_DRAFT.format(name=re.escape(path.name))))
    draft = draft_of(path)
    draft.mkdir(mode=0o700)
    descriptor = os.open(draft, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        hold(descriptor)
        yield draft
    finally:
        os.close(descriptor)
        shutil.rmtree(draft, ignore_errors=True)


def hold(descriptor: int) -> None:
    """Hold a draft for as long as it is open; where the file system cannot, it is never removed."""
    with suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_EX)


def remove_left(path: Path, drafts: re.Pattern[str]) -> None:
    """Remove the drafts beside a path that killed programs left, by the pattern of their names."""
    with suppress(OSError):
        for draft in path.parent.iterdir():
            if drafts.fullmatch(draft.name) and _is_left(draft):
                if draft.is_dir():
                    shutil.rmtree(draft, ignore_errors=True)
                else:
                    draft.unlink(missing_ok=True)


def _is_left(draft: Path) -> bool:
    """Return whether no program holds a draft. The system lets go of it however one ends."""
    try:
        descriptor = os.open(draft, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return time.time() - os.fstat(descriptor).st_mtime > YOUNG_SECONDS
    except OSError:
        return False
    finally:
        os.close(descriptor)


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold a folder, so that nobody else who asks may change it meanwhile.

    The operating system lets go of it when the program ends, however it ends.

    Raises
    ------
    ContractError
        There is no such folder, or another program holds it.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise ContractError(
            f"{folder}: is no folder that can be opened ({error.strerror})", "check the path"
        ) from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise _in_use(folder) from None
        # Whoever held it may have put another folder in its place since it was opened.
        if not os.path.samestat(os.fstat(descriptor), folder.stat()):
            raise _in_use(folder)
        yield
    finally:
        os.close(descriptor)


def _in_use(folder: Path) -> ContractError:
    return ContractError(
        f"{folder}: another import into it is running", "run this one again when that has ended"
    )


def exchange(fresh: Path, folder: Path) -> None:
    """Let two folders change names in one step: whoever opens `folder` finds one of them whole.

    Raises
    ------
    ContractError
        The file system cannot do it; nothing was changed.
    """
    library = ctypes.CDLL(None, use_errno=True)
    rename = getattr(library, "renameat2", None)
    number = 0
    if rename is not None:
        failed = rename(_HERE, os.fsencode(fresh), _HERE, os.fsencode(folder), _EXCHANGE)
        number = ctypes.get_errno() if failed else 0
    if rename is None or number:
        reason = os.strerror(number) if number else "this system has no such operation"
        raise ContractError(
            f"{folder}: cannot be replaced in one step ({reason})",
            "keep it on a local Linux file system, such as ext4 or xfs",
        )
