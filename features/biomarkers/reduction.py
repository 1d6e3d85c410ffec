"""Reduces signals to minutes and daily values, and reports what was left out.

A reading of one file becomes parts: of minutes, strides, beats, sessions. Once all files of a
subject are there the parts become minutes and values by day, so that neither the order and names of
files nor where a recording was split decide anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from contracts.cohort import CODE, NUMBER, TIME
from contracts.errors import ContractError, Problem
from features.biomarkers import device_clock, gait, heart, muscle, posture
from features.biomarkers.device_clock import JumpKind
from features.biomarkers.epochs import minutes_of
from features.biomarkers.minute_parts import join_minutes
from features.biomarkers.overlaps import SAMPLES
from features.biomarkers.plausible_samples import (
    DEVICE_CLOCK,
    by_minutes,
    plausible_values,
    plausibly_dated,
    plausibly_dated_records,
)
from features.measurements.device_clocks import DeviceClock
from features.measurements.records import records
from features.recording import Collected, Quantity, Reading, Signal, SourceFile, problem

CLOCK_CHANGE = "REHABCAST//CLOCK_CHANGE"
EVENLY_SAMPLED = {Quantity.ACCELERATION, Quantity.COUNTS}
"""Quantities that are sampled without a pause: a jump in their times is a jump of the clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeSubject:
    """What all recordings of one subject give.

    Parameters
    ----------
    minutes
        One row a minute and device; empty where nothing has minutes.
    days
        Values by day with time (the day), code and numeric_value, at most one a code and day.
    problems
        What was left out because recordings contradict each other.
    """

    minutes: pd.DataFrame
    days: pd.DataFrame
    problems: tuple[Problem, ...]


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

    Raises
    ------
    SourceUnreadable
        Its epochs are longer than what can be reduced.
    """
    collected.dropped += reading.dropped
    if reading.records is not None and len(reading.records):
        stated, undated = plausibly_dated_records(file, reading.records, reading.clock)
        collected.dropped += undated
        collected.records.append(stated)
    for signal in reading.signals:
        dated = _on_one_clock(file, signal, reading.clock, collected)
        if len(dated):
            sound, impossible = plausible_values(file, by_minutes(file, dated))
            collected.dropped += impossible
            _reduce(file, sound, collected, heights.get(sound.subject_label), axes)


def _reduce(
    file: SourceFile,
    signal: Signal,
    collected: Collected,
    height_m: float | None,
    axes: posture.DeviceAxes | None,
) -> None:
    subject = signal.subject_label
    for measured in (signal, *_posture(file, signal, axes, collected)):
        piece = len(collected.minutes[subject])
        minutes = minutes_of(measured, file=file.name, piece=piece)
        if len(minutes):
            collected.minutes[subject].append(minutes)
    if gait.is_lumbar(signal):
        piece_name = f"{file.name} {len(collected.strides[subject])}"
        strides = gait.strides_of(signal, height_m, piece=piece_name)
        if len(strides):
            collected.strides[subject].append(strides)
    if len(samples := heart.samples_of(signal)):
        collected.samples[subject].append(samples)
    if signal.quantity is Quantity.MUSCLE:
        try:
            collected.daily[subject].append(muscle.daily_muscle(signal))
        except ContractError as error:
            where = str(signal.quantity)
            collected.dropped.append(problem(file, where, error.reason, error.what_to_do))


def whole_subject(collected: Collected, subject: str) -> WholeSubject:
    """Take out all that was collected of a subject's recordings, each moment once."""
    problems: list[Problem] = []
    minutes = join_minutes(collected.minutes.pop(subject, []), problems)
    strides = collected.strides.pop(subject, [])
    days = [
        *collected.daily.pop(subject, []),
        heart.daily_values(collected.samples.pop(subject, [])),
        gait.daily_gait(pd.concat(strides, ignore_index=True), minutes) if strides else None,
        gait.daily_pace(minutes),
    ]
    return WholeSubject(
        minutes=minutes, days=_best_covered([day for day in days if day is not None]),
        problems=tuple(problems),
    )  # fmt: skip


