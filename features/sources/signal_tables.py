"""Inertial and muscle signals from plain tables, by declared columns, sampling rate and units.

Nothing is guessed: a table is read only if a `[[signals]]` entry of the map names it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from contracts.errors import ContractError, Problem, SourceUnreadable
from features.measurements.placements import declared_placement
from features.measurements.wall_clock import ISO_FORM, read_time
from features.recording import NOT_STATED, UNITS, Quantity, Reading, Signal, SourceFile, problem
from features.sources import table_columns
from features.sources.column_cells import CELL, ColumnCells
from features.tables.table_files import read_table
from features.tables.text_tables import TextTable

FACTORS: dict[Quantity, dict[str, float]] = {
    Quantity.ACCELERATION: {"g": 1.0, "mg": 0.001, "m/s2": 1 / 9.80665},
    Quantity.ROTATION: {"deg/s": 1.0, "rad/s": 180 / np.pi, "mdeg/s": 0.001},
    Quantity.MUSCLE: {"uV": 1.0, "mV": 1e3, "V": 1e6},
    Quantity.BEAT_INTERVAL: {"ms": 1.0, "s": 1e3},
    Quantity.HEART_RATE: {"/min": 1.0},
    Quantity.TEMPERATURE: {"Cel": 1.0},
    Quantity.COUNTS: {"{count}": 1.0},
    Quantity.STEPS: {"{steps}": 1.0},
}
LARGEST = {Quantity.ACCELERATION: 32.0, Quantity.ROTATION: 4000.0, Quantity.MUSCLE: 50_000.0}
"""No sensor of its kind measures more than this, in the quantity's own unit."""

SPIKES, SPIKES_SHARE = 10, 0.01
"""So many values beyond that, and such a share, may be faults of a sensor; more are of its unit."""

IN_UTC = "its times are in UTC and the map has no time_zone, so days are days in UTC"
DECLARE_ZONE = "declare time_zone in the map"


class SignalColumns(BaseModel):
    """One signal of a kind of table.

    Parameters
    ----------
    files
        Pattern of file names, such as `emg_*.csv`.
    quantity, columns, unit
        What is measured, in which columns, in which unit (`FACTORS`).
    rate_hz
        Samples per second.
    time
        Column of times, in ISO 8601 or the declared form; empty where `start` is given.
    start
        Wall-clock time of the first row.
    placement
        Where the sensor was worn.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    files: str
    quantity: Quantity
    columns: Annotated[tuple[str, ...], Field(min_length=1)]
    unit: str
    rate_hz: Annotated[float, Field(gt=0, le=20_000)]
    time: str = ""
    start: str = ""
    placement: str = NOT_STATED

    _known_placement = field_validator("placement")(declared_placement)

    @field_validator("start")
    @classmethod
    def _is_time(cls, start: str) -> str:
        try:
            if start:
                read_time(start)
        except ContractError as error:
            raise ValueError(f"{error.reason}: write it as {ISO_FORM}") from error
        return start

    @model_validator(mode="after")
    def _consistent(self) -> SignalColumns:
        known = FACTORS.get(self.quantity, {})
        if self.unit not in known:
            raise ValueError(
                f"{self.quantity} in {self.unit!r}: use one of {', '.join(known) or 'none'}"
            )
        if bool(self.time) == bool(self.start):
            raise ValueError("give either the time column or the start, so that days are known")
        axes = {Quantity.ACCELERATION, Quantity.ROTATION}
        if self.quantity in axes and len(self.columns) != 3:
            raise ValueError(f"{self.quantity} has three axes, not {len(self.columns)} column(s)")
        return self


NEVER_NEGATIVE = {Quantity.COUNTS, Quantity.STEPS, Quantity.HEART_RATE, Quantity.BEAT_INTERVAL}

LOST_DATE = pd.Timedelta(days=400)
"""Rows further apart are not out of order: the device lost its date (`device_clock`)."""

IN_SEQUENCE = {Quantity.ACCELERATION, Quantity.ROTATION, Quantity.MUSCLE, Quantity.COUNTS}
"""Sampled without a pause: times that go back and overlap are a clock that was set back."""

READ_ONCE = {Quantity.STEPS, Quantity.HEART_RATE, Quantity.TEMPERATURE}
"""Quantities of which a repeated row is a repetition; two equal beats are two."""


def read_signals(file: SourceFile, declared: tuple[SignalColumns, ...]) -> Iterator[Reading]:
    """Yield the declared signals of one table.

    Raises
    ------
    SourceUnreadable
        Unreadable, without a declared column, or with a column that is not as declared.
    """
    table = read_table(file.path, file.name, file.form)
    wanted = [name for entry in declared for name in (*entry.columns, entry.time)]
    if missing := table.check_columns(wanted):
        raise SourceUnreadable(file.name, "row 1", missing[0].found, missing[0].advice)
    signals, dropped = [], list(table.problems)
    for entry in declared:
        signal, problems = _signal(file, table, entry)
        dropped += problems
        if signal is not None:
            signals.append(signal)
    yield Reading(signals=tuple(signals), dropped=tuple(dropped))


def _signal(
    file: SourceFile, table: TextTable, entry: SignalColumns
) -> tuple[Signal | None, list[Problem]]:
    cells = table.cells
    time_N, problems = _times(file, table, entry)
    values_NC, more = _values(file, cells, entry)
    problems += more
    good_N = ~np.isnat(time_N) & ~np.isnan(values_NC).any(axis=1)
    order_N = np.flatnonzero(good_N)
    if entry.time:
        order_N, more = _in_order(file, cells.index.to_numpy(), entry, time_N, values_NC, order_N)
        problems += more
    if not len(order_N):
        return None, problems
    device = f"table, {UNITS[entry.quantity]}"
    whole = len(order_N) == len(time_N) and bool((np.diff(order_N) == 1).all())
    return Signal(
        subject_label=file.subject_label,
        quantity=entry.quantity,
        time_N=time_N if whole else time_N[order_N],
        values_NC=(values_NC if whole else values_NC[order_N]).astype(np.float32),
        epoch_s=1 / entry.rate_hz,
        placement=entry.placement,
        device=device,
        maker=device,
        clock="as declared in the map",
    ), problems


def _times(
    file: SourceFile, table: TextTable, entry: SignalColumns
) -> tuple[NDArray[np.datetime64], list[Problem]]:
    cells = table.cells
    if not entry.time:
        start, in_utc = read_time(entry.start, zone=file.zone)
        # A row that is left out keeps its time: those after it don't move up.
        samples_N = cells.index.to_numpy() - table.header_row - 1
        step = samples_N * (1e9 / entry.rate_hz)
        time_N = start.to_datetime64() + step.round().astype("timedelta64[ns]")
        return time_N, [problem(file, "start", IN_UTC, DECLARE_ZONE)] if in_utc else []
    column = ColumnCells(file=file.name, name=entry.time, cells=cells[entry.time], form=file.form)
    read = table_columns.times(column, file.zone)
    _refuse(file, read.faults)
    empty = column.problems(
        ~read.good_N & ~read.bad_N, "no time, the row was left out", "fill in its time",
        "rows without a time",
    )  # fmt: skip
    return read.value_N.astype("datetime64[ns]"), [*read.problems, *empty]


def _refuse(file: SourceFile, faults: list[Problem]) -> None:
    for fault in faults:
        where = fault.field if fault.row is None else f"row {fault.row}, {fault.field}"
        raise SourceUnreadable(file.name, where, fault.found, fault.advice)


def _values(
    file: SourceFile, cells: pd.DataFrame, entry: SignalColumns
) -> tuple[NDArray[np.float64], list[Problem]]:
    """Return the values in the quantity's unit, NaN where there is none, and what is wrong."""
    factor = FACTORS[entry.quantity][entry.unit]
    limit = LARGEST.get(entry.quantity, np.inf) / factor
    low = 0.0 if entry.quantity in NEVER_NEGATIVE else -limit
    problems: list[Problem] = []
    columns = []
    for name in entry.columns:
        column = ColumnCells(file=file.name, name=name, cells=cells[name], form=file.form)
        read = table_columns.any_numbers(column, low, limit, f"of {entry.quantity}")
        if (beyond_N := read.bad_N & (np.abs(read.value_N) > limit)).any():
            _require_unit(file, name, entry, beyond_N)
        _refuse(file, read.faults)
        problems += read.problems
        columns.append(np.where(read.good_N, read.value_N, np.nan))
    return np.stack(columns, axis=1) * factor, problems


