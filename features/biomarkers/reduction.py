"""Reduces a reading's signals to minutes and daily values, and says what was left out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pandas as pd

from contracts.cohort import TIME
from contracts.errors import Problem
from features.biomarkers import clock, gait, heart, muscle, posture
from features.biomarkers.epochs import minutes_of
from features.recording import Collected, Quantity, Reading, Signal, SourceFile, problem, records

CLOCK_CHANGE = "REHABCAST//CLOCK_CHANGE"
PACED = {Quantity.ACCELERATION, Quantity.COUNTS}
"""Quantities sampled without a pause: a jump of their times is a jump of the clock."""


def take_reading(
    file: SourceFile,
    reading: Reading,
    found: Collected,
    heights: dict[str, float],
    axes: posture.DeviceAxes | None = None,
) -> None:
    """Reduce a reading's signals to minutes and daily values, and add all of it.

    Parameters
    ----------
    heights
        Heights in m by subject label; gait speed needs them.
    axes
        How the device sits; posture needs it.
    """
    found.dropped += reading.dropped
    if reading.records is not None and len(reading.records):
        found.records.append(reading.records)
    for signal in reading.signals:
        sound = _on_one_clock(file, signal, found)
        for each in (sound, *_posture(file, sound, axes, found)):
            minutes = minutes_of(each)
            if len(minutes):
                if each.quantity in PACED:
                    _forget_told_twice(file, each, minutes, found)
                found.minutes[sound.who].append(minutes)
        if gait.is_lumbar(sound):
            strides = gait.strides_of(sound, heights.get(sound.who))
            if len(strides):
                found.strides[sound.who].append(strides)
        for table in _daily(sound):
            if len(table):
                found.daily[sound.who].append(table)


def _posture(
    file: SourceFile, signal: Signal, axes: posture.DeviceAxes | None, found: Collected
) -> Iterator[Signal]:
    """Yield the posture of raw acceleration whose device's axes are declared."""
    if axes is None or signal.quantity is not Quantity.ACCELERATION or not len(signal):
        return
    try:
        yield posture.posture_of(signal, axes.up, axes.front)
    except ValueError as error:
        where = str(signal.quantity)
        found.dropped.append(Problem(file=file.name, row=None, field=where, found=str(error)))


def _on_one_clock(file: SourceFile, signal: Signal, found: Collected) -> Signal:
    """Leave out what can't be placed in time, and write down each change of the clock."""
    if signal.quantity not in PACED or len(signal) < 2:
        return signal
    for jump in clock.jumps(signal.time_N, signal.epoch_s):
        if jump.kind == "gap":
            continue
        message = f"{jump.kind}: the clock went on by {jump.minutes:+.0f} min"
        where = f"{signal.quantity} after {jump.at:%Y-%m-%d %H:%M}"
        found.dropped.append(Problem(file=file.name, row=None, field=where, found=message))
        if jump.kind != "date lost":
            found.records.append(records([(signal.who, jump.at, CLOCK_CHANGE, None, None)]))
    kept = clock.placed_rows(signal.time_N, signal.epoch_s)
    kept[kept] = clock.told_once(signal.time_N[kept])
    if kept.all():
        return signal
    lost = int((~kept).sum())
    message = f"{lost} sample(s) that the clock tells twice or cannot place: left out"
    found.dropped.append(
        Problem(file=file.name, row=None, field=str(signal.quantity), found=message)
    )
    return replace(signal, time_N=signal.time_N[kept], values_NC=signal.values_NC[kept])


def _forget_told_twice(
    file: SourceFile, signal: Signal, minutes: pd.DataFrame, found: Collected
) -> None:
    """Let minutes go that an earlier piece of the recording told and the clock tells again."""
    forgotten = 0
    tables = found.minutes[signal.who]
    for place, earlier in enumerate(tables):
        about = ["placement", "device"]
        if (
            list(earlier.columns) != list(minutes.columns)
            or earlier[about].iloc[0].tolist() != minutes[about].iloc[0].tolist()
        ):
            continue
        twice = earlier[TIME].isin(minutes[TIME])
        if earlier[TIME].iloc[-1] == minutes[TIME].iloc[0]:
            twice.iloc[-1] = False  # The minute in which one piece ends and the next begins.
        forgotten += int(twice.sum())
        if twice.any():
            tables[place] = earlier[~twice]
    found.minutes[signal.who] = [table for table in tables if len(table)]
    if forgotten:
        message = f"{forgotten} minute(s) that the clock tells twice: the later ones are kept"
        found.dropped.append(problem(file, str(signal.quantity), message))


def _daily(signal: Signal) -> Iterator[pd.DataFrame]:
    """Yield the biomarkers that need more than minutes."""
    if signal.quantity is Quantity.BEAT_INTERVAL:
        yield heart.daily_variability(signal)
    elif signal.quantity is Quantity.HEART_RATE:
        yield heart.daily_sessions(signal)
    elif signal.quantity is Quantity.MUSCLE:
        yield muscle.daily_muscle(signal)
    elif signal.quantity is Quantity.CADENCE:
        yield gait.daily_mean(signal, gait.CODES["cadence"])
    elif signal.quantity is Quantity.SPEED:
        yield gait.daily_mean(signal, gait.CODES["speed"])
