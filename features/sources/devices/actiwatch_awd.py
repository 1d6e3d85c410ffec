"""Actiwatch AWD: seven lines of header, then one count a line.

The header is name, date, time, epoch code, age, serial number and a marker; pyActigraph 1.2 reads
the same layout. A count may be followed by `M`, the wearer's event button.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime

import numpy as np

from contracts.errors import SourceUnreadable
from features.recording import ACTIWATCH, Quantity, Reading, Signal, SourceFile, problem
from features.sources.format import Format

HEADER_LINES = 7
EPOCH_S = {1: 15.0, 2: 30.0, 4: 60.0, 8: 120.0, 20: 300.0}
"""Seconds of each epoch code, in quarter minutes."""

HIGHEST_COUNT = 65_535
_HEADER = re.compile(
    rb"\A[^\r\n]*\r?\n *\d{1,2}-[A-Za-z]{3}-\d{4} *\r?\n *\d{1,2}:\d{2}(:\d{2})? *\r?\n"
)


def read(file: SourceFile) -> Iterator[Reading]:
    """Yield counts by epoch."""
    try:
        text = file.path.read_bytes().decode("latin-1")
        lines = text.splitlines()
        name, date, clock, code, _, serial, _ = (line.strip() for line in lines[:HEADER_LINES])
        start = datetime.strptime(f"{date} {clock[:5]}", "%d-%b-%Y %H:%M")
        epoch_s = EPOCH_S[int(code)]
    except (ValueError, KeyError, OSError) as error:
        raise SourceUnreadable(
            file.name,
            f"lines 1 to {HEADER_LINES}",
            f"the header is not name, date, time, epoch code, age, serial, marker ({error})",
            "export it again",
        ) from error
    counts, bad = _counts(lines[HEADER_LINES:], cut=not text.endswith(("\n", "\r")))
    dropped = [
        problem(
            file,
            f"line {number + HEADER_LINES + 1}",
            f"{text!r} where a count is expected, it was left out",
            "check the line in the file",
        )
        for number, text in bad
    ]
    kept = ~np.isnan(counts)
    if not kept.any():
        raise SourceUnreadable(
            file.name, f"line {HEADER_LINES + 1}", "no count follows the header", "export it again"
        )
    begin = np.datetime64(start, "ns")
    step_ns = np.int64(epoch_s * 1e9)
    time = begin + (np.arange(len(counts), dtype=np.int64) * step_ns).astype("timedelta64[ns]")
    signal = Signal(
        subject_label=name or file.subject_label,
        quantity=Quantity.COUNTS,
        time_N=time[kept],
        values_NC=counts[kept][:, None],
        epoch_s=epoch_s,
        placement=file.placement or "wrist",
        device=f"{ACTIWATCH} {serial}",
        maker=ACTIWATCH,
    )
    yield Reading(signals=(signal,), dropped=tuple(dropped))


def _counts(lines: list[str], *, cut: bool) -> tuple[np.ndarray, list[tuple[int, str]]]:
    """Return one count per line, NaN where a line is not a count, and those lines.

    A last line without its line end may have lost digits and is not a count.
    """
    while lines and not lines[-1].strip():
        lines = lines[:-1]
    counts = np.full(len(lines), np.nan, dtype=np.float32)
    bad = []
    for number, line in enumerate(lines):
        text = line.removesuffix("M").strip(" ,M")
        complete = not (cut and number == len(lines) - 1)
        if complete and text.isascii() and text.isdigit() and int(text) <= HIGHEST_COUNT:
            counts[number] = int(text)
        else:
            bad.append((number, line[:40]))
    return counts, bad


FORMAT = Format(
    name="actiwatch-awd",
    title="Actiwatch AWD recording",
    matches=lambda head: _HEADER.match(head) is not None,
    read=read,
)
