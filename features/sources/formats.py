"""The formats of single files, found by content: one module each, one interface.

A format looks at the first bytes of a file and says whether it is its own; names and extensions
are not asked. `read` turns a file into readings, a long recording piece by piece so that a week
of raw data is never held at once, or raises one `SourceUnreadable`: then nothing of it counts.
"""

from __future__ import annotations

import gzip
import shutil
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

from contracts.errors import ContractError, Problem, SourceUnreadable
from features.recording import Reading, SourceFile
from features.sources.devices import (
    actigraph_agd,
    actigraph_csv,
    actigraph_gt3x,
    actiwatch_awd,
    apple_health,
    axivity_cwa,
    fitbit,
    garmin_fit,
    geneactiv,
)
from features.sources.format import HEAD_BYTES, Format
from features.sources.records import fhir, open_mhealth

GZIP_MAGIC, ZIP_MAGIC = b"\x1f\x8b", b"PK\x03\x04"
PHONE_FOLDER = b"apple_health_export/"
"""Folder in the zip that a phone writes its health export to."""


def formats() -> tuple[Format, ...]:
    """Return every format that is read, the most particular first."""
    return (
        actigraph_gt3x.FORMAT,
        actigraph_agd.FORMAT,
        actigraph_csv.FORMAT,
        axivity_cwa.FORMAT,
        geneactiv.FORMAT,
        garmin_fit.FORMAT,
        apple_health.FORMAT,
        actiwatch_awd.FORMAT,
        open_mhealth.FORMAT,
        fhir.FORMAT,
        fitbit.FORMAT,
    )


KNOWN_FOREIGN: tuple[tuple[str, Callable[[bytes], bool], str], ...] = (
    (
        "GENEA binary",
        lambda head: head.startswith(b"GENEA"),
        "no reader of ours opens it: export it as CSV and import it as a table",
    ),
    (
        "Parmay Matrix binary",
        lambda head: b"MDTC" in head[:2048],
        "no reader of ours opens it: export it as CSV and import it as a table",
    ),
    (
        "Philips Actiware or Actical export",
        lambda head: any(
            word in head[:200] for word in (b"Actiware", b"Actical List Export", b"Actical Export")
        ),
        "keep its data rows as a table with a header and use a column map",
    ),
    (
        "Condor ActTrust report",
        lambda head: b"Condor Instruments Report" in head[:200],
        "keep its data rows as a table with a header and use a column map",
    ),
    (
        "MotionWatch log",
        lambda head: b"<motionfile>" in head[:400],
        "export it as CSV and import it as a table",
    ),
    (
        "zip archive of something else than an ActiGraph or a phone's export",
        lambda head: head.startswith(ZIP_MAGIC),
        "unpack it, and import the file or the folder that was in it",
    ),
)
"""Files that are known for what they are and not read: an error that says so helps more."""


def detect(file: SourceFile) -> Format:
    """Tell a file's format by its content.

    Raises
    ------
    SourceUnreadable
        The file can't be opened, is empty, or is of no format that is read.
    """
    head = _head(file)
    if not head:
        raise SourceUnreadable(file.name, "*", "the file is empty: export or copy it again")
    for known in formats():
        if known.is_mine(head):
            return known
    for title, is_mine, advice in KNOWN_FOREIGN:
        if is_mine(head):
            raise SourceUnreadable(file.name, "*", f"{title}, which is not read here: {advice}")
    listed = ", ".join(known.name for known in formats())
    raise SourceUnreadable(
        file.name,
        "byte 0",
        f"starts with {head[:8]!r}, which is none of {listed}: check the file, or import it as a"
        " table with a column map (--map)",
    )


def named(name: str) -> Format:
    """Return the format of that name.

    Raises
    ------
    ContractError
        There is none.
    """
    for known in formats():
        if known.name == name:
            return known
    listed = ", ".join(known.name for known in formats())
    raise ContractError(f"{name!r} is no file format: use auto, or one of {listed}")


def read(file: SourceFile, format_name: str = "auto") -> Iterator[Reading]:
    """Read one file piece by piece, packed with gzip or not.

    Raises
    ------
    SourceUnreadable
        The file is unsound, also after some pieces: which file, where in it, what is wrong and
        what to do. Pieces already taken must then be thrown away.
    """
    with _unpacked(file) as plain:
        found = detect(plain)
        if format_name not in {"auto", found.name}:
            raise SourceUnreadable(
                file.name, "*", f"is {found.name} by its content, not {format_name}: use auto"
            )
        sound = False
        dropped: list[Problem] = []
        for reading in found.read(plain):
            sound = sound or not reading.is_empty
            dropped += reading.dropped
            yield reading
    if not sound:
        why = (
            f"{len(dropped)} problem(s), the first: {dropped[0]}" if dropped else "export it again"
        )
        raise SourceUnreadable(file.name, "*", f"{found.title}: nothing in it can be used; {why}")


def _head(file: SourceFile) -> bytes:
    try:
        with file.path.open("rb") as stream:
            return stream.read(HEAD_BYTES)
    except OSError as error:
        raise SourceUnreadable(
            file.name, "*", f"cannot be opened ({error.strerror}): check path and permissions"
        ) from error


@contextmanager
def _unpacked(file: SourceFile) -> Iterator[SourceFile]:
    """Give the file itself, or what is packed in it (gzip, a phone's export.zip) unpacked."""
    head = _head(file)
    if head.startswith(GZIP_MAGIC):
        packed = _gzip
    elif head.startswith(ZIP_MAGIC) and PHONE_FOLDER in head[:200]:
        packed = _phone_export
    else:
        yield file
        return
    with TemporaryDirectory() as place:
        plain = Path(place) / (file.path.stem or "unpacked")
        try:
            with packed(file.path) as stream, plain.open("wb") as target:
                shutil.copyfileobj(stream, target, 1 << 20)
        except (OSError, EOFError, LookupError, zlib.error, zipfile.BadZipFile) as error:
            raise SourceUnreadable(
                file.name, "archive", f"cannot be unpacked ({error}): copy or pack it again"
            ) from error
        yield replace(file, path=plain)


@contextmanager
def _gzip(path: Path) -> Iterator[IO[bytes]]:
    with gzip.open(path, "rb") as stream:
        yield stream  # type: ignore[misc]


@contextmanager
def _phone_export(path: Path) -> Iterator[IO[bytes]]:
    with zipfile.ZipFile(path) as archive:
        names = [n for n in archive.namelist() if n.endswith("/export.xml")]
        if not names:
            raise LookupError("no export.xml in it")
        with archive.open(names[0]) as stream:
            yield stream
