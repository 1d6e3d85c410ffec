"""Fitbit days from JSON and CSV: whose they are, of which day, and whether anybody wore it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.errors import SourceUnreadable
from features.measurements.reconcile import reconcile
from features.recording import Reading, SourceFile
from features.sources import formats
from features.tables.text_tables import TableForm

STEPS, DISTANCE = "LOINC//41950-7", "REHABCAST//DISTANCE"
RESTING, SLEEP, ACTIVE = "LOINC//40443-4", "REHABCAST//SLEEP", "REHABCAST//ACTIVE_TIME"
HEADER = (
    "Id,ActivityDate,TotalSteps,TotalDistance,VeryActiveMinutes,FairlyActiveMinutes,"
    "LightlyActiveMinutes,SedentaryMinutes\n"
)
NO_LIMIT = settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def opened(path: Path, form: TableForm | None = None, label: str = "somebody") -> Reading:
    file = SourceFile(path=path, name=path.name, subject_label=label, form=form or TableForm())
    (reading,) = formats.read(file)
    return reading


def table(tmp_path: Path, text: str, form: TableForm | None = None, **how: Any) -> Reading:
    file = tmp_path / "days"
    file.write_bytes(text.encode(**(how or {"encoding": "utf-8"})))
    return opened(file, form)


def stated(reading: Reading, code: str) -> list[tuple[str, str, float, str]]:
    """Return (person, day, value, amount) of one code."""
    assert reading.records is not None
    rows = reading.records[reading.records["code"] == code]
    return [
        (who, str(time.date()), number, amount)
        for who, time, number, amount in rows[
            ["subject_label", "time", "numeric_value", "amount"]
        ].itertuples(index=False)
    ]


def decided(*readings: Reading) -> dict[tuple[str, str, str], float]:
    tables = [reading.records for reading in readings if reading.records is not None]
    values = reconcile(tables).values
    return {
        (row.subject_label, str(row.time.date()), row.code): round(row.numeric_value, 6)
        for row in values.itertuples()
    }


def test_days_of_the_api_are_read_and_items_without_a_value_named(
    written: Callable[[Any], Path],
) -> None:
    api = {
        "activities-steps": [
            {"dateTime": "2020-01-01", "value": "5000"},
            {"dateTime": "2020-01-02", "value": "many"},
            {"dateTime": "someday", "value": "5"},
            {"value": True, "dateTime": "2020-01-04"},
            "nothing",
        ],
        "activities-heart": [
            {"dateTime": "2020-01-01", "value": {"restingHeartRate": 61}},
            {"dateTime": "2020-01-02", "value": {"heartRateZones": []}},
        ],
    }
    reading = opened(written(api))
    assert stated(reading, STEPS) == [
        ("somebody", "2020-01-01", 5000, "total"),
        ("somebody", "2020-01-02", pytest.approx(float("nan"), nan_ok=True), "unusable"),
        ("somebody", "2020-01-04", pytest.approx(float("nan"), nan_ok=True), "unusable"),
    ]
    assert stated(reading, RESTING) == [("somebody", "2020-01-01", 61, "total")]
    assert {place for problem in reading.dropped for place in problem.places} == {
        "item 1", "item 2", "item 3", "item 4",
    }  # fmt: skip
    assert reading.records is not None
    assert set(reading.records["source"]) == {"Fitbit"}


def test_a_distance_of_the_api_has_no_unit_and_a_day_without_steps_is_not_recorded(
    written: Callable[[Any], Path],
) -> None:
    api = {
        "activities-steps": [
            {"dateTime": "2024-03-04", "value": "4200"},
            {"dateTime": "2024-03-06", "value": "0"},
            {"dateTime": "2024-03-05", "value": 0},
        ],
        "activities-distance": [{"dateTime": "2024-03-04", "value": "2.9"}],
    }
    reading = opened(written(api))
    assert stated(reading, STEPS) == [("somebody", "2024-03-04", 4200, "total")]
    assert stated(reading, DISTANCE) == []
    words = " ".join(str(problem) for problem in reading.dropped)
    assert (
        "2 day(s) on which nothing shows that the tracker was worn (2024-03-05, 2024-03-06)"
        in words
    )
    assert "1 distance(s) are in kilometres or miles" in words


@pytest.mark.parametrize("when", ["03/04/24", "4.3.2024", "04/03/2024"])
def test_dates_of_another_order_refuse_the_document(
    written: Callable[[Any], Path], when: str
) -> None:
    with pytest.raises(SourceUnreadable, match="date_format"):
        opened(written({"activities-steps": [{"dateTime": when, "value": "1"}]}))


NIGHT = {"logId": 2, "dateOfSleep": "2024-03-05", "minutesAsleep": 420,
         "startTime": "2024-03-04T23:40:00.000", "endTime": "2024-03-05T07:00:00.000"}  # fmt: skip
NAP = {"logId": 3, "dateOfSleep": "2024-03-05", "minutesAsleep": 60,
       "startTime": "2024-03-05T14:00:00.000", "duration": 4800000}  # fmt: skip


@given(st.permutations([NIGHT, NIGHT, NAP]), st.booleans())
@NO_LIMIT
def test_a_log_counts_once_in_any_order_and_file(
    tmp_path: Path, logs: list[dict[str, Any]], is_list: bool
) -> None:
    for cut in (1, 3):
        readings = []
        for n, part in enumerate((logs[:cut], logs[cut:])):
            if part:
                file = tmp_path / f"{n}.json"
                file.write_text(json.dumps(part if is_list else {"sleep": part}))
                readings.append(opened(file))
        assert decided(*readings) == {("somebody", "2024-03-05", SLEEP): 8.0}


def test_a_log_without_times_lies_on_its_day_and_one_with_a_wrong_time_nowhere(
    written: Callable[[Any], Path],
) -> None:
    logs = [
        {"dateOfSleep": "2020-01-02", "minutesAsleep": 400, "logId": 1},
        {"dateOfSleep": "2020-01-02", "minutesAsleep": 80, "logId": 2},
        {"dateOfSleep": "2020-01-03", "minutesAsleep": 80, "startTime": "late", "logId": 3},
        {"dateOfSleep": "2020-01-04", "minutesAsleep": None, "logId": 4},
    ]
    reading = opened(written(logs))
    assert decided(reading) == {("somebody", "2020-01-02", SLEEP): 8.0}
    assert {place for p in reading.dropped for place in p.places} == {"item 2", "item 3"}


def test_two_people_may_have_logs_of_one_number(tmp_path: Path) -> None:
    file = tmp_path / "sleep.json"
    file.write_text(json.dumps([NIGHT]))
    both = decided(opened(file, label="a"), opened(file, label="b"))
    assert both == {(who, "2024-03-05", SLEEP): 7.0 for who in "ab"}


def test_a_table_is_read_with_its_people_as_they_are_written(tmp_path: Path) -> None:
    text = (
        f"{HEADER}0001,4/12/2024,4200,2.9,5,10,100,700\n1,4/12/2024 12:00:00 AM,4300,3,1,1,1,700\n"
        ",4/12/2024,1,1,1,1,1,1\n1,,1,1,1,1,1,1\n1,never,1,1,1,1,1,1\n1,2024-04-13,x,NA,1,1,1,9\n"
    )
    reading = table(tmp_path, text)
    assert stated(reading, STEPS)[:2] == [
        ("0001", "2024-04-12", 4200, "total"),
        ("1", "2024-04-12", 4300, "total"),
    ]
    assert stated(reading, STEPS)[2][3] == "unusable"
    assert stated(reading, ACTIVE)[0] == ("0001", "2024-04-12", 15, "total")
    assert [(p.row, p.field) for p in reading.dropped] == [
        (5, "ActivityDate"), (6, "ActivityDate"), (4, "Id"), (7, "TotalSteps"), (7, "TotalDistance"),
    ]  # fmt: skip
    assert reading.records is not None
    assert set(reading.records["place"]) == {"2", "3", "7"}


@pytest.mark.parametrize("how", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize(("separator", "quote"), [(",", ""), (";", ""), (",", '"'), ("\t", "")])
def test_neither_encoding_nor_separator_nor_quotes_hide_a_table(
    tmp_path: Path, how: str, separator: str, quote: str
) -> None:
    cells = [HEADER.strip().split(","), ["7", "4/12/2024", "42", "2.9", "1", "2", "3", "700"]]
    text = "".join(separator.join(f"{quote}{c}{quote}" for c in row) + "\r\n" for row in cells)
    if separator != ",":
        with pytest.raises(SourceUnreadable, match="declare separator"):
            table(tmp_path, text, encoding=how)
    form = TableForm.model_validate({"separator": separator})
    assert stated(table(tmp_path, text, form, encoding=how), STEPS) == [
        ("7", "2024-04-12", 42, "total")
    ]


@pytest.mark.parametrize("cell", ["13/04/2023", "04.03.24", "4-3-2024", "04/03/24", "2023/13/04"])
def test_a_day_that_is_not_month_first_refuses_the_whole_table(tmp_path: Path, cell: str) -> None:
    text = f"{HEADER}1,4/12/2023,1,1,1,1,1,9\n1,{cell},1,1,1,1,1,9\n"
    with pytest.raises(SourceUnreadable) as caught:
        table(tmp_path, text)
    problem = caught.value.problem
    assert problem.field == "ActivityDate"
    assert repr(cell) in problem.found
    assert "date_format" in problem.advice


def test_a_declared_form_is_read_and_nothing_beside_it(tmp_path: Path) -> None:
    text = f"{HEADER}1,13/04/2023,5,1,1,1,1,9\n1,14/04/2023,6,1,1,1,1,9\n"
    form = TableForm(date_format="D/M/YYYY")
    assert [day for _, day, *_ in stated(table(tmp_path, text, form), STEPS)] == [
        "2023-04-13", "2023-04-14",
    ]  # fmt: skip
    with pytest.raises(SourceUnreadable, match="date_format"):
        table(tmp_path, text.replace("14/04/2023", "4/14/2023"), form)


@given(st.permutations(range(5)), st.integers(min_value=0, max_value=400))
@NO_LIMIT
def test_days_follow_their_rows_in_any_order_and_shift_with_them(
    tmp_path: Path, order: list[int], shift: int
) -> None:
    start = pd.Timestamp("2023-03-30") + pd.Timedelta(days=shift)
    days = [start + pd.Timedelta(days=n) for n in range(5)]
    lines = [f"1,{d.month}/{d.day}/{d.year},{100 + n},1,1,1,1,9\n" for n, d in enumerate(days)]
    reading = table(tmp_path, HEADER + "".join(lines[n] for n in order))
    again = table(tmp_path, HEADER + "".join(lines[n] for n in [*order, *order]))
    expected = {("1", str(d.date()), STEPS): 100.0 + n for n, d in enumerate(days)}
    for read in (reading, again):
        steps = {key: value for key, value in decided(read).items() if key[2] == STEPS}
        assert steps == expected


@pytest.mark.parametrize("identifier", ["1.50396E+09", "1,5E+09", "1E+09"])
def test_identifiers_that_a_spreadsheet_shortened_are_refused(
    tmp_path: Path, identifier: str
) -> None:
    with pytest.raises(SourceUnreadable, match="spreadsheet program has shortened"):
        table(tmp_path, f'{HEADER}"{identifier}",4/12/2023,1,1,1,1,1,9\n')


def test_an_identifier_with_an_e_is_one(tmp_path: Path) -> None:
    reading = table(tmp_path, f"{HEADER}12E4,4/12/2023,1,1,1,1,1,9\n")
    assert [who for who, *_ in stated(reading, STEPS)] == ["12E4"]


def test_a_day_on_which_nothing_shows_wear_is_not_recorded(tmp_path: Path) -> None:
    rows = {
        "3/4/2024": ("5000,3,10,20,100,900", True),
        "3/5/2024": ("0,0,0,0,0,1440", False),
        "3/6/2024": ("0,0,0,0,0,0", False),
        # The wearer can't walk, and wore the tracker.
        "3/7/2024": ("0,0,0,0,0,900", True),
        "3/8/2024": ("0,0,0,0,5,0", True),
        "3/9/2024": ("0,0,,,,", False),
        "3/10/2024": ("12,,,,,", True),
    }
    text = HEADER + "".join(f"1,{day},{cells}\n" for day, (cells, _) in rows.items())
    reading = table(tmp_path, text)
    kept = [day for day, (_, is_kept) in rows.items() if is_kept]
    assert len(stated(reading, STEPS)) == len(kept)
    (problem,) = reading.dropped
    assert problem.found.startswith("3 day(s) on which nothing shows")
    assert "2024-03-05, 2024-03-06, 2024-03-09" in problem.found


@pytest.mark.parametrize(
    ("text", "code", "value"),
    [
        ("Id,SleepDay,TotalMinutesAsleep\n1,4/12/2024 12:00:00 AM,420\n", SLEEP, 7.0),
        ("Id,ActivityDay,StepTotal\n1,4/12/2024,42\n", STEPS, 42.0),
        ("Id,ActivityDate,RestingHeartRate\n1,4/12/2024,61\n", RESTING, 61.0),
        ("Id,ActivityDay,VeryActiveMinutes,FairlyActiveMinutes\n1,4/12/2024,3,4\n", ACTIVE, 7.0),
    ],
)
def test_each_daily_table_of_fitabase_is_known(
    tmp_path: Path, text: str, code: str, value: float
) -> None:
    assert stated(table(tmp_path, text), code) == [("1", "2024-04-12", value, "total")]


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ('[{"dateTime": "01/02/20 00:00:00", "value": "5"}]', "only in its file name"),
        ("Id,ActivityHour,StepTotal\n1,4/12/2016 1:00:00 AM,5\n", "table of days"),
        ("id,date,steps,distance\n1,2024-03-01,1200,0.8\n", "id, date, steps, distance"),
        ("id,date,steps,bpm,distance\n1,2024-03-01,1,1,0.8\n", r"cohort import tables map.toml"),
        ("id,date,resting_hr,minutesAsleep,steps\n1,2024-03-01,1,1,1\n", r"\[\[signals\]\]"),
        ("Id;date;TotalSteps\n1;2024-03-01;1\n", "columns Id, date, TotalSteps"),
        ("ActivityDate,TotalSteps\n4/12/2024,1\n", "columns ActivityDate, TotalSteps"),
        ('{"days": [{"dateTime": "2024-03-01", "value": 3}]}', "none of"),
    ],
)
def test_what_its_columns_or_keys_do_not_prove_is_not_fitbit(
    tmp_path: Path, document: str, words: str
) -> None:
    with pytest.raises(SourceUnreadable, match=words) as caught:
        table(tmp_path, document)
    assert "map" in str(caught.value) or "table of days" in str(caught.value)
