"""Garmin FIT, read by `fitdecode`: activities (a walk, a ride) and all-day monitoring.

FIT times are in UTC. Local time comes from the file's own offset (`fit_clock`), else from a
declared zone; with neither, days are days in UTC and that is reported. Messages build on those
before them, so a truncated file is refused as a whole. Several FIT files in one are read one after
the other.
"""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import fitdecode
import numpy as np
import pandas as pd

from contracts.cohort import CODE, NUMBER, TEXT, TIME
from contracts.errors import Problem, SourceUnreadable
from features.measurements.device_clocks import DeviceClock
from features.measurements.records import AMOUNT, PLACE, SOURCE, Amount, records
from features.recording import (
    LIBRARY_FAULTS,
    Quantity,
    Reading,
    Signal,
    SourceFile,
    problem,
)
from features.sources.devices.fit_clock import (
    FitClock,
    Message,
    clock_of,
    monitoring_time,
    seconds_of,
)
from features.sources.format import Format

UNKNOWN_MAKER = "FIT device"
"""Maker where the file does not name one."""

STEPS, RESTING, DEVICE = "LOINC//41950-7", "LOINC//40443-4", "REHABCAST//DEVICE"
ON_FOOT = {"walking", "running", "hiking"}
FIELDS = {
    Quantity.HEART_RATE: ("heart_rate", 1.0),
    Quantity.SPEED: ("speed", 1.0),
    # Cadence counts strides of one foot.
    Quantity.CADENCE: ("cadence", 2.0),
}
SECOND, MINUTE = 1.0, 60.0
Series = dict[tuple[Quantity, float], list[tuple[float, float]]]
"""Times and values by quantity and seconds between two samples."""


def read(file: SourceFile) -> Iterator[Reading]:
    """Yield heart rate, speed, cadence, beat intervals and steps, as far as the file has them."""
    for number, messages in enumerate(_messages(file)):
        yield _reading(file, messages, number)


def _reading(file: SourceFile, messages: list[Message], number: int) -> Reading:
    clock = clock_of(file, messages)
    file_id = next((m.values for m in messages if m.name == "file_id"), None)
    common = {
        "subject_label": file.subject_label,
        "device": UNKNOWN_MAKER if file_id is None else _device(file_id),
        "maker": str((file_id or {}).get("manufacturer") or UNKNOWN_MAKER),
        "placement": file.placement or "wrist",
        "clock": "file's local time" if clock.of_the_file else clock.zone,
    }
    series: Series = defaultdict(list)
    _from_records(messages, series)
    _from_beats(messages, series)
    rows = _from_monitoring(messages, series)
    if rows and not series:
        # Nothing sampled will name the device.
        rows.append({CODE: DEVICE, TEXT: common["maker"], PLACE: f"file {number}"})
    in_utc_problem = problem(
        file,
        "timestamp",
        "has no local time that is within 14 hours of UTC, so its days are days in UTC",
        "declare time_zone in the map (--map)",
    )
    in_utc = not clock.of_the_file and not file.zone
    return Reading(
        signals=tuple(
            _signal(q, epoch_s, points, clock, common)
            for (q, epoch_s), points in series.items()
            if points
        ),
        records=_records(rows, clock, common["device"], file),
        dropped=(*([in_utc_problem] if in_utc else []), *_no_pulse(file, messages)),
    )


def _no_pulse(file: SourceFile, messages: list[Message]) -> Iterator[Problem]:
    """Yield how often the device found no pulse: nothing needs to be done."""
    zeros = sum(m.name == "monitoring" and m.values.get("heart_rate") == 0 for m in messages)
    if zeros:
        found = f"{zeros} heart rate(s) of 0, by which the device says that it found no pulse"
        yield problem(file, "heart_rate", f"{found}, were left out")


def _messages(file: SourceFile) -> list[list[Message]]:
    """Return the messages of each FIT file that follows another in this one."""
    files: list[list[Message]] = []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with fitdecode.FitReader(
                str(file.path),
                check_crc=fitdecode.CrcCheck.RAISE,
                error_handling=fitdecode.ErrorHandling.RAISE,
            ) as reader:
                for frame in reader:
                    if frame.frame_type == fitdecode.FIT_FRAME_HEADER:
                        files.append([])
                    elif frame.frame_type == fitdecode.FIT_FRAME_DATA:
                        values = {f.name: f.value for f in frame.fields}
                        files[-1].append(Message(frame.name, values))
    except (fitdecode.FitError, Warning, *LIBRARY_FAULTS) as error:
        raise SourceUnreadable(
            file.name,
            f"message {sum(map(len, files))}",
            f"cannot be read from here on ({error}); nothing was imported because the messages"
            " before it may cover only part of a day",
            "download the file from the device again",
        ) from error
    return files


