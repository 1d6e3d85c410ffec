"""The formats of single files, recognised by content: one module each, one interface.

A format matches the first bytes of a file; names and extensions are ignored. `read` turns a file
into readings, a long recording piece by piece so that a week of raw data is never held at once, or
raises one `SourceUnreadable`: then nothing of the file may be used.
"""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

from contracts.errors import Problem, SourceUnreadable
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
from features.sources.format import HEAD_BYTES, Format, column_names, text_of
from features.sources.records import fhir, open_mhealth
from features.tables.packed import (
    GZIP_MAGIC,
    MOST_BYTES,
    OTHER_PACKINGS,
    UNPACKING,
    ZIP_MAGIC,
    opened,
    opened_archive,
)

AUTO = "auto"
"""Instead of a format's name: recognise each file by its content."""

PHONE_FOLDER = b"apple_health_export/"
"""Folder in the zip that a phone writes its health export to."""


def formats() -> tuple[Format, ...]:
    """Return every format that can be read, the most specific first."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class UnsupportedFormat:
    """A format that is recognised but can't be read, and what to do instead."""

    title: str
    matches: Callable[[bytes], bool]
    advice: str


OWN_TABLE = (
    "name them in a map (docs/importing.md): a column map for values of days or visits, which"
    " `rehabcast cohort map` proposes and `cohort import tables map.toml` reads, or [[signals]] in"
    " the map of this import (--map) for raw signals"
)
MOST_COLUMNS = 12
AS_TABLE = "export it as CSV and import that as a table"
WITH_HEADER = "keep its data rows as a table with a header and use a column map"

UNSUPPORTED = (
    UnsupportedFormat(
        title="GENEA binary", matches=lambda head: head.startswith(b"GENEA"), advice=AS_TABLE
    ),
    UnsupportedFormat(
        title="Parmay Matrix binary", matches=lambda head: b"MDTC" in head[:2048], advice=AS_TABLE
    ),
    UnsupportedFormat(
        title="Philips Actiware or Actical export",
        matches=lambda head: any(
            word in head[:200] for word in (b"Actiware", b"Actical List Export", b"Actical Export")
        ),
        advice=WITH_HEADER,
    ),
    UnsupportedFormat(
        title="Condor ActTrust report",
        matches=lambda head: b"Condor Instruments Report" in head[:200],
        advice=WITH_HEADER,
    ),
    UnsupportedFormat(
        title="MotionWatch log",
        matches=lambda head: b"<motionfile>" in head[:400],
        advice=AS_TABLE,
    ),
    UnsupportedFormat(
        title="clinical document (CDA) beside a phone's health export",
        matches=lambda head: b"<ClinicalDocument" in head,
        advice="import the export.xml beside it, which holds the same values, without this file",
    ),
    UnsupportedFormat(
        title="route of a workout (GPX)",
        matches=lambda head: b"<gpx" in head[:2048],
        advice="leave it out: nothing is computed from routes",
    ),
    UnsupportedFormat(
        title="series of dateTime and value (as in an intraday Takeout of Fitbit) that names its"
        " quantity only in its file name and has times in UTC",
        matches=fitbit.is_unnamed_series,
        advice="export daily values, or write it as a table with a header and name it in a map"
        " (docs/importing.md)",
    ),
    UnsupportedFormat(
        title="Fitabase table of hours, minutes or seconds",
        matches=fitbit.is_within_days,
        advice="import Fitabase's table of days (dailyActivity, sleepDay) instead",
    ),
    UnsupportedFormat(
        title="workbook of a spreadsheet program",
        matches=lambda head: (
            head.startswith(b"\xd0\xcf\x11\xe0")
            or (head.startswith(ZIP_MAGIC) and b"xl/" in head)
            or (head.startswith(ZIP_MAGIC) and b"[Content_Types].xml" in head)
        ),
        advice="save the sheet as CSV in UTF-8, and name its columns in a map (docs/importing.md)",
    ),
    UnsupportedFormat(
        title="table of days as Fitbit's website exported it",
        matches=fitbit.is_web_export,
        advice="its dates and numbers are written as the account's language has it: keep the rows"
        " of one section under their header and name them in a column map (docs/importing.md), or"
        " download the account's data as JSON",
    ),
    UnsupportedFormat(
        title="zip archive of something other than an ActiGraph recording or a phone's export",
        matches=lambda head: head.startswith(ZIP_MAGIC),
        advice="unpack it, and import the file or the folder that was in it",
    ),
)
"""An error that names what a file is helps more than one that doesn't recognise it."""


def export_of(name: str, path: Path) -> str:
    """Return the format of a file that is known by its content; empty where it has none of them."""
    try:
        return detect(
            SourceFile(path=path, name=name, subject_label="", zone="", placement="")
        ).name
    except SourceUnreadable:
        return ""


