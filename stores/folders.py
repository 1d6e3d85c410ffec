"""Replaces a file or a folder as a whole, and lets one program at a time do it to a folder."""

from __future__ import annotations

import ctypes
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
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
