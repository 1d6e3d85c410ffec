"""The clock of a FIT file: what its times are on the wearer's wall clock.

Times are in UTC, or count from the device's start. An offset from UTC is believed only if a zone
can have it: at most 14 hours, in steps of a quarter of an hour, to which it is rounded if it lies
within two minutes of one. A file may hold several, of a traveller or of daylight saving: each holds
until the next. Some devices write an offset only into their settings.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from contracts.errors import SourceUnreadable
from features.measurements.wall_clock import to_wall_clock
from features.recording import SourceFile

UTC = "UTC"
FIT_EPOCH_S = 631_065_600
"""1989-12-31 UTC in Unix seconds, where FIT starts to count (FIT protocol)."""

SYSTEM_TIME_BELOW = 0x10000000
"""Smaller times count from the device's start (FIT protocol, date_time)."""

LARGEST_OFFSET_S, OFFSET_STEP_S = 14 * 3600, 900
"""Zones differ from UTC by at most 14 hours, in steps of a quarter of an hour (IANA)."""

OFFSET_SLACK_S = 120
"""The two times that give an offset may be taken some moments apart (local)."""


class Message(NamedTuple):
    """A FIT message: its name, and its values by field."""

    name: str
    values: dict[str, Any]


class FitClock(NamedTuple):
    """What turns the file's seconds into local time.

    Parameters
    ----------
    offsets
        Offsets from UTC in seconds, each with the time from which on it holds; a traveller's
        change. Empty where the file gives none.
    zone
        Zone of times in UTC where there are no offsets.
    start_s
        What turns seconds since the device's start into local time, None where there are none.
    """

    offsets: tuple[tuple[float, float], ...] = ()
    zone: str = UTC
    start_s: float | None = None

    def local(self, seconds: list[float]) -> NDArray[np.datetime64]:
        """Return the wall clock of some Unix seconds."""
        at = np.array(seconds, dtype=np.float64)
        ns = np.round(at * 1e9).astype(np.int64)
        if self.offsets:
            since, offset = (np.array(values) for values in zip(*self.offsets, strict=True))
            which = np.maximum(np.searchsorted(since, at, side="right") - 1, 0)
            ns = ns + np.round(offset[which] * 1e9).astype(np.int64)
        time_N = ns.view("datetime64[ns]")
        if not self.offsets and self.zone != UTC:
            time_N = to_wall_clock(time_N, self.zone)
        if self.start_s is not None:
            started = np.round((at + self.start_s) * 1e9).astype(np.int64).view("datetime64[ns]")
            time_N = np.where(at < SYSTEM_TIME_BELOW, started, time_N)
        return np.asarray(time_N)

    @property
    def of_the_file(self) -> bool:
        """Whether the file itself says what its local time is."""
        return bool(self.offsets) or self.start_s is not None


def seconds_of(value: object) -> float | None:
    """Return Unix seconds, or device seconds where the file counts from its start."""
    if isinstance(value, dt.datetime):
        return value.timestamp()
    return float(value) if isinstance(value, int | float) else None


def clock_of(file: SourceFile, messages: list[Message]) -> FitClock:
    """Return the clock of a FIT file.

    Raises
    ------
    SourceUnreadable
        Its times count from the device's start, and it does not say when that was.
    """
    times = [seconds_of(m.values.get("timestamp")) for m in messages]
    pairs = [
        (here, local)
        for here, message in zip(times, messages, strict=True)
        if here is not None
        and (local := seconds_of(message.values.get("local_timestamp"))) is not None
    ]
    start_s = next((local - here for here, local in pairs if here < SYSTEM_TIME_BELOW), None)
    known = [at for at in times if at is not None]
    if start_s is None and known and all(at < SYSTEM_TIME_BELOW for at in known):
        raise SourceUnreadable(
            file.name,
            "timestamp",
            "counts from the device's start and has no local time, so its days are not known",
            "set the device's clock and record again; this file cannot be dated",
        )
    offsets = sorted(
        (here, offset)
        for here, local in pairs
        if here >= SYSTEM_TIME_BELOW and (offset := _offset(local - here)) is not None
    )
    if not offsets and (settings := _settings_offset(messages)) is not None:
        offsets = [(0.0, settings)]
    return FitClock(tuple(offsets), file.zone or UTC, start_s)


def _offset(seconds: float) -> float | None:
    """Return an offset from UTC to the nearest quarter of an hour, None where it can't be one."""
    nearest = round(seconds / OFFSET_STEP_S) * OFFSET_STEP_S
    possible = abs(nearest) <= LARGEST_OFFSET_S and abs(seconds - nearest) <= OFFSET_SLACK_S
    return float(nearest) if possible else None


def _settings_offset(messages: list[Message]) -> float | None:
    """Return the offset of the device's settings; one of zero may only mean that none was set."""
    for message in messages:
        if message.name != "device_settings":
            continue
        zone = message.values.get("active_time_zone")
        offsets = []
        for name in ("time_offset", "utc_offset"):
            value = message.values.get(name)
            if isinstance(value, tuple):
                inside = isinstance(zone, int) and zone < len(value)
                value = value[int(zone or 0)] if inside else None
            offsets.append(value if isinstance(value, int) else 0)
        # Both are signed numbers in an unsigned field.
        local, utc = ((value + 2**31) % 2**32 - 2**31 for value in offsets)
        if (offset := _offset(local - utc)) is not None and offset:
            return offset
    return None


def monitoring_time(values: dict[str, Any], last: float | None) -> float | None:
    """Return a message's time; short times continue from the last full one (FIT protocol)."""
    full = seconds_of(values.get("timestamp"))
    if full is not None or last is None:
        return full
    start = FIT_EPOCH_S if last >= SYSTEM_TIME_BELOW else 0
    since = int(last) - start
    if (low := values.get("timestamp_16")) is not None:
        return float(start + since + ((int(low) - since) & 0xFFFF))
    if (low := values.get("timestamp_min_8")) is not None:
        minutes = since // 60
        return float(start + 60 * (minutes + ((int(low) - minutes) & 0xFF)))
    return last
