"""Actiwatch AWD: dates of any language, and a second header in the file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from contracts.errors import SourceUnreadable
from features.recording import Reading, SourceFile
from features.sources import formats


def written(
    path: Path, *, date: str = "03-Mar-2004", clock: str = "09:30", name: str = "p"
) -> Path:
    lines = [name, date, clock, "4", "00", "V1", "X", "10", "20 M", "30"]
    path.write_bytes(("\r\n".join(lines) + "\r\n").encode("latin-1"))
    return path


def readings(path: Path) -> list[Reading]:
    return list(formats.read(SourceFile(path=path, name=path.name, subject_label="folder")))


@pytest.mark.parametrize(
    ("date", "clock", "start"),
    [
        ("03-Mar-2004", "09:30", "2004-03-03T09:30"),
        ("3-MAR-2004", "9:05", "2004-03-03T09:05"),
        ("03-Mar-2004", "09:30:15", "2004-03-03T09:30:15"),
    ],
)
def test_the_start_is_that_of_the_header(tmp_path: Path, date: str, clock: str, start: str) -> None:
    (reading,) = readings(written(tmp_path / "a.AWD", date=date, clock=clock))
    (signal,) = reading.signals
    assert signal.time_N[0] == np.datetime64(start)
    assert signal.values_NC[:, 0].tolist() == [10, 20, 30]


@pytest.mark.parametrize(
    ("date", "words"),
    [
        ("03-Mrz-2004", "month of '03-Mrz-2004'"),
        ("03-Mär-2004", "month of '03-Mär-2004'"),
        ("03-févr.-2004", "month of"),
        ("03-Okt-2004", "month of"),
        ("03-Mar-04", "year of four digits"),
        ("31-Feb-2004", "no time that a calendar and a clock have"),
        ("03-Mar-4200", "4200"),
    ],
)
def test_a_date_that_cannot_be_read_is_refused_with_the_way_out(
    tmp_path: Path, date: str, words: str
) -> None:
    with pytest.raises(SourceUnreadable, match=words) as caught:
        readings(written(tmp_path / "a.AWD", date=date))
    assert caught.value.problem.field == "line 2"


def test_a_second_header_begins_another_recording(tmp_path: Path) -> None:
    first = written(tmp_path / "a.AWD").read_bytes()
    second = written(tmp_path / "b.AWD", date="07-Mar-2004", name="q").read_bytes()
    (tmp_path / "both.AWD").write_bytes(first + second)
    signals = [signal for reading in readings(tmp_path / "both.AWD") for signal in reading.signals]
    assert [(s.subject_label, len(s)) for s in signals] == [("p", 3), ("q", 3)]
    assert signals[1].time_N[0] == np.datetime64("2004-03-07T09:30")
