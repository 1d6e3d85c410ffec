"""Sets survive being written and read, and a file that says what cannot be is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings

from contracts.errors import CohortInvalid, ContractError
from contracts.exercise import (
    ExerciseSet,
    Repetition,
    SetFile,
    as_csv,
    as_json,
    joined,
    read_sets,
    write_sets,
)
from tests.contracts.exercise.drawn import BEGIN, set_files

ONE = Repetition(
    start_s=1.0, end_s=4.0, range_deg=55.5, duration_s=3.0, tempo=0.5, smoothness_sparc=-2.1,
    smoothness_ldlj=-6.0,
)  # fmt: skip
SET = ExerciseSet(
    exercise="wall slide", side="right", start=BEGIN, end=BEGIN.replace(minute=1),
    repetitions=(ONE, replace(ONE, start_s=5.0, end_s=8.0, range_deg=None)), confidence=0.9,
    model_version="arm/1",
)  # fmt: skip
FILE = SetFile(sets=(SET,))


@settings(max_examples=60)
@given(file=set_files())
def test_what_is_written_is_read_again(file: SetFile) -> None:
    with TemporaryDirectory() as folder:
        for name in ("sets.json", "sets.csv"):
            path = Path(folder) / name
            write_sets(path, file)
            expected = replace(file, recorded=None) if name.endswith("csv") else file
            assert read_sets(path) == expected


def changed(**values: object) -> str:
    """Return the file as JSON with other values: of a repetition, else of its set."""
    table = json.loads(as_json(FILE))
    for name, value in values.items():
        each = table["sets"][0]
        (each if name in each else each["repetitions"][0])[name] = value
    return json.dumps(table)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (changed(end_s=40.0, duration_s=-1.0), "duration_s, -1, is not within"),
        (changed(end_s=400.0), "after its set of 60 s"),
        (changed(end_s=7.0), "repetition 2: it begins before"),
        (changed(tempo=1.2), "tempo, 1.2, is not a share"),
        (changed(smoothness_sparc=2.0), "sparc, 2, is above 0"),
        (changed(range_deg=900.0), "range_deg, 900"),
        (changed(range_deg="55"), "range_deg is '55'"),
        (changed(confidence=90), "confidence: 90 is not within 0 to 1"),
        (changed(side="Right"), "side is 'Right'"),
        (changed(exercise=""), "exercise is empty"),
        (changed(end="2026-03-02T07:00:00"), "a set lasts more than 0 s"),
        (changed(end="2026-03-02T08:01:00Z"), "has an offset"),
        (changed(start=1772438400), "is no time"),
        (changed(end="tomorrow"), "is no time"),
        (changed(end="9999-12-31T23:59:59"), "is in the year 9999"),
        (as_json(FILE).replace('"tempo"', '"pace"', 1), "pace is not a key here"),
        (as_json(FILE).replace("sets/1", "sets/7"), "says that its form is"),
        ("[]", "it is no file of sets"), ("{", "not valid JSON"), ("[" * 200_000, "not valid JSON"),
        ('{"sets": [], "recorded": [{"start": "2026-03-02T09:00:00", "end":'
         ' "2026-03-02T08:00:00"}]}', "it ends before it begins"),
    ],
)  # fmt: skip
def test_json_that_cannot_be_is_refused(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "sets.json"
    path.write_text(text, "utf-8")
    with pytest.raises(ContractError) as refused:
        read_sets(path)
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("55.5", "55,5", "too many or too few cells"),
        ("55.5", "fifty", "row 2, range_deg: 'fifty' is no number"),
        ("55.5", "nan", "'nan' is no number"),
        ("range_deg", "range", "range_deg: the column is missing"),
        ("1,wall slide,right", "1,wall slide,left", "something else of set 1"),
        ("tempo", "tempo,tempo", "it is no column"),
    ],
)
def test_a_table_that_cannot_be_is_refused(tmp_path: Path, old: str, new: str, says: str) -> None:
    path = tmp_path / "sets.csv"
    path.write_text(as_csv(FILE).replace(old, new, 1), "utf-8")
    with pytest.raises(ContractError) as refused:
        read_sets(path)
    assert says in str(refused.value)


def test_sets_of_two_files_are_joined_and_one_twice_is_refused() -> None:
    later = replace(SET, start=BEGIN.replace(hour=9), end=BEGIN.replace(hour=9, minute=1))
    assert joined([SetFile(sets=(later,)), FILE]).sets == (SET, later)
    with pytest.raises(CohortInvalid, match="before another of the right side has ended"):
        joined([FILE, FILE])


def test_simulated_sets_say_so_or_are_not_written(tmp_path: Path) -> None:
    simulated = replace(FILE, simulated=True)
    write_sets(tmp_path / "sets.json", simulated)
    assert joined([read_sets(tmp_path / "sets.json")]).simulated
    with pytest.raises(ContractError, match="SIMULATED"):
        write_sets(tmp_path / "sets.csv", simulated)


def test_what_cannot_be_is_not_written(tmp_path: Path) -> None:
    wrong = replace(FILE, sets=(replace(SET, confidence=2.0),))
    with pytest.raises(ValueError, match="confidence"):
        write_sets(tmp_path / "sets.json", wrong)
    assert not (tmp_path / "sets.json").exists()
