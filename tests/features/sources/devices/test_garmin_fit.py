from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from contracts.errors import SourceUnreadable
from features.recording import Quantity, Signal, SourceFile
from features.sources.devices.garmin_fit import _Clock, read


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


def test_a_days_steps_are_the_totals_at_midnight(samples: Path) -> None:
    steps = signals(samples / "fit" / "MonitoringFile.fit")[Quantity.STEPS]
    day = steps.time_N.astype("datetime64[D]")
    assert set(day.astype(str)) == {"2014-12-27"}
    assert float(steps.values_NC.sum()) == 3142 + 31


def test_daylight_saving_is_that_of_the_declared_zone() -> None:
    clock = _Clock(None, "Europe/Oslo")
    before = pd.Timestamp("2003-03-30T00:59:59Z").timestamp()
    first, second = clock.local([before, before + 1])
    assert second - first == np.timedelta64(3601, "s")


def test_a_file_without_local_time_has_days_in_utc_and_says_so(
    samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from features.sources.devices import garmin_fit

    path = samples / "fit" / "garmin-fenix-5-walk.fit"
    whole = garmin_fit._messages

    def without_local_time(file: SourceFile) -> list[garmin_fit._Message]:
        return [m for m in whole(file) if m.name != "activity"]

    monkeypatch.setattr(garmin_fit, "_messages", without_local_time)
    (reading,) = read(SourceFile(path=path, name=path.name, subject_label="x"))
    assert str(reading.signals[0].time_N[0]).startswith("2017-06-11T14:32:51")
    assert "declare time_zone" in reading.dropped[0].message
    zoned = SourceFile(path=path, name=path.name, subject_label="x", zone="America/Los_Angeles")
    (reading,) = read(zoned)
    assert str(reading.signals[0].time_N[0]).startswith("2017-06-11T07:32:51")
    assert reading.dropped == ()

    def counted_from_start(file: SourceFile) -> list[garmin_fit._Message]:
        return [garmin_fit._Message("record", {"timestamp": 17, "heart_rate": 70})]

    monkeypatch.setattr(garmin_fit, "_messages", counted_from_start)
    with pytest.raises(SourceUnreadable, match="counts from the device's start"):
        list(read(zoned))


@pytest.mark.parametrize("named", [{}, {"manufacturer": None}, {"serial_number": 123}])
def test_a_file_that_names_no_maker_still_has_one(
    named: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The maker becomes a group of the audit, which cannot be blank."""
    from features.sources.devices import garmin_fit

    def messages(_: SourceFile) -> list[garmin_fit._Message]:
        at = pd.Timestamp("2024-03-04T10:00", tz="UTC")
        return [
            garmin_fit._Message("file_id", named),
            garmin_fit._Message("record", {"timestamp": at, "heart_rate": 70}),
        ]

    monkeypatch.setattr(garmin_fit, "_messages", messages)
    (reading,) = read(SourceFile(path=Path("x"), name="x", subject_label="1"))
    assert {signal.maker for signal in reading.signals} == {garmin_fit.UNKNOWN_MAKER}
