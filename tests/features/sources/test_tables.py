from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from contracts.cohort import CODE, ENROLMENT, NUMBER, ONSET, SUBJECT, TEXT, TIME
from contracts.errors import CohortInvalid, ContractError
from features.cohort import write_cohort
from features.sources.tables import import_tables

WIDE = """
name = "my clinic"
clock = "days since onset"

[[tables]]
file = "people.csv"
subject = "patient"
columns = [
    { column = "enrolled", code = "REHABCAST//ENROLMENT" },
    { column = "age", code = "REHABCAST//AGE", unit = "a" },
    { column = "sex", code = "REHABCAST//SEX", labels = { F = "female", M = "male" } },
]

[[tables]]
file = "scores.csv"
subject = "patient"
when = "day"
columns = [{ column = "FM", code = "REHABCAST//FUGL_MEYER_UE", unit = "{score}" }]
"""
PEOPLE = "patient,enrolled,age,sex,phone\n1,10,70,F,x\n2,12,,M,y\n"
SCORES = "patient,day,FM\n1,10,20\n1,94,33\n2,12,\n2,96,50\n"


def source(folder: Path, *, toml: str = WIDE, people: str = PEOPLE, scores: str = SCORES) -> Path:
    (folder / "map.toml").write_text(toml, "utf-8")
    (folder / "people.csv").write_text(people, "utf-8")
    (folder / "scores.csv").write_text(scores, "utf-8")
    return folder / "map.toml"


def test_wide_tables_on_a_day_clock_become_a_cohort(tmp_path: Path) -> None:
    events, provenance = import_tables(source(tmp_path))
    cohort = write_cohort(events, provenance, tmp_path / "cohort")
    events = cohort.events[cohort.events[SUBJECT] == 2].set_index(CODE)
    assert (events.loc[ENROLMENT, TIME] - events.loc[ONSET, TIME]).days == 12
    assert events.loc["REHABCAST//SEX", TEXT] == "male"
    assert events.loc["REHABCAST//FUGL_MEYER_UE", NUMBER] == 50
    assert "REHABCAST//AGE" not in events.index
    assert [(rule.rule, rule.rows) for rule in provenance.rules] == [
        ("column not in the map: left out", 1)
    ]


def test_a_long_parquet_table_on_timestamps_becomes_a_cohort(tmp_path: Path) -> None:
    pd.DataFrame(
        {
            "id": [5] * 4,
            "at": ["2024-01-01", "2024-01-09", "2024-01-09", "2024-04-02"],
            "what": ["onset", "enrolled", "FM", "FM"],
            "value": ["2024-01-01", "2024-01-09", "12", "40"],
        }
    ).to_parquet(tmp_path / "long.parquet")
    (tmp_path / "map.toml").write_text(
        """
name = "long"
clock = "timestamps"
[[tables]]
file = "long.parquet"
subject = "id"
when = "at"
names_in = "what"
values_in = "value"
columns = [
    { column = "onset", code = "REHABCAST//ONSET" },
    { column = "enrolled", code = "REHABCAST//ENROLMENT" },
    { column = "FM", code = "REHABCAST//FUGL_MEYER_UE", unit = "{score}" },
]
""",
        "utf-8",
    )
    events, provenance = import_tables(tmp_path / "map.toml")
    cohort = write_cohort(events, provenance, tmp_path / "cohort")
    assert cohort.events[CODE].tolist() == [
        "REHABCAST//ONSET",
        "REHABCAST//ENROLMENT",
        "REHABCAST//FUGL_MEYER_UE",
        "REHABCAST//FUGL_MEYER_UE",
    ]


@pytest.mark.parametrize(
    ("broken", "location", "message"),
    [
        (
            {"scores": SCORES.replace("33", "thirty")},
            ("scores.csv", 3, "FM"),
            "a number is expected",
        ),
        (
            {"scores": SCORES.replace("33", "99")},
            ("map.toml", 3, "REHABCAST//FUGL_MEYER_UE"),
            "expected 0 to 66",
        ),
        ({"scores": SCORES.replace("1,94", "1,soon")}, ("scores.csv", 3, "day"), "whole number"),
        ({"people": PEOPLE.replace("1,10", "A,10")}, ("people.csv", 2, "patient"), "whole number"),
        ({"people": PEOPLE.replace("F", "X")}, ("people.csv", 2, "sex"), "map's labels"),
        ({"people": PEOPLE.replace("age", "years")}, ("people.csv", 1, "age"), "no such column"),
        ({"toml": WIDE.replace('unit = "a"', 'unit = "mo"')}, ("people.csv", None, "age"), "'a'"),
        (
            {"toml": WIDE.replace("REHABCAST//AGE", "REHABCAST//AGES")},
            ("people.csv", None, "age"),
            "not in the vocabulary",
        ),
        (
            {"toml": WIDE.replace("people.csv", "none.csv")},
            ("none.csv", None, "*"),
            "check the path",
        ),
    ],
)
def test_each_mistake_is_reported_with_its_place(
    tmp_path: Path, broken: dict[str, str], location: tuple[str, int | None, str], message: str
) -> None:
    with pytest.raises(CohortInvalid) as caught:
        import_tables(source(tmp_path, **broken))
    (problem,) = caught.value.problems
    assert (problem.file, problem.row, problem.field) == location
    assert message in problem.message


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        (WIDE.replace("clock", "watch", 1), "not a column map"),
        (
            WIDE.replace('subject = "patient"', 'subject = "patient"\nnames_in = "x"', 1),
            "give both",
        ),
        ("name = ", "not a column map"),
    ],
)
def test_a_broken_map_is_refused(tmp_path: Path, toml: str, message: str) -> None:
    with pytest.raises(ContractError, match=message):
        import_tables(source(tmp_path, toml=toml))
