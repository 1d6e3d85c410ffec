"""Tables of values through a column map: what is declared is read, what is wrong is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.cohort import CODE, ENROLMENT, NUMBER, ONSET, SUBJECT, TEXT, TIME
from contracts.errors import CohortInvalid, ContractError
from features.importing import Imported, import_source
from features.sources.tables import collect_tables

FM, WALK, STEPS = "REHABCAST//FUGL_MEYER_UE", "REHABCAST//SIX_MINUTE_WALK", "LOINC//41950-7"
AGE, SEX = "REHABCAST//AGE", "REHABCAST//SEX"

DAYS = """
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
columns = [
    { column = "FM", code = "REHABCAST//FUGL_MEYER_UE", unit = "{score}" },
    { column = "W6", code = "REHABCAST//SIX_MINUTE_WALK", unit = "m" },
    { column = "st", code = "LOINC//41950-7", unit = "/d" },
]
"""
DATES = DAYS.replace('"days since onset"', '"timestamps"').replace(
    "columns = [\n", 'columns = [\n    { column = "onset", code = "REHABCAST//ONSET" },\n', 1
)
PEOPLE = "patient,enrolled,age,sex,phone\n1,10,70,F,x\n2,12,,M,y\n"
SCORES = "patient,day,FM,W6,st\n1,10,20,250,5000\n1,94,33,,6000\n2,12,,310,\n2,96,50,,\n"
DATED_PEOPLE = "patient,onset,enrolled,age,sex\n1,2024-03-01,2024-03-05,70,F\n"
DATED_SCORES = "patient,day,FM,W6,st\n1,2024-03-05,20,250,5000\n1,2024-06-01,33,,6000\n"


def source(
    folder: Path,
    *,
    toml: str = DAYS,
    people: str | bytes = PEOPLE,
    scores: str | bytes = SCORES,
) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "map.toml").write_text(toml, "utf-8")
    for name, content in (("people", people), ("scores", scores)):
        content = content.encode() if isinstance(content, str) else content
        (folder / f"{name}.csv").write_bytes(content)
    return folder / "map.toml"


def done(folder: Path, **changed: Any) -> Imported:
    folder.mkdir(exist_ok=True)
    return import_source(source(folder / "source", **changed), folder / "cohort")


def dated(folder: Path, **changed: Any) -> Imported:
    return done(folder, **{"toml": DATES, "people": DATED_PEOPLE, "scores": DATED_SCORES} | changed)


def values(imported: Imported, code: str) -> dict[tuple[int, str], float]:
    rows = imported.cohort.events[imported.cohort.events[CODE] == code]
    return {
        (subject, "" if pd.isna(time) else f"{time:%m-%d}"): number
        for subject, time, number in rows[[SUBJECT, TIME, NUMBER]].itertuples(index=False)
    }


def places(imported: Imported) -> list[tuple[str, int | None, str]]:
    return [(problem.file, problem.row, problem.field) for problem in imported.dropped]


def test_wide_tables_on_a_day_clock_become_a_cohort(tmp_path: Path) -> None:
    imported = done(tmp_path)
    cohort = imported.cohort
    events = cohort.events[cohort.events[SUBJECT] == 2].set_index(CODE)
    assert (events.loc[ENROLMENT, TIME] - events.loc[ONSET, TIME]).days == 12
    assert events.loc[SEX, TEXT] == "male"
    assert events.loc[FM, NUMBER] == 50
    assert AGE not in events.index
    assert cohort.provenance.name == "my clinic"
    assert [(rule.rule, rule.rows) for rule in cohort.provenance.rules] == [
        ("column or name not in the map: left out", 1)
    ]
    assert not imported.dropped


LONG = """
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
"""


def long(folder: Path, names: list[str], cells: list[str | None]) -> Path:
    at = ["2024-01-01", "2024-01-09", "2024-01-09", "2024-04-02"][: len(names)]
    pd.DataFrame({"id": 5, "at": at, "what": names, "value": cells}).to_parquet(
        folder / "long.parquet"
    )
    (folder / "map.toml").write_text(LONG, "utf-8")
    return folder / "map.toml"


def test_a_long_parquet_table_on_timestamps_becomes_a_cohort(tmp_path: Path) -> None:
    names, cells = ["onset", "enrolled", "FM", "FM"], ["2024-01-01", "2024-01-09", "12", "40"]
    imported = import_source(long(tmp_path, names, cells), tmp_path / "cohort")
    assert imported.cohort.events[CODE].tolist() == [ONSET, ENROLMENT, FM, FM]


@pytest.mark.parametrize(
    ("names", "cells"),
    [([], []), (["other"], ["3"]), (["FM", "FM"], [None, None]), (["onset"], [""])],
)
def test_a_long_table_with_nothing_that_the_map_names_is_refused_in_words(
    tmp_path: Path, names: list[str], cells: list[str | None]
) -> None:
    with pytest.raises(CohortInvalid, match="nothing that a cohort can use"):
        import_source(long(tmp_path, names, cells), tmp_path / "cohort")


@pytest.mark.parametrize(
    ("broken", "place", "message", "lost"),
    [
        ({"scores": SCORES.replace("33", "thirty")}, ("scores.csv", 3, "FM"), "'thirty' where a", FM),
        ({"scores": SCORES.replace("33", "67")}, ("scores.csv", 3, "FM"), "from 0 to 66", FM),
        ({"scores": SCORES.replace("33", "-8")}, ("scores.csv", 3, "FM"), "'-8' (1)", FM),
        ({"scores": SCORES.replace("33", "k.A.")}, ("scores.csv", 3, "FM"), "'k.A.' (1)", FM),
        ({"scores": SCORES.replace("310", "999")}, ("scores.csv", 4, "W6"), "'999' (1)", WALK),
        ({"scores": SCORES.replace("1,94", "1,soon")}, ("scores.csv", 3, "day"), "whole number", FM),
        ({"scores": SCORES.replace("1,94", "1,9.5")}, ("scores.csv", 3, "day"), "whole number", FM),
        ({"scores": SCORES.replace("1,94", "1,-3")}, ("scores.csv", 3, "day"), "before the onset", FM),
        ({"scores": SCORES.replace("1,94", "1,")}, ("scores.csv", 3, "day"), "no date", FM),
        ({"scores": SCORES.replace("1,94", ",94")}, ("scores.csv", 3, "patient"), "no subject", FM),
        ({"scores": SCORES.replace("1,94", "Mean,94")}, ("scores.csv", 3, "patient"), "sums up", FM),
        ({"people": PEOPLE.replace("70", "7O")}, ("people.csv", 2, "age"), "'7O'", AGE),
        ({"people": PEOPLE.replace("F", "X")}, ("people.csv", 2, "sex"), "one of F, M", SEX),
        ({"people": PEOPLE.replace("F", "NA")}, ("people.csv", 2, "sex"), "'NA' (1)", SEX),
    ],
)  # fmt: skip
def test_a_wrong_row_is_left_out_and_named_with_its_place(
    tmp_path: Path,
    broken: dict[str, str],
    place: tuple[str, int, str],
    message: str,
    lost: str,
) -> None:
    sound = done(tmp_path / "sound")
    imported = done(tmp_path / "broken", **broken)
    (problem,) = [p for p in imported.dropped if (p.file, p.row, p.field) == place]
    assert message in problem.message
    before, after = (len(i.cohort.events[i.cohort.events[CODE] == lost]) for i in (sound, imported))
    assert after == before - 1
    others = sound.cohort.events[CODE].nunique()
    assert imported.cohort.events[CODE].nunique() >= others - 1


@pytest.mark.parametrize(
    ("broken", "place", "message"),
    [
        ({"people": PEOPLE.replace("age", "years")}, ("people.csv", 1, "age"), "no column age"),
        ({"toml": DAYS.replace('unit = "a"', 'unit = "kg"')}, ("people.csv", None, "age"), "'a'"),
        ({"toml": DAYS.replace("//AGE", "//AGES")}, ("people.csv", None, "age"), "not in the vocab"),
        ({"toml": DAYS.replace('"female"', '"woman"')}, ("people.csv", None, "sex"), "'woman'"),
        ({"toml": DAYS.replace('when = "day"\n', "")}, ("scores.csv", None, "FM"), "`when`"),
        ({"toml": DAYS.replace("people.csv", "none.csv")}, ("none.csv", None, "*"), "check path"),
        ({"people": PEOPLE.replace("F", "1").replace("M", "2")}, ("people.csv", 2, "sex"), "none of"),
        ({"scores": SCORES.replace("250", '"250,5"').replace("310", '"310,5"')},
         ("scores.csv", 2, "W6"), 'decimal = ","'),
        ({"scores": SCORES.replace("250", "25000").replace("310", "31000")},
         ("scores.csv", 2, "W6"), "check the column and its unit"),
        ({"scores": SCORES.replace("1,10,", "1,2024-03-05,")}, ("scores.csv", 2, "day"), "is a date"),
        ({"scores": "patient,day,FM,FM,W6,st\n1,10,1,2,3,4\n"}, ("scores.csv", None, "row 1"), "FM"),
        ({"scores": ""}, ("scores.csv", None, "*"), "empty"),
    ],
)  # fmt: skip
def test_a_fault_of_a_column_or_a_file_refuses_the_import(
    tmp_path: Path,
    broken: dict[str, str],
    place: tuple[str, int | None, str],
    message: str,
) -> None:
    with pytest.raises(CohortInvalid) as caught:
        done(tmp_path, **broken)
    problem = next(p for p in caught.value.problems if (p.file, p.row, p.field) == place)
    assert message in problem.message
    assert not (tmp_path / "cohort").exists()


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        (DAYS.replace("clock", "watch", 1), "clock is missing; watch is not a key here"),
        (DAYS.replace('subject = "patient"', 'subject = "patient"\nnames_in = "x"', 1), "give both"),
        (DAYS.replace('"my clinic"', '""'), "name is empty"),
        (DAYS.replace("[[tables]]", 'time_zone = "Oslo"\n[[tables]]', 1), "not an IANA time zone"),
        (DAYS.replace("[[tables]]", 'date_format = "day"\n[[tables]]', 1), "not a form of dates"),
        ("name = ", "not a column map"),
    ],
)  # fmt: skip
def test_a_broken_map_is_refused_in_words(tmp_path: Path, toml: str, message: str) -> None:
    with pytest.raises(ContractError) as caught:
        done(tmp_path, toml=toml)
    assert message in caught.value.reason


def test_identifiers_are_text(tmp_path: Path) -> None:
    labels = ["01", "1", "12E4", "a b", "9007199254740993"]
    people = "patient,enrolled,age,sex\n" + "".join(f"{label},1,70,F\n" for label in labels)
    scores = "patient,day,FM,W6,st\n" + "".join(
        f"{label},5,{n},,\n" for n, label in enumerate(labels)
    )
    imported = done(tmp_path, people=people, scores=scores)
    report = json.loads((tmp_path / "cohort" / "metadata" / "import.json").read_text())
    score = values(imported, FM)
    assert {report["subjects"][str(subject)]: n for (subject, _), n in score.items()} == {
        label: n for n, label in enumerate(labels)
    }


def test_one_identifier_with_blanks_around_it_is_one_person_and_said(tmp_path: Path) -> None:
    imported = done(tmp_path, scores=SCORES.replace("\n2,12", '\n" 2",12'))
    assert imported.cohort.events[SUBJECT].nunique() == 2
    assert any("blanks around it" in problem.found for problem in imported.dropped)


def test_somebody_without_anything_dated_is_named_and_is_nobody_of_the_cohort(
    tmp_path: Path,
) -> None:
    imported = done(tmp_path, people=PEOPLE + "3,,50,F,\n4,20,51,M,\n")
    assert imported.cohort.events[SUBJECT].unique().tolist() == [1, 2, 4]
    found = [problem.found for problem in imported.dropped]
    assert any("'3' (people.csv row 4)" in words and "left out" in words for words in found)
    assert any("'4' (people.csv row 5)" in words for words in found)


def test_declared_codes_are_missing_and_an_empty_list_keeps_them(tmp_path: Path) -> None:
    scores = SCORES.replace("250", "999").replace("33", "NA")
    declared = DAYS.replace("clock", 'missing = [999, "NA"]\nclock', 1)
    imported = done(tmp_path / "a", toml=declared, scores=scores)
    assert values(imported, WALK) == {(2, "01-13"): 310}
    assert not imported.dropped
    kept = DAYS.replace('unit = "m"', 'unit = "m", missing = []')
    imported = done(tmp_path / "b", toml=kept, scores=scores)
    assert values(imported, WALK) == {(1, "01-11"): 999, (2, "01-13"): 310}


def test_a_table_is_read_in_its_declared_form(tmp_path: Path) -> None:
    form = 'separator = ";"\nencoding = "latin-1"\ndecimal = ","\nthousands = "."\n'
    toml = DATES.replace("clock", f'{form}date_format = "DD.MM.YYYY"\nclock', 1)
    people = "patient;onset;enrolled;age;sex\nJosé;01.03.2024;5.3.2024;70,5;F\n"
    scores = "patient;day;FM;W6;st\nJosé;05.03.2024;20;250,5;5.000\n"
    imported = done(
        tmp_path, toml=toml, people=people.encode("latin-1"), scores=scores.encode("latin-1")
    )
    assert values(imported, WALK) == {(1, "03-05"): 250.5}
    assert values(imported, STEPS) == {(1, "03-05"): 5000}
    assert list(values(imported, ENROLMENT)) == [(1, "03-05")]


@pytest.mark.parametrize(
    ("time", "zone", "day"),
    [
        ("2024-06-01T00:30:00+02:00", "", "06-01"),
        ("2024-06-01T23:30:00-05:00", "", "06-01"),
        ("2024-05-31T22:30:00Z", "", "05-31"),
        ("2024-05-31T22:30:00Z", "Europe/Oslo", "06-01"),
        ("2024-06-01 00:30", "", "06-01"),
    ],
)
def test_a_time_keeps_its_wall_clock(tmp_path: Path, time: str, zone: str, day: str) -> None:
    toml = DATES.replace("clock", f'time_zone = "{zone}"\nclock', 1)
    imported = dated(tmp_path, toml=toml, scores=DATED_SCORES.replace("2024-06-01", time))
    assert (1, day) in values(imported, FM)
    in_utc = [problem for problem in imported.dropped if "UTC" in problem.found]
    assert bool(in_utc) == (time.endswith("Z") and not zone)


@pytest.mark.parametrize(
    ("changed", "place"),
    [
        ({"people": DATED_PEOPLE.replace("2024-03-01", "01/03/2024")}, ("people.csv", 2, "onset")),
        ({"scores": DATED_SCORES.replace("2024-06-01", "1.6.2024")}, ("scores.csv", 3, "day")),
        ({"toml": DATES.replace("clock", 'date_format = "DD.MM.YYYY"\nclock', 1),
          "people": DATED_PEOPLE.replace("2024-03-01", "01.03.2024")}, ("people.csv", 2, "enrolled")),
    ],
)  # fmt: skip
def test_an_undeclared_order_of_day_and_month_refuses_the_column(
    tmp_path: Path, changed: dict[str, str], place: tuple[str, int, str]
) -> None:
    with pytest.raises(CohortInvalid) as caught:
        dated(tmp_path, **changed)
    assert place in [(p.file, p.row, p.field) for p in caught.value.problems]


def test_a_date_without_a_day_is_no_date(tmp_path: Path) -> None:
    imported = dated(
        tmp_path,
        people=DATED_PEOPLE.replace("2024-03-01", "2024"),
        scores=DATED_SCORES.replace("2024-06-01", "2024-06"),
    )
    assert {("people.csv", 2, "onset"), ("scores.csv", 3, "day")} <= set(places(imported))
    assert list(values(imported, ONSET)) == [(1, "03-05")]
    assert list(values(imported, FM)) == [(1, "03-05")]


def test_impossible_dates_are_left_out_unless_the_map_says_that_they_were_shifted(
    tmp_path: Path,
) -> None:
    for folder, toml in (
        ("a", DATES),
        ("b", DATES.replace("clock", "dates_shifted = true\nclock", 1)),
    ):
        imported = dated(
            tmp_path / folder, toml=toml, scores=DATED_SCORES.replace("2024-06-01", "2160-06-01")
        )
        assert ((1, "06-01") in values(imported, FM)) == (folder == "b")
        assert (("scores.csv", 3, FM) in places(imported)) == (folder == "a")


@pytest.mark.parametrize(
    ("day", "clock", "refused"),
    [
        (pd.to_datetime(["2024-03-05", "2024-06-01"]).tz_localize("Europe/Oslo"), DATES, False),
        (pd.to_datetime(["2024-03-05", "2024-06-01"]).date, DATES, False),
        (pd.to_datetime(["2024-03-05", "2024-06-01"]), DAYS, True),
        (pd.to_timedelta([4, 92], unit="D"), DAYS, False),
        (pd.to_timedelta([100, 101], unit="h"), DAYS, True),
        ([4, 92], DATES, True),
        ([4.0, 92.0], DAYS, False),
    ],
)
def test_days_of_a_parquet_table_are_dates_or_days_as_declared(
    tmp_path: Path, day: Any, clock: str, refused: bool
) -> None:
    people = DATED_PEOPLE if clock is DATES else PEOPLE
    file = source(
        tmp_path / "source", toml=clock.replace("scores.csv", "scores.parquet"), people=people
    )
    table = pd.DataFrame({"patient": [1, 1], "FM": [20, 33], "W6": 200.0, "st": [None, 5]})
    table.assign(day=day).to_parquet(file.parent / "scores.parquet")
    if refused:
        with pytest.raises(CohortInvalid, match=r"scores.parquet, row 2, day"):
            import_source(file, tmp_path / "cohort")
        return
    imported = import_source(file, tmp_path / "cohort")
    expected = ["03-05", "06-01"] if clock is DATES else ["01-05", "04-02"]
    assert [day for _, day in values(imported, FM)] == expected


@pytest.mark.parametrize("scores", ["patient,day,FM,W6,st\n", "patient,day,FM,W6,st\n1,10,,,\n"])
def test_a_table_without_any_value_is_no_traceback(tmp_path: Path, scores: str) -> None:
    imported = done(tmp_path, scores=scores)
    assert values(imported, FM) == {}
    assert any("no value that can be used" in problem.found for problem in imported.dropped)


def test_different_values_of_one_day_are_left_out_and_equal_ones_count_once(
    tmp_path: Path,
) -> None:
    imported = done(tmp_path, scores=SCORES + "1,10,21,250,5001\n2,12,,310,\n")
    assert (1, "01-11") not in values(imported, FM)
    assert (1, "01-11") not in values(imported, STEPS)
    assert values(imported, WALK) == {(1, "01-11"): 250, (2, "01-13"): 310}
    assert {("scores.csv", 2, FM), ("scores.csv", 2, STEPS)} <= set(places(imported))


@given(data=st.data())
@settings(
    deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_the_order_and_the_repetition_of_rows_and_tables_change_nothing(
    tmp_path: Path, data: st.DataObject
) -> None:
    lines = [*SCORES.splitlines()[1:], "1,10,21,,", "2,30,9,,x", "3,40,5,120,900"]
    shuffled = data.draw(st.permutations(lines))
    again = data.draw(st.lists(st.sampled_from(lines)))
    header, first, second = DAYS.partition("[[tables]]")
    people, between, scores = second.rpartition("[[tables]]")
    turned = "".join([header, first, scores, between, people])
    twice = data.draw(st.booleans())

    def collected(toml: str, rows: list[str]) -> list[str]:
        text = "\n".join(["patient,day,FM,W6,st", *rows]) + "\n"
        found = collect_tables(source(tmp_path / "source", toml=toml, scores=text))
        records = pd.concat(found.collected.records).drop(columns="place")
        return sorted({str(row) for row in records.itertuples(index=False, name=None)})

    toml = turned + (between + scores if twice else "")
    assert collected(toml, [*shuffled, *again]) == collected(DAYS, lines)
