"""Inertial and muscle signals from plain tables, by declared columns, sampling rate and units.

Nothing is guessed: a table is read only if a `[[signals]]` entry of the map names it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from contracts.errors import Problem, SourceUnreadable
from features.biomarkers.device_clock import to_wall_clock
from features.recording import NOT_STATED, UNITS, Quantity, Reading, Signal, SourceFile, problem

FACTORS: dict[Quantity, dict[str, float]] = {
    Quantity.ACCELERATION: {"g": 1.0, "mg": 0.001, "m/s2": 1 / 9.80665},
    Quantity.ROTATION: {"deg/s": 1.0, "rad/s": 180 / np.pi},
    Quantity.MUSCLE: {"uV": 1.0, "mV": 1e3, "V": 1e6},
    Quantity.BEAT_INTERVAL: {"ms": 1.0, "s": 1e3},
    Quantity.HEART_RATE: {"/min": 1.0},
    Quantity.TEMPERATURE: {"Cel": 1.0},
    Quantity.COUNTS: {"{count}": 1.0},
    Quantity.STEPS: {"{steps}": 1.0},
}
LARGEST = {Quantity.ACCELERATION: 32.0, Quantity.ROTATION: 4000.0, Quantity.MUSCLE: 50_000.0}
"""No sensor of its kind measures more than this, in the quantity's own unit."""


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
        Column of ISO 8601 wall-clock times; empty where `start` is given.
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


_OFFSET = r"^(?P<wall>.*\d:\d\d.*?) ?(?P<offset>Z|[+-]\d\d:?\d\d)$"
UTC_OFFSETS = ("Z", "+00:00", "+0000")


def read_signals(file: SourceFile, declared: tuple[SignalColumns, ...]) -> Iterator[Reading]:
    """Yield the declared signals of one table.

    Raises
    ------
    SourceUnreadable
        Unreadable, or without a declared column.
    """
    table = _table(file)
    signals, dropped = [], []
    for entry in declared:
        wanted = [*entry.columns, *([entry.time] if entry.time else [])]
        if missing := [name for name in wanted if name not in table.columns]:
            raise SourceUnreadable(
                file.name,
                "row 1",
                f"no column {', '.join(missing)}; found: {', '.join(map(str, table.columns))}",
                "correct the columns in the map",
            )
        time_N = _time(file, table, entry)
        values_NC, good_N = _values(table, entry)
        good_N &= ~np.isnat(time_N)
        dropped += [*_bad_rows(file, entry, good_N), *_in_utc(file, table, entry)]
        if good_N.any():
            signals.append(
                Signal(
                    subject_label=file.subject_label,
                    quantity=entry.quantity,
                    time_N=time_N[good_N],
                    values_NC=values_NC[good_N].astype(np.float32),
                    epoch_s=1 / entry.rate_hz,
                    placement=entry.placement,
                    device=f"table, {UNITS[entry.quantity]}",
                    maker=f"table, {UNITS[entry.quantity]}",
                    clock="as declared in the map",
                )
            )
    yield Reading(signals=tuple(signals), dropped=tuple(dropped))


def _table(file: SourceFile) -> pd.DataFrame:
    try:
        if file.path.suffix == ".parquet":
            return pd.read_parquet(file.path)
        return pd.read_csv(file.path, dtype=str, keep_default_na=False, na_values=[""])
    except (OSError, ValueError, pa.ArrowException) as error:
        raise SourceUnreadable(
            file.name, "*", f"cannot be read as a table ({error})", "export it again"
        ) from error


def _time(file: SourceFile, table: pd.DataFrame, entry: SignalColumns) -> NDArray[np.datetime64]:
    if entry.time:
        return _wall_clock(table[entry.time], file.zone)
    try:
        start = np.datetime64(pd.Timestamp(entry.start), "ns")
    except ValueError as error:
        raise SourceUnreadable(
            file.name, "start", f"{entry.start!r} is not an ISO 8601 time", "correct the map"
        ) from error
    step = np.arange(len(table)) * (1e9 / entry.rate_hz)
    return np.asarray(start + step.round().astype("timedelta64[ns]"))


def _wall_clock(times: pd.Series, zone: str) -> NDArray[np.datetime64]:
    """Return the wall clock of ISO 8601 times, NaT where a time can't be read.

    A time with an offset is its own wall clock; one in UTC is converted to the declared zone.
    """
    if isinstance(times.dtype, np.dtype) and times.dtype.kind == "M":
        return times.to_numpy(dtype="datetime64[ns]")
    text = times.map(lambda value: "" if pd.isna(value) else str(value))
    parts = text.str.extract(_OFFSET)
    parsed = pd.to_datetime(parts["wall"].fillna(text), errors="coerce", format="ISO8601")
    time_N = parsed.to_numpy(dtype="datetime64[ns]")
    in_utc = parts["offset"].isin(UTC_OFFSETS).to_numpy()
    if zone and in_utc.any():
        time_N = np.where(in_utc, to_wall_clock(time_N, zone), time_N)
    return np.asarray(time_N, dtype="datetime64[ns]")


def _in_utc(file: SourceFile, table: pd.DataFrame, entry: SignalColumns) -> list[Problem]:
    """Report times in UTC for which no zone is declared."""
    if not entry.time or file.zone:
        return []
    if isinstance(table[entry.time].dtype, np.dtype) and table[entry.time].dtype.kind == "M":
        return []
    offset = table[entry.time].astype(str).str.extract(_OFFSET)["offset"]
    if not offset.isin(UTC_OFFSETS).any():
        return []
    found = "its times are in UTC and the map has no time_zone, so days are days in UTC"
    return [problem(file, entry.time, found, "declare time_zone in the map")]


def _values(
    table: pd.DataFrame, entry: SignalColumns
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    numbers = table[list(entry.columns)].apply(pd.to_numeric, errors="coerce")
    values_NC = numbers.to_numpy(dtype=np.float64) * FACTORS[entry.quantity][entry.unit]
    limit = LARGEST.get(entry.quantity, np.inf)
    good_N = np.isfinite(values_NC).all(axis=1) & (np.abs(values_NC) <= limit).all(axis=1)
    return values_NC, good_N


def _bad_rows(file: SourceFile, entry: SignalColumns, good_N: NDArray[np.bool_]) -> list[Problem]:
    bad = np.flatnonzero(~good_N)
    if not len(bad):
        return []
    return [
        Problem(
            file=file.name,
            row=int(bad[0]) + 2,
            field=entry.columns[0],
            found=f"{len(bad)} row(s) without a time or a possible {entry.quantity} were left out,"
            " of which this is the first",
            advice="correct the table if they are needed",
        )
    ]
