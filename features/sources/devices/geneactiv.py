"""GENEActiv .bin, read by `actfast` some hours at a time: a text header, then pages as text.

A page holds 300 samples and no checksum, so each is judged by its content: samples inside the
device's range, time that advances from page to page, and as many pages as the header counts. The
reader holds a whole file at several times its size, so it is given one run of pages at a time. A
second header in the file begins another recording.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from tempfile import NamedTemporaryFile
from typing import Any, BinaryIO

import actfast
import numpy as np

from contracts.errors import Problem, SourceUnreadable
from features.measurements.device_clocks import DeviceClock
from features.measurements.placements import placement_in
from features.recording import (
    NOT_STATED,
    Quantity,
    Reading,
    Signal,
    SourceFile,
    problem,
    wrap_library_errors,
)
from features.sources.format import Format

RANGE_G = 8.5
"""The device measures +-8 g; calibration moves the ends a little."""

SAMPLES_A_PAGE = 300
PAGE_MARK, HEADER_MARK = b"Recorded Data", b"Device Identity"
PIECE_BYTES = 1 << 24
"""Some 3.6 hours at 100 Hz, with 3,800 bytes a page."""


def read(file: SourceFile) -> Iterator[Reading]:
    """Yield acceleration and temperature, some hours at a time."""
    pages = 0
    with file.path.open("rb") as stream:
        for _, pieces in groupby(_pieces(stream), key=itemgetter(0)):
            first, announced = pages, 0
            for _, piece in pieces:
                content, rate, announced = _content(file, piece, pages)
                yield _reading(file, content, rate, pages)
                pages += len(content["timeseries"]["low_frequency"]["datetime"])
            yield Reading(dropped=tuple(_missing_pages(file, pages - first, announced)))
    if not pages:
        raise SourceUnreadable(
            file.name, "byte 0", "no page of data follows the header", "copy the file again"
        )


def _content(file: SourceFile, piece: bytes, pages: int) -> tuple[dict[str, Any], float, int]:
    """Return what the library reads in a piece, the sampling rate and the number of pages named."""
    with wrap_library_errors(file, f"page {pages}"), NamedTemporaryFile(suffix=".bin") as part:
        part.write(piece)
        part.flush()
        content: dict[str, Any] = dict(actfast.read(part.name, lenient=True))
        header = content["metadata"]
        rate = float(str(header["Configuration Info"]["Measurement Frequency"]).split()[0])
        announced = int(header["Memory Status"]["Number of Pages"])
    if rate <= 0:
        raise SourceUnreadable(
            file.name, "header", f"a sampling rate of {rate} Hz", "export the file again"
        )
    return content, rate, announced


def _pieces(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Yield runs of whole pages after their header, so that each reads like a file.

    Each comes with the number of its header in the file.
    """
    header, number = b"", 0
    for text in _whole_pages(stream):
        for part in _at_headers(text):
            at = part.find(PAGE_MARK)
            if part.startswith(HEADER_MARK):
                header, number = part[: at if at >= 0 else None], number + 1
                if at >= 0:
                    yield number, part
            else:
                yield number, header + part


def _whole_pages(stream: BinaryIO) -> Iterator[bytes]:
    rest = stream.read(PIECE_BYTES)
    while block := stream.read(PIECE_BYTES):
        rest += block
        cut = rest.rfind(PAGE_MARK)
        if cut > 0:
            yield rest[:cut]
            rest = rest[cut:]
    yield rest


def _at_headers(text: bytes) -> list[bytes]:
    if text.find(HEADER_MARK, 1) < 0:
        return [text]
    first, *others = text.split(HEADER_MARK)
    return [part for part in (first, *(HEADER_MARK + other for other in others)) if part]


def _reading(file: SourceFile, content: dict[str, Any], rate: float, pages: int) -> Reading:
    where = f"after page {pages}"
    dropped = [problem(file, where, text, "copy the file again") for text in content["warnings"]]
    acceleration = content["timeseries"]["high_frequency"]["acceleration"]
    if not len(acceleration):
        return Reading(dropped=tuple(dropped))
    sound = np.asarray((np.abs(acceleration) <= RANGE_G).all(axis=1))
    short = len(content["timeseries"]["low_frequency"]["datetime"]) * SAMPLES_A_PAGE - len(sound)
    if short > 0:
        found = f"{short} sample(s) are missing from pages that were cut, the rest was read"
        dropped.append(problem(file, where, found, "copy the file again"))
    if not sound.all():
        first = pages * SAMPLES_A_PAGE + int(np.flatnonzero(~sound)[0])
        found = f"{int((~sound).sum())} sample(s) beyond the device's range were left out"
        dropped.append(problem(file, f"sample {first}", found, "copy the file again"))
    return Reading(signals=_signals(file, content, sound, rate), dropped=tuple(dropped))


def _missing_pages(file: SourceFile, pages: int, announced: int) -> list[Problem]:
    if pages >= announced:
        return []
    found = (
        f"the file ends after {pages} of the {announced} pages that its header counts; these were"
        " read"
    )
    return [problem(file, f"page {pages}", found, "copy the file again for the rest")]


def _signals(
    file: SourceFile, content: dict[str, Any], sound: np.ndarray, rate: float
) -> tuple[Signal, ...]:
    fast = content["timeseries"]["high_frequency"]
    slow = content["timeseries"]["low_frequency"]
    header = content["metadata"]
    person = header.get("Subject Info", {})
    zone = str(header["Configuration Info"].get("Time Zone", "")).strip()
    location = placement_in(_text(person.get("Device Location Code")))
    common: dict[str, Any] = {
        "subject_label": _text(person.get("Subject Code")) or file.subject_label,
        "device": f"GENEActiv {header['Device Identity']['Device Unique Serial Code']}",
        "maker": "GENEActiv",
        "placement": file.placement or location or NOT_STATED,
        "clock": f"device's own, set to {zone}" if zone else "wall clock as set on the device",
    }
    return (
        Signal(
            quantity=Quantity.ACCELERATION,
            time_N=fast["datetime"][sound].view("datetime64[ns]"),
            values_NC=fast["acceleration"][sound],
            epoch_s=1 / rate,
            **common,
        ),
        Signal(
            quantity=Quantity.TEMPERATURE,
            time_N=slow["datetime"].view("datetime64[ns]"),
            values_NC=slow["temperature"][:, None],
            epoch_s=300 / rate,
            **common,
        ),
    )


def _text(value: object) -> str:
    """Return a header's value without what fills it up to its width."""
    return str(value or "").replace("\0", "").rstrip()


SINCE = "2009-01-01"
"""The first GENEActiv is of 2010, its forerunner GENEA of 2009."""

FORMAT = Format(
    name="geneactiv",
    title="GENEActiv recording",
    matches=lambda head: head.startswith(b"Device Identity") and b"GENEActiv" in head[:400],
    read=read,
    clock=DeviceClock(since=SINCE),
)
