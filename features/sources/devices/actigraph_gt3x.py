"""ActiGraph GT3X: a zip of `info.txt` and `log.bin`, parsed record by record with `pygt3x`.

The library's own `FileReader` keeps everything several times over and repairs silently, so only its
record and payload parsers are used. Seconds of idle sleep mode, in which the device stores nothing
because it does not move, are filled with the last sample as the maker's own software does.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from pygt3x import Types
from pygt3x.activity_payload import (
    read_activity1_payload,
    read_activity2_payload,
    read_activity3_payload,
)
from pygt3x.components import Info
from pygt3x.reader import LogReader

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
from features.tables.packed import opened_archive

DOWNLOAD = "download the device again"
SEPARATOR = 0x1E
MOST_INFO = 1 << 20
"""Bytes of what describes a recording: some lines."""

PIECE_S = 86_400
TICKS_A_SECOND, EPOCH_TICKS = 10_000_000, 621_355_968_000_000_000
""".NET ticks of 100 ns since year 1, and where 1970 lies on them."""

IDLE_FROM, IDLE_TO = b"\x08", b"\x09"
PARSERS = {
    Types.Activity: read_activity1_payload,
    Types.Activity2: read_activity2_payload,
    Types.Activity3: read_activity3_payload,
}


@dataclass(slots=True)
class _Samples:
    """Seconds read so far and not yet yielded."""

    rate: int
    scale: float
    second_S: list[int] = field(default_factory=list)
    values_SRC: list[np.ndarray] = field(default_factory=list)
    last_C: np.ndarray | None = None
    last_second: int = 0
    idle_from: int | None = None

    def add(self, second: int, values_RC: np.ndarray) -> None:
        self.second_S.append(second)
        self.values_SRC.append(values_RC)
        self.last_C, self.last_second = values_RC[-1], second

    def fill(self, until: int) -> None:
        """Repeat the last sample through the idle seconds up to `until`.

        The device stops storing some seconds before it reports that it is idle, so the filling
        starts where the samples end.
        """
        if self.idle_from is None or self.last_C is None:
            return
        still_RC = np.repeat(self.last_C[None], self.rate, axis=0)
        for second in range(self.last_second + 1, until):
            self.add(second, still_RC)
        self.idle_from = None

    def take(self) -> tuple[np.ndarray, np.ndarray]:
        """Return times (ns) and values (g) of all seconds, and forget them."""
        second_S = np.array(self.second_S, dtype=np.int64) * 1_000_000_000
        within_R = np.arange(self.rate, dtype=np.int64) * (1_000_000_000 // self.rate)
        values = np.concatenate(self.values_SRC).astype(np.float32) / np.float32(self.scale)
        time = (second_S[:, None] + within_R).ravel()
        self.second_S, self.values_SRC = [], []
        return time.view("datetime64[ns]"), values


def read(file: SourceFile) -> Iterator[Reading]:
    """Yield acceleration, a day at a time."""
    try:
        with opened_archive(file.path, file.name) as archive:
            yield from _read(file, archive)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError) as error:
        raise SourceUnreadable(
            file.name, "zip", f"the archive is damaged ({error})", "copy or download it again"
        ) from error


def _read(file: SourceFile, archive: zipfile.ZipFile) -> Iterator[Reading]:
    info = _info(file, archive)
    samples = _Samples(rate=info.sample_rate, scale=info.acceleration_scale)
    dropped: list[Problem] = []
    second = 0
    for where, event in _events(file, archive):
        second = event.header.timestamp
        if not event.is_checksum_valid:
            found = "its checksum is wrong, the record was left out"
            dropped.append(problem(file, where, found, DOWNLOAD))
            continue
        _take(file, where, event, samples, dropped)
        if len(samples.second_S) >= PIECE_S:
            yield _reading(file, info, samples, dropped)
            dropped = []
    samples.fill(second)
    dropped += _missing_end(file, info, second)
    if samples.second_S:
        yield _reading(file, info, samples, dropped)
    elif dropped:
        yield Reading(dropped=tuple(dropped))


def _info(file: SourceFile, archive: zipfile.ZipFile) -> Info:
    names = set(archive.namelist())
    if missing := {"info.txt", "log.bin"} - names:
        raise SourceUnreadable(
            file.name,
            "zip",
            f"has no {', '.join(sorted(missing))}, only {', '.join(sorted(names))}",
            "check that it is a GT3X file of the second kind (2013 and later)",
        )
    if archive.getinfo("info.txt").file_size > MOST_INFO:
        raise SourceUnreadable(file.name, "info.txt", "is no list of some lines", DOWNLOAD)
    with wrap_library_errors(file, "info.txt"):
        info = Info.read_zip(archive)
    if not (0 < info.sample_rate <= 1000 and info.acceleration_scale > 0):
        raise SourceUnreadable(
            file.name,
            "info.txt",
            f"sample rate {info.sample_rate} Hz and scale {info.acceleration_scale} per g are"
            " impossible",
            DOWNLOAD,
        )
    return replace(info, subject_name=_subject_name(archive))


def _subject_name(archive: zipfile.ZipFile) -> str:
    """Return the subject's name as it is written: the library leaves out one with a colon."""
    with archive.open("info.txt") as stream:
        lines = stream.read(MOST_INFO).decode("utf-8-sig").splitlines()
    named = (line.partition(":") for line in lines)
    return next((value.strip() for name, _, value in named if name == "Subject Name"), "")


