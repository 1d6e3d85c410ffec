"""Files that only their owner may read: keys, access files, databases, reports, patients' data.

`keep_private` makes everything that this process creates 0600 or 0700; `require_private` refuses
what others can read or change, and says which command mends it.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from contracts.errors import ContractError
from stores.folders import hold, remove_left

UMASK = 0o077
"""Of the new files of this process: no rights for group and others."""

OTHERS_READ_OR_WRITE = 0o077
OTHERS_WRITE = 0o022

SQLITE_COMPANIONS = ("", "-wal", "-shm", "-journal")
"""Files that SQLite keeps beside a database, with content of it."""


NO_LINKS = {errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.EMLINK}
"""What the system says where a file cannot have a second name."""


class ReadableByOthers(ContractError):
    """A file that must be private, or its folder, can be read or changed by other users."""


def keep_private() -> None:
    """Make every file and folder that this process creates from now on its owner's alone."""
    os.umask(UMASK)


@contextmanager
def made_private() -> Iterator[None]:
    """Make what is created in the block its owner's alone, in a process that is not ours."""
    before = os.umask(UMASK)
    try:
        yield
    finally:
        os.umask(before)


@contextmanager
def written_whole(path: Path, *, new: bool = False) -> Iterator[Path]:
    """Write a file in one step: yield a draft beside it, which takes its place after the block.

    Whatever goes wrong in the block, a file that was there stays as it was. The draft has the
    file's ending, and its owner alone may read it. What a killed program left of an earlier one is
    removed.

    Parameters
    ----------
    new
        Whether there must be no such file yet, also not one that came meanwhile.

    Raises
    ------
    FileExistsError
        There is one, and it must be new.
    OSError
        The folder is missing, or cannot be written.
    """
    if new and path.exists():
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
    remove_left(path, re.compile(rf"\.[0-9a-f]{{8}}\.{re.escape(path.name)}"))
    draft = path.with_name(f".{secrets.token_hex(4)}.{path.name}")
    held = ExitStack()
    try:
        held.callback(os.close, opened := _opened(draft))
        hold(opened)
        yield draft
        with draft.open("rb") as file:
            os.fsync(file.fileno())
        if new:
            _take_free_name(draft, path)
        else:
            draft.replace(path)
    except BaseException as error:
        with suppress(OSError):
            draft.unlink()
        if isinstance(error, OSError) and error.filename in {None, str(draft), draft}:
            error.filename = str(path)
        raise
    finally:
        held.close()


def _take_free_name(draft: Path, path: Path) -> None:
    """Give a draft a name that no file has; killed at any moment, it has it whole or not at all.

    A kill before the draft is removed leaves it there, a second name of the same file.
    Where a disk has no hard links (FAT, some shares) the name is reserved by an empty file first,
    which a kill between the two calls leaves there.
    """
    try:
        os.link(draft, path)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise OSError(error.errno, error.strerror, str(path)) from None
        _created(path)
        draft.replace(path)
    else:
        draft.unlink()


def _created(path: Path) -> None:
    os.close(_opened(path))


def _opened(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)


def write_private(path: Path, content: bytes | str) -> None:
    """Write a file in one step, readable and writable by its owner only; its folder is made."""
    make_private_folder(path.parent)
    with written_whole(path) as draft:
        draft.write_bytes(content.encode() if isinstance(content, str) else content)


def make_private_folder(folder: Path) -> None:
    """Make a folder and its parents, those that are new for their owner only."""
    missing = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    for parent in reversed(missing):
        parent.mkdir(mode=0o700, exist_ok=True)


def require_private(path: Path) -> None:
    """Refuse a file that others can read or change, or whose folder others can change.

    A file that isn't there is left to whoever opens it.

    Raises
    ------
    ReadableByOthers
        The reason names the file and its mode, the advice the command that mends it.
    """
    _require(path, OTHERS_READ_OR_WRITE, "read or changed", "go-rwx")
    require_own_folder(path)


def require_unchanged_by_others(path: Path) -> None:
    """Refuse a public file that others can change, or whose folder others can change.

    Raises
    ------
    ReadableByOthers
        As `require_private`.
    """
    _require(path, OTHERS_WRITE, "changed", "go-w")
    require_own_folder(path)


def require_own_folder(path: Path) -> None:
    """Refuse a file in a folder in which others could replace it.

    Raises
    ------
    ReadableByOthers
        As `require_private`.
    """
    _require(path.absolute().parent, OTHERS_WRITE, "changed", "go-w")


def require_private_database(path: Path) -> None:
    """Refuse an SQLite database of which others can read or change a part.

    Raises
    ------
    ReadableByOthers
        As `require_private`.
    """
    for suffix in SQLITE_COMPANIONS:
        require_private(path.with_name(path.name + suffix))


def _require(path: Path, forbidden: int, what: str, mend: str) -> None:
    try:
        found = path.stat().st_mode
    except OSError:
        return
    name, mode = path.name or str(path), stat.S_IMODE(found)
    if not (stat.S_ISREG(found) or stat.S_ISDIR(found)):
        # Whoever changed the mode of a device, as the advice below says, would break the machine.
        raise ReadableByOthers(f"{path} is no file", "name a file of your own")
    if mode & forbidden:
        raise ReadableByOthers(
            f"{name} can be {what} by other users of this machine (mode {mode:04o})",
            f"run `chmod {mend} {name}` where it is, and consider what they may have read",
        )
