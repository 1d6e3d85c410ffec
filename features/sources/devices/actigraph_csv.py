"""ActiGraph epoch CSV as ActiLife writes it: ten lines of header, then counts by epoch.

Columns have names, or are those of the mode. Rows that have a date and a time of their own are
dated by them, so that a gap stays a gap; rows without are laid end to end from the start that the
header gives. Dates are in the form that the header names. Raw data as CSV has neither time nor
checksums; its GT3X file is the one to import.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import replace as replaced

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from contracts.errors import Problem, SourceUnreadable
from features.recording import NOT_STATED, Quantity, Reading, Signal, SourceFile, problem
from features.sources.devices.actigraph_header import (
    HEADER_LINES,
    Header,
    is_header,
    read_header,
    row_times,
)
from features.sources.format import Format, text_of
from features.tables.csv_rows import read_text
from features.tables.text_tables import (
    TableForm,
    parse_text_table,
    read_numbers,
)

AXES = ["axis1", "axis2", "axis3"]
POSTURES = ["off", "standing", "sitting", "lying"]
MODES = {
    12: AXES,
    13: [*AXES, "steps"],
    61: [*AXES, "steps", "lux", *POSTURES],
}
"""Columns without names, by the mode that the header gives."""

NAMES = {
    "axis1": "axis1", "activity": "axis1", "axis 1": "axis1",
    "axis2": "axis2", "activity (horizontal)": "axis2", "axis 2": "axis2",
    "axis3": "axis3", "3rd axis": "axis3", "axis 3": "axis3",
    "steps": "steps", "step count": "steps",
    "date": "date", "time": "time", "epoch": "time", "timestamp": "timestamp",
    "date time": "timestamp", "datetime": "timestamp",
    "inclinometer off": "off", "inclinometer standing": "standing",
    "inclinometer sitting": "sitting", "inclinometer lying": "lying",
    "incline off": "off", "incline standing": "standing", "incline sitting": "sitting",
    "incline lying": "lying", **{name: name for name in POSTURES},
}  # fmt: skip
"""What ActiLife's versions call the columns that are used, in small letters."""

TIMES = {"date", "time", "timestamp"}
BLANK = ' ,;\t"'
_GROUPED = r"[0-9]{1,3}[.,][0-9]{3}"
SHOWN_PLACES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Epochs:
    """Rows of one recording, in any order.

    Parameters
    ----------
    header
        Of the recording.
    numbers
        Columns of `NAMES` as numbers, by row in the file.
    time_N
        Each row's wall clock; NaT where it can't be read.
    problems
        Rows that are no epochs.
    """

    header: Header
    numbers: pd.DataFrame
    time_N: NDArray[np.datetime64]
    problems: tuple[Problem, ...] = ()


def read(file: SourceFile) -> Iterator[Reading]:
    """Yield counts, steps and posture shares by epoch.

    Counts are the vector magnitude of the axes that there are.
    """
    text = read_text(file.path, file.name, file.form.encoding)
    lines = text.splitlines()
    cut = []
    if text[-1:] not in {"\n", "\r"}:
        found = "the last row has no line end and may have lost digits, it was left out"
        cut.append(_problem(file, len(lines), found, "copy the file again"))
        lines = lines[:-1]
    recordings: dict[tuple[str, float, str], list[Epochs]] = {}
    for first_row, block in _blocks(lines):
        epochs = _epochs(file, block, first_row)
        header = epochs.header
        key = header.serial, header.epoch_s, header.limb
        recordings.setdefault(key, []).append(epochs)
    for parts in recordings.values():
        yield _reading(file, parts, cut)
        cut = []


def _blocks(lines: list[str]) -> Iterator[tuple[int, list[str]]]:
    """Yield each recording with its first row: a file may hold several, such as itself twice."""
    starts = [n for n, line in enumerate(lines) if is_header(line)] or [0]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        yield start, lines[start:end]