def _events(file: SourceFile, archive: zipfile.ZipFile) -> Iterator[tuple[str, Any]]:
    """Yield each record with its place; a record cut short or out of step stops the file."""
    size = archive.getinfo("log.bin").file_size
    with archive.open("log.bin") as stream:
        reader, at, number = LogReader(stream), 0, 0
        while at < size:
            where = f"log.bin record {number} (byte {at})"
            with wrap_library_errors(file, where):
                event = reader.read_event()
            if event is None:
                raise SourceUnreadable(file.name, where, "the record is cut short", DOWNLOAD)
            if event.header.separator != SEPARATOR:
                raise SourceUnreadable(
                    file.name,
                    where,
                    f"a record starts with 0x1E, this one with {event.header.separator:#04x}",
                    DOWNLOAD,
                )
            yield where, event
            at += 9 + event.header.payload_size
            number += 1


def _take(
    file: SourceFile, where: str, event: Any, samples: _Samples, dropped: list[Problem]
) -> None:
    kind, payload, second = event.header.event_type, event.payload, event.header.timestamp
    if kind == Types.Event.value and payload == IDLE_FROM:
        samples.idle_from = second
    elif kind == Types.Event.value and payload == IDLE_TO:
        samples.fill(second)
    # A payload of one byte marks the device in its dock.
    elif kind in {known.value for known in PARSERS} and len(payload) > 1:
        samples.fill(second)
        with wrap_library_errors(file, where):
            values_RC = PARSERS[Types(kind)](payload, second, samples.rate)[:, 1:4]
        if len(values_RC) != samples.rate:
            found = (
                f"{len(values_RC)} samples in a second that should have {samples.rate},"
                " the second was left out"
            )
            dropped.append(problem(file, where, found, DOWNLOAD))
        else:
            samples.add(second, values_RC)


def _missing_end(file: SourceFile, info: Info, second: int) -> list[Problem]:
    announced = (info.last_sample_time - EPOCH_TICKS) // TICKS_A_SECOND
    # The idle seconds before docking are never stored.
    if not info.last_sample_time or announced - second <= PIECE_S // 24:
        return []
    found = f"ends {announced - second} s before the last sample that info.txt names"
    return [problem(file, "log.bin", found, DOWNLOAD)]


def _reading(file: SourceFile, info: Info, samples: _Samples, dropped: list[Problem]) -> Reading:
    time, values = samples.take()
    signal = Signal(
        subject_label=info.subject_name or file.subject_label,
        quantity=Quantity.ACCELERATION,
        time_N=time,
        values_NC=values,
        epoch_s=1 / info.sample_rate,
        placement=file.placement or placement_in(info.side, info.limb) or NOT_STATED,
        # The serial number alone: exports of one recording in several formats are one device.
        device=f"ActiGraph {info.serial_number or info.device_type}",
        maker="ActiGraph",
        clock=f"device's own, set to UTC{info.timezone}" if info.timezone else "device's own",
    )
    return Reading(signals=(signal,), dropped=tuple(dropped))


SINCE = "2008-01-01"
"""The first device that writes this format is of 2009."""

FORMAT = Format(
    name="actigraph-gt3x",
    title="ActiGraph GT3X recording",
    matches=lambda head: (
        head[:4] == b"PK\x03\x04"
        and any(name in head[:200] for name in (b"log.bin", b"info.txt", b"calibration.json"))
    ),
    read=read,
    clock=DeviceClock(since=SINCE),
)
