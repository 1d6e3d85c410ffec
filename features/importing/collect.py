"""From files to what is known of each subject, with all that was lost on the way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from contracts.cohort import TIME
from contracts.errors import ContractError, Problem, SourceUnreadable
from features.biomarkers import clock, gait, heart, intensity, muscle, posture, range_of_motion
from features.biomarkers.epochs import minutes_of
from features.importing.plan import Attitude, Plan
from features.recording import (
    Collected,
    Quantity,
    Reading,
    Signal,
    SourceFile,
    problem,
    records,
)
from features.sources import formats
from features.sources.signal_tables import read_signals

CLOCK_CHANGE = "REHABCAST//CLOCK_CHANGE"
PACED = {Quantity.ACCELERATION, Quantity.COUNTS}
"""Quantities sampled without a pause: a jump of their times is a jump of the clock."""


def source_files(source: Path, plan: Plan) -> list[SourceFile]:
    """Return the files of a source: itself, or everything in the folder.

    A file in a sub-folder is of the subject that the first sub-folder names.

    Raises
    ------
    ContractError
        There is nothing.
    """
    if not source.exists():
        raise ContractError(f"{source}: does not exist: check the path")
    found = [source] if source.is_file() else sorted(p for p in source.rglob("*") if p.is_file())
    base = source.parent if source.is_file() else source
    files = []
    for path in found:
        parts = path.relative_to(base).parts
        hidden = any(part.startswith(".") for part in parts)
        if not hidden and parts != (plan.people,):
            name = "/".join(parts)
            files.append(
                SourceFile(
                    path=path,
                    name=name,
                    who=parts[0] if len(parts) > 1 else path.name.split(".")[0],
                    zone=plan.time_zone,
                    placement=plan.placement_of(name),
                )
            )
    if not files:
        raise ContractError(f"{source}: no file in it: name a file or a folder of subjects")
    return files


def collect(
    file: SourceFile, plan: Plan, heights: dict[str, float], format_name: str = "auto"
) -> Collected:
    """Read one file; one that breaks half-way leaves nothing but its error."""
    found = Collected()
    declared = plan.signals_of(file.name)
    pieces = read_signals(file, declared) if declared else formats.read(file, format_name)
    inertial: dict[tuple[str, Quantity], Signal] = {}
    try:
        for reading in pieces:
            if plan.actigraph_counts:
                reading = replace(reading, signals=(*reading.signals, *_counted(reading.signals)))
            take_reading(file, reading, found, heights, plan.attitude_of(file.name))
            if plan.joints:
                inertial |= {(s.placement, s.quantity): s for s in reading.signals}
        _joints(file, inertial, plan, found)
    except SourceUnreadable as error:
        return Collected(unreadable=[error.problem])
    found.read[file.name] = "signal table" if declared else format_name
    return found


def take_reading(
    file: SourceFile,
    reading: Reading,
    found: Collected,
    heights: dict[str, float],
    attitude: Attitude | None = None,
) -> None:
    """Reduce a reading's signals to minutes and daily values, and add all of it.

    Parameters
    ----------
    heights
        Heights in m by subject label; gait speed needs them.
    attitude
        How the device sits; posture needs it.
    """
    found.dropped += reading.dropped
    if reading.records is not None and len(reading.records):
        found.records.append(reading.records)
    for signal in reading.signals:
        sound = _on_one_clock(file, signal, found)
        for each in (sound, *_posture(file, sound, attitude, found)):
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


def _counted(signals: tuple[Signal, ...]) -> Iterator[Signal]:
    """Yield ActiGraph counts by minute of each piece of raw acceleration."""
    for signal in signals:
        rate = round(1 / signal.epoch_s)
        if signal.quantity is Quantity.ACCELERATION and len(signal) >= 60 * rate:
            counts_E3 = intensity.actigraph_counts(signal.values_NC, rate)
            yield replace(
                signal,
                quantity=Quantity.COUNTS,
                time_N=signal.time_N[:: 60 * rate][: len(counts_E3)],
                values_NC=np.sqrt((counts_E3.astype(np.float64) ** 2).sum(axis=1, keepdims=True)),
                epoch_s=60.0,
            )


def _posture(
    file: SourceFile, signal: Signal, attitude: Attitude | None, found: Collected
) -> Iterator[Signal]:
    """Yield the posture of raw acceleration whose device's attitude is declared."""
    if attitude is None or signal.quantity is not Quantity.ACCELERATION or not len(signal):
        return
    try:
        yield posture.posture_of(signal, attitude.up, attitude.front)
    except ValueError as error:
        where = str(signal.quantity)
        found.dropped.append(Problem(file=file.name, row=None, field=where, message=str(error)))


def _on_one_clock(file: SourceFile, signal: Signal, found: Collected) -> Signal:
    """Leave out what can't be placed in time, and write down each change of the clock."""
    if signal.quantity not in PACED or len(signal) < 2:
        return signal
    for jump in clock.jumps(signal.time_N, signal.epoch_s):
        if jump.kind == "gap":
            continue
        message = f"{jump.kind}: the clock went on by {jump.minutes:+.0f} min"
        where = f"{signal.quantity} after {jump.at:%Y-%m-%d %H:%M}"
        found.dropped.append(Problem(file=file.name, row=None, field=where, message=message))
        if jump.kind != "date lost":
            found.records.append(records([(signal.who, jump.at, CLOCK_CHANGE, None, None)]))
    kept = clock.placed_rows(signal.time_N, signal.epoch_s)
    kept[kept] = clock.told_once(signal.time_N[kept])
    if kept.all():
        return signal
    lost = int((~kept).sum())
    message = f"{lost} sample(s) that the clock tells twice or cannot place: left out"
    found.dropped.append(
        Problem(file=file.name, row=None, field=str(signal.quantity), message=message)
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


def _joints(
    file: SourceFile, inertial: dict[tuple[str, Quantity], Signal], plan: Plan, found: Collected
) -> None:
    kinds = (Quantity.ACCELERATION, Quantity.ROTATION)
    for joint in plan.joints:
        units = [[inertial.get((place, q)) for q in kinds] for place in (joint.near, joint.far)]
        near, far = ([s for s in unit if s is not None] for unit in units)
        if len(near) == len(far) == 2:
            try:
                table = range_of_motion.daily_range((near[0], near[1]), (far[0], far[1]))
            except ValueError as error:
                where = f"{joint.near} and {joint.far}"
                found.dropped.append(problem(file, where, str(error)))
            else:
                found.daily[near[0].who].append(table)
