"""What a data manager hands in and must not come in silently wrong, each as it was found."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from contracts.cohort import CODE, NUMBER, SUBJECT
from contracts.errors import CohortInvalid, ContractError
from features.importing import Imported, import_source
from features.importing.import_map import ImportMap

STEPS, FM = "LOINC//41950-7", "REHABCAST//FUGL_MEYER_UE"
AWD = "\r\n04-Mar-2024\r\n00:00\r\n4\r\n60\r\nV1\r\nM\r\n" + "400\r\n" * 60
SCORES = f"""
name = "clinic"
clock = "timestamps"

[[tables]]
file = "people.csv"
subject = "patient"
columns = [{{ column = "onset", code = "REHABCAST//ONSET" }}]

[[tables]]
file = "scores.FORM"
subject = "patient"
when = "day"
columns = [
    {{ column = "fm", code = "{FM}", unit = "{{score}}" }},
    {{ column = "steps", code = "{STEPS}", unit = "/d" }},
]
"""


def tables(folder: Path, scores: str | pd.DataFrame) -> Imported:
    form = "csv" if isinstance(scores, str) else "parquet"
    (folder / "map.toml").write_text(SCORES.replace("FORM", form))
    (folder / "people.csv").write_text("patient,onset\n1,2024-03-01\n2,2024-03-01\n")
    if isinstance(scores, str):
        (folder / "scores.csv").write_text(scores)
    else:
        scores.to_parquet(folder / "scores.parquet")
    return import_source(folder / "map.toml", folder / "out", format_name="tables")


def devices(folder: Path, files: dict[str, str], map_text: str) -> Imported:
    for name, text in files.items():
        (folder / "source" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "source" / name).write_text(text)
    (folder / "map.toml").write_text(map_text)
    return import_source(folder / "source", folder / "out", map_file=folder / "map.toml")


def found(imported: Imported) -> str:
    return "; ".join(f"{p.found}: {p.advice}" for p in imported.dropped)


def test_points_between_thousands_do_not_make_steps_a_thousandth(tmp_path: Path) -> None:
    with pytest.raises(CohortInvalid, match=r"'4\.500'.*thousands"):
        tables(tmp_path, "patient,day,fm,steps\n1,2024-03-04,20,4.500\n2,2024-03-04,21,5.125\n")


def test_a_single_one_is_left_out_and_means_that_are_decimal_stay(tmp_path: Path) -> None:
    rows = "1,2024-03-04,20,4.500\n1,2024-03-05,20,4500.125\n2,2024-03-04,21,850.5\n"
    imported = tables(tmp_path, "patient,day,fm,steps\n" + rows)
    events = imported.cohort.events
    assert sorted(events[events[CODE] == STEPS][NUMBER]) == [850.5, 4500.125]
    assert "'4.500'" in found(imported)


def test_points_between_thousands_of_a_tracker_s_steps_are_left_out(tmp_path: Path) -> None:
    table = "Id,ActivityDate,TotalSteps,SedentaryMinutes\n1,4/12/2016,13.162,728\n"
    imported = devices(tmp_path, {"d.csv": table + "1,4/13/2016,900,728\n"}, "")
    events = imported.cohort.events
    assert events[events[CODE] == STEPS][NUMBER].tolist() == [900]
    assert "'13.162'" in found(imported)


def test_identifiers_that_parquet_keeps_as_bytes_are_their_text(tmp_path: Path) -> None:
    rows = {"patient": [b"1", b"2"], "day": ["2024-03-04"] * 2, "fm": [20, 21], "steps": [900, 90]}
    imported = tables(tmp_path, pd.DataFrame(rows))
    assert {imported.cohort.label(n) for n in imported.cohort.events[SUBJECT]} == {"1", "2"}


def test_bytes_that_are_no_text_refuse_the_table(tmp_path: Path) -> None:
    rows = {"patient": [b"\xff", b"2"], "day": ["2024-03-04"] * 2, "fm": [20, 21], "steps": [9, 90]}
    with pytest.raises(CohortInvalid, match=r"scores\.parquet, patient: .*no text in UTF-8"):
        tables(tmp_path, pd.DataFrame(rows))


def test_who_has_values_but_no_row_among_the_people_is_named(tmp_path: Path) -> None:
    rows = "1,2024-03-04,20,900\n2,2024-03-04,21,900\n1.0,2024-03-05,22,900\n"
    imported = tables(tmp_path, "patient,day,fm,steps\n" + rows)
    assert "no row in people.csv: '1.0' (scores.csv row 4)" in found(imported)


def test_a_file_that_two_sides_match_has_neither(tmp_path: Path) -> None:
    placement = '[placement]\n"*left*" = "left wrist"\n"*r*" = "right wrist"\n'
    with pytest.raises(ContractError, match=r"p1/a_left_upper\.awd.*'\*left\*' and '\*r\*'"):
        devices(tmp_path, {"p1/a_left_upper.awd": AWD}, placement)


def test_of_patterns_of_one_side_the_first_counts() -> None:
    declared = ImportMap(placement={"*left*": "left wrist", "*": "lower back"})
    assert declared.placement_of("p1/left.csv") == "left wrist"
    assert declared.placement_of("p1/x.csv") == "lower back"


def test_a_placement_that_no_file_has_is_said(tmp_path: Path) -> None:
    imported = devices(tmp_path, {"p1/left.awd": AWD}, '[placement]\n"*LEFT*" = "left wrist"\n')
    assert "no file's name matches '*LEFT*' of [placement]" in found(imported)


def test_a_label_of_a_person_is_not_to_be_declared_where_no_map_can(tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text("subject,sex\np1,Male\n")
    imported = devices(tmp_path, {"p1/a.awd": AWD}, 'people = "people.csv"\n')
    assert "write it as one of female, male" in found(imported)
    assert "declare the label" not in found(imported)


def test_reasons_are_words_without_signs_of_a_program(tmp_path: Path) -> None:
    record = (
        '<Record type="HKQuantityTypeIdentifierStepCount" sourceName="W" unit="count"'
        ' startDate="2024-03-0{0} 10:00:00 +0000" endDate="2024-03-0{0} 10:10:00 +0000"'
        ' value="{1}"/>'
    )
    rows = "\n".join(record.format(n, value) for n, value in enumerate(["9", "x", "-1"], start=4))
    text = f'<?xml version="1.0"?>\n<HealthData locale="en_GB">\n{rows}\n</HealthData>\n'
    imported = devices(tmp_path, {"p1/export.xml": text}, "")
    assert {reason.reason for reason in imported.left_out} == {
        "... where a number is expected", "a value of ... is impossible",
    }  # fmt: skip