def detect(file: SourceFile) -> Format:
    """Recognise a file's format by its content.

    Raises
    ------
    SourceUnreadable
        The file can't be opened, is empty, or has none of the formats that can be read.
    """
    head = _head(file)
    if not head:
        raise SourceUnreadable(file.name, "*", "the file is empty", "export or copy it again")
    for known in formats():
        if known.matches(head):
            return known
    for unsupported in UNSUPPORTED:
        if unsupported.matches(head):
            found = f"{unsupported.title}, which is not supported"
            raise SourceUnreadable(file.name, "*", found, unsupported.advice)
    if names := column_names(head):
        more = ", ..." if len(names) > MOST_COLUMNS else ""
        raise SourceUnreadable(
            file.name,
            "row 1",
            f"a table with the columns {', '.join(names[:MOST_COLUMNS])}{more}, which are not those"
            " of a known export",
            OWN_TABLE,
        )
    listed = ", ".join(known.name for known in formats())
    line = text_of(head).partition("\n")[0].strip()
    is_text = line.isprintable() and "\ufffd" not in line
    raise SourceUnreadable(
        file.name,
        "line 1" if is_text else "byte 0",
        f"starts with {line[:40] if is_text else head[:8]!r}, which is none of {listed}",
        "check the file, or write it as a table and name its columns in a column map or in"
        " [[signals]] of the map (docs/importing.md)",
    )


def read(file: SourceFile, format_name: str = AUTO) -> Iterator[Reading]:
    """Read one file piece by piece, packed with gzip or not.

    Raises
    ------
    SourceUnreadable
        The file is damaged, perhaps after some pieces were yielded: which file, where in it, what
        is wrong and what to do. Pieces already yielded must then be discarded.
    """
    with _unpacked(file) as plain:
        detected = detect(plain)
        if format_name not in {AUTO, detected.name}:
            raise SourceUnreadable(
                file.name, "*", f"is {detected.name} by its content, not {format_name}", "use auto"
            )
        usable = False
        dropped: list[Problem] = []
        for reading in detected.read(plain):
            usable = usable or not reading.is_empty
            dropped += reading.dropped
            yield replace(reading, clock=detected.clock)
    if not usable:
        raise _unusable(file, detected, dropped)


def _unusable(file: SourceFile, detected: Format, dropped: list[Problem]) -> SourceUnreadable:
    found, advice = f"{detected.title}, nothing in it can be used", "export it again"
    if dropped:
        first = dropped[0]
        place = first.places[0] if first.places else first.field
        where = place if first.row is None else f"row {first.row}, {first.field}"
        count = sum(problem.count for problem in dropped)
        found += f" ({count} problem(s), the first is {where}: {first.found})"
        advice = first.advice or "check that it holds values that a biomarker uses"
    return SourceUnreadable(file.name, "*", found, advice)


def _head(file: SourceFile) -> bytes:
    try:
        with file.path.open("rb") as stream:
            return stream.read(HEAD_BYTES)
    except OSError as error:
        raise SourceUnreadable(
            file.name, "*", f"cannot be opened ({error.strerror})", "check path and permissions"
        ) from error


@contextmanager
def _unpacked(file: SourceFile) -> Iterator[SourceFile]:
    """Yield the file itself, or its unpacked content (gzip, a phone's export.zip)."""
    head = _head(file)
    is_plain = not head.startswith((GZIP_MAGIC, ZIP_MAGIC, *OTHER_PACKINGS))
    if is_plain or (head.startswith(ZIP_MAGIC) and PHONE_FOLDER not in head[:200]):
        yield file
        return
    packed = _phone_export if head.startswith(ZIP_MAGIC) else opened
    with TemporaryDirectory() as folder:
        plain = Path(folder) / (file.path.stem or "unpacked")
        # Others need the disk too.
        most = min(MOST_BYTES, shutil.disk_usage(folder).free // 2)
        try:
            with packed(file.path, file.name, most=most) as stream, plain.open("wb") as target:
                shutil.copyfileobj(stream, target, 1 << 20)
        except (*UNPACKING, LookupError, zipfile.BadZipFile) as error:
            raise SourceUnreadable(
                file.name, "archive", f"cannot be unpacked ({error})", "copy or pack it again"
            ) from error
        yield replace(file, path=plain)


@contextmanager
def _phone_export(path: Path, name: str, *, most: int) -> Iterator[IO[bytes]]:
    with opened_archive(path, name, most=most) as found:
        # The phone names the file in its own language, so that only its content tells it.
        exports = []
        for member in found.infolist():
            if member.filename.lower().endswith(".xml"):
                with found.open(member) as stream:
                    if apple_health.FORMAT.matches(stream.read(HEAD_BYTES)):
                        exports.append(member)
        if len(exports) != 1:
            raise LookupError(f"{len(exports)} health exports in it, where one is expected")
        with found.open(exports[0]) as stream:
            yield stream