def _epochs(file: SourceFile, lines: list[str], rows_before: int) -> Epochs:
    header = read_header(file, lines[:HEADER_LINES])
    first = lines[HEADER_LINES] if len(lines) > HEADER_LINES else ""
    if not first.strip(BLANK):
        raise SourceUnreadable(
            file.name, f"line {HEADER_LINES + 1}", "no epoch follows the header", "export it again"
        )
    form = _separated(file, first)
    has_names = re.search("[A-Za-z]", first) is not None
    if not has_names:
        names = _names_of_mode(file, header, first, form)
        lines = [*lines[: HEADER_LINES - 1], form.separator.join(names), *lines[HEADER_LINES:]]
    skipped = HEADER_LINES if has_names else HEADER_LINES - 1
    table = parse_text_table("\n".join(lines) + "\n", file.name, form, skip_rows=skipped)
    cells = _known_columns(file, table.cells)
    if cells.empty:
        raise SourceUnreadable(
            file.name, f"line {HEADER_LINES + 2}", "no epoch follows the header", "export it again"
        )
    row_N = cells.index.to_numpy(dtype=np.int64)
    blank_N = np.array([n for n, line in enumerate(lines, 1) if not line.strip()], dtype=np.int64)
    epoch_N = row_N - skipped - 2 - np.searchsorted(blank_N, row_N)
    cells.index = cells.index + rows_before
    time_N, in_utc = row_times(file, header, cells, epoch_N)
    problems = [replaced(p, row=(p.row or 0) + rows_before) for p in table.problems]
    if in_utc:
        found = "its times are in UTC and the map has no time_zone, so days are days in UTC"
        problems.append(problem(file, "timestamp", found, "declare time_zone in the map"))
    return Epochs(
        header=header,
        numbers=_numbers(file, cells.drop(columns=list(TIMES & {*cells})), form),
        time_N=time_N,
        problems=tuple(problems),
    )


def _separated(file: SourceFile, line: str) -> TableForm:
    """Return how the table is written; its first line shows its separator."""
    if "separator" in file.form.model_fields_set:
        return file.form
    separator = next((sign for sign in (";", "\t") if sign in line), ",")
    return file.form.model_copy(update={"separator": separator})


def _names_of_mode(file: SourceFile, header: Header, line: str, form: TableForm) -> list[str]:
    width = len(line.rstrip(f"{form.separator} ").split(form.separator))
    names = MODES.get(header.mode) if header.mode is not None else None
    if names is None or len(names) != width:
        raise SourceUnreadable(
            file.name, f"line {HEADER_LINES + 1}",
            f"{width} columns without names, in mode {header.mode}",
            "export it with column names, or import the .agd file",
        )  # fmt: skip
    return names


def _known_columns(file: SourceFile, cells: pd.DataFrame) -> pd.DataFrame:
    """Return the columns that are used, by our names."""
    plain = {title: " ".join(title.casefold().split()) for title in map(str, cells)}
    if {"time", "epoch"} <= set(plain.values()):
        plain = {title: name for title, name in plain.items() if name != "epoch"}
    names = {title: NAMES[name] for title, name in plain.items() if name in NAMES}
    found = ", ".join(map(str, cells))
    if "axis1" not in names.values():
        raise SourceUnreadable(
            file.name, f"line {HEADER_LINES + 1}",
            f"no column Axis1 or Activity; found: {found}",
            "export it with the columns Axis1 to Axis3 and Steps, or declare its counts in"
            " [[signals]] of the map",
        )  # fmt: skip
    if len(set(names.values())) < len(names):
        raise SourceUnreadable(
            file.name, f"line {HEADER_LINES + 1}", f"two columns of one meaning; found: {found}",
            "export it with one column of each",
        )  # fmt: skip
    return cells[list(names)].rename(columns=names)


def _numbers(file: SourceFile, cells: pd.DataFrame, form: TableForm) -> pd.DataFrame:
    """Return counts as numbers; a sign within them must have one meaning."""
    undeclared = not {"decimal", "thousands"} & form.model_fields_set
    if undeclared and form.separator != "," and cells["axis1"].str.contains(",").any():
        form = form.model_copy(update={"decimal": ","})
    numbers = pd.DataFrame(
        {name: read_numbers(cells[name], form).value_N for name in cells}, index=cells.index
    )
    for name in map(str, numbers) if undeclared else ():
        broken = cells[name][(numbers[name] % 1 > 0).to_numpy()]
        grouped = broken[broken.str.fullmatch(_GROUPED)]
        if len(grouped):
            raise SourceUnreadable(
                file.name, name,
                f"row {grouped.index[0]} holds {grouped.iloc[0]!r}, which may be thousands or a"
                " fraction",
                'declare decimal or thousands in [[files]] of the map, such as thousands = "."',
            )  # fmt: skip
    return numbers


