"""REDCap projects: the dictionary says what a field may hold, and nothing that identifies is read."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.cohort import CODE, NUMBER, SUBJECT, TEXT, TIME
from contracts.errors import CohortInvalid, ContractError
from features.importing import Imported, grow_cohort, import_source
from tests.hospital_exports import FM, WALK, write_csv

FEW = settings(max_examples=5, deadline=None)
AGE, SEX, ARM = "REHABCAST//AGE", "REHABCAST//SEX", "REHABCAST//AFFECTED_ARM"
APHASIA, CATEGORY = "REHABCAST//APHASIA", "REHABCAST//WALKING_CATEGORY"

HEADER = [
    "Variable / Field Name", "Form Name", "Section Header", "Field Type", "Field Label",
    "Choices, Calculations, OR Slider Labels", "Field Note",
    "Text Validation Type OR Show Slider Number", "Text Validation Min", "Text Validation Max",
    "Identifier?", "Branching Logic (Show field only if...)", "Required Field?",
    "Custom Alignment", "Question Number (surveys only)", "Matrix Group Name", "Matrix Ranking?",
    "Field Annotation",
]  # fmt: skip
FIELDS = [
    ("record_id", "enrol", "text", "Record", "", "", "", "", ""),
    ("full_name", "enrol", "text", "Name", "", "", "", "", "y"),
    ("onset", "enrol", "text", "Date of the stroke", "", "date_dmy", "", "", ""),
    ("admitted", "enrol", "text", "Date of admission", "", "date_ymd", "", "", ""),
    ("age", "enrol", "text", "Age", "", "integer", "18", "100", ""),
    ("sex", "enrol", "radio", "Sex", "1, Female | 2, Male", "", "", "", ""),
    ("arm", "enrol", "dropdown", "Affected arm", "1, Left | 2, Right | 9, Unknown", "", "", "", ""),
    ("problems", "enrol", "checkbox", "Problems", "1, Aphasia | -2, Neglect", "", "", "", ""),
    ("fma_date", "fma", "text", "Date of the FMA", "", "date_mdy", "", "", ""),
    ("fma_total", "fma", "calc", "FMA total", "sum([a],[b])", "", "", "", ""),
    ("walk_date", "walk", "text", "Date of the walk", "", "datetime_ymd", "", "", ""),
    ("walk_m", "walk", "text", "Six minute walk", "", "number_comma_decimal", "0", "800", ""),
    ("fac", "walk", "radio", "FAC", "0, none | 1, with two | 2, alone on stairs", "", "", "", ""),
]  # fmt: skip

MAP = f"""
name = "our trial"
simulated = true
missing = ["-99", "NI"]

[[fields]]
field = "onset"
code = "REHABCAST//ONSET"
[[fields]]
field = "admitted"
code = "REHABCAST//ENROLMENT"
[[fields]]
field = "age"
code = "{AGE}"
unit = "a"
[[fields]]
field = "sex"
code = "{SEX}"
[[fields]]
field = "arm"
code = "{ARM}"
[[fields]]
field = "problems___1"
code = "{APHASIA}"
labels = {{ "1" = "yes", "0" = "no" }}
[[fields]]
field = "fma_total"
code = "{FM}"
unit = "{{score}}"
date = "fma_date"
[[fields]]
field = "walk_m"
code = "{WALK}"
unit = "m"
date = "walk_date"
[[fields]]
field = "fac"
code = "{CATEGORY}"
unit = "{{score}}"
date = "walk_date"
code_is_value = true
"""

COLUMNS = [
    "record_id", "redcap_event_name", "redcap_repeat_instrument", "redcap_repeat_instance",
    "full_name", "onset", "admitted", "age", "sex", "arm", "problems___1", "problems____2",
    "enrol_complete", "fma_date", "fma_total", "walk_date", "walk_m", "fac",
]  # fmt: skip
ROWS: list[dict[str, str]] = [
    {"record_id": "01", "redcap_event_name": "baseline_arm_1", "full_name": "Mrs Doe",
     "onset": "2024-03-01", "admitted": "2024-03-05", "age": "70", "sex": "1", "arm": "2",
     "problems___1": "1", "problems____2": "0"},
    {"record_id": "01", "redcap_event_name": "baseline_arm_1", "redcap_repeat_instrument": "fma",
     "redcap_repeat_instance": "1", "fma_date": "2024-03-06", "fma_total": "20"},
    {"record_id": "01", "redcap_event_name": "baseline_arm_1", "redcap_repeat_instrument": "fma",
     "redcap_repeat_instance": "2", "fma_date": "2024-04-06", "fma_total": "31"},
    {"record_id": "01", "redcap_event_name": "month_3_arm_1", "walk_date": "2024-06-01 09:30",
     "walk_m": "250,5", "fac": "2"},
    {"record_id": "B-2", "redcap_event_name": "baseline_arm_1", "full_name": "Mr Roe",
     "onset": "2024-03-02", "admitted": "2024-03-06", "age": "-99", "sex": "2", "arm": "9",
     "problems___1": "0", "problems____2": "1", "fma_date": "2024-03-07", "fma_total": "50"},
]  # fmt: skip


def write_project(
    folder: Path, rows: list[dict[str, str]], *, fields: list[tuple[str, ...]] = FIELDS,
    toml: str = MAP, columns: list[str] = COLUMNS,
) -> Path:  # fmt: skip
    """Write dictionary and data, and the map beside the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    entries = []
    for name, form, kind, label, choices, validation, low, high, identifier in fields:
        entry = [name, form, "", kind, label, choices, "", validation, low, high, identifier]
        entries.append([*entry, *[""] * (len(HEADER) - len(entry))])
    write_csv(folder / "dictionary.csv", HEADER, entries)
    cells = [[row.get(name, "") for name in columns] for row in rows]
    write_csv(folder / "data.csv", columns, cells)
    plan = folder.with_name(f"{folder.name}.toml")
    plan.write_text(toml, "utf-8")
    return plan


