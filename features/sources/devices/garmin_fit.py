"""Garmin FIT, read by `fitdecode`: activities (a walk, a ride) and all-day monitoring.

FIT times are in UTC. Local time comes from the file's own `local_timestamp` (in `activity` or
`monitoring_info`), else from a declared zone; with neither, days are days in UTC and that is
reported. Messages build on those before them, so a truncated file is refused as a whole.
"""

from __future__ import annotations

import datetime as dt
import warnings
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple

import fitdecode
import numpy as np
from numpy.typing import NDArray

from contracts.errors import SourceUnreadable
from features.biomarkers.device_clock import to_wall_clock
from features.recording import (
    LIBRARY_FAULTS,
    Quantity,
    Reading,
    Signal,
    SourceFile,
    problem,
)
from features.sources.format import Format

UNKNOWN_MAKER = "FIT device"
"""Maker where the file does not name one."""

FIT_EPOCH_S = 631_065_600
"""1989-12-31 UTC in Unix seconds, where FIT starts to count (FIT protocol)."""

SYSTEM_TIME_BELOW = 0x10000000
"""Smaller times count from the device's start (FIT protocol, date_time)."""

UTC = "UTC"
ON_FOOT = {"walking", "running", "hiking"}
FIELDS = {
    Quantity.HEART_RATE: ("heart_rate", 1.0),
    Quantity.SPEED: ("speed", 1.0),
    # Cadence counts strides of one foot.
    Quantity.CADENCE: ("cadence", 2.0),
}


class _Message(NamedTuple):
    name: str
    values: dict[str, Any]


class _Clock(NamedTuple):
    """What turns the file's seconds into local time: a fixed offset, or a zone."""

    offset_s: float | None
    zone: str

    def local(self, seconds: list[float]) -> NDArray[np.datetime64]:
        """Return the wall clock of some Unix seconds."""
        offset = self.offset_s or 0.0
        ns = np.array([round((at + offset) * 1e9) for at in seconds], dtype=np.int64)
        time_N = ns.view("datetime64[ns]")
        return time_N if self.offset_s is not None else to_wall_clock(time_N, self.zone)


def read(file: SourceFile) -> Iterator[Reading]:
    """Yield heart rate, speed, cadence, beat intervals and steps, as far as the file has them."""
    messages = _messages(file)
    clock = _clock(file, messages)
    file_id = next((m.values for m in messages if m.name == "file_id"), None)
    common = {
        "subject_label": file.subject_label,
        "device": UNKNOWN_MAKER if file_id is None else _device(file_id),
        "maker": str((file_id or {}).get("manufacturer") or UNKNOWN_MAKER),
        "placement": file.placement or "wrist",
        "clock": "file's local time" if clock.offset_s is not None else clock.zone,
    }
    series: dict[Quantity, list[tuple[float, float]]] = defaultdict(list)
    _from_records(messages, series)
    _from_beats(messages, series)
    _from_monitoring(messages, series)
    in_utc_problem = problem(
        file,
        "timestamp",
        "has no local time, so its days are days in UTC",
        "declare time_zone in the map (--map)",
    )
    in_utc = clock.offset_s is None and not file.zone
    yield Reading(
        signals=tuple(_signal(q, points, clock, common) for q, points in series.items() if points),
        dropped=(in_utc_problem,) if in_utc else (),
    )


def _messages(file: SourceFile) -> list[_Message]:
    messages: list[_Message] = []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with fitdecode.FitReader(
                str(file.path),
                check_crc=fitdecode.CrcCheck.RAISE,
                error_handling=fitdecode.ErrorHandling.RAISE,
            ) as reader:
                messages.extend(
                    _Message(frame.name, {f.name: f.value for f in frame.fields})
                    for frame in reader
                    if frame.frame_type == fitdecode.FIT_FRAME_DATA
                )
    except (fitdecode.FitError, Warning, *LIBRARY_FAULTS) as error:
        raise SourceUnreadable(
            file.name,
            f"message {len(messages)}",
            f"cannot be read from here on ({error}); nothing was imported because the messages"
            " before it may cover only part of a day",
            "download the file from the device again",
        ) from error
    return messages


def _device(values: dict[str, Any]) -> str:
    product = values.get("garmin_product") or values.get("product") or ""
    return f"{values.get('manufacturer', '')} {product} {values.get('serial_number', '')}".strip()


