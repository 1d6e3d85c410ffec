"""ActiGraph AGD: an SQLite database of counts, steps and inclinometer by epoch."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import numpy as np
import pandas as pd

from contracts.errors import Problem, SourceUnreadable
from features.measurements.placements import placement_in
from features.recording import (
    NOT_STATED,
    Quantity,
    Reading,
    Signal,
    SourceFile,
    problem,
    wrap_library_errors,
)
from features.sources.devices.actigraph_gt3x import EPOCH_TICKS
from features.sources.format import Format

COUNT_COLUMNS = ["axis1", "axis2", "axis3"]
INCLINE_COLUMNS = ["inclineOff", "inclineStanding", "inclineSitting", "inclineLying"]
HIGHEST_COUNT = 100_000.0
"""A second of full-range shaking stays far below; more is a damaged page."""

TICKS = (
    EPOCH_TICKS - 86_400 * 365 * 280 * 10_000_000,
    EPOCH_TICKS + 86_400 * 365 * 280 * 10_000_000,
)
"""Times that fit into nanoseconds since 1970: 280 years before and after."""


def read(file: SourceFile) -> Iterator[Reading]:
    """Yield counts (vector magnitude), steps and posture shares by epoch."""
    settings, data = _tables(file)
    with wrap_library_errors(file, "table settings"):
        epoch_s = int(settings["epochlength"])
        announced = int(settings.get("epochcount", len(data)))
    if epoch_s <= 0:
        raise SourceUnreadable(
            file.name, "table settings", f"an epoch of {epoch_s} s is impossible", "export it again"
        )
    data, dropped = _sound(file, data, epoch_s)
    if len(data) + sum(p.row is not None for p in dropped) < announced:
        found = (
            f"only {len(data)} of the {announced} epochs that the settings count are in the file"
        )
        dropped.append(problem(file, "table data", found, "export it again"))
    if data.empty:
        raise SourceUnreadable(
            file.name, "table data", "holds no epoch that can be used", "export it again"
        )
    time = (data["dataTimestamp"].to_numpy(dtype=np.int64) - EPOCH_TICKS) * 100
    subject = settings.get("subjectname", "")
    serial = settings.get("deviceserial", "").strip()
    common = {
        "subject_label": subject if subject.strip() else file.subject_label,
        "time_N": time.view("datetime64[ns]"),
        "epoch_s": float(epoch_s),
        "placement": file.placement
        or placement_in(settings.get("side"), settings.get("limb"))
        or NOT_STATED,
        "maker": "ActiGraph",
        # The serial number alone: exports of one recording in several formats are one device.
        "device": f"ActiGraph {serial or settings.get('devicename', '')}",
    }
    axes = [name for name in COUNT_COLUMNS if name in data]
    magnitude = np.sqrt((data[axes].to_numpy(dtype=np.float64) ** 2).sum(axis=1, keepdims=True))
    signals = [_signal(Quantity.COUNTS, magnitude, common)]
    if "steps" in data:
        signals.append(_signal(Quantity.STEPS, data[["steps"]].to_numpy(), common))
    if set(INCLINE_COLUMNS) <= set(data.columns) and data[INCLINE_COLUMNS].to_numpy().any():
        signals.append(
            _signal(Quantity.POSTURE, data[INCLINE_COLUMNS].to_numpy() / epoch_s, common)
        )
    yield Reading(signals=tuple(signals), dropped=tuple(dropped))


def _signal(quantity: Quantity, values_NC: np.ndarray, common: dict[str, object]) -> Signal:
    return Signal(quantity=quantity, values_NC=values_NC.astype(np.float32), **common)  # type: ignore[arg-type]


def _tables(file: SourceFile) -> tuple[dict[str, str], pd.DataFrame]:
    try:
        address = f"{file.path.resolve().as_uri()}?mode=ro&immutable=1"
        with closing(sqlite3.connect(address, uri=True)) as database:
            (integrity,) = database.execute("PRAGMA integrity_check(1)").fetchone()
            if integrity != "ok":
                raise sqlite3.DatabaseError(integrity)
            rows = database.execute("SELECT settingName, settingValue FROM settings").fetchall()
            with wrap_library_errors(file, "table data"):
                data = pd.read_sql_query("SELECT * FROM data ORDER BY rowid", database)
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise SourceUnreadable(
            file.name, "SQLite", f"the database is damaged ({error})", "copy it again"
        ) from error
    if missing := {"dataTimestamp", "axis1"} - set(data.columns):
        raise SourceUnreadable(
            file.name,
            "table data",
            f"has no column {', '.join(sorted(missing))}",
            "export it again",
        )
    known = {str(name).lower(): str(value) for name, value in rows if value is not None}
    return known, data


def _sound(
    file: SourceFile, data: pd.DataFrame, epoch_s: int
) -> tuple[pd.DataFrame, list[Problem]]:
    """Leave out epochs with impossible numbers, each reported with its row."""
    numbers = data.apply(pd.to_numeric, errors="coerce")
    counts = numbers[[name for name in COUNT_COLUMNS if name in numbers]]
    good = counts.ge(0).all(axis=1) & counts.le(HIGHEST_COUNT * epoch_s).all(axis=1)
    ticks = numbers["dataTimestamp"]
    good &= ticks.between(*TICKS)
    dropped = [
        Problem(
            file=file.name,
            row=int(row) + 1,
            field="table data",
            found="an impossible time or count, the epoch was left out",
            advice="copy the file again",
        )
        for row in np.flatnonzero(~good)
    ]
    return numbers[good].copy(), dropped


FORMAT = Format(
    name="actigraph-agd",
    title="ActiGraph AGD database",
    matches=lambda head: (
        head.startswith(b"SQLite format 3\0")
        and (b"dataTimestamp" in head or b"epochlength" in head)
    ),
    read=read,
)
