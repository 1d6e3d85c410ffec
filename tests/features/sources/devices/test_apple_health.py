"""Apple Health exports: each record as it stands, on its own clock, whatever a phone broke."""

from __future__ import annotations

import itertools
import zipfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from contracts.errors import SourceUnreadable
from features.measurements.reconcile import Reconciled, reconcile
from features.recording import Reading
from features.sources.devices import health_xml

STEPS, SLEEP, RATE = "LOINC//41950-7", "REHABCAST//SLEEP", "REHABCAST//HEART_RATE"
Read = Callable[[Path], Reading]


def record(
    kind: str, start: str, end: str, value: str = "", *, inside: str = "", **attributes: str
) -> str:
    prefix = "HKCategoryTypeIdentifier" if kind == "SleepAnalysis" else "HKQuantityTypeIdentifier"
    start, end = (t if len(t) > 20 else f"2024-03-{t} +0000" for t in (start, end))
    given = {
        "type": prefix + kind, "sourceName": "watch", "unit": "count", "startDate": start,
        "endDate": end, "creationDate": end, "value": value,
    } | attributes  # fmt: skip
    words = " ".join(f'{name}="{text}"' for name, text in given.items())
    return f"<Record {words}>{inside}</Record>\n"


def steps(start: str, end: str, value: float, **more: str) -> str:
    return record("StepCount", start, end, str(value), **more)


def asleep(start: str, end: str, stage: str = "AsleepCore", **more: str) -> str:
    return record(
        "SleepAnalysis", start, end, f"HKCategoryValueSleepAnalysis{stage}", unit="", **more
    )


def zone(name: str) -> str:
    return f'<MetadataEntry key="HKTimeZone" value="{name}"/>'


DTD = "<!DOCTYPE HealthData [\n<!ELEMENT HealthData ANY>\n]>\n"


def export(*inside: str, dtd: str = DTD, date: str = "2024-03-20 08:00:00 +0000") -> str:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n{dtd}<HealthData locale="en_GB">\n'
        f'<ExportDate value="{date}"/>\n{"".join(inside)}</HealthData>\n'
    )


@pytest.fixture
def decided(tmp_path: Path, read: Read) -> Callable[..., Reconciled]:
    """Reads exports and decides over their records."""

    def decide(*exports: str | bytes) -> Reconciled:
        tables = []
        for n, text in enumerate(exports):
            file = tmp_path / f"export{n}.xml"
            file.write_bytes(text if isinstance(text, bytes) else text.encode())
            tables.append(read(file).records)
        return reconcile([table for table in tables if table is not None])

    return decide


def days(found: Reconciled, code: str) -> dict[str, float]:
    rows = found.values[found.values["code"] == code]
    return dict(zip(rows["time"].dt.strftime("%m-%d"), rows["numeric_value"], strict=True))


def test_apple_days_are_the_sums_of_the_expected_tables(samples: Path, read: Read) -> None:
    reading = read(samples / "apple_health" / "export6s3sample.xml")
    assert reading.records is not None
    found = reconcile([reading.records]).values
    for code, name in ((STEPS, "StepCount"), ("REHABCAST//DISTANCE", "DistanceWalkingRunning")):
        truth = pd.read_csv(samples / "apple_health" / f"{name}.csv")
        expected = truth.groupby(truth["startDate"].str[:10])["value"].sum().to_dict()
        rows = found[found["code"] == code]
        by_day = rows.set_index(rows["time"].dt.strftime("%Y-%m-%d"))["numeric_value"]
        assert by_day.to_dict() == pytest.approx(expected)


def test_records_are_statements_with_source_interval_and_line(tmp_path: Path, read: Read) -> None:
    file = tmp_path / "export.xml"
    file.write_text(
        export(steps("05 10:00:00", "05 10:10:00", 7), asleep("05 01:00:00", "05 02:00:00"))
    )
    table = read(file).records
    assert table is not None
    assert table["place"].tolist() == ["7", "8"]
    assert table["source"].tolist() == ["watch", "watch"]
    assert table["amount"].tolist() == ["part", "interval"]
    assert (table["end"] - table["time"]).dt.total_seconds().tolist() == [600, 3600]
    assert table["record_id"].is_unique
    assert set(table["file"]) == {"export.xml"}


