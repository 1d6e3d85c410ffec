"""A file in which a worker keeps forecasts until they are in the store, so that none is lost.

A line is written before its answer leaves: a worker that is killed has put on disk whatever it has
answered, and another worker adopts the file. Lines are not forced to the disk one by one (fsync):
what the operating system has taken survives the death of the process, but not a power cut.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from contracts.errors import ServiceUnavailable
from stores.private_files import make_private_folder, require_private

READ_BYTES = 4 * 1024 * 1024
"""How much is handed on at a time."""

MAX_BYTES = 1024 * 1024 * 1024
"""Largest size of a spool; beyond it, forecasts are counted as lost while the store is away."""

SPOOLED, IN_MAKING, UNREADABLE = "*.spool", ".making", ".unreadable"


class Spool:
    """The file of one worker, locked as long as the worker lives.

    Raises
    ------
    ServiceUnavailable
        It cannot be made.
    ReadableByOthers
        Other users of this machine can read or change the folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        name = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._file = folder / f"{name}.spool"
        making = folder / f"{name}{IN_MAKING}"
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        try:
            make_private_folder(folder)
            # Whoever can put a file there puts forecasts on record that nobody gave.
            require_private(folder)
            self._fd = os.open(making, flags, 0o600)
            # Locked before it has the name that others look for: nobody can adopt it in between.
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            making.rename(self._file)
        except OSError as error:
            raise ServiceUnavailable(
                f"the folder that keeps forecasts until they are stored cannot be written"
                f" ({type(error).__name__})",
                "check REHABCAST_SERVICE_SPOOL, its permissions and the disk",
            ) from None
        self._written = self._read = 0
        self._lock = threading.Lock()

    @property
    def is_empty(self) -> bool:
        """Whether everything has been handed on."""
        with self._lock:
            return self._written == self._read

    def write(self, line: bytes) -> None:
        """Append a line, whole or not at all.

        Raises
        ------
        OSError
            The disk is full or gone, or the file has reached `MAX_BYTES`.
        """
        line += b"\n"
        with self._lock:
            if self._written + len(line) > MAX_BYTES:
                raise OSError("the spool is full")
            try:
                done = os.write(self._fd, line)
            except OSError:
                os.ftruncate(self._fd, self._written)
                raise
            if done != len(line):
                os.ftruncate(self._fd, self._written)
                raise OSError("the disk is full")
            self._written += done

    def waiting(self) -> list[bytes]:
        """Return the next lines that have not been handed on."""
        with self._lock:
            content = os.pread(self._fd, READ_BYTES, self._read)
            if b"\n" not in content and self._written > self._read:
                content = os.pread(self._fd, self._written - self._read, self._read)
        return _whole_lines(content)

    def handed_on(self, lines: list[bytes]) -> None:
        """Forget lines that are in the store now; an empty spool takes no room."""
        with self._lock:
            self._read += sum(map(len, lines))
            if self._read == self._written:
                os.ftruncate(self._fd, 0)
                self._written = self._read = 0

    def close(self) -> None:
        """Remove the file if it is empty; what is left is adopted by another worker."""
        if self.is_empty:
            self._file.unlink(missing_ok=True)
        os.close(self._fd)

    def orphans(self) -> Iterator[tuple[Path, list[bytes]]]:
        """Return the files of workers that are no longer there, with their lines.

        Each is locked while it is looked at, so that only one worker adopts it.
        """
        for file in sorted(self.folder.glob(SPOOLED)):
            if file == self._file:
                continue
            with suppress(FileNotFoundError):
                descriptor = os.open(file, os.O_RDWR | os.O_CLOEXEC)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except OSError:
                    os.close(descriptor)
                    continue
                try:
                    yield file, _whole_lines(file.read_bytes())
                finally:
                    os.close(descriptor)

    def set_aside(self, lines: Sequence[bytes]) -> None:
        """Keep lines that cannot be put on record, for an operator to look at.

        They are on the disk itself before they are forgotten elsewhere.

        Raises
        ------
        OSError
            The disk is full or gone.
        """
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        descriptor = os.open(self._file.with_suffix(UNREADABLE), flags, 0o600)
        try:
            length = os.fstat(descriptor).st_size
            content = b"".join(lines)
            if os.write(descriptor, content) != len(content):
                os.ftruncate(descriptor, length)
                raise OSError("the disk is full")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def unreadable(self) -> int:
        """Return how many lines were set aside, by any worker."""
        return lines_set_aside(self.folder)


def _whole_lines(content: bytes) -> list[bytes]:
    # A torn last line is of a forecast whose answer never left.
    return [line + b"\n" for line in content.split(b"\n")[:-1]]


def lines_set_aside(folder: Path) -> int:
    """Return how many lines of a spool's folder could not be put on record."""
    count = 0
    for file in sorted(folder.glob(f"*{UNREADABLE}")):
        with suppress(FileNotFoundError):
            content = file.read_bytes()
            is_torn = content != b"" and not content.endswith(b"\n")
            count += content.count(b"\n") + is_torn
    return count


def lines_in(folder: Path) -> Iterator[bytes]:
    """Return every line of every worker's file, on record or not, also of files set aside."""
    for pattern in (SPOOLED, f"*{UNREADABLE}"):
        for file in sorted(folder.glob(pattern)):
            with suppress(FileNotFoundError):
                yield from file.read_bytes().split(b"\n")
