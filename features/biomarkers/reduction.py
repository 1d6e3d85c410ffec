"""Reduces a reading's signals to minutes and daily values, and reports what was left out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pandas as pd

from contracts.cohort import TIME
from contracts.errors import ContractError, Problem
from features.biomarkers import device_clock, gait, heart, muscle, posture
from features.biomarkers.epochs import minutes_of
from features.measurements.records import records
from features.recording import Collected, Quantity, Reading, Signal, SourceFile, problem

CLOCK_CHANGE = "REHABCAST//CLOCK_CHANGE"
EVENLY_SAMPLED = {Quantity.ACCELERATION, Quantity.COUNTS}
"""Quantities that are sampled without a pause: a jump in their times is a jump of the clock."""


def reduce_reading(
    file: SourceFile,
    reading: Reading,
    collected: Collected,
    heights: dict[str, float],
    axes: posture.DeviceAxes | None = None,
) -> None:
    """Reduce a reading's signals to minutes and daily values, and add everything to `collected`.

    Parameters
    ----------
    heights
        Heights in m by subject label; gait speed needs them.
    axes
        How the device is oriented; posture needs it.
    """
    collected.dropped += reading.dropped
    if reading.records is not None and len(reading.records):
        collected.records.append(reading.records)
    for signal in reading.signals:
        dated = _on_one_clock(file, signal, collected)
        subject = dated.subject_label
        for measured in (dated, *_posture(file, dated, axes, collected)):
            minutes = minutes_of(measured)
            if len(minutes):
                if measured.quantity in EVENLY_SAMPLED:
                    _drop_repeated_minutes(file, measured, minutes, collected)
                collected.minutes[subject].append(minutes)
        if gait.is_lumbar(dated):
            strides = gait.strides_of(dated, heights.get(subject))
            if len(strides):
                collected.strides[subject].append(strides)
        for table in _daily(file, dated, collected):
            if len(table):
                collected.daily[subject].append(table)


def _posture(
    file: SourceFile, signal: Signal, axes: posture.DeviceAxes | None, collected: Collected
) -> Iterator[Signal]:
    """Yield the posture of raw acceleration whose device's axes are declared."""
    if axes is None or signal.quantity is not Quantity.ACCELERATION or not len(signal):
        return
    try:
        yield posture.posture_of(signal, axes.up, axes.front)
    except ContractError as error:
        where = str(signal.quantity)
        collected.dropped.append(problem(file, where, error.reason, error.what_to_do))


def _on_one_clock(file: SourceFile, signal: Signal, collected: Collected) -> Signal:
    """Leave out what can't be dated, and record each change of the clock."""
    if signal.quantity not in EVENLY_SAMPLED or len(signal) < 2:
        return signal
    for jump in device_clock.jumps(signal.time_N, signal.epoch_s):
        if jump.kind is device_clock.JumpKind.GAP:
            continue
        where = f"{signal.quantity} after {jump.at:%Y-%m-%d %H:%M}"
        collected.dropped.append(_clock_problem(file, where, jump))
        if jump.kind is not device_clock.JumpKind.DATE_LOST:
            row = (signal.subject_label, jump.at, CLOCK_CHANGE, None, None)
            collected.records.append(records([row]))
    kept = device_clock.rows_with_known_date(signal.time_N, signal.epoch_s)
    kept[kept] = device_clock.last_of_repeated_times(signal.time_N[kept])
    if kept.all():
        return signal
    lost = int((~kept).sum())
    found = f"{lost} sample(s) with a repeated time or a lost date were left out"
    collected.dropped.append(
        problem(file, str(signal.quantity), found, "check the clock of the device")
    )
    return replace(signal, time_N=signal.time_N[kept], values_NC=signal.values_NC[kept])


def _clock_problem(file: SourceFile, where: str, jump: device_clock.Jump) -> Problem:
    found = f"{jump.kind}, the clock jumped by {jump.minutes:+.0f} min"
    if jump.kind is device_clock.JumpKind.DAYLIGHT_SAVING:
        return problem(file, where, found)  # Nothing is lost and nothing needs to be done.
    return problem(file, where, found, "check the clock of the device")


def _drop_repeated_minutes(
    file: SourceFile, signal: Signal, minutes: pd.DataFrame, collected: Collected
) -> None:
    """Drop minutes of earlier pieces of the recording whose times occur again in this piece."""
    dropped = 0
    tables = collected.minutes[signal.subject_label]
    for index, earlier in enumerate(tables):
        device = ["placement", "device"]
        if (
            list(earlier.columns) != list(minutes.columns)
            or earlier[device].iloc[0].tolist() != minutes[device].iloc[0].tolist()
        ):
            continue
        twice = earlier[TIME].isin(minutes[TIME])
        if earlier[TIME].iloc[-1] == minutes[TIME].iloc[0]:
            twice.iloc[-1] = False  # The minute in which one piece ends and the next begins.
        dropped += int(twice.sum())
        if twice.any():
            tables[index] = earlier[~twice]
    collected.minutes[signal.subject_label] = [table for table in tables if len(table)]
    if dropped:
        found = f"{dropped} minute(s) occur twice, the later ones were kept"
        collected.dropped.append(
            problem(file, str(signal.quantity), found, "check the clock of the device")
        )


def _daily(file: SourceFile, signal: Signal, collected: Collected) -> Iterator[pd.DataFrame]:
    """Yield the biomarkers that need more than minutes; a signal unfit for them is a problem."""
    try:
        yield from _daily_tables(signal)
    except ContractError as error:
        where = str(signal.quantity)
        collected.dropped.append(problem(file, where, error.reason, error.what_to_do))


def _daily_tables(signal: Signal) -> Iterator[pd.DataFrame]:
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