def test_two_apple_devices_on_the_same_steps_are_not_added(
    decided: Callable[..., Reconciled],
) -> None:
    phone = steps("05 23:50:00", "05 23:55:00", 100, sourceName="phone")
    watch = steps("05 23:50:00", "06 00:05:00", 130)
    assert days(decided(export(phone, watch)), STEPS) == {"03-05": 130}


def test_what_cannot_be_used_is_one_problem_a_cause(tmp_path: Path, read: Read) -> None:
    at = ("05 10:00:00", "05 10:10:00")
    file = tmp_path / "export.xml"
    bad = [
        steps("yesterday, at some time or so", at[1], 1),
        steps("05.03.2024 10:00:00 +0000", at[1], 1),
        steps(*at[::-1], 1),
        record("DistanceWalkingRunning", *at, "1", unit="furlong"),
        steps(*at, -1),
        record("StepCount", *at, "NaN"),
        record("StepCount", *at, "1,5"),
        asleep(*at, stage="Dreaming"),
        steps(*at, 1, inside=zone("Mars/{Olympus}")),
    ]
    file.write_text(export(*bad, steps(*at, 9)))
    reading = read(file)
    assert reading.records is not None
    assert reading.records["numeric_value"].tolist() == [9]
    found = [(problem.row, problem.count, problem.found) for problem in reading.dropped]
    for row, count, words in (
        (7, 2, "'yesterday, at some time or so' where a time"),
        (9, 1, "before it starts"),
        (10, 1, "'furlong', expected km, m"),
        (11, 1, "-1 is impossible"),
        (12, 2, "'NaN' where a number"),
        (14, 1, "SleepAnalysisDreaming' is no state"),
        (15, 1, "'Mars/{Olympus}' is not known"),
    ):
        assert any(f[:2] == (row, count) and words in f[2] for f in found), (row, found)
    assert len(found) == 7


def test_a_recorded_zone_is_the_wall_clock_else_the_written_offset(
    decided: Callable[..., Reconciled],
) -> None:
    at = ("05 22:30:00", "05 22:40:00")
    for name in ("Asia/Tokyo", "GMT+0900"):
        assert days(decided(export(steps(*at, 9, inside=zone(name)))), STEPS) == {"03-06": 9}
    assert days(decided(export(steps(*at, 9))), STEPS) == {"03-05": 9}
    tokyo = [text.replace("+0000", "+0900") for text in (export(steps(*at, 9)),)]
    assert days(decided(*tokyo), STEPS) == {"03-05": 9}
    # The zone of a workout is not that of the record before it.
    workout = f"<Workout>{zone('Asia/Tokyo')}</Workout>"
    assert days(decided(export(steps(*at, 9), workout)), STEPS) == {"03-05": 9}


def test_one_record_in_two_exports_happened_once(decided: Callable[..., Reconciled]) -> None:
    old = export(steps("05 10:00:00", "05 10:10:00", 400), date="2024-03-06 08:00:00 +0000")
    new = export(
        steps("05 10:00:00", "05 10:10:00", 400), steps("05 18:00:00", "05 18:10:00", 3600)
    )
    assert days(decided(old, new), STEPS) == days(decided(new, old), STEPS) == {"03-05": 4000}
    # The newer export was written in Tokyo: its clock counts, and nothing is there twice.
    moved = export(
        steps("2024-03-05 19:00:00 +0900", "2024-03-05 19:10:00 +0900", 400),
        date="2024-04-01 08:00:00 +0900",
    )
    found = decided(old, moved)
    assert days(found, STEPS) == {"03-05": 400}
    assert not found.problems


def test_samples_that_a_later_export_holds_in_one_piece_count_once(
    decided: Callable[..., Reconciled],
) -> None:
    pieces = [steps(f"05 10:{m}0:00", f"05 10:{m}9:59", 100) for m in range(6)]
    whole = steps("05 10:00:00", "05 11:00:00", 600)
    assert days(decided(export(*pieces), export(whole)), STEPS) == {"03-05": 600}


