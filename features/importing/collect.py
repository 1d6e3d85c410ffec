"""Reads source files into what is known of each subject, with everything that was left out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from contracts.errors import ContractError, SourceUnreadable
from features.biomarkers import intensity, range_of_motion
from features.biomarkers.reduction import reduce_reading
from features.importing.import_map import ImportMap
from features.measurements.records import AMOUNT, Amount
from features.recording import Collected, Quantity, Signal, SourceFile, problem
from features.sources import formats
from features.sources.signal_tables import read_signals


def source_files(source: Path, import_map: ImportMap) -> list[SourceFile]:
    """Return the files of a source: itself, or everything in the folder.

    A file in a sub-folder belongs to the subject that the first sub-folder names.

    Raises
    ------
    ContractError
        There is no file.
    """
    if not source.exists():
        raise ContractError(f"{source}: does not exist", "check the path")
    paths = [source] if source.is_file() else sorted(p for p in source.rglob("*") if p.is_file())
    base = source.parent if source.is_file() else source
    files = []
    for path in paths:
        parts = path.relative_to(base).parts
        hidden = any(part.startswith(".") for part in parts)
        if not hidden and parts != (import_map.people,):
            name = "/".join(parts)
            label = parts[0] if len(parts) > 1 else path.name.split(".")[0]
            files.append(import_map.source_file(path, name, label))
    if not files:
        raise ContractError(
            f"{source}: contains no files", "name a file or a folder with a folder per subject"
        )
    return files


def collect(
    file: SourceFile, import_map: ImportMap, heights: dict[str, float], format_name: str = "auto"
) -> Collected:
    """Read one file; one that fails leaves its error, and what it withdraws of other files."""
    collected = Collected()
    declared = import_map.signals_of(file.name)
    pieces = read_signals(file, declared) if declared else formats.read(file, format_name)
    inertial: dict[tuple[str, Quantity], Signal] = {}
    try:
        for reading in pieces:
            if import_map.actigraph_counts:
                reading = replace(reading, signals=(*reading.signals, *_counted(reading.signals)))
            reduce_reading(file, reading, collected, heights, import_map.device_axes(file.name))
            if import_map.joints:
                inertial |= {(s.placement, s.quantity): s for s in reading.signals}
        _joints(file, inertial, import_map, collected)
    except SourceUnreadable as error:
        withdrawn = [table[table[AMOUNT] == Amount.WITHDRAWN] for table in collected.records]
        return Collected(unreadable=[error.problem], records=withdrawn)
    collected.read[file.name] = "signal table" if declared else format_name
    return collected


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


def _joints(
    file: SourceFile,
    inertial: dict[tuple[str, Quantity], Signal],
    import_map: ImportMap,
    collected: Collected,
) -> None:
    kinds = (Quantity.ACCELERATION, Quantity.ROTATION)
    for joint in import_map.joints:
        units = [[inertial.get((site, q)) for q in kinds] for site in (joint.near, joint.far)]
        near, far = ([s for s in unit if s is not None] for unit in units)
        if len(near) == len(far) == 2:
            try:
                table = range_of_motion.daily_range((near[0], near[1]), (far[0], far[1]))
            except ContractError as error:
                where = f"{joint.near} and {joint.far}"
                dropped = problem(file, where, error.reason, error.what_to_do)
                collected.dropped.append(dropped)
            else:
                collected.daily[near[0].subject_label].append(table)
