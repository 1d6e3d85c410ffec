"""The table of people beside recordings: whose it is, what is refused, and who matches nobody."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.cohort import CODE, ENROLMENT, NUMBER, ONSET, SUBJECT, TIME
from contracts.errors import CohortInvalid, ContractError
from features.importing import Imported, import_source
from features.importing.import_map import read_import_map
from features.importing.people import PeopleTable, matched_people, read_people
from features.measurements.people import DECLARED
from features.measurements.records import SOURCE, SUBJECT_LABEL, records

HEADER = "subject,onset,enrolment,age,sex,height_m\n"
ROW = "01,2024-02-01,2024-03-01,70,female,1.7\n"
AGE = "REHABCAST//AGE"
SIGNALS = """
[[signals]]
files = "*.csv"
quantity = "heart rate"
columns = ["hr"]
unit = "/min"
rate_hz = 0.0166
time = "t"
"""


def read(folder: Path, text: str, form: str = "") -> PeopleTable:
    (folder / "people.csv").write_text(text, "utf-8")
    (folder / "map.toml").write_text(f'people = "people.csv"\n{form}', "utf-8")
    return read_people(read_import_map(folder / "map.toml"), folder)


def imported(folder: Path, people: str, *labels: str) -> Imported:
    for label in labels:
        (folder / "source" / label).mkdir(parents=True)
        (folder / "source" / label / "a.csv").write_text("t,hr\n2024-03-04T10:00:00,70\n")
    (folder / "people.csv").write_text(people)
    (folder / "map.toml").write_text('people = "people.csv"\n' + SIGNALS)
    return import_source(folder / "source", folder / "cohort", map_file=folder / "map.toml")


def test_a_table_of_people_states_declared_facts_with_their_row(tmp_path: Path) -> None:
    people = read(tmp_path, HEADER + ROW)
    assert set(people.records[SOURCE]) == {DECLARED}
    assert set(people.records[SUBJECT_LABEL]) == {"01"}
    assert set(people.records["place"]) == {"2"}
    assert set(people.records[CODE]) == {ONSET, ENROLMENT, AGE, "REHABCAST//SEX"}
    assert people.heights == {"01": 1.7}
    assert not people.problems


def test_it_is_read_in_its_declared_form(tmp_path: Path) -> None:
    form = '[[files]]\nfiles = "people.csv"\nseparator = ";"\ndecimal = ","\n'
    text = (HEADER + "01,01.02.2024,2.3.2024,70,female,1:7\n").replace(",", ";").replace(":", ",")
    people = read(tmp_path, text, form + 'date_format = "DD.MM.YYYY"\n')
    time = people.records.set_index(CODE)[TIME]
    assert time[ONSET] == pd.Timestamp("2024-02-01")
    assert time[ENROLMENT] == pd.Timestamp("2024-03-02")
    assert people.heights == {"01": 1.7}


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        (HEADER + ROW.replace("2024-02-01", "05/02/2024"), (2, "onset"), "'05/02/2024'"),
        (HEADER + ROW.replace("2024-03-01", "03.06.2024"), (2, "enrolment"), "'03.06.2024'"),
        (HEADER + ROW + ROW.replace("70", "71"), (2, "subject"), "rows that differ: 2, 3"),
        (HEADER + ROW + ROW.replace("70", ""), (2, "subject"), "'01'"),
        (HEADER + ROW.replace("female", "1") + ROW.replace("01,", "02,", 1).replace("female", "2"),
         (2, "sex"), "none of its 2 values"),
        (HEADER + ROW.replace("1.7", "170") + ROW.replace("01,", "02,", 1).replace("1.7", "180"),
         (2, "height_m"), "check the column and its unit"),
    ],
)  # fmt: skip
def test_a_fault_of_a_column_and_two_rows_that_differ_refuse(
    tmp_path: Path, text: str, place: tuple[int, str], message: str
) -> None:
    with pytest.raises(CohortInvalid) as caught:
        read(tmp_path, text)
    (problem,) = caught.value.problems
    assert (problem.file, problem.row, problem.field) == ("people.csv", *place)
    assert message in problem.message


@pytest.mark.parametrize("text", ["id,age\n1,70\n", "subject,Alter\n1,70\n"])
def test_columns_of_no_known_name_refuse(tmp_path: Path, text: str) -> None:
    with pytest.raises(ContractError, match=r"people.csv: (no column subject|unknown column)"):
        read(tmp_path, text)


@pytest.mark.parametrize(
    ("column", "cell", "message"),
    [
        ("onset", "2024-02-30", "where a time is expected"),
        ("onset", "2024-02", "where a time is expected"),
        ("onset", "k.A.", "looks like a missing value"),
        ("age", "7O", "from 18 to 110"),
        ("age", "7", "from 18 to 110"),
        ("age", "999", "looks like a missing value"),
        ("sex", "F", "one of female, male"),
        ("height_m", "170", "from 0.4 to 2.6"),
    ],
)
def test_a_wrong_cell_is_left_out_and_named(
    tmp_path: Path, column: str, cell: str, message: str
) -> None:
    cells = dict(zip(HEADER.strip().split(","), ROW.strip().split(","), strict=True))
    wrong = ",".join((cells | {"subject": "02", column: cell}).values())
    people = read(tmp_path, f"{HEADER}{ROW}{wrong}\n")
    (problem,) = people.problems
    assert (problem.file, problem.row, problem.field) == ("people.csv", 3, column)
    assert message in problem.message
    assert ("02" in people.heights) == (column != "height_m")
    assert people.heights["01"] == 1.7


def test_a_repeated_row_and_a_row_of_nobody_change_nothing(tmp_path: Path) -> None:
    people = read(tmp_path, HEADER + ROW + ROW + ROW.replace("01", "") + "Mean,,,70,,\n")
    assert people.row_of == {"01": 2}
    assert [problem.row for problem in people.problems] == [4]
    assert people.problems[0].count == 2


def test_blanks_around_an_identifier_match_and_are_said(tmp_path: Path) -> None:
    done = imported(tmp_path, HEADER + ROW.replace("01,", "01 ,", 1), "01")
    age = done.cohort.events[done.cohort.events[CODE] == AGE]
    assert age[NUMBER].tolist() == [70]
    assert any("'01 ' was matched to the recordings of '01'" in p.found for p in done.dropped)


def test_who_matches_nobody_is_named_person_by_person(tmp_path: Path) -> None:
    people = HEADER + ROW.replace("01,", "1,", 1) + ROW.replace("01,", "99,", 1)
    done = imported(tmp_path, people, "01", "02")
    assert done.cohort.events[SUBJECT].nunique() == 2
    assert AGE not in set(done.cohort.events[CODE])
    found = " ".join(problem.found for problem in done.dropped)
    assert "2 person(s) match no recording" in found
    assert "'1' (row 2, but there is one of '01'), '99' (row 3)" in found
    assert "no row that matches: '01', '02'" in found


@given(
    people=st.sets(st.sampled_from(["1", "01", "1 ", " 1", "A", "a", "7"])),
    recorded=st.sets(st.sampled_from(["1", "01", "1 ", "A", "a", "8"])),
)
def test_nobody_gets_the_facts_of_another(people: set[str], recorded: set[str]) -> None:
    table = PeopleTable(
        file="people.csv",
        records=records([(label, None, AGE, n, None) for n, label in enumerate(sorted(people))]),
        row_of={label: n for n, label in enumerate(sorted(people), start=2)},
    )
    matched, problems = matched_people(table, recorded)
    age = dict(zip(matched[SUBJECT_LABEL], matched[NUMBER], strict=True))
    number = {label: n for n, label in enumerate(sorted(people))}
    assert len(age) == len(matched)
    assert set(age) <= recorded
    for label in recorded & people:
        assert age[label] == number[label]
    for label, n in age.items():
        assert sorted(people)[int(n)].strip() == label.strip()
    if set(age) != recorded or len(age) != len(people):
        assert problems