def test_a_correlation_holds_its_records_a_second_time(tmp_path: Path, read: Read) -> None:
    at = ("05 10:00:00", "05 10:00:00")
    inside = record("BloodPressureSystolic", *at, "120") + steps(*at, 5)
    file = tmp_path / "export.xml"
    correlation = f"<Correlation>{zone('Asia/Tokyo')}{inside}</Correlation>"
    file.write_text(export(correlation, inside))
    reading = read(file)
    assert reading.records is not None
    assert days(reconcile([reading.records]), STEPS) == {"03-05": 5}
    (skipped,) = reading.dropped
    assert skipped.found.startswith("1 record(s)")


@pytest.mark.parametrize("order", list(itertools.permutations(range(6)))[::240])
def test_stages_and_the_whole_night_are_one_sleep_on_the_day_of_waking(
    decided: Callable[..., Reconciled], order: tuple[int, ...]
) -> None:
    night = [
        asleep("05 22:30:00", "06 06:30:00", "AsleepUnspecified"),
        asleep("05 22:30:00", "05 23:50:00"),
        asleep("05 23:50:00", "06 00:40:00", "AsleepDeep"),
        asleep("06 00:40:00", "06 06:30:00", "AsleepREM"),
        asleep("05 20:00:00", "06 09:00:00", "InBed"),
        asleep("06 06:30:00", "06 08:00:00", "Awake"),
    ]
    assert days(decided(export(*(night[n] for n in order))), SLEEP) == {"03-06": 8}


@pytest.mark.parametrize(
    ("day", "before", "after", "hours"), [("31", "+0100", "+0200", 7), ("27", "+0200", "+0100", 9)]
)
def test_a_night_in_which_the_clocks_change_has_its_true_length(
    decided: Callable[..., Reconciled], day: str, before: str, after: str, hours: int
) -> None:
    month = "03" if day == "31" else "10"
    evening = f"2024-{month}-{int(day) - 1:02d} 23:00:00 {before}"
    change = f"2024-{month}-{day} {'03' if day == '31' else '02'}:30:00 {after}"
    waking = f"2024-{month}-{day} 07:00:00 {after}"
    for pieces in ([(evening, waking)], [(evening, change), (change, waking)]):
        found = decided(export(*(asleep(*piece) for piece in pieces)))
        assert days(found, SLEEP) == {f"{month}-{day}": pytest.approx(hours)}


def test_sex_and_birth_date_of_the_owner_are_facts(decided: Callable[..., Reconciled]) -> None:
    born = "HKCharacteristicTypeIdentifierDateOfBirth"
    me = f'<Me {born}="1950-02-01" HKCharacteristicTypeIdentifierBiologicalSex="HKBiologicalSexMale"/>'
    found = decided(export(me), export(me)).values
    assert found["text_value"].dropna().tolist() == ["male"]
    assert pd.Timestamp("1950-02-01") in found["time"].tolist()


BROKEN_DTD = """<!DOCTYPE HealthData [
<!-- HealthKit Export Version: 12 -->
<!ELEMENT HealthData (ExportDate,Me,(Record|Correlation|Workout)*)>
<!ATTLIST HealthData
  locale CDATA #REQUIRED
<!ATTLIST Prescription
  kind CDATA #REQUIRED
<!ELEMENT RightEye EMPTY>
]>
"""


@pytest.mark.parametrize(
    ("name", "replaced"),
    [
        (b"Phone\x0b\x00", 2),
        (b"Phone&#11;&#x1F;&#65;", 2),
        (b"Phone\xef\xbf\xbf", 1),
        (b"Phone\xff", 1),
        ("Handy 😀 von Ölaf".encode(), 0),
        (b"long " * 600_000, 0),
    ],
)
def test_what_phones_are_known_to_break_is_mended_and_counted(
    tmp_path: Path, read: Read, name: bytes, replaced: int
) -> None:
    text = export(steps("05 10:00:00", "05 10:10:00", 1000, sourceName="NAME"), dtd=BROKEN_DTD)
    file = tmp_path / "export.xml"
    file.write_bytes(text.encode().replace(b"NAME", name))
    reading = read(file)
    assert reading.records is not None
    assert reading.records["numeric_value"].tolist() == [1000]
    assert reading.records["place"].tolist() == ["13"]
    said = [problem.found for problem in reading.dropped]
    assert said == ([f"{replaced} character(s) that XML forbids were replaced"] if replaced else [])