@pytest.fixture
def imported(tmp_path: Path) -> Callable[..., Imported]:
    """Imports a project; `changed` are cells of its first row, by column."""

    def run(rows: list[dict[str, str]] = ROWS, **changed: Any) -> Imported:
        plan = write_project(tmp_path / "project", rows, **changed)
        return import_source(tmp_path / "project", tmp_path / "cohort", map_file=plan)

    return run


def held(done: Imported) -> set[tuple[Any, ...]]:
    labels = done.cohort.labels
    rows = done.cohort.events[[SUBJECT, TIME, CODE, NUMBER, TEXT]].itertuples(index=False)
    return {
        (labels[who], str(time), str(code), f"{number:.3f}", str(text))
        for who, time, code, number, text in rows
    }


def of(done: Imported, code: str) -> dict[str, Any]:
    labels = done.cohort.labels
    rows = done.cohort.events[done.cohort.events[CODE] == code]
    return {
        f"{labels[who]} {'' if pd.isna(time) else f'{time:%m-%d %H:%M}'}".strip(): (
            text if pd.isna(number) else number
        )
        for who, time, number, text in rows[[SUBJECT, TIME, NUMBER, TEXT]].itertuples(index=False)
    }


def changed(place: int, **cells: str) -> list[dict[str, str]]:
    return [{**row, **cells} if n == place else row for n, row in enumerate(ROWS)]


def test_a_project_is_recognised_and_read(imported: Callable[..., Imported]) -> None:
    done = imported()
    assert of(done, FM) == {"01 03-06 00:00": 20, "01 04-06 00:00": 31, "B-2 03-07 00:00": 50}
    assert of(done, WALK) == {"01 06-01 09:30": 250.5}
    assert of(done, CATEGORY) == {"01 06-01 09:30": 2}
    assert of(done, SEX) == {"01": "female", "B-2": "male"}
    assert of(done, ARM) == {"01": "right"}
    assert of(done, APHASIA) == {"01": "yes", "B-2": "no"}
    assert of(done, AGE) == {"01": 70}
    assert done.cohort.provenance.simulated


def test_identifiers_are_named_and_never_read(
    imported: Callable[..., Imported], tmp_path: Path
) -> None:
    done = imported()
    (note,) = [each for each in done.dropped if each.field == "Identifier?"]
    assert "full_name" in note.found
    assert "Doe" not in repr(done)
    written = [file for file in (tmp_path / "cohort").rglob("*") if file.is_file()]
    assert written
    assert not [file for file in written if b"Doe" in file.read_bytes()]


def test_an_identifier_in_the_map_is_refused(imported: Callable[..., Imported]) -> None:
    toml = MAP + '[[fields]]\nfield = "full_name"\ncode = "REHABCAST//SITE"\n'
    with pytest.raises(CohortInvalid, match="identifiers are not read"):
        imported(toml=toml)


