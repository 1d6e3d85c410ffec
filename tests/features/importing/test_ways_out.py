"""Every refusal of a map says what the column looked like and what to write in the map."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from contracts.errors import ContractError
from features.importing import import_source
from tests.features.sources.test_tables import (
    DATED_PEOPLE,
    DATED_SCORES,
    DATES,
    DAYS,
    PEOPLE,
    SCORES,
    source,
)
from tests.refusals import same_as_kept

ROOT = Path(__file__).resolve().parents[3]

DE = "patient;day;FM;W6;st\n1;10;20;250,5;5.000\n1;94;33;260,5;6.100\n2;12;;310,0;4.000\n"

CASES: dict[str, tuple[dict[str, str | bytes], str, str]] = {
    "another encoding": (
        {"people": "patient,enrolled,age,sex,Größe\n1,10,70,F,3\n".encode("cp1252")},
        "is not text in utf-8", 'encoding = "cp1252"',
    ),
    "another separator": ({"scores": DE}, "separated by a semicolon", "separator = ';'"),
    "decimal commas": (
        {"scores": DE, "toml": DAYS.replace('when = "day"', 'when = "day"\nseparator = ";"')},
        "'250,5' is a number with signs that are not declared", 'decimal = ","',
    ),
    "dates for days": (
        {"scores": SCORES.replace("1,10,", "1,03.04.2025,").replace("1,94,", "1,13.06.2025,")},
        "'03.04.2025' is a date", 'clock = "timestamps"',
    ),
    "an undeclared order of dates": (
        {"toml": DATES, "people": DATED_PEOPLE,
         "scores": DATED_SCORES.replace("2024-03-05", "05.03.2024")},
        "'05.03.2024' is a date in an order", 'date_format = "DD.MM.YYYY"',
    ),
    "a unit that is none": (
        {"toml": DAYS.replace('unit = "m"', 'unit = "metres"')}, "'metres'", "UCUM",
    ),
    "no unit": ({"toml": DAYS.replace(', unit = "m"', "")}, "declares no unit", 'unit = "m"'),
    "another dimension": (
        {"toml": DAYS.replace('unit = "m"', 'unit = "kg"')}, "(mass) cannot", "name the unit",
    ),
    "labels that are not declared": (
        {"people": PEOPLE.replace(",F,", ",w,").replace(",M,", ",d,")},
        "'w' where one of F, M is expected", 'labels = { "w" = "..." }, with one of female, male',
    ),
    "labels of another vocabulary": (
        {"toml": DAYS.replace('"female"', '"woman"')}, "'woman' is no label", "use female, male",
    ),
    "a column that is not there": (
        {"toml": DAYS.replace('"FM"', '"FMA"')}, "no column FMA; found: patient, day, FM, W6, st",
        "correct the map",
    ),
    "a code that is not known": (
        {"toml": DAYS.replace("//FUGL_MEYER_UE", "//FUGL_MEYER_UP")}, "is not in the vocabulary",
        "use REHABCAST//FUGL_MEYER_UE",
    ),
    "an instrument outside its range": (
        {"scores": "patient,day,FM,W6,st\n1,10,70,,\n1,94,83,,\n2,12,90,,\n"},
        "none of its 3 values can be used: '70' where a number from 0 to 66", "check the column",
    ),
    "a score without its day": (
        {"toml": DAYS.replace('when = "day"\n', "")}, "is of a day", "as `when`",
    ),
    "a key that is none": (
        {"toml": DAYS.replace('when = "day"', 'date = "day"')}, "date is not a key here",
        "rehabcast cohort map",
    ),
    "a vocabulary elsewhere": (
        {"toml": DAYS.replace("clock =", 'vocabulary = "none.toml"\nclock =')}, "cannot be read",
        "check the path",
    ),
    "an open question": (
        {"toml": DAYS.replace('unit = "m"', 'unit = "?"')}, 'unit = "?" has no answer yet',
        "write the answer",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", CASES)
def test_a_refusal_says_what_was_found_and_what_to_write(tmp_path: Path, fault: str) -> None:
    changed, looked_like, way_out = CASES[fault]
    given = {"toml": DAYS, "people": PEOPLE, "scores": SCORES} | changed
    file = source(tmp_path / "source", **given)  # type: ignore[arg-type]
    with pytest.raises(ContractError) as refused:
        import_source(file, tmp_path / "cohort")
    said = str(refused.value)
    assert looked_like in said
    assert way_out in said
    same_as_kept(said.replace(str(tmp_path), "FOLDER"))
    assert not (tmp_path / "cohort").exists()


def test_faults_of_several_columns_are_one_list(tmp_path: Path) -> None:
    toml = DAYS.replace('unit = "m"', 'unit = "kg"').replace('"female"', '"woman"')
    with pytest.raises(ContractError) as refused:
        import_source(source(tmp_path / "source", toml=toml), tmp_path / "cohort")
    assert "2 problem(s)" in str(refused.value)


NOTES = {
    "features/importing/collect.py": 2,
    "features/importing/copies.py": 1,
    "features/importing/people.py": 1,
    "features/sources/hospital/omop.py": 1,
    "features/sources/hospital/redcap.py": 1,
    "features/sources/table_rows.py": 2,
}
"""How many problems say by design that nothing has to be done: notes."""


def test_no_problem_of_an_import_lacks_its_advice() -> None:
    folders = ("importing", "sources", "tables", "measurements", "mapping")
    lacking: dict[str, int] = {}
    for module in (m for f in folders for m in (ROOT / "features" / f).rglob("*.py")):
        for node in ast.walk(ast.parse(module.read_text("utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            given = {keyword.arg: keyword.value for keyword in node.keywords}
            last = given.get("advice") if node.func.id == "Problem" else (node.args or [None])[-1]
            is_refusal = node.func.id in {"SourceUnreadable", "ContractError"} and node.args
            if node.func.id == "Problem" and "found" not in given:
                continue
            empty = last is None or (isinstance(last, ast.Constant) and not last.value)
            if (node.func.id == "Problem" or is_refusal) and empty:
                name = str(module.relative_to(ROOT))
                lacking[name] = lacking.get(name, 0) + 1
    assert lacking == NOTES