def _seconds(value: object) -> float | None:
    """Return Unix seconds, or device seconds where the file counts from its start."""
    if isinstance(value, dt.datetime):
        return value.timestamp()
    return float(value) if isinstance(value, int | float) else None


def _clock(file: SourceFile, messages: list[_Message]) -> _Clock:
    for message in messages:
        local = _seconds(message.values.get("local_timestamp"))
        here = _seconds(message.values.get("timestamp"))
        if local is not None and here is not None:
            return _Clock(local - here, "")
    counts_from_start = any(
        (s := _seconds(m.values.get("timestamp"))) is not None and s < SYSTEM_TIME_BELOW
        for m in messages
    )
    if counts_from_start:
        raise SourceUnreadable(
            file.name,
            "timestamp",
            "counts from the device's start and has no local time, so its days are not known",
            "set the device's clock and record again; this file cannot be dated",
        )
    return _Clock(None, file.zone or UTC)


def _from_records(messages: list[_Message], series: dict[Quantity, list[Any]]) -> None:
    sport = next((m.values.get("sport") for m in messages if m.name == "session"), None)
    for message in messages:
        at = _seconds(message.values.get("timestamp"))
        if message.name != "record" or at is None:
            continue
        on_foot = (message.values.get("activity_type") or sport) in ON_FOOT
        for quantity, (name, factor) in FIELDS.items():
            value = message.values.get(name)
            if value is None or (quantity is not Quantity.HEART_RATE and not on_foot):
                continue
            if quantity is Quantity.CADENCE:
                value += message.values.get("fractional_cadence") or 0.0
            series[quantity].append((at, float(value) * factor))


def _from_beats(messages: list[_Message], series: dict[Quantity, list[Any]]) -> None:
    """Lay the beat intervals end to end from the first record on."""
    starts = [_seconds(m.values.get("timestamp")) for m in messages if m.name == "record"]
    at = next((s for s in starts if s is not None), None)
    if at is None:
        return
    for message in messages:
        if message.name == "hrv":
            for interval in message.values.get("time") or ():
                if interval is not None:
                    at += interval
                    series[Quantity.BEAT_INTERVAL].append((at, interval * 1000))


def _from_monitoring(messages: list[_Message], series: dict[Quantity, list[Any]]) -> None:
    """Turn the running totals of steps, by activity and day, into steps per interval."""
    start = next(
        (_seconds(m.values.get("timestamp")) for m in messages if m.name == "monitoring_info"), None
    )
    if start is None:
        return
    before: dict[str, float] = defaultdict(float)
    at = start
    for message in messages:
        if message.name != "monitoring":
            continue
        at = _monitoring_time(message.values, at)
        steps, activity = message.values.get("steps"), str(message.values.get("activity_type"))
        if steps is None and activity in ON_FOOT and "cycles" in message.values:
            # A cycle on foot is two steps (FIT profile, monitoring.cycles).
            steps = 2 * message.values["cycles"]
        if steps is None:
            continue
        # A total below the last one has restarted at midnight.
        new = steps - before[activity] if steps >= before[activity] else steps
        before[activity] = steps
        # The total at midnight closes the day before.
        series[Quantity.STEPS].append((at - 1, float(new)))


def _monitoring_time(values: dict[str, Any], last: float) -> float:
    """Return a message's time; 16-bit times continue from the last full one (FIT protocol)."""
    full = _seconds(values.get("timestamp"))
    if full is not None:
        return full
    low = values.get("timestamp_16")
    if low is None:
        return last
    since = int(last) - FIT_EPOCH_S
    return float(FIT_EPOCH_S + since + ((int(low) - (since & 0xFFFF)) & 0xFFFF))


def _signal(
    quantity: Quantity, points: list[tuple[float, float]], clock: _Clock, common: dict[str, str]
) -> Signal:
    ordered = sorted(points)
    return Signal(
        quantity=quantity,
        time_N=clock.local([at for at, _ in ordered]),
        values_NC=np.array([[value] for _, value in ordered], dtype=np.float32),
        epoch_s=1.0,
        **common,
    )


FORMAT = Format(
    name="garmin-fit",
    title="FIT file",
    matches=lambda head: len(head) >= 12 and head[8:12] == b".FIT",
    read=read,
)