def test_labels_say_the_same_as_codes(tmp_path: Path) -> None:
    plan = write_project(tmp_path / "raw", ROWS)
    raw = import_source(tmp_path / "raw", tmp_path / "one", map_file=plan)
    titles = {name: label for name, _, _, label, *_ in FIELDS} | {
        "redcap_event_name": "Event Name", "redcap_repeat_instrument": "Repeat Instrument",
        "redcap_repeat_instance": "Repeat Instance",
        "problems___1": "Problems (choice=Aphasia)", "problems____2": "Problems (choice=Neglect)",
        "enrol_complete": "Complete?",
    }  # fmt: skip
    words = {
        "sex": {"1": "Female", "2": "Male"}, "arm": {"1": "Left", "2": "Right", "9": "Unknown"},
        "problems___1": {"0": "Unchecked", "1": "Checked"},
        "problems____2": {"0": "Unchecked", "1": "Checked"},
        "fac": {"2": "alone on stairs"}, "redcap_repeat_instrument": {"fma": "Fugl-Meyer"},
    }  # fmt: skip
    rows = [
        {titles[name]: words.get(name, {}).get(cell, cell) for name, cell in row.items()}
        for row in ROWS
    ]
    write_project(tmp_path / "labels", rows, columns=[titles[name] for name in COLUMNS])
    labelled = import_source(tmp_path / "labels", tmp_path / "two", map_file=plan)
    assert held(labelled) == held(raw)


@pytest.mark.parametrize(
    ("place", "cells", "words"),
    [
        (0, {"sex": "3"}, r"data.csv, row 2, sex: '3' is no choice of the field \(1 = Female"),
        (
            0,
            {"onset": "01.03.2024"},
            "row 2, onset: '01.03.2024' where the dictionary has date_dmy",
        ),
        (0, {"age": "70.5"}, "row 2, age: '70.5' where the dictionary has integer"),
        (3, {"walk_m": "far"}, "row 5, walk_m: 'far' where the dictionary has number_comma"),
        (3, {"walk_m": "250.5"}, "row 5, walk_m"),
        (1, {"sex": "1"}, "row 3, sex: '1' in a row of another form, and the field is of enrol"),
        (0, {"problems___1": "yes"}, "row 2, problems___1: 'yes' is no choice"),
    ],
)
def test_data_that_the_dictionary_contradicts_are_refused(
    imported: Callable[..., Imported], place: int, cells: dict[str, str], words: str
) -> None:
    with pytest.raises(CohortInvalid, match=words):
        imported(changed(place, **cells))


def test_one_row_of_a_record_twice_is_refused(imported: Callable[..., Imported]) -> None:
    with pytest.raises(CohortInvalid, match="same record, event and instance"):
        imported([*ROWS, {**ROWS[1], "fma_total": "22"}])


@pytest.mark.parametrize(
    ("number", "entry", "words"),
    [
        (5, ("sex", "enrol", "radio", "Sex", "1, Female | 1, Male", "", "", "", ""), "two choices"),
        (5, ("sex", "enrol", "radio", "Sex", "female", "", "", "", ""), "is no choice"),
        (5, ("age", "enrol", "text", "Age", "", "", "", "", ""), "the field is there twice"),
        (8, ("fma_date", "fma", "text", "Date", "", "", "", "", ""), "no date field"),
        (9, ("other", "fma", "text", "Other", "", "", "", "", ""), "no such field"),
        (0, ("record_id", "enrol", "text", "Record", "", "", "", "", "y"), "identifiers are not"),
    ],
)
def test_a_wrong_dictionary_or_map_is_refused(
    imported: Callable[..., Imported], number: int, entry: tuple[str, ...], words: str
) -> None:
    fields = [entry if n == number else each for n, each in enumerate(FIELDS)]
    with pytest.raises(CohortInvalid, match=words):
        imported(fields=fields)


def test_codes_that_may_be_labels_are_refused(imported: Callable[..., Imported]) -> None:
    entry = ("sex", "enrol", "radio", "Sex", "1, 2 | 2, 1", "", "", "", "")
    fields = [entry if each[0] == "sex" else each for each in FIELDS]
    with pytest.raises(CohortInvalid, match="the code of one choice and the label of another"):
        imported(fields=fields)


