from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from contracts.cohort import CODE, ENROLMENT, NUMBER, ONSET, TEXT, TIME
from contracts.errors import SourceUnreadable
from features.importing import Imported, import_source
from features.measurements.reconcile import reconcile
from features.recording import Quantity, Reading, Signal, SourceFile
from features.sources.devices import garmin_fit
from features.sources.devices.fit_clock import Message
from features.sources.devices.garmin_fit import read

STEPS, RESTING = "LOINC//41950-7", "LOINC//40443-4"
HEART = "REHABCAST//HEART_RATE"


def signals(path: Path) -> dict[Quantity, Signal]:
    (reading,) = read(SourceFile(path=path, name=path.name, subject_label="x"))
    return {signal.quantity: signal for signal in reading.signals}


def test_a_walk_is_what_its_csv_says(samples: Path) -> None:
    found = signals(samples / "fit" / "garmin-fenix-5-walk.fit")
    truth = pd.read_csv(samples / "fit" / "garmin-fenix-5-walk-records.csv")
    for quantity, column in ((Quantity.HEART_RATE, "heart_rate"), (Quantity.SPEED, "speed")):
        np.testing.assert_allclose(found[quantity].values_NC[:, 0], truth[column], rtol=1e-5)
    # The table has whole strides; the file adds fractions of them.
    off = found[Quantity.CADENCE].values_NC[:, 0] / 2 - truth["cadence"].to_numpy()
    assert off.min() >= 0
    assert off.max() < 1
    # 07:32:51 PDT is the wall clock of the walk, 14:32:51 in UTC.
    assert str(found[Quantity.SPEED].time_N[0]).startswith("2017-06-11T07:32:51")
    assert found[Quantity.BEAT_INTERVAL].values_NC[0, 0] == pytest.approx(824)


def test_compressed_records_of_a_device_clock_find_their_local_time(samples: Path) -> None:
    found = signals(samples / "fit" / "compressed-speed-distance.fit")
    truth = pd.read_csv(samples / "fit" / "compressed-speed-distance-records.csv", na_values="null")
    truth.columns = [name.strip() for name in truth.columns]
    heart = truth["Heart Rate [bpm]"].dropna().to_numpy()
    np.testing.assert_array_equal(found[Quantity.HEART_RATE].values_NC[:, 0], heart)
    assert str(found[Quantity.HEART_RATE].time_N[0]).startswith("2012-02-13T11:16:21")


def readings(path: Path, zone: str = "") -> list[Reading]:
    return list(read(SourceFile(path=path, name=path.name, subject_label="x", zone=zone)))


def test_a_days_steps_are_the_totals_at_midnight(samples: Path) -> None:
    (reading,) = readings(samples / "fit" / "MonitoringFile.fit")
    assert reading.records is not None
    days = reconcile([reading.records]).values
    days = days[days[CODE] == STEPS]
    assert days[TIME].astype(str).tolist() == ["2014-12-27"]
    assert days[NUMBER].tolist() == [3142 + 31]
    # Nothing of the file is sampled, so the maker of the device is a record.
    assert reading.records.loc[reading.records[CODE] == garmin_fit.DEVICE, TEXT].tolist() == [
        "garmin"
    ]


def test_a_day_goes_on_in_the_next_file_and_a_copy_adds_nothing(
    tmp_path: Path, fit: Callable[[], Any], daily: Callable[[Imported, str], list[float]]
) -> None:
    source = tmp_path / "source" / "p1"
    source.mkdir(parents=True)
    morning = fit().file_id(32).monitoring_info("2024-03-05T06:00", "2024-03-05T07:00")
    morning = morning.steps("2024-03-05T06:10", 500).steps("2024-03-05T12:00", 3000)
    evening = fit().file_id(32).monitoring_info("2024-03-05T12:00", "2024-03-05T13:00")
    evening = evening.steps("2024-03-05T12:10", 3100).steps("2024-03-05T20:00", 5000)
    # Midnight closes the day, and then the total starts again.
    evening = evening.steps("2024-03-05T23:00", 6000).steps("2024-03-06T08:00", 700)
    (source / "b.fit").write_bytes(morning.bytes())
    (source / "a.fit").write_bytes(evening.bytes())
    (source / "copy of a.fit").write_bytes(evening.bytes())
    done = import_source(tmp_path / "source", tmp_path / "cohort")
    assert daily(done, STEPS) == [6000.0, 700.0]


