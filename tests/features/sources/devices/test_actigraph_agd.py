"""ActiGraph AGD: identity, placement, an empty table, times that no calendar has."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from contracts.errors import SourceUnreadable
from features.importing import Imported, import_source
from features.recording import Quantity, Reading, Signal, SourceFile
from features.sources.devices.actigraph_agd import read
from features.sources.devices.actigraph_gt3x import EPOCH_TICKS

SETTINGS = {
    "epochlength": "60", "deviceserial": "MOS1", "devicename": "wGT3XBT", "subjectname": "007",
    "side": "Left", "limb": "Wrist",
}  # fmt: skip
START = int(np.datetime64("2024-03-04T00:00", "us").astype(np.int64)) * 10 + EPOCH_TICKS
MINUTE = 600_000_000


def written(path: Path, ticks: list[int], repeat: int = 1, **settings: str | None) -> Path:
    """Write an AGD file with an epoch of 20 steps at each time."""
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE settings (settingName TEXT, settingValue TEXT)")
        database.executemany(
            "INSERT INTO settings VALUES (?, ?)", list({**SETTINGS, **settings}.items())
        )
        database.execute(
            "CREATE TABLE data (dataTimestamp INTEGER, axis1 INTEGER, axis2 INTEGER,"
            " axis3 INTEGER, steps INTEGER)"
        )
        rows = [(at, 100 + n % 7, 200, 300, 20) for n, at in enumerate(ticks)] * repeat
        database.executemany("INSERT INTO data VALUES (?, ?, ?, ?, ?)", rows)
        database.commit()
    return path


def reading(path: Path) -> Reading:
    (found,) = read(SourceFile(path=path, name=path.name, subject_label="folder"))
    return found


def signals(path: Path) -> dict[Quantity, Signal]:
    return {signal.quantity: signal for signal in reading(path).signals}


def test_identity_placement_and_device_are_as_the_file_says(tmp_path: Path) -> None:
    signal = signals(written(tmp_path / "a.agd", [START]))[Quantity.COUNTS]
    assert (signal.subject_label, signal.placement, signal.device) == (
        "007", "left wrist", "ActiGraph MOS1",
    )  # fmt: skip
    blank = signals(written(tmp_path / "b.agd", [START], subjectname=" ", side=None, limb=""))
    assert (blank[Quantity.COUNTS].subject_label, blank[Quantity.COUNTS].placement) == (
        "folder", "not stated",
    )  # fmt: skip
    spaced = signals(written(tmp_path / "c.agd", [START], subjectname="A1 "))
    assert spaced[Quantity.COUNTS].subject_label == "A1 "


def test_a_file_without_epochs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceUnreadable, match="holds no epoch"):
        reading(written(tmp_path / "a.agd", []))


def test_a_time_beyond_the_calendar_is_no_plausible_other_one(tmp_path: Path) -> None:
    year_4000 = EPOCH_TICKS + 2030 * 365 * 86_400 * 10_000_000
    found = reading(written(tmp_path / "a.agd", [START, year_4000]))
    assert len(found.signals[0]) == 1
    assert "impossible time" in found.dropped[0].found


def test_a_file_that_holds_its_epochs_twice_gives_them_once(
    tmp_path: Path, daily: Callable[[Imported, str], list[float]]
) -> None:
    ticks = [START + n * MINUTE for n in range(600)]
    for name, repeat in (("once", 1), ("twice", 2)):
        done = import_source(
            written(tmp_path / f"{name}.agd", ticks, repeat), tmp_path / f"cohort of {name}"
        )
        assert daily(done, "LOINC//41950-7") == [12_000]
        assert "REHABCAST//CLOCK_CHANGE" not in set(done.cohort.events["code"])
