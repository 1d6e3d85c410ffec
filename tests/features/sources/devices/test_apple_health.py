"""Apple Health exports: days of two devices, packed or not, whole or cut short."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from contracts.errors import SourceUnreadable
from features.recording import Reading

STEPS = "LOINC//41950-7"


def test_apple_days_are_the_sums_of_the_expected_tables(
    samples: Path,
    read: Callable[[Path], Reading],
    values: Callable[[Reading, str], dict[str, float]],
) -> None:
    reading = read(samples / "apple_health" / "export6s3sample.xml")
    for code, name in ((STEPS, "StepCount"), ("REHABCAST//DISTANCE", "DistanceWalkingRunning")):
        truth = pd.read_csv(samples / "apple_health" / f"{name}.csv")
        days = truth.groupby(truth["startDate"].str[:10])["value"].sum()
        assert values(reading, code) == pytest.approx(days.to_dict())


APPLE = """<?xml version="1.0"?><HealthData><ExportDate value="x"/>
<Record type="HKQuantityTypeIdentifierStepCount" sourceName="phone" unit="count"
 startDate="2020-03-01 23:50:00 +0100" endDate="2020-03-01 23:55:00 +0100" value="100"/>
<Record type="HKQuantityTypeIdentifierStepCount" sourceName="watch" unit="count"
 startDate="2020-03-01 23:50:00 +0100" endDate="2020-03-02 00:05:00 +0100" value="130"/>
<Record type="HKQuantityTypeIdentifierDistanceWalkingRunning" sourceName="phone" unit="furlong"
 startDate="2020-03-01 10:00:00 +0100" endDate="2020-03-01 10:05:00 +0100" value="1"/>
<Record type="HKQuantityTypeIdentifierStepCount" sourceName="watch" unit="count"
 startDate="yesterday" endDate="2020-03-02 00:05:00 +0100" value="130"/>
<Record type="HKQuantityTypeIdentifierStepCount" sourceName="watch" unit="count"
 startDate="2020-03-02 23:50:00 +0100" endDate="2020-03-02 23:55:00 +0100" value="NaN"/>
<Record type="HKCategoryTypeIdentifierSleepAnalysis" sourceName="watch"
 startDate="2020-03-01 22:00:00 +0100" endDate="2020-03-02 06:30:00 +0100"
 value="HKCategoryValueSleepAnalysisAsleepCore"/>
</HealthData>"""


def test_two_apple_devices_on_the_same_steps_are_not_added(
    tmp_path: Path,
    read: Callable[[Path], Reading],
    values: Callable[[Reading, str], dict[str, float]],
) -> None:
    (tmp_path / "export.xml").write_text(APPLE)
    reading = read(tmp_path / "export.xml")
    assert values(reading, STEPS) == {"2020-03-01": 130}
    assert values(reading, "REHABCAST//SLEEP") == {"2020-03-02": 8.5}
    messages = [problem.message for problem in reading.dropped]
    assert [word in text for word, text in zip(("furlong", "dates", "nan"), messages, strict=True)]


def test_a_phones_zip_is_read_like_its_xml(
    tmp_path: Path,
    read: Callable[[Path], Reading],
    values: Callable[[Reading, str], dict[str, float]],
) -> None:
    packed = tmp_path / "export.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("apple_health_export/export_cda.xml", "<x/>")
        archive.writestr("apple_health_export/export.xml", APPLE)
    assert values(read(packed), STEPS) == {"2020-03-01": 130}
    packed.write_bytes(packed.read_bytes()[:-60])
    with pytest.raises(SourceUnreadable, match=r"archive.*cannot be unpacked"):
        read(packed)


def test_an_apple_export_cut_short_is_refused_not_read_in_part(
    tmp_path: Path, read: Callable[[Path], Reading]
) -> None:
    (tmp_path / "export.xml").write_text(APPLE[:900])
    with pytest.raises(SourceUnreadable, match=r"after record \d.*not well-formed"):
        read(tmp_path / "export.xml")
