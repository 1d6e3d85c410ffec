"""Reads source files into what is known of each subject, with everything that was left out."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from contracts.errors import ContractError, Problem, SourceUnreadable
from features.biomarkers import intensity, range_of_motion
from features.biomarkers.reduction import reduce_reading
from features.importing.import_map import ImportMap
from features.measurements.identity import names_part_of
from features.measurements.records import AMOUNT, SUBJECT_LABEL, Amount
from features.recording import Collected, Quantity, Signal, SourceFile, problem
from features.sources import formats
from features.sources.signal_tables import read_signals


def source_files(
    source: Path, import_map: ImportMap, map_file: Path | None = None
) -> tuple[list[SourceFile], list[Problem]]:
    """Return the files of a source, itself or everything in the folder, and what was not opened.

    A file in a sub-folder belongs to the subject that the first sub-folder names, one that lies in
    the source itself to the subject that its name without the extension names. Links are followed.

    Raises
    ------
    ContractError
        There is no file.
    """
    if not source.exists():
        raise ContractError(f"{source}: does not exist", "check the path")
    base = source.parent if source.is_file() else source
    paths, notes = ([source], []) if source.is_file() else _files_below(source)
    own = {map_file.resolve()} if map_file else set()
    for named in filter(None, (import_map.people, import_map.vocabulary)):
        own |= {(folder / named).resolve() for folder in (base, *_parent(map_file))}
    files = []
    for path in paths:
        parts = path.relative_to(base).parts
        if path.resolve() not in own:
            label = parts[0] if len(parts) > 1 else subject_of(path.name)
            files.append(import_map.source_file(path, "/".join(parts), label))
    if not files:
        raise ContractError(
            f"{source}: contains no files", "name a file or a folder with a folder per subject"
        )
    return files, notes + _unused_patterns(files, import_map)


def _unused_patterns(files: list[SourceFile], import_map: ImportMap) -> list[Problem]:
    unused = import_map.unused_patterns([file.name for file in files])
    return [
        Problem(
            file="*",
            row=None,
            field=section.strip("[]"),
            found=f"no file's name matches {', '.join(map(repr, patterns))} of {section} in the map"
            " (small and capital letters differ, and folders belong to the name)",
        )
        for section, patterns in unused.items()
    ]


def _parent(file: Path | None) -> tuple[Path, ...]:
    return () if file is None else (file.parent,)


def subject_of(file_name: str) -> str:
    """Return the subject that a file's name names: all of it but the extension.

    `P.01.csv` and `P.02.csv` are two people.
    """
    plain = file_name.removesuffix(".gz")
    return plain.rpartition(".")[0] or plain


def _files_below(folder: Path) -> tuple[list[Path], list[Problem]]:
    """Return all files of a folder, with those that links lead to; hidden ones are only counted."""
    paths: list[Path] = []
    hidden = 0
    for root, folders, names in os.walk(folder, followlinks=True):
        here = Path(root).resolve()
        hidden += sum(name.startswith(".") for name in (*folders, *names))
        # A link to a folder around it would never end.
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".") and not here.is_relative_to((Path(root) / name).resolve())
        )
        visible = (Path(root) / name for name in names if not name.startswith("."))
        # A broken link is reported as a file that can't be opened; a pipe would be waited for.
        paths += [path for path in visible if path.is_file() or not path.exists()]
    notes = [
        Problem(
            file="*",
            row=None,
            field="*",
            found=f"{hidden} hidden file(s) or folder(s), whose names begin with a dot, were not"
            " read",
        )
    ]
    return sorted(paths), notes if hidden else []


def collect(
    file: SourceFile, import_map: ImportMap, heights: dict[str, float], format_name: str = "auto"
) -> Collected:
    """Read one file; one that fails leaves its error, and what it withdraws of other files."""
    collected = Collected()
    declared = import_map.signals_of(file.name)
    pieces = read_signals(file, declared) if declared else formats.read(file, format_name)
    inertial: dict[tuple[str, Quantity], Signal] = {}
    recorded, stated = set[str](), set[str]()
    try:
        for reading in pieces:
            recorded |= {signal.subject_label for signal in reading.signals}
            if reading.records is not None:
                stated |= {str(label) for label in reading.records[SUBJECT_LABEL].unique()}
            if import_map.actigraph_counts:
                reading = replace(reading, signals=(*reading.signals, *_counted(reading.signals)))
            reduce_reading(file, reading, collected, heights, import_map.device_axes(file.name))
            if import_map.joints:
                inertial |= {(s.placement, s.quantity): s for s in reading.signals}
        _joints(file, inertial, import_map, collected)
    except SourceUnreadable as error:
        withdrawn = [table[table[AMOUNT] == Amount.WITHDRAWN] for table in collected.records]
        return Collected(unreadable=[error.problem], records=withdrawn)
    collected.dropped += _other_subject(file, recorded, stated)
    collected.read[file.name] = "signal table" if declared else format_name
    return collected


def _other_subject(file: SourceFile, recorded: set[str], stated: set[str]) -> list[Problem]:
    """Return that a file names another subject than the folder that it lies in, or its own name.

    A file of records may be named as it likes unless it lies in a folder; one of several people
    belongs to no folder.
    """
    own = file.subject_label
    in_folder = "/" in file.name
    named = (recorded | stated if in_folder else recorded) - {""}
    if len(named) != 1 or own in named:
        return []
    (label,) = named
    if not in_folder and names_part_of(label, own):
        return []
    where = "lies in the folder of" if in_folder else "has the name of"
    return [
        problem(
            file, "subject", f"its content names {label!r} as the subject, but it {where} {own!r};"
            f" it was read as {label!r}",
            "check whose it is, and name the folder or file as its subject",
            cause="files that name another subject than their folder or file name",
        )
    ]  # fmt: skip


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