def _require_unit(
    file: SourceFile, name: str, entry: SignalColumns, beyond_N: NDArray[np.bool_]
) -> None:
    """Refuse a column of which more is beyond what a sensor measures than its faults could be.

    Row by row they would be left out: what stays is the limb while it hardly moves, in a unit that
    is wrong all the same.
    """
    count = int(beyond_N.sum())
    if count <= SPIKES or count <= SPIKES_SHARE * len(beyond_N):
        return
    units = ", ".join(FACTORS[entry.quantity])
    raise SourceUnreadable(
        file.name, name,
        f"{count} of its {len(beyond_N)} values are, in {entry.unit}, beyond"
        f" {LARGEST[entry.quantity]:g} {UNITS[entry.quantity]}, more than any sensor of"
        f" {entry.quantity} measures",
        f"correct its unit in [[signals]] of the map (one of {units}); it is hardly {entry.unit}",
    )  # fmt: skip


def _in_order(
    file: SourceFile,
    row_N: NDArray[np.int64],
    entry: SignalColumns,
    time_N: NDArray[np.datetime64],
    values_NC: NDArray[np.float64],
    kept_N: NDArray[np.int64],
) -> tuple[NDArray[np.int64], list[Problem]]:
    """Return the usable rows in the order of their times, repetitions once.

    Times of an evenly sampled signal that overlap stay in the order of the table: its clock was
    set back, and which of two samples counts is decided with the recording.
    """
    times_K = time_N[kept_N]
    step_K = np.diff(times_K)
    if len(step_K) and not (step_K > np.timedelta64(0)).all():
        is_near = times_K.max() - times_K.min() < LOST_DATE
        order_K = np.argsort(times_K, kind="stable")
        repeated = not (np.diff(times_K[order_K]) > np.timedelta64(0)).all()
        if is_near and not (repeated and entry.quantity in IN_SEQUENCE):
            kept_N = kept_N[order_K]
    if entry.quantity not in READ_ONCE or entry.rate_hz > 1:
        return kept_N, []
    rows = pd.DataFrame(values_NC[kept_N]).assign(time=time_N[kept_N])
    once = rows.drop_duplicates()
    problems = []
    # Several counts of one epoch can't all be right; readings of one moment are averaged.
    differ = once["time"].duplicated(keep=False) & (entry.quantity is Quantity.STEPS)
    if differ.any():
        wrong_N = once.index.to_numpy()[differ.to_numpy()]
        column = ColumnCells(
            file=file.name, name=entry.columns[0], form=file.form,
            cells=pd.Series(rows[0].to_numpy()[wrong_N], index=row_N[kept_N][wrong_N]),
        )  # fmt: skip
        problems = column.problems(
            np.ones(len(wrong_N), dtype=np.bool_),
            f"{CELL}: another row has the same time and another value, both were left out",
            "keep the right one", "different values of one time",
        )  # fmt: skip
        once = once[~differ]
    return kept_N[once.index.to_numpy()], problems