def _device(values: dict[str, Any]) -> str:
    product = values.get("garmin_product") or values.get("product") or ""
    return f"{values.get('manufacturer', '')} {product} {values.get('serial_number', '')}".strip()


def _from_records(messages: list[Message], series: Series) -> None:
    sport = next((m.values.get("sport") for m in messages if m.name == "session"), None)
    for message in messages:
        at = seconds_of(message.values.get("timestamp"))
        if message.name != "record" or at is None:
            continue
        on_foot = (message.values.get("activity_type") or sport) in ON_FOOT
        for quantity, (name, factor) in FIELDS.items():
            value = message.values.get(name)
            if value is None or (quantity is not Quantity.HEART_RATE and not on_foot):
                continue
            if quantity is Quantity.CADENCE:
                value += message.values.get("fractional_cadence") or 0.0
            series[quantity, SECOND].append((at, float(value) * factor))


def _from_beats(messages: list[Message], series: Series) -> None:
    """Lay the beat intervals end to end from the first record on."""
    starts = [seconds_of(m.values.get("timestamp")) for m in messages if m.name == "record"]
    at = next((s for s in starts if s is not None), None)
    if at is None:
        return
    for message in messages:
        if message.name == "hrv":
            for interval in message.values.get("time") or ():
                if interval is not None:
                    at += interval
                    series[Quantity.BEAT_INTERVAL, SECOND].append((at, interval * 1000))


def _from_monitoring(messages: list[Message], series: Series) -> list[dict[str, Any]]:
    """Take all-day heart rate, and return running totals of steps and resting heart rates.

    Steps are counted since midnight, by activity, from one file to the next: what they add up to
    in a day is known once all files are there.
    """
    rows: list[dict[str, Any]] = []
    at: float | None = None
    for place, message in enumerate(messages):
        values = message.values
        if message.name == "monitoring_info":
            begun = seconds_of(values.get("timestamp"))
            at = at if begun is None else begun
        elif message.name == "monitoring_hr_data":
            when = seconds_of(values.get("timestamp"))
            rate = values.get("current_day_resting_heart_rate")
            if when is not None and rate is not None:
                rows.append(_row(place, when, RESTING, float(rate), None, Amount.TOTAL))
        if message.name != "monitoring":
            continue
        at = monitoring_time(values, at)
        if at is None:
            continue
        if rate := values.get("heart_rate"):
            series[Quantity.HEART_RATE, MINUTE].append((at, float(rate)))
        activity = str(values.get("activity_type"))
        steps = values.get("steps")
        if steps is None and activity in ON_FOOT and values.get("cycles") is not None:
            # A cycle on foot is two steps (FIT profile, monitoring.cycles).
            steps = 2 * values["cycles"]
        if steps is not None:
            rows.append(_row(place, at, STEPS, float(steps), activity, Amount.RUNNING))
    return rows


def _row(
    place: int, at: float, code: str, number: float, text: str | None, amount: Amount
) -> dict[str, Any]:
    return {
        TIME: at, CODE: code, NUMBER: number, TEXT: text, AMOUNT: str(amount),
        PLACE: f"message {place}",
    }  # fmt: skip


def _records(
    rows: list[dict[str, Any]], clock: FitClock, device: str, file: SourceFile
) -> pd.DataFrame | None:
    if not rows:
        return None
    dated = [row for row in rows if TIME in row]
    for row, time in zip(dated, clock.local([row[TIME] for row in dated]), strict=True):
        row[TIME] = time
    return records(rows, subject_label=file.subject_label, file=file.name, **{SOURCE: device})


def _signal(
    quantity: Quantity,
    epoch_s: float,
    points: list[tuple[float, float]],
    clock: FitClock,
    common: dict[str, str],
) -> Signal:
    ordered = sorted(points)
    return Signal(
        quantity=quantity,
        time_N=clock.local([at for at, _ in ordered]),
        values_NC=np.array([[value] for _, value in ordered], dtype=np.float32),
        epoch_s=epoch_s,
        **common,
    )


SINCE = "2008-01-01"
"""The FIT protocol is of 2008; a clock that lost its date begins in 1989."""

FORMAT = Format(
    name="garmin-fit",
    title="FIT file",
    matches=lambda head: len(head) >= 12 and head[8:12] == b".FIT",
    read=read,
    clock=DeviceClock(since=SINCE, factory_dates=()),
)
