"""Actiwatch AWD: seven lines of header, then one count a line.

The header is name, date, time, epoch code, age, serial number and a marker; pyActigraph 1.2 reads
the same layout. A count may be followed by `M`, the wearer's event button. A second header in the
file begins another recording.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from contracts.errors import ContractError, Problem, SourceUnreadable
from features.measurements.wall_clock import read_time
from features.recording import ACTIWATCH, Quantity, Reading, Signal, SourceFile
from features.sources.format import Format

HEADER_LINES = 7
EPOCH_S = {1: 15.0, 2: 30.0, 4: 60.0, 8: 120.0, 20: 300.0}
"""Seconds of each epoch code, in quarter minutes."""

HIGHEST_COUNT = 65_535
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DATE = re.compile(r"(?P<day>\d{1,2})-(?P<month>[^\d\s-]{3,9})-(?P<year>\d+)")
_CLOCK = re.compile(r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2}))?")
_HEADER = re.compile(
    rb"\A[^\r\n]*\r?\n *\d{1,2}-[^\d\s-]{3,9}-\d+ *\r?\n *\d{1,2}:\d{2}(:\d{2})? *\r?\n"
)


def read(file: SourceFile) -> Iterator[Reading]:
    """Yield counts by epoch."""
    try:
        text = file.path.read_bytes().decode("latin-1")
    except OSError as error:
        raise SourceUnreadable(
            file.name, "*", f"cannot be opened ({error.strerror})", "check path and permissions"
        ) from error
    lines = text.splitlines()
    starts = [0, *_later_headers(lines)]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        cut = end == len(lines) and not text.endswith(("\n", "\r"))
        yield _recording(file, lines[start:end], start, cut=cut)


def _later_headers(lines: list[str]) -> list[int]:
    """Return where a date and a time follow each other once more: one line after a header."""
    return [
        number - 1
        for number in range(HEADER_LINES + 1, len(lines) - 1)
        if _DATE.fullmatch(lines[number].strip()) and _CLOCK.fullmatch(lines[number + 1].strip())
    ]


def _recording(file: SourceFile, lines: list[str], first: int, *, cut: bool) -> Reading:
    try:
        name, date, clock, code, _, serial, _ = (line.strip() for line in lines[:HEADER_LINES])
        begin = _start(date, clock)
        epoch_s = EPOCH_S[int(code)]
    except ContractError as error:
        raise SourceUnreadable(
            file.name, f"line {first + 2}", error.reason, error.what_to_do
        ) from error
    except (ValueError, KeyError) as error:
        raise SourceUnreadable(
            file.name,
            f"lines {first + 1} to {first + HEADER_LINES}",
            f"the header is not name, date, time, epoch code, age, serial, marker ({error})",
            "export it again",
        ) from error
    counts, bad = _counts(lines[HEADER_LINES:], cut=cut)
    kept = ~np.isnan(counts)
    if not kept.any():
        raise SourceUnreadable(
            file.name, f"line {first + HEADER_LINES + 1}", "no count follows the header",
            "export it again",
        )  # fmt: skip
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
    return Reading(signals=(signal,), dropped=tuple(_no_counts(file, bad, first)))


def _start(date: str, clock: str) -> np.datetime64:
    """Return the time of the first count.

    Raises
    ------
    ContractError
        The month is not written in English, as the maker's own program writes it in English
        Windows only, or there is no such day.
    """
    day, time = _DATE.fullmatch(date), _CLOCK.fullmatch(clock)
    if day is None or time is None or len(day["year"]) != 4:
        raise ContractError(
            f"{date!r}, {clock!r} where a date such as 03-Mar-2004 and a time such as 09:30 are"
            " expected",
            "export it again with a year of four digits",
        )
    if day["month"].lower() not in MONTHS:
        raise ContractError(
            f"the month of {date!r} is not one of Jan, Feb, Mar, Apr, May, Jun, Jul, Aug, Sep, Oct,"
            " Nov, Dec",
            "write the month in English, or export it again on a computer that is set to English",
        )
    month = MONTHS.index(day["month"].lower()) + 1
    written = f"{day['year']}-{month:02}-{int(day['day']):02}T{int(time['hour']):02}"
    try:
        start, _ = read_time(f"{written}:{time['minute']}:{time['second'] or '00'}")
    except ContractError as error:
        raise ContractError(
            f"{date!r} at {clock!r} is no time that a calendar and a clock have",
            "correct the date and the time in the file's second and third line, or export it again",
        ) from error
    return np.datetime64(start, "ns")


def _no_counts(file: SourceFile, bad: list[tuple[int, str]], first: int) -> Iterator[Problem]:
    for number, text in bad:
        yield Problem(
            file=file.name,
            row=first + number + HEADER_LINES + 1,
            field="count",
            found=f"{text!r} where a count is expected, it was left out",
            advice="check the line in the file",
            cause="lines that are no counts",
        )


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
