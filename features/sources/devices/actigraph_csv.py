"""ActiGraph epoch CSV as ActiLife writes it: ten lines of header, then counts by epoch.

Columns have names, or are those of the mode: three axes and steps (four columns), and light and
the inclinometer's four states after them (nine columns). Raw data as CSV has neither time nor
checksums; its GT3X file is the one to import.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime

import numpy as np
import pandas as pd

from contracts.errors import Problem, SourceUnreadable
from features.recording import (
    NOT_STATED,
    Quantity,
    Reading,
    Signal,
    SourceFile,
    wrap_library_errors,
)
from features.sources.format import Format

HEADER_LINES = 10
PLAIN = ["axis1", "axis2", "axis3", "steps"]
FULL = [*PLAIN, "lux", "off", "standing", "sitting", "lying"]
POSTURES = ["off", "standing", "sitting", "lying"]
DATE_FORMS = {"M/d/yyyy": "%m/%d/%Y", "dd/MM/yyyy": "%d/%m/%Y", "d/M/yyyy": "%d/%m/%Y"}
_RATE = re.compile(r" at \d+ Hz")
_LIMB = re.compile(r"Limb: (\w+)")


CUT = "cut"
"""Replaces a last row without its line end: it may have lost digits and is not an epoch."""


def read(file: SourceFile) -> Iterator[Reading]:
    """Yield counts (vector magnitude), steps and posture shares by epoch."""
    with wrap_library_errors(file, f"lines 1 to {HEADER_LINES}"):
        text = file.path.read_text("utf-8-sig")
        lines = text.splitlines()
        if text[-1:] not in {"\n", "\r"}:
            lines[-1] = CUT
        header = [line.rstrip(",") for line in lines[:HEADER_LINES]]
        if _RATE.search(header[0]):
            raise SourceUnreadable(
                file.name,
                "line 1",
                "raw data as CSV",
                "import the .gt3x file that it was made from",
            )
        hours, minutes, seconds = map(int, _after(header, "Epoch Period (hh:mm:ss)").split(":"))
        epoch_s = float(3600 * hours + 60 * minutes + seconds)
        serial = _after(header, "Serial Number:")
    if epoch_s <= 0:
        raise SourceUnreadable(
            file.name,
            "Epoch Period",
            f"an epoch of {epoch_s:g} s is impossible",
            "export it again",
        )
    table = _table(file, lines[HEADER_LINES:])
    numbers = table[[n for n in FULL if n in table]].apply(pd.to_numeric, errors="coerce")
    good = numbers[PLAIN[:3]].ge(0).all(axis=1) & np.isfinite(numbers[PLAIN[:3]]).all(axis=1)
    time_N = _time(file, header, table, epoch_s)
    good &= ~np.isnat(time_N)
    kept = numbers[good]
    limb = _LIMB.search(header[0])
    common = {
        "subject_label": file.subject_label,
        "time_N": time_N[good],
        "epoch_s": epoch_s,
        "placement": file.placement or (limb.group(1).lower() if limb else NOT_STATED),
        "device": f"ActiGraph {serial}",
        "maker": "ActiGraph",
    }
    magnitude = np.sqrt((kept[PLAIN[:3]] ** 2).sum(axis=1).to_numpy())[:, None]
    signals = [_signal(Quantity.COUNTS, magnitude, common)] if len(kept) else []
    if "steps" in kept and len(kept):
        signals.append(_signal(Quantity.STEPS, kept[["steps"]].to_numpy(), common))
    if set(POSTURES) <= set(kept.columns) and kept[POSTURES].to_numpy().any():
        signals.append(_signal(Quantity.POSTURE, kept[POSTURES].to_numpy() / epoch_s, common))
    yield Reading(signals=tuple(signals), dropped=tuple(_bad(file, good)))


def _after(header: list[str], name: str) -> str:
    """Return what follows a name in the header; raises LookupError where there is no such line."""
    line = next((line for line in header if line.startswith(name)), None)
    if line is None:
        raise LookupError(f"no line {name!r}")
    return line.removeprefix(name).strip()


def _table(file: SourceFile, lines: list[str]) -> pd.DataFrame:
    rows = [line.split(",") for line in lines if line.strip(", ")]
    if not rows:
        raise SourceUnreadable(
            file.name, f"line {HEADER_LINES + 1}", "no epoch follows the header", "export it again"
        )
    named = any(cell.strip().lower() == "axis1" for cell in rows[0])
    names = [cell.strip().lower() for cell in rows[0]] if named else None
    body = rows[1:] if named else rows
    width = len(names or body[0])
    if names is None:
        names = {len(PLAIN): PLAIN, len(FULL): FULL}.get(width)
    if names is None or not set(PLAIN[:3]) <= set(names):
        raise SourceUnreadable(
            file.name,
            f"line {HEADER_LINES + 1}",
            f"{width} columns without names",
            "export with column headers, or import the .agd file",
        )
    # A row of another width is damaged: nobody knows which cell belongs to which column.
    cells = [row if len(row) == width else [""] * width for row in body]
    return pd.DataFrame(cells, columns=names)


def _time(file: SourceFile, header: list[str], table: pd.DataFrame, epoch_s: float) -> np.ndarray:
    if "timestamp" in table:
        parsed = pd.to_datetime(table["timestamp"], errors="coerce", format="ISO8601", utc=True)
        return parsed.dt.tz_localize(None).to_numpy(dtype="datetime64[ns]")
    with wrap_library_errors(file, "Start Date"):
        written = next(
            (f for name, f in DATE_FORMS.items() if f"date format {name}" in header[0]), ""
        )
        if not written:
            raise LookupError("line 1 has no known date format")
        text = f"{_after(header, 'Start Date')} {_after(header, 'Start Time')}"
        start = datetime.strptime(text.replace("-", "/"), f"{written} %H:%M:%S")
    step = np.arange(len(table), dtype=np.int64) * np.int64(epoch_s * 1e9)
    return np.asarray(np.datetime64(start, "ns") + step.astype("timedelta64[ns]"))


def _signal(quantity: Quantity, values_NC: np.ndarray, common: dict[str, object]) -> Signal:
    return Signal(quantity=quantity, values_NC=values_NC.astype(np.float32), **common)  # type: ignore[arg-type]


def _bad(file: SourceFile, good: pd.Series) -> list[Problem]:
    bad = np.flatnonzero(~good.to_numpy())
    if not len(bad):
        return []
    return [
        Problem(
            file=file.name,
            row=int(bad[0]) + HEADER_LINES + 1,
            field="counts",
            found=f"{len(bad)} epoch(s) without possible counts were left out, of which this is the"
            " first",
            advice="check these rows in the file",
        )
    ]


FORMAT = Format(
    name="actigraph-csv",
    title="ActiGraph epoch table",
    matches=lambda head: b"Created By Acti" in head[:200] or b"Created By acti" in head[:200],
    read=read,
)
