"""Packed files, whatever their name says: opened here and nowhere else, and only so far.

A file of some kilobytes may unpack to more than any disk holds, by accident or to do harm. What is
opened here ends with a refusal before that, while it is read: nobody believes what it says of its
own size.
"""

from __future__ import annotations

import gzip
import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

import pyarrow.parquet as pq

from contracts.errors import SourceUnreadable

GZIP_MAGIC = b"\x1f\x8b"
ZIP_MAGIC = b"PK\x03\x04"
OTHER_PACKINGS = {
    b"\xfd7zXZ\x00": "xz", b"BZh91AY&SY": "bzip2", b"\x28\xb5\x2f\xfd": "Zstandard",
    b"7z\xbc\xaf\x27\x1c": "7-Zip", b"Rar!\x1a\x07": "RAR", b"\x04\x22\x4d\x18": "LZ4",
    b"\x1f\x9d": "compress",
}  # fmt: skip
"""Packings that are known by their first bytes, and not read."""

UNPACKING = (OSError, EOFError, zlib.error)
"""What reading such a file may raise beside a refusal."""

ALWAYS_BYTES = 128 << 20
"""So much may be in any packed file, however small it is."""

MOST_TIMES = 200
"""Beyond that, a packed file may unpack to so many times its own size. Tables of text and exports
of records are packed 5 to 30 times; what is packed 1,000 times is one byte, repeated."""

MOST_BYTES = 8 << 30
"""The most that is unpacked of any file where it is read in pieces."""

MOST_IN_MEMORY = 2 << 30
"""The most that is unpacked where the whole is held in memory."""

_CELL_BYTES = 8
_GZIP_SIZES = 1 << 32
_PIECE = 1 << 16


@contextmanager
def opened(path: Path, name: str, *, most: int = MOST_BYTES) -> Iterator[IO[bytes]]:
    """Open a file for reading its bytes, unpacked if it is packed with gzip.

    Parameters
    ----------
    name
        The file's name in messages.
    most
        Bytes that may come of a packed file.

    Raises
    ------
    SourceUnreadable
        It is packed in another way; or, as it is read, that more comes of it than may.
    """
    with path.open("rb") as stream:
        head = stream.read(len(max(OTHER_PACKINGS, key=len)))
        stream.seek(0)
        for magic, packing in OTHER_PACKINGS.items():
            if head.startswith(magic):
                raise SourceUnreadable(
                    name, "*", f"is packed with {packing}, which is not read",
                    "unpack it, or pack it with gzip",
                )  # fmt: skip
        if not head.startswith(GZIP_MAGIC):
            yield stream
            return
        refusal = _too_much(name, _allowed(path, most))
        with gzip.open(stream) as unpacked:
            bounded = _Bounded(cast(IO[bytes], unpacked), _allowed(path, most), refusal)
            yield io.BufferedReader(bounded, _PIECE)


@contextmanager
def opened_archive(path: Path, name: str, *, most: int = MOST_BYTES) -> Iterator[zipfile.ZipFile]:
    """Open a zip archive whose members come to no more than may be.

    A member gives no more bytes than the archive's directory says (`zipfile.ZipExtFile`), if it is
    read in pieces: never read a whole member at once.

    Raises
    ------
    SourceUnreadable
        Its members come to more, or are packed in a way that gives more than it is asked for.
    """
    with zipfile.ZipFile(path) as found:
        members = found.infolist()
        if sum(member.file_size for member in members) > _allowed(path, most):
            raise _too_much(name, _allowed(path, most))
        if any(each.compress_type not in _READ_IN_PIECES for each in members):
            raise SourceUnreadable(
                name, "archive", "is packed in a way of zip that is not read",
                "pack it again with the ordinary way (deflate)",
            )  # fmt: skip
        yield found


_READ_IN_PIECES = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}


def refuse_swollen_parquet(path: Path, name: str) -> None:
    """Refuse a Parquet file with far more cells than its size can tell apart.

    Raises
    ------
    SourceUnreadable
        It has; also where it is no Parquet file, as pyarrow says it (`pyarrow.ArrowException`).
    """
    with pq.ParquetFile(path) as file:
        rows, columns = file.metadata.num_rows, file.metadata.num_columns
        groups = range(file.metadata.num_row_groups)
        written = sum(file.metadata.row_group(group).total_byte_size for group in groups)
    allowed = max(ALWAYS_BYTES, MOST_TIMES * path.stat().st_size)
    if max(written, rows * columns * _CELL_BYTES) > allowed:
        raise SourceUnreadable(
            name, "*", f"{rows} rows of {columns} columns in {_size(path.stat().st_size)}:"
            f" unpacked it is more than {_size(allowed)}", ADVICE,
        )  # fmt: skip


def size_of_content(path: Path) -> int:
    """Return the size of a file's content, modulo 2^32; of a packed one as its last bytes say it.

    Files of one content have one size; the reverse is not believed.
    """
    size = path.stat().st_size
    with path.open("rb") as stream:
        if stream.read(2) == GZIP_MAGIC and size > 18:
            # RFC 1952.
            stream.seek(-4, 2)
            size = int.from_bytes(stream.read(4), "little")
    return size % _GZIP_SIZES


ADVICE = (
    "if that is right, unpack it yourself and import what was in it; otherwise copy it again, or"
    " leave it out"
)


def _allowed(path: Path, most: int) -> int:
    return min(most, max(ALWAYS_BYTES, MOST_TIMES * path.stat().st_size))


def _too_much(name: str, allowed: int) -> SourceUnreadable:
    found = f"unpacks to more than {_size(allowed)}, the most that is unpacked of a file like it"
    return SourceUnreadable(name, "*", found, ADVICE)


def _size(count: int) -> str:
    for unit, name in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if count >= unit:
            return f"{count / unit:.1f} {name}"
    return f"{count} bytes"


class _Bounded(io.RawIOBase):
    """A stream that refuses to go beyond a number of bytes; it may be read again from its start."""

    def __init__(self, stream: IO[bytes], allowed: int, refusal: SourceUnreadable) -> None:
        self._stream, self._allowed, self._refusal = stream, allowed, refusal

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        # One byte more than is allowed shows that there is more.
        left = self._allowed + 1 - self._stream.tell()
        piece = self._stream.read(min(len(buffer), left))
        if self._stream.tell() > self._allowed:
            raise self._refusal
        buffer[: len(piece)] = piece
        return len(piece)