def _best_covered(tables: list[pd.DataFrame]) -> pd.DataFrame:
    """Of a day's values of several recordings or devices keep the one with the most samples."""
    columns = [TIME, CODE, NUMBER]
    filled = [table for table in tables if len(table)]
    if not filled:
        return pd.DataFrame(columns=columns)
    values = pd.concat(filled, ignore_index=True)
    ordered = values.sort_values(
        [TIME, CODE, SAMPLES, NUMBER], ascending=[True, True, False, False], kind="stable"
    )
    return ordered.drop_duplicates([TIME, CODE])[columns].reset_index(drop=True)


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


def _on_one_clock(
    file: SourceFile, signal: Signal, clock: DeviceClock, collected: Collected
) -> Signal:
    """Leave out what can't be dated and what is repeated; record each change of the clock."""
    if not len(signal):
        return signal
    signal, undated = plausibly_dated(file, signal, clock)
    collected.dropped += undated
    steady = len(signal) < 2 or (np.diff(signal.time_N) > np.timedelta64(0)).all()
    if signal.quantity not in EVENLY_SAMPLED:
        # Two beats may have the same second; anything else is measured once at a time.
        if steady or signal.quantity is Quantity.BEAT_INTERVAL:
            return signal
        return _sorted(signal, device_clock.last_of_equal_times(signal.time_N))
    found = device_clock.jumps(signal.time_N, signal.epoch_s, signal.values_NC)
    _report_jumps(file, signal, found, collected)
    lost = any(jump.kind is JumpKind.DATE_LOST for jump in found)
    if steady and not lost:
        return signal
    if lost:
        kept = device_clock.rows_with_known_date(signal.time_N, found)
        kept[kept] = device_clock.last_of_repeated_times(signal.time_N[kept])
    else:
        kept = device_clock.last_of_repeated_times(signal.time_N)
    if not kept.all():
        left_out = f"{int((~kept).sum())} sample(s) with a repeated time or a lost date"
        collected.dropped.append(
            problem(file, str(signal.quantity), f"{left_out} were left out", DEVICE_CLOCK)
        )
    return _sorted(signal, kept)


def _sorted(signal: Signal, kept: np.ndarray) -> Signal:
    time_N, values_NC = signal.time_N[kept], signal.values_NC[kept]
    if (np.diff(time_N) >= np.timedelta64(0)).all():
        return replace(signal, time_N=time_N, values_NC=values_NC)
    order = np.argsort(time_N, kind="stable")
    return replace(signal, time_N=time_N[order], values_NC=values_NC[order])


def _report_jumps(
    file: SourceFile, signal: Signal, found: list[device_clock.Jump], collected: Collected
) -> None:
    for jump in found:
        if jump.kind is JumpKind.GAP:
            continue
        where = f"{signal.quantity} after {jump.at:%Y-%m-%d %H:%M}"
        collected.dropped.append(_clock_problem(file, where, jump))
        if jump.kind in {JumpKind.DAYLIGHT_SAVING, JumpKind.SET_BACK}:
            row = (signal.subject_label, jump.at, CLOCK_CHANGE, None, None)
            collected.records.append(records([row]))


def _clock_problem(file: SourceFile, where: str, jump: device_clock.Jump) -> Problem:
    if jump.kind is JumpKind.REPEATED:
        found = "the recording, or a part of it, follows a second time and counts once"
        return problem(file, where, found, "copy or export the file again")
    found = f"{jump.kind}, the clock jumped by {jump.minutes:+.0f} min"
    if jump.kind is JumpKind.DAYLIGHT_SAVING:
        return problem(file, where, found)  # Nothing is lost and nothing needs to be done.
    return problem(file, where, found, DEVICE_CLOCK)