def test_chunks_may_end_anywhere(
    tmp_path: Path, read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [
        steps(f"05 10:{m:02d}:00", f"05 10:{m:02d}:30", m, sourceName="ä\x0b&#8;€")
        for m in range(60)
    ]
    file = tmp_path / "export.xml"
    file.write_text(export(*rows, dtd=BROKEN_DTD), "utf-8")
    for size in (1, 7, 100, 1021):
        monkeypatch.setattr(health_xml, "CHUNK_BYTES", size)
        table = read(file).records
        assert table is not None
        assert table["numeric_value"].tolist() == list(range(60))
        assert set(table["source"]) == {"ä\ufffd\ufffd€"}


def test_entities_are_refused(tmp_path: Path, read: Read) -> None:
    bomb = '<!DOCTYPE HealthData [<!ENTITY a "x"><!ENTITY b "&a;&a;">]>'
    for text in (
        export(steps("05 10:00:00", "05 10:10:00", 1, sourceName="&b;"), dtd=bomb),
        export(steps("05 10:00:00", "05 10:10:00", 1), dtd=bomb),
        export(steps("05 10:00:00", "05 10:10:00", 1, sourceName="&b;")),
    ):
        (tmp_path / "export.xml").write_text(text)
        with pytest.raises(SourceUnreadable, match="entit"):
            read(tmp_path / "export.xml")


@pytest.mark.parametrize("cut", [-3, -40, 460])
def test_an_export_cut_short_is_refused_not_read_in_part(
    tmp_path: Path, read: Read, cut: int
) -> None:
    rows = [steps("05 10:00:00", "05 10:10:00", n) for n in range(3)]
    (tmp_path / "export.xml").write_text(export(*rows)[:cut])
    with pytest.raises(SourceUnreadable, match=r"line \d+: ends here.*copy the whole export"):
        read(tmp_path / "export.xml")


def test_xml_that_no_phone_writes_is_refused_with_its_line(tmp_path: Path, read: Read) -> None:
    (tmp_path / "export.xml").write_text(export("<Record></Workout>"))
    with pytest.raises(SourceUnreadable, match=r"line 7: is not well-formed.*mismatched tag"):
        read(tmp_path / "export.xml")


@pytest.mark.parametrize(
    "name", ["export.xml", "Exportieren.xml", "导出.xml", "書き出したデータ.xml"]
)
def test_a_phones_zip_is_read_like_its_xml_in_any_language(
    tmp_path: Path, read: Read, name: str
) -> None:
    packed = tmp_path / "export.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("apple_health_export/export_cda.xml", "<ClinicalDocument/>")
        archive.writestr("apple_health_export/workout-routes/route.gpx", "<gpx/>")
        content = export(steps("05 10:00:00", "05 10:10:00", 7))
        archive.writestr(f"apple_health_export/{name}", content)
    table = read(packed).records
    assert table is not None
    assert table["numeric_value"].tolist() == [7]
    packed.write_bytes(packed.read_bytes()[:-60])
    with pytest.raises(SourceUnreadable, match=r"archive.*cannot be unpacked"):
        read(packed)


@pytest.mark.parametrize(("text", "word"), [("<ClinicalDocument/>", "CDA"), ("<gpx/>", "GPX")])
def test_what_lies_beside_an_export_is_named(
    tmp_path: Path, read: Read, text: str, word: str
) -> None:
    (tmp_path / "beside").write_text(f'<?xml version="1.0"?>\n{text}')
    with pytest.raises(SourceUnreadable, match=word):
        read(tmp_path / "beside")


def test_many_records_keep_their_zones_over_batches(
    tmp_path: Path, read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("features.sources.devices.health_records.BATCH_RECORDS", 4)
    rows = [
        record("HeartRate", f"05 20:{m:02d}:00", f"05 20:{m:02d}:00", "60", unit="count/min",
               inside=zone("Asia/Tokyo") if m % 3 == 0 else "")
        for m in range(30)
    ]  # fmt: skip
    (tmp_path / "export.xml").write_text(export(*rows))
    table = read(tmp_path / "export.xml").records
    assert table is not None
    expected = ["03-06 05" if m % 3 == 0 else "03-05 20" for m in range(30)]
    assert table["time"].dt.strftime("%m-%d %H").tolist() == expected
