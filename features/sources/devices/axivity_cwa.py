"""Axivity CWA (AX3, AX6), read by `actfast` a day at a time.

The file is a header of 1,024 bytes and sectors of 512 with their own checksums. A bad sector costs
its 1.2 seconds and is reported; the sectors around it are sound. The reader holds a whole file at
twice its size, so it is given one day of sectors after the other. A second header in the file
begins another recording.
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Iterator
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

COPY_AGAIN = "copy it again from the device"
HEADER_BYTES = 1024
HEADER_MARK = b"MD\xfc\x03"
SECTOR_BYTES = 512
SECTORS_A_PIECE = 72_000
"""A day at 100 Hz, with 120 samples a sector."""


def read(file: SourceFile) -> Iterator[Reading]:
    """Yield acceleration and temperature, about a day at a time."""
    with file.path.open("rb") as stream:
        header = stream.read(HEADER_BYTES)
        size = file.path.stat().st_size
        if size < HEADER_BYTES + SECTOR_BYTES:
            raise SourceUnreadable(
                file.name,
                f"byte {size}",
                "ends before the first sector of data",
                COPY_AGAIN,
            )
        first = 0
        while block := stream.read(SECTORS_A_PIECE * SECTOR_BYTES):
            for at, part in _at_headers(block):
                sectors = part
                if part.startswith(HEADER_MARK):
                    header, sectors = part[:HEADER_BYTES], part[HEADER_BYTES:]
                    at += HEADER_BYTES
                if sectors:
                    yield _piece(file, header, sectors, first + at // SECTOR_BYTES)
            first += SECTORS_A_PIECE


def _at_headers(block: bytes) -> list[tuple[int, bytes]]:
    """Return the parts of a block that further headers begin, each with its first byte."""
    words = np.frombuffer(block, dtype="<u4", count=len(block) // SECTOR_BYTES * SECTOR_BYTES // 4)
    marked = words[:: SECTOR_BYTES // 4] == int.from_bytes(HEADER_MARK, "little")
    starts = sorted({0, *(int(n) * SECTOR_BYTES for n in np.flatnonzero(marked))})
    return [
        (low, block[low:high]) for low, high in zip(starts, [*starts[1:], len(block)], strict=True)
    ]


def _piece(file: SourceFile, header: bytes, block: bytes, first: int) -> Reading:
    cut = len(block) % SECTOR_BYTES
    dropped = []
    if cut:
        at = HEADER_BYTES + first * SECTOR_BYTES + len(block) - cut
        found = f"the last sector ends after {cut} of 512 bytes and was left out"
        dropped.append(problem(file, f"byte {at}", found, COPY_AGAIN))
        block = block[:-cut]
    sectors = np.frombuffer(block, dtype=np.uint8).reshape(-1, SECTOR_BYTES)
    sound_S = _sound(sectors)
    if not sound_S.any():
        return Reading(dropped=(*dropped, *_bad(file, np.flatnonzero(~sound_S) + first)))
    with wrap_library_errors(file, f"sector {first}"), NamedTemporaryFile(suffix=".cwa") as part:
        _fill(part, header, sectors[sound_S])
        content: dict[str, Any] = dict(actfast.read(part.name, lenient=True))
    dropped += _bad(file, np.flatnonzero(~sound_S) + first)
    where = f"piece from sector {first}"
    dropped += [problem(file, where, text, COPY_AGAIN) for text in content["warnings"]]
    return Reading(signals=_signals(file, content), dropped=tuple(dropped))


def _fill(part: Any, header: bytes, sectors: np.ndarray) -> None:
    stream: BinaryIO = part
    stream.write(header)
    stream.write(sectors.tobytes())
    stream.flush()


def _sound(sectors: np.ndarray) -> np.ndarray:
    """Return which sectors have the right mark and 16-bit words that sum to zero."""
    words = np.ascontiguousarray(sectors).view("<u2").sum(axis=1, dtype=np.uint16)
    marked = (sectors[:, 0] == ord("A")) & (sectors[:, 1] == ord("X"))
    return np.asarray(marked & (words == 0))


def _bad(file: SourceFile, sectors: np.ndarray) -> list[Problem]:
    """Report bad sectors, each run of neighbours as one problem."""
    runs = np.split(sectors, np.flatnonzero(np.diff(sectors) > 1) + 1) if len(sectors) else []
    return [
        problem(
            file,
            f"sector {run[0]}"
            + (f" to {run[-1]}" if len(run) > 1 else "")
            + f" (byte {HEADER_BYTES + run[0] * SECTOR_BYTES})",
            f"{len(run)} sector(s) with a wrong checksum were left out,"
            f" a gap of about {1.2 * len(run):.0f} s",
            COPY_AGAIN,
        )
        for run in runs
    ]


def _signals(file: SourceFile, content: dict[str, Any]) -> tuple[Signal, ...]:
    series, header = content["timeseries"], content["metadata"]
    fast, slow = series["high_frequency"], series["low_frequency"]
    annotation = urllib.parse.parse_qs(header.get("session", {}).get("annotation", ""))
    common: dict[str, Any] = {
        "subject_label": file.subject_label,
        "device": f"Axivity {header['device']['hardware_type']} {header['device']['device_id']}",
        "maker": "Axivity",
        "placement": file.placement or placement_in(*annotation.get("_p", [])) or NOT_STATED,
    }
    rate = float(header["configuration"]["sample_rate_hz"])
    return (
        Signal(
            quantity=Quantity.ACCELERATION,
            time_N=fast["datetime"].view("datetime64[ns]"),
            values_NC=fast["acceleration"],
            epoch_s=1 / rate,
            **common,
        ),
        Signal(
            quantity=Quantity.TEMPERATURE,
            time_N=slow["datetime"].view("datetime64[ns]"),
            values_NC=slow["temperature"][:, None],
            epoch_s=120 / rate,
            **common,
        ),
    )


SINCE = "2009-01-01"
"""The first Axivity AX3 is of 2011, its forerunner of 2009."""

FORMAT = Format(
    name="axivity-cwa",
    title="Axivity CWA recording",
    matches=lambda head: head.startswith(HEADER_MARK),
    read=read,
    clock=DeviceClock(since=SINCE),
)
