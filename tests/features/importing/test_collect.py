"""What a file says of itself against what its folder, its name and the map say of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from contracts.cohort import CODE, NUMBER
from contracts.errors import CohortInvalid, ContractError
from features.importing import Imported, import_source

AWD = "NAME\r\n04-Mar-2024\r\n00:00\r\n4\r\n60\r\nV1\r\nM\r\n" + "400\r\n" * 1440


def imported(folder: Path, files: dict[str, str | bytes], map_text: str = "") -> Imported:
    for name, content in files.items():
        file = folder / "source" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        data = content if isinstance(content, bytes) else content.encode()
        file.write_bytes(data)
    (folder / "map.toml").write_text(map_text)
    return import_source(folder / "source", folder / "out", map_file=folder / "map.toml")


def told(done: Imported) -> str:
    return "\n".join(map(str, (*done.unreadable, *done.dropped)))


def other_subject(done: Imported) -> list[str]:
    return [p.found for p in done.dropped if "; it was read as" in p.found]


@pytest.mark.parametrize(
    ("file", "name", "is_said"),
    [
        ("P02/left.awd", "P01", True), ("P01/left.awd", "P01", False), ("P02/left.awd", "", False),
        ("P01_left.awd", "P01", False), ("P02_left.awd", "P01", True), ("P01/x.awd", "P1", True),
    ],
)  # fmt: skip
def test_a_header_that_names_somebody_else_than_its_folder_is_said(
    tmp_path: Path, file: str, name: str, is_said: bool
) -> None:
    done = imported(tmp_path, {file: AWD.replace("NAME", name)})
    found = other_subject(done)
    assert bool(found) == is_said
    if is_said:
        assert repr(name) in found[0]
        assert repr(file.replace(".awd", "").split("/")[0]) in found[0]


def point(person: str, schema: str, body: dict[str, Any], **header: Any) -> dict[str, Any]:
    version = "2.0" if schema == "heart-rate" else "1.0"
    names = {"namespace": "omh", "name": schema, "version": version}
    return {"header": {"schema_id": names, "user_id": person, **header}, "body": body}


@pytest.mark.parametrize("people", [["u1"], ["u1", "u2"], ["P1"]])
def test_records_of_another_person_than_their_folder_s_are_said_records_of_many_are_not(
    tmp_path: Path, people: list[str]
) -> None:
    content = json.dumps([heart(person, 0, 70) for person in people])
    done = imported(tmp_path, {"P1/points.json": content})
    assert bool(other_subject(done)) == (people == ["u1"])


def heart(person: str, second: int, rate: float) -> dict[str, Any]:
    frame = {"date_time": f"2024-03-04T10:00:{second:02}+01:00"}
    body = {"heart_rate": {"value": rate, "unit": "beats/min"}, "effective_time_frame": frame}
    return point(person, "heart-rate", body)


def test_patterns_of_the_map_that_no_file_matches_are_named(tmp_path: Path) -> None:
    plan = (
        '[placement]\n"*LEFT*" = "left wrist"\n[[files]]\nfiles = "peple.csv"\nseparator = ";"\n'
        '[[posture]]\nfiles = "thigh*"\nup = "-x"\nfront = "+z"\n'
        '[[signals]]\nfiles = "emg*"\nquantity = "muscle"\ncolumns = ["a"]\nunit = "mV"\n'
        'rate_hz = 1000\nstart = "2024-03-04"\n'
    )
    found = told(imported(tmp_path, {"p1/left.awd": AWD}, plan))
    for pattern, section in (
        ("*LEFT*", "[placement]"), ("peple.csv", "[[files]]"), ("thigh*", "[[posture]]"),
        ("emg*", "[[signals]]"),
    ):  # fmt: skip
        assert f"no file's name matches '{pattern}' of {section}" in found


def test_a_pattern_may_be_that_of_the_people_table(tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text("subject;sex\np1;male\n")
    plan = 'people = "people.csv"\n[[files]]\nfiles = "people.csv"\nseparator = ";"\n'
    done = imported(tmp_path, {"p1/left.awd": AWD.replace("NAME", "")}, plan)
    assert "no file's name" not in told(done)


@pytest.mark.parametrize("written", ["wrist right", "Right Wrist", "RIGHT_WRIST", "right-wrist"])
def test_a_declared_placement_gives_arm_use_however_it_is_written(
    tmp_path: Path, awd: Callable[..., None], daily: Callable[[Imported, str], list[float]],
    written: str,
) -> None:  # fmt: skip
    counts = np.full(1440, 400)
    for side, serial in (("a", "V1"), ("b", "V2")):
        awd(tmp_path / "source" / "p1" / f"{side}.awd", "", counts, serial=serial)
    (tmp_path / "people.csv").write_text("subject,affected_arm\np1,right\n")
    (tmp_path / "map.toml").write_text(
        f'people = "people.csv"\n[placement]\n"*a.awd" = "left wrist"\n"*b.awd" = "{written}"\n'
    )
    done = import_source(tmp_path / "source", tmp_path / "out", map_file=tmp_path / "map.toml")
    assert daily(done, "REHABCAST//ARM_USE") == [24.0]


def test_an_unknown_placement_refuses_the_map_and_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match=r"'right rist' is not a known placement.*upper arm"):
        imported(tmp_path, {"p1/a.awd": AWD}, '[placement]\n"*" = "right rist"\n')


def test_two_devices_at_one_wrist_at_one_time_are_suspected(
    tmp_path: Path, awd: Callable[..., None]
) -> None:
    """A map that calls the files of both wrists left lost an arm, and said nothing."""
    for side, serial in (("l", "V1"), ("r", "V2")):
        awd(tmp_path / "source" / "p1" / f"{side}.awd", "", np.full(1440, 400), serial=serial)
    (tmp_path / "map.toml").write_text('[placement]\n"*" = "left wrist"\n')
    done = import_source(tmp_path / "source", tmp_path / "out", map_file=tmp_path / "map.toml")
    (problem,) = (p for p in done.dropped if "same place" in p.found)
    assert "'p1' wore Actiwatch V1 and Actiwatch V2" in problem.found
    assert "left wrist" in problem.found
    assert problem.advice


def test_one_device_after_the_other_is_none(tmp_path: Path, awd: Callable[..., None]) -> None:
    for day, serial in (("04", "V1"), ("05", "V2")):
        awd(
            tmp_path / "source" / "p1" / f"{day}.awd", "", np.full(1440, 400),
            start=f"{day}-Mar-2024", serial=serial,
        )  # fmt: skip
    done = import_source(tmp_path / "source", tmp_path / "out")
    assert not any("same place" in p.found for p in done.dropped)


@pytest.mark.parametrize("start", ["01-Jan-2000", "01-Jan-2010"])
def test_a_recording_from_the_date_of_a_factory_needs_shifted_dates(
    tmp_path: Path, awd: Callable[..., None], start: str
) -> None:
    awd(tmp_path / "source" / "p1" / "a.awd", "", np.full(1440, 400), start=start)
    with pytest.raises(CohortInvalid, match="a device without power"):
        import_source(tmp_path / "source", tmp_path / "out")
    (tmp_path / "map.toml").write_text("dates_shifted = true\n")
    done = import_source(tmp_path / "source", tmp_path / "out", map_file=tmp_path / "map.toml")
    assert len(done.cohort.events)


DAYS = "Id,SleepDay,TotalSleepRecords,TotalMinutesAsleep,TotalTimeInBed\n"


def test_no_sleep_in_hours_of_bed_is_no_measurement(
    tmp_path: Path, daily: Callable[[Imported, str], list[float]]
) -> None:
    rows = "7,3/4/2024 12:00:00 AM,1,0,480\n7,3/5/2024 12:00:00 AM,1,420,480\n"
    done = imported(tmp_path, {"sleepDay.csv": DAYS + rows})
    assert daily(done, "REHABCAST//SLEEP") == [7.0]
    (problem,) = (p for p in done.dropped if "measured nothing" in p.found)
    assert (problem.file, problem.row, problem.subject) == ("sleepDay.csv", 2, "7")


def test_a_day_that_can_not_be_true_is_named_with_person_and_day(tmp_path: Path) -> None:
    rows = "7,3/4/2024 12:00:00 AM,1,4404,4500\n8,3/4/2024 12:00:00 AM,1,400,480\n"
    done = imported(tmp_path, {"sleepDay.csv": DAYS + rows})
    (problem,) = (p for p in done.dropped if "73.4 is impossible" in p.found)
    assert str(problem).startswith("sleepDay.csv, row 2, '7', REHABCAST//SLEEP: value 73.4")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.csv", b"PK\x03\x04\x14\0\x06\0[Content_Types].xml", "workbook of a spreadsheet program"),
        ("a.csv", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 64, "workbook of a spreadsheet"),
        ("a.csv", b'Activities\nDate,Steps\n2024-03-04,"5,000"\n', "Fitbit's website"),
        ("a.txt", b"Steps of March\n\nmany\n", "line 1.*'Steps of March'"),
        ("a.awd", AWD.replace("04-Mar", "31-Feb").encode(), "no time that a calendar.*second and"),
    ],
)  # fmt: skip
def test_what_can_not_be_read_says_what_it_is_and_what_to_do(
    tmp_path: Path, name: str, content: bytes, words: str
) -> None:
    with pytest.raises(CohortInvalid, match=words):
        imported(tmp_path, {name: content})


def test_a_workbook_named_as_text_says_so_where_a_map_names_it(tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_bytes(b"PK\x03\x04\x14\0\x06\0xl/workbook.xml")
    with pytest.raises(ContractError, match=r"workbook of a spreadsheet program.*save the sheet"):
        imported(tmp_path, {"p1/a.awd": AWD}, 'people = "people.csv"\n')


def test_an_epoch_of_a_day_is_refused(tmp_path: Path) -> None:
    text = (
        "------------ Data File Created By ActiGraph wGT3X-BT ActiLife v6.13.3 Firmware v1.9.2 date"
        " format M/d/yyyy Filter Normal -----------\nSerial Number: M1\nStart Time 00:00:00\n"
        "Start Date 3/4/2024\nEpoch Period (hh:mm:ss) 24:00:00\nDownload Time 10:00:00\n"
        "Download Date 3/14/2024\nCurrent Memory Address: 0\nCurrent Battery Voltage: 4.0     Mode"
        " = 12\n--------------------------------------------------\n" + "120000,0,0\n" * 4
    )
    with pytest.raises(CohortInvalid, match="epochs of 86400 s"):
        imported(tmp_path, {"p1.csv": text})


BIRTH = {"resourceType": "Patient", "id": "p1", "birthDate": "1990-05-01"}
SCORE = {
    "resourceType": "Observation", "id": "o1", "status": "final",
    "subject": {"reference": "Patient/p1"}, "effectiveDateTime": "2024-03-04",
    "code": {"coding": [{"system": "urn:rehabcast:vocabulary", "code": "REHABCAST//ARAT"}]},
    "valueQuantity": {"value": 30, "code": "{score}", "system": "http://unitsofmeasure.org"},
}  # fmt: skip


@pytest.mark.parametrize(("age", "known"), [("33", 33.0), ("34", 34.0), ("63", None)])
def test_an_age_that_the_date_of_birth_contradicts_is_not_known(
    tmp_path: Path, age: str, known: float | None
) -> None:
    (tmp_path / "people.csv").write_text(f"subject,age,onset\np1,{age},2024-03-01\n")
    bundle = {"resourceType": "Bundle", "type": "collection",
              "entry": [{"resource": BIRTH}, {"resource": SCORE}]}  # fmt: skip
    done = imported(tmp_path, {"record.json": json.dumps(bundle)}, 'people = "people.csv"\n')
    ages = done.cohort.events.loc[done.cohort.events[CODE] == "REHABCAST//AGE", NUMBER]
    assert ages.tolist() == ([] if known is None else [known])
    problems = [p for p in done.dropped if "contradicts the date of birth" in p.found]
    assert [p.subject for p in problems] == ([] if known is not None else ["p1"])


def beats() -> list[dict[str, Any]]:
    at = pd.Timestamp("2024-03-04T10:00:00")
    points = []
    for n, interval in enumerate(np.random.default_rng(0).normal(850, 30, 120).round()):
        at += pd.Timedelta(milliseconds=float(interval))
        frame = {"date_time": at.isoformat(timespec="milliseconds") + "+01:00"}
        body = {"rr_interval": {"value": interval, "unit": "ms"}, "effective_time_frame": frame}
        created = "2024-03-05T00:00:00+01:00"
        points.append(point("u1", "rr-interval", body, id=f"b{n}", creation_date_time=created))
    return points


def test_beats_count_once_however_the_files_that_state_them_overlap(
    tmp_path: Path, daily: Callable[[Imported, str], list[float]]
) -> None:
    points = beats()
    once = imported(tmp_path / "once", {"a.json": json.dumps(points)})
    mixed = [points[n] for n in np.random.default_rng(1).permutation(len(points))]
    parts = {"a.json": json.dumps(mixed[:80]), "b.json": json.dumps(mixed[40:])}
    split = imported(tmp_path / "split", parts)
    # A correction in another file replaces the beat, as any newer version does.
    wrong = json.loads(json.dumps(points))
    wrong[50]["body"]["rr_interval"]["value"] = 1200.0
    wrong[50]["header"]["creation_date_time"] = "2024-03-04T12:00:00+01:00"
    corrected = imported(
        tmp_path / "corrected", {"a.json": json.dumps(wrong), "b.json": json.dumps(points[40:60])}
    )
    for code in ("REHABCAST//RMSSD", "REHABCAST//SDNN"):
        assert daily(once, code) == daily(split, code) == daily(corrected, code) != []