def test_numbers_beyond_the_dictionarys_ends_are_left_out(
    imported: Callable[..., Imported],
) -> None:
    done = imported(changed(3, walk_m="801"))
    assert of(done, WALK) == {}
    (problem,) = [each for each in done.dropped if "beyond the dictionary's ends" in each.found]
    assert (problem.row, problem.field) == (5, "walk_m")


def test_a_field_counts_in_the_events_that_the_map_names(
    imported: Callable[..., Imported],
) -> None:
    rows = [*ROWS, {"record_id": "01", "redcap_event_name": "before_arm_1",
                    "fma_date": "2024-03-20", "fma_total": "60"}]  # fmt: skip
    toml = MAP.replace('date = "fma_date"', 'date = "fma_date"\nevents = ["baseline_arm_1"]')
    assert "01 03-20 00:00" not in of(imported(rows, toml=toml), FM)


def test_an_event_that_is_not_there_is_named(imported: Callable[..., Imported]) -> None:
    toml = MAP.replace('date = "fma_date"', 'date = "fma_date"\nevents = ["baseline"]')
    done = imported(toml=toml)
    assert of(done, FM) == {}
    assert any("no row is of the event 'baseline'" in each.found for each in done.dropped)


def test_a_score_without_its_date_is_left_out(imported: Callable[..., Imported]) -> None:
    done = imported(changed(1, fma_date=""))
    assert "01 03-06 00:00" not in of(done, FM)
    assert any("no date" in each.found for each in done.dropped)


def test_a_project_needs_a_map(tmp_path: Path) -> None:
    write_project(tmp_path / "project", ROWS)
    with pytest.raises(ContractError, match="needs a map"):
        import_source(tmp_path / "project", tmp_path / "cohort")


def test_a_folder_without_a_dictionary_is_no_project(tmp_path: Path) -> None:
    plan = write_project(tmp_path / "project", ROWS)
    (tmp_path / "project" / "dictionary.csv").unlink()
    with pytest.raises(ContractError, match="0 data dictionaries"):
        import_source(tmp_path / "project", tmp_path / "c", format_name="redcap", map_file=plan)


@FEW
@given(seed=st.integers(0, 99), cut=st.integers(1, 4))
def test_order_and_split_of_rows_decide_nothing(seed: int, cut: int) -> None:
    mixed = list(ROWS)
    random.Random(seed).shuffle(mixed)
    with tempfile.TemporaryDirectory() as temporary:
        home = Path(temporary)
        plan = write_project(home / "a", ROWS)
        whole = held(import_source(home / "a", home / "ca", map_file=plan))
        rest = home / "rest"
        write_project(home / "b", mixed[:cut])
        write_project(rest, mixed[cut:])
        (rest / "data.csv").rename(home / "b" / "more.csv")
        assert held(import_source(home / "b", home / "cb", map_file=plan)) == whole


HOSTILE = ("NaN", "1e309", "-1", "9" * 400, "2024-13-45", "=1+1", "\u202e7", "|", '"', "___", "1 ")


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_any_cell_is_read_or_named_and_never_an_accident(data: st.DataObject) -> None:
    rows, fields = [dict(row) for row in ROWS], [list(entry) for entry in FIELDS]
    word = data.draw(st.sampled_from(HOSTILE))
    if data.draw(st.booleans()):
        rows[data.draw(st.integers(0, len(rows) - 1))][data.draw(st.sampled_from(COLUMNS))] = word
    else:
        fields[data.draw(st.integers(0, len(fields) - 1))][data.draw(st.integers(0, 8))] = word
    with tempfile.TemporaryDirectory() as temporary:
        home = Path(temporary)
        plan = write_project(home / "project", rows, fields=[tuple(entry) for entry in fields])
        try:
            import_source(home / "project", home / "cohort", map_file=plan)
        except ContractError:
            assert not (home / "cohort").exists()


def test_next_months_export_adds_and_the_same_one_changes_nothing(tmp_path: Path) -> None:
    plan = write_project(tmp_path / "a", ROWS[:2])
    write_project(tmp_path / "b", ROWS)
    import_source(tmp_path / "a", tmp_path / "cohort", map_file=plan)
    grown = grow_cohort(tmp_path / "b", tmp_path / "cohort", map_file=plan)
    assert grown.changes is not None
    assert grown.changes.people == 1
    whole = import_source(tmp_path / "b", tmp_path / "whole", map_file=plan)
    assert held(grown) == held(whole)
    again = grow_cohort(tmp_path / "b", tmp_path / "cohort", map_file=plan)
    assert again.changes is not None
    assert again.changes.is_known