def test_monitored_heart_rates_are_those_of_the_minutes_and_no_session(
    tmp_path: Path, fit: Callable[[], Any], daily: Callable[[Imported, str], list[float]]
) -> None:
    file = fit().file_id(32).monitoring_info("2024-03-05T00:00", "2024-03-05T01:00")
    for minute, rate in enumerate([60, 61, 0, 63, 120, 60]):
        file = file.heart(f"2024-03-05T10:{minute:02}", rate)
    file = file.add(211, [(253, "I", 1_078_509_600), (1, "B", 58)])
    (tmp_path / "day.fit").write_bytes(file.bytes())
    (reading,) = readings(tmp_path / "day.fit")
    (signal,) = reading.signals
    assert signal.time_N[0] == np.datetime64("2024-03-05T11:00")
    done = import_source(tmp_path / "day.fit", tmp_path / "cohort")
    assert daily(done, HEART) == [72.8]
    assert daily(done, RESTING) == [58.0]
    assert daily(done, "REHABCAST//HEART_RATE_RECOVERY") == []


@pytest.mark.parametrize(
    ("local", "wall"),
    [
        ("2024-03-05T15:00:40", "2024-03-05T14:30:00"),  # Nepal, and some moments later.
        ("2024-03-04T22:30", "2024-03-04T22:30:00"),
        ("1989-12-31T00:00", None),
        ("2005-01-01T00:00", None),
        ("2024-03-06T10:00", None),
        ("2024-03-05T09:22", None),
    ],
)
def test_only_an_offset_that_a_zone_can_have_is_one(
    tmp_path: Path, fit: Callable[[], Any], local: str, wall: str | None
) -> None:
    utc = "2024-03-05T09:15"
    offsets = {"2024-03-05T15:00:40": "T08:45", "2024-03-04T22:30": "T09:15"}
    first = f"2024-03-05{offsets[local]}" if wall else utc
    file = fit().file_id().record(first, 90).local(utc, local)
    (tmp_path / "walk.fit").write_bytes(file.bytes())
    (reading,) = readings(tmp_path / "walk.fit")
    told = [p.found for p in reading.dropped]
    assert reading.signals[0].time_N[0] == np.datetime64(wall or utc)
    assert ("UTC" in " ".join(told)) == (wall is None)
    (reading,) = readings(tmp_path / "walk.fit", "Asia/Tokyo")
    assert reading.dropped == ()
    if wall is None:
        assert reading.signals[0].time_N[0] == np.datetime64("2024-03-05T18:15")


def test_a_usable_local_time_and_the_settings_stand_in_for_one_that_is_not(
    tmp_path: Path, fit: Callable[[], Any]
) -> None:
    wrong = fit().file_id().record("2024-03-05T22:30", 90)
    wrong = wrong.local("2024-03-05T23:00", "1989-12-31T00:00")
    other = continued(wrong).local("2024-03-05T23:00", "2024-03-06T00:00", 162, 3)
    settings = continued(wrong).add(2, [(1, "I", 0), (2, "I", 2**32 - 7 * 3600)])
    for file, wall in ((other, "2024-03-05T23:30"), (settings, "2024-03-05T15:30")):
        (tmp_path / "walk.fit").write_bytes(file.bytes())
        (reading,) = readings(tmp_path / "walk.fit")
        assert reading.signals[0].time_N[0] == np.datetime64(wall)
        assert reading.dropped == ()


def continued(writer: Any) -> Any:
    """Return a copy that can be continued."""
    copy = type(writer)()
    copy.body = writer.body
    return copy


def test_a_traveller_has_the_local_time_of_each_place(
    tmp_path: Path, fit: Callable[[], Any]
) -> None:
    file = fit().file_id(32).monitoring_info("2024-03-05T08:00", "2024-03-05T09:00")
    file = file.heart("2024-03-05T10:00", 60)
    file = file.monitoring_info("2024-03-05T18:00", "2024-03-05T13:00")
    file = file.heart("2024-03-05T19:00", 70)
    (tmp_path / "day.fit").write_bytes(file.bytes())
    (reading,) = readings(tmp_path / "day.fit")
    found = reading.signals[0].time_N.astype("datetime64[m]").astype(str).tolist()
    assert found == ["2024-03-05T11:00", "2024-03-05T14:00"]