def _reading(file: SourceFile, parts: list[Epochs], cut: list[Problem]) -> Reading:
    header = parts[0].header
    numbers = pd.concat([part.numbers for part in parts])
    time_N = np.concatenate([part.time_N for part in parts])
    dropped = [*cut, *(problem for part in parts for problem in part.problems)]
    axes = [name for name in AXES if name in numbers]
    possible = numbers[axes].ge(0) & np.isfinite(numbers[axes])
    good_N = possible.all(axis=1).to_numpy() & ~np.isnat(time_N)
    dropped += _grouped(file, numbers.index[~good_N], "no possible counts or no time", "counts")
    numbers, time_N = numbers[good_N], time_N[good_N]
    order = np.argsort(time_N, kind="stable")
    numbers, time_N = numbers.iloc[order], time_N[order]
    last_N = np.append(time_N[1:] != time_N[:-1], [True])[: len(time_N)]
    same_N = np.append(True, (numbers.to_numpy()[1:] == numbers.to_numpy()[:-1]).all(axis=1))
    repeated_N = np.append(~last_N[:-1] & ~same_N[1:], False)[: len(time_N)]
    found = "the time of another row with other counts, the later row was kept"
    dropped += _grouped(file, numbers.index[repeated_N], found, "time")
    numbers, time_N = numbers[last_N], time_N[last_N]
    _check_epoch(file, header, time_N)
    return Reading(signals=tuple(_signals(file, header, numbers, time_N)), dropped=tuple(dropped))


def _check_epoch(file: SourceFile, header: Header, time_N: NDArray[np.datetime64]) -> None:
    """Refuse rows that follow each other by another time than the header's epoch."""
    step_N, count_N = np.unique(np.diff(time_N), return_counts=True)
    if not len(step_N):
        return
    usual_s = step_N[count_N.argmax()] / np.timedelta64(1, "s")
    if usual_s != header.epoch_s:
        raise SourceUnreadable(
            file.name, "Epoch Period",
            f"the header says epochs of {header.epoch_s:g} s, but the rows follow each other by"
            f" {usual_s:g} s",
            "correct the header, or export it again",
        )  # fmt: skip


def _signals(
    file: SourceFile, header: Header, numbers: pd.DataFrame, time_N: NDArray[np.datetime64]
) -> Iterator[Signal]:
    axes = [name for name in AXES if name in numbers]
    magnitude_N = np.sqrt((numbers[axes] ** 2).sum(axis=1).to_numpy())
    values = {Quantity.COUNTS: magnitude_N[:, None]}
    if "steps" in numbers:
        values[Quantity.STEPS] = numbers[["steps"]].to_numpy()
    if set(POSTURES) <= set(numbers) and numbers[POSTURES].to_numpy().any():
        values[Quantity.POSTURE] = numbers[POSTURES].to_numpy() / header.epoch_s
    for quantity, value_NC in values.items():
        known_N = np.isfinite(value_NC).all(axis=1)
        if known_N.any():
            yield Signal(
                subject_label=file.subject_label,
                quantity=quantity,
                time_N=time_N[known_N],
                values_NC=value_NC[known_N].astype(np.float32),
                epoch_s=header.epoch_s,
                placement=file.placement or header.limb or NOT_STATED,
                device=f"ActiGraph {header.serial}",
                maker="ActiGraph",
            )


def _grouped(file: SourceFile, rows: pd.Index, found: str, field: str) -> list[Problem]:
    if not len(rows):
        return []
    first = _problem(file, int(rows[0]), f"{found}, the epoch was left out", "check these rows")
    places = tuple(f"row {row}" for row in rows[:SHOWN_PLACES])
    return [replaced(first, field=field, count=len(rows), places=places)]


def _problem(file: SourceFile, row: int, found: str, advice: str) -> Problem:
    return Problem(file=file.name, row=row, field="*", found=found, advice=advice)


FORMAT = Format(
    name="actigraph-csv",
    title="ActiGraph epoch table",
    matches=lambda head: is_header(text_of(head)),
    read=read,
)