def test_files_that_follow_each_other_in_one_are_read_one_by_one(
    tmp_path: Path, fit: Callable[[], Any]
) -> None:
    walks = [
        fit().file_id(serial=serial).record(f"2024-03-05T{hour}:00", 90).local(
            f"2024-03-05T{hour}:30", f"2024-03-05T{hour + 1}:30"
        ).bytes()
        for serial, hour in ((7, 10), (8, 15))
    ]  # fmt: skip
    (tmp_path / "walks.fit").write_bytes(b"".join(walks))
    one, other = readings(tmp_path / "walks.fit")
    assert [r.signals[0].device.split()[-1] for r in (one, other)] == ["7", "8"]
    (tmp_path / "walks.fit").write_bytes(b"".join(walks)[:-5])
    with pytest.raises(SourceUnreadable, match="nothing was imported"):
        readings(tmp_path / "walks.fit")


def test_a_file_without_local_time_has_days_in_utc_and_says_so(
    samples: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = samples / "fit" / "garmin-fenix-5-walk.fit"
    whole = garmin_fit._messages

    def without_local_time(file: SourceFile) -> list[list[Message]]:
        without = ("activity", "device_settings")
        return [[m for m in part if m.name not in without] for part in whole(file)]

    monkeypatch.setattr(garmin_fit, "_messages", without_local_time)
    (reading,) = readings(path)
    assert str(reading.signals[0].time_N[0]).startswith("2017-06-11T14:32:51")
    assert "declare time_zone" in reading.dropped[0].message
    (reading,) = readings(path, "America/Los_Angeles")
    assert str(reading.signals[0].time_N[0]).startswith("2017-06-11T07:32:51")
    assert reading.dropped == ()

    def counted_from_start(file: SourceFile) -> list[list[Message]]:
        return [[Message("record", {"timestamp": 17, "heart_rate": 70})]]

    monkeypatch.setattr(garmin_fit, "_messages", counted_from_start)
    with pytest.raises(SourceUnreadable, match="counts from the device's start"):
        readings(path, "America/Los_Angeles")


@pytest.mark.parametrize("named", [{}, {"manufacturer": None}, {"serial_number": 123}])
def test_a_file_that_names_no_maker_still_has_one(
    named: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The maker becomes a group of the audit, which cannot be blank."""

    def messages(_: SourceFile) -> list[list[Message]]:
        at = pd.Timestamp("2024-03-04T10:00", tz="UTC")
        first = Message("file_id", named)
        return [[first, Message("record", {"timestamp": at, "heart_rate": 70})]]

    monkeypatch.setattr(garmin_fit, "_messages", messages)
    (reading,) = read(SourceFile(path=Path("x"), name="x", subject_label="1"))
    assert {signal.maker for signal in reading.signals} == {garmin_fit.UNKNOWN_MAKER}


def test_a_reset_clock_of_a_watch_sets_no_onset(tmp_path: Path, fit: Callable[[], Any]) -> None:
    """Its times begin in 1989: in most zones the first of them is in 1990."""
    reset = fit().file_id(32).monitoring_info("1989-12-31T00:00", "1990-01-01T00:00")
    reset = reset.heart("1989-12-31T08:00", 70).steps("1989-12-31T09:00", 500)
    good = fit().file_id(32).monitoring_info("2024-03-05T06:00", "2024-03-05T07:00")
    good = good.heart("2024-03-05T08:00", 70).steps("2024-03-05T09:00", 500)
    source = tmp_path / "source" / "p1"
    source.mkdir(parents=True)
    (source / "a.fit").write_bytes(reset.bytes())
    (source / "b.fit").write_bytes(good.bytes())
    done = import_source(tmp_path / "source", tmp_path / "cohort")
    events = done.cohort.events
    assert (events[TIME].dropna().dt.year == 2024).all()
    dates = events[events[CODE].isin([ONSET, ENROLMENT])][TIME].dt.strftime("%Y-%m-%d")
    assert set(dates) == {"2024-03-05"}
    told = [p for p in done.dropped if "check the clock of the device" in p.advice]
    assert {(p.file, p.field) for p in told} == {("p1/a.fit", "heart rate"), ("p1/a.fit", STEPS)}
