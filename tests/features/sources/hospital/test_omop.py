"""OMOP exports: what a concept says is read, whatever else is there is counted, nothing is guessed."""

from __future__ import annotations

import gzip
import json
import random
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.cohort import CODE, NUMBER, ONSET, SUBJECT, TEXT, TIME
from contracts.errors import CohortInvalid, ContractError
from features.importing import Imported, grow_cohort, import_source
from tests.hospital_exports import (
    FM,
    OMOP_IDS,
    OMOP_MAP,
    STEPS,
    UNITS,
    WALK,
    Person,
    Rows,
    Value,
    concept_rows,
    fhir_resources,
    omop_tables,
    write_fhir,
    write_omop,
    write_tables,
)

FEW = settings(max_examples=4, deadline=None)
AGE, SEX, RACE = "REHABCAST//AGE", "REHABCAST//SEX", "REHABCAST//RACE"
ETHNICITY, THERAPY = "REHABCAST//ETHNICITY", "REHABCAST//THERAPY"
SYSTOLIC, APPENDECTOMY = 2_000_000_004, 2_000_000_031

PEOPLE = (
    Person("007", "female", "1950-02-03", "2024-03-01", "2024-03-06"),
    Person("B 2", "male", "1961-12-31", "2024-03-04", "2024-03-08"),
)
VALUES = (
    Value("007", "2024-03-06", FM, 20),
    Value("007", "2024-06-06 10:30:00", FM, 40),
    Value("007", "2024-03-09", STEPS, 3000),
    Value("B 2", "2024-03-09", STEPS, 4000),
    Value("B 2", "2024-03-10", WALK, 250),
)
Tables = dict[str, Rows]


@pytest.fixture
def imported(tmp_path: Path) -> Callable[..., Imported]:
    """Imports the people above, with what a test changes of their tables or map."""

    def run(change: Callable[[Tables], None] | None = None, toml: str = OMOP_MAP) -> Imported:
        tables = omop_tables(PEOPLE, VALUES)
        if change is not None:
            change(tables)
        plan = write_omop(tmp_path / "export", tables, toml=toml)
        return import_source(tmp_path / "export", tmp_path / "cohort", map_file=plan)

    return run


def held(done: Imported) -> set[tuple[Any, ...]]:
    """Return what a cohort holds, people by their identifiers in the source."""
    labels = done.cohort.labels
    rows = done.cohort.events[[SUBJECT, TIME, CODE, NUMBER, TEXT]].itertuples(index=False)
    return {
        (labels[who], str(time), str(code), f"{number:.4f}", str(text))
        for who, time, code, number, text in rows
    }


def of(done: Imported, code: str) -> list[Any]:
    """Return the values of a code, in order."""
    rows = done.cohort.events[done.cohort.events[CODE] == code]
    return [text if pd.isna(n) else n for n, text in rows[[NUMBER, TEXT]].itertuples(index=False)]


def measured(tables: Tables, **changed: Any) -> None:
    """Add a measurement like the first with something else in it."""
    rows = tables["measurement"]
    rows.append({**rows[0], "measurement_id": 1 + len(rows), **changed})


def said(done: Imported, words: str) -> Any:
    """Return the one problem with these words."""
    (problem,) = [each for each in done.dropped if words in each.found]
    return problem


def test_an_export_is_recognised_and_its_people_are_read(
    imported: Callable[..., Imported],
) -> None:
    done = imported()
    assert done.cohort.provenance.simulated
    assert set(done.cohort.labels.values()) == {"007", "B 2"}
    assert of(done, FM) == [20, 40]
    assert sorted(of(done, STEPS)) == [3000, 4000]
    assert sorted(of(done, AGE)) == [62, 74]
    assert sorted(of(done, SEX)) == ["female", "male"]
    times = done.cohort.events[done.cohort.events[CODE] == FM][TIME]
    assert [str(time) for time in times] == ["2024-03-06 00:00:00", "2024-06-06 10:30:00"]
    assert not done.dropped


def test_loinc_codes_are_known_without_a_map(tmp_path: Path) -> None:
    write_omop(tmp_path / "export", omop_tables(PEOPLE, VALUES))
    done = import_source(tmp_path / "export", tmp_path / "cohort")
    assert sorted(of(done, STEPS)) == [3000, 4000]
    assert of(done, FM) == []
    assert set(done.cohort.labels.values()) == {"1", "2"}
    assert said(done, "Fugl-Meyer, our code").count == 2


def test_other_concepts_are_counted_and_listed(imported: Callable[..., Imported]) -> None:
    def change(tables: Tables) -> None:
        for _ in range(3):
            measured(tables, measurement_concept_id=SYSTOLIC)
        measured(tables, measurement_concept_id=0, measurement_source_value="FMA-LE")
        measured(tables, measurement_concept_id=0, measurement_source_value="Mrs Doe fell today")

    done = imported(change)
    systolic = said(done, "Systolic blood pressure, LOINC 8480-6")
    assert (systolic.count, systolic.row) == (3, 7)
    assert said(done, "source value 'FMA-LE'").count == 1
    assert said(done, "source value (not shown)").count == 1
    assert "Doe" not in repr(done.dropped)
    assert not any(each.advice for each in done.dropped)


def test_ignored_concepts_are_not_listed(imported: Callable[..., Imported]) -> None:
    toml = OMOP_MAP.replace("[[concepts]]", f"ignored = [{SYSTOLIC}]\n[[concepts]]", 1)
    done = imported(lambda tables: measured(tables, measurement_concept_id=SYSTOLIC), toml)
    assert not done.dropped


def test_a_local_code_is_named_by_its_source_value(imported: Callable[..., Imported]) -> None:
    toml = OMOP_MAP + f'[[concepts]]\nsource_value = "FMA2"\ncode = "{FM}"\n'
    done = imported(
        lambda tables: measured(
            tables, measurement_concept_id=0, measurement_source_value="FMA2",
            measurement_date="2024-03-20", value_as_number=27,
        ),
        toml,
    )  # fmt: skip
    assert of(done, FM) == [20, 27, 40]


@pytest.mark.parametrize(
    ("unit", "value"),
    [
        ({"unit_concept_id": 2_000_000_021}, 300.0),
        ({"unit_concept_id": 0, "unit_source_value": "m"}, 0.3),
        ({"unit_concept_id": 0, "unit_source_value": "mtr"}, 0.3),
        ({"unit_concept_id": 4242, "unit_source_value": "m"}, None),
        ({"unit_concept_id": 0, "unit_source_value": "feet"}, None),
        ({"unit_concept_id": 0}, None),
        ({"unit_concept_id": 2_000_000_022}, None),
    ],
)
def test_a_unit_is_known_or_the_value_is_left_out(
    imported: Callable[..., Imported], unit: dict[str, Any], value: float | None
) -> None:
    toml = OMOP_MAP.replace("[[concepts]]", '[units]\nmtr = "m"\n[[concepts]]', 1)
    done = imported(
        lambda tables: measured(
            tables, measurement_concept_id=OMOP_IDS[WALK], person_id=1, value_as_number=0.3,
            measurement_date="2024-03-20", **unit,
        ),
        toml,
    )  # fmt: skip
    got = done.cohort.events[done.cohort.events[TIME] == pd.Timestamp("2024-03-20")]
    assert got[NUMBER].tolist() == ([] if value is None else [pytest.approx(value, rel=1e-6)])
    assert bool(done.dropped) == (value is None)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"operator_concept_id": 4171756}, "the operator '4171756' is a bound"),
        ({"value_as_number": 999}, "looks like a missing value"),
        ({"value_as_number": 67.0}, "where a number from 0 to 66"),
        ({"person_id": 3}, "'3' is nobody of the person table"),
        ({"measurement_datetime": "2024-03-21 01:00:00"}, "is of another day than"),
    ],
)
def test_what_is_no_measurement_is_left_out_and_named(
    imported: Callable[..., Imported], changed: dict[str, Any], words: str
) -> None:
    row = {"value_as_number": 30, "measurement_date": "2024-03-20", **changed}
    done = imported(lambda tables: measured(tables, **row))
    assert of(done, FM) == [20, 40]
    assert said(done, words).file == "measurement.csv"


def test_dates_in_another_order_refuse_the_export(imported: Callable[..., Imported]) -> None:
    with pytest.raises(CohortInvalid, match="is a date in an order of day, month and year"):
        imported(lambda tables: measured(tables, measurement_date="20.03.2024"))


def test_one_key_with_two_contents_is_left_out_in_any_file(tmp_path: Path) -> None:
    tables = omop_tables(PEOPLE, VALUES)
    plan = write_omop(tmp_path / "export", tables)
    again = pd.DataFrame([{**tables["measurement"][0], "value_as_number": 21}])
    again.to_csv(tmp_path / "export" / "measurement_2.csv", index=False)
    done = import_source(tmp_path / "export", tmp_path / "cohort", map_file=plan)
    assert of(done, FM) == [40]
    both = [each for each in done.dropped if "several times with different content" in each.found]
    assert {each.file for each in both} == {"measurement.csv", "measurement_2.csv"}


def test_an_identifier_of_two_people_refuses_the_export(
    imported: Callable[..., Imported],
) -> None:
    def change(tables: Tables) -> None:
        tables["person"][1]["person_source_value"] = "007"

    with pytest.raises(CohortInvalid, match="of several person_id"):
        imported(change)


def test_only_the_condition_of_the_map_is_the_onset(imported: Callable[..., Imported]) -> None:
    def change(tables: Tables) -> None:
        first = tables["condition_occurrence"][0]
        tables["condition_occurrence"] += [
            {**first, "condition_occurrence_id": 7, "condition_concept_id": 2_000_000_011,
             "condition_source_concept_id": 0, "condition_start_date": "2020-01-01"},
        ]  # fmt: skip

    done = imported(change)
    onsets = done.cohort.events[done.cohort.events[CODE] == ONSET][TIME]
    assert sorted(f"{time:%m-%d}" for time in onsets) == ["03-01", "03-04"]
    assert "Fracture of forearm" in said(done, "gives no onset").found


def test_a_map_may_name_another_onset_and_doubtful_diagnoses(
    imported: Callable[..., Imported],
) -> None:
    toml = OMOP_MAP + '[onset]\ncondition = "fracture"\nconcepts = [2000000011]\n'
    toml += "excluded_status = [5]\n"

    def change(tables: Tables) -> None:
        for row in tables["condition_occurrence"]:
            row |= {"condition_concept_id": 2_000_000_011, "condition_source_concept_id": 0}
        tables["condition_occurrence"][1]["condition_status_concept_id"] = 5

    done = imported(change, toml)
    onsets = done.cohort.events[done.cohort.events[CODE] == ONSET]
    assert said(done, "fracture with the status concept 5 gives no onset").count == 1
    assert pd.Timestamp("2024-03-01") in onsets[TIME].tolist()


def test_race_ethnicity_and_births_are_as_they_are_stated(
    imported: Callable[..., Imported],
) -> None:
    def change(tables: Tables) -> None:
        tables["person"][0] |= {"race_concept_id": 8516, "ethnicity_concept_id": 38003564}
        tables["person"][1] |= {"ethnicity_concept_id": 38003563, "gender_concept_id": 8551,
                                "month_of_birth": None, "day_of_birth": None}  # fmt: skip

    done = imported(change)
    assert of(done, RACE) == ["Black or African American"]
    assert sorted(of(done, ETHNICITY)) == ["Hispanic", "non-Hispanic Black"]
    assert of(done, SEX) == ["female"]
    assert of(done, AGE) == [74]
    assert said(done, "only the year of birth").advice


def test_a_birthday_stands_only_where_the_map_declares_it(
    imported: Callable[..., Imported],
) -> None:
    def change(tables: Tables) -> None:
        tables["person"][0] |= {"month_of_birth": None, "day_of_birth": None}

    done = imported(change, OMOP_MAP.replace("simulated", 'birthday = "07-01"\nsimulated', 1))
    assert sorted(of(done, AGE)) == [62, 73]


def test_nothing_counts_after_death(tmp_path: Path) -> None:
    people = [PEOPLE[0]._replace(died="2024-04-01"), PEOPLE[1]]
    plan = write_omop(tmp_path / "export", omop_tables(people, VALUES))
    done = import_source(tmp_path / "export", tmp_path / "cohort", map_file=plan)
    assert of(done, FM) == [20]


def test_therapy_lasts_from_its_start_to_its_end(imported: Callable[..., Imported]) -> None:
    def change(tables: Tables) -> None:
        session = {
            "procedure_occurrence_id": 1, "person_id": 1, "procedure_concept_id": 2_000_000_030,
            "procedure_date": "2024-03-07", "procedure_datetime": "2024-03-07 09:00:00",
            "procedure_end_date": "2024-03-07", "procedure_end_datetime": "2024-03-07 09:45:00",
            "procedure_type_concept_id": 32817, "procedure_source_concept_id": 0,
        }  # fmt: skip
        tables["procedure_occurrence"] = [
            session,
            {**session, "procedure_occurrence_id": 2, "procedure_end_datetime": None},
            {**session, "procedure_occurrence_id": 3, "procedure_concept_id": APPENDECTOMY},
        ]

    done = imported(change)
    assert of(done, THERAPY) == [45]
    assert said(done, "how long it took is not known").row == 3
    assert "Appendectomy" in said(done, "is no therapy").found


def test_observations_give_labels_that_the_map_names(imported: Callable[..., Imported]) -> None:
    toml = OMOP_MAP + (
        '[[concepts]]\nconcept = 55\ncode = "REHABCAST//APHASIA"\n'
        'labels = { "4188539" = "yes", "nein" = "no" }\n'
    )

    def change(tables: Tables) -> None:
        row = {
            "observation_id": 1, "person_id": 1, "observation_concept_id": 55,
            "observation_date": "2024-03-06", "observation_type_concept_id": 32817,
            "value_as_string": None, "value_as_concept_id": 4188539,
        }  # fmt: skip
        other = {"observation_id": 2, "person_id": 2, "value_as_string": "nein",
                 "value_as_concept_id": 0}  # fmt: skip
        tables["observation"] = [row, {**row, **other}]

    assert sorted(of(imported(change, toml), "REHABCAST//APHASIA")) == ["no", "yes"]


def test_a_score_with_a_qualifier_may_be_of_the_other_side(
    imported: Callable[..., Imported],
) -> None:
    def change(tables: Tables) -> None:
        tables["observation"] = [
            {
                "observation_id": 1, "person_id": 1, "observation_concept_id": OMOP_IDS[FM],
                "observation_date": "2024-03-20", "value_as_number": 30,
                "qualifier_concept_id": 4300877, "value_as_concept_id": 0,
            }
        ]  # fmt: skip

    done = imported(change)
    assert of(done, FM) == [20, 40]
    assert said(done, "which may be a side").advice


def test_two_texts_that_are_not_shown_are_two_instruments(
    imported: Callable[..., Imported],
) -> None:
    entry = '[[concepts]]\nsource_value = "{}"\ncode = "{}"\nunit = "{}"\n'
    toml = OMOP_MAP + entry.format("a score that is written in words", FM, "{score}")
    toml += entry.format("a distance that is written in words", WALK, "m")

    def change(tables: Tables) -> None:
        for text, number in (("a score", 33), ("a distance", 44)):
            measured(
                tables, measurement_concept_id=0, measurement_date="2024-03-20",
                measurement_source_value=f"{text} that is written in words",
                value_as_number=number,
            )  # fmt: skip

    done = imported(change, toml)
    assert of(done, FM) == [20, 33, 40]
    assert sorted(of(done, WALK)) == [44, 250]


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ('[[concepts]]\nconcept = 5\ncode = "REHABCAST//NOTHING"\n', "not in the vocabulary"),
        (f'[[concepts]]\nconcept = 5\ncode = "{WALK}"\nunit = "kg"\n', "kept in 'm'"),
        ('[[concepts]]\nconcept = 5\ncode = "REHABCAST//SEX"\nlabels = { a = "b" }\n', "no label"),
        ('[units]\nx = "paces"\n', "no unit of UCUM"),
    ],
)
def test_a_map_that_the_vocabulary_contradicts_is_refused(
    imported: Callable[..., Imported], toml: str, words: str
) -> None:
    with pytest.raises(CohortInvalid, match=words):
        imported(toml=OMOP_MAP + toml)


def test_two_entries_of_the_map_give_no_meaning(imported: Callable[..., Imported]) -> None:
    toml = OMOP_MAP + f'[[concepts]]\nsource_value = "x"\ncode = "{WALK}"\nunit = "m"\n'
    done = imported(toml=toml)
    assert of(done, FM) == []
    assert said(done, f"{FM} and {WALK} by several entries").count == 2


@pytest.mark.parametrize("form", ["capitals", "tabs", "gzip", "folders"])
def test_other_writings_of_the_same_export_say_the_same(tmp_path: Path, form: str) -> None:
    tables = omop_tables(PEOPLE, VALUES)
    plan = write_omop(tmp_path / "plain", tables)
    whole = held(import_source(tmp_path / "plain", tmp_path / "one", map_file=plan))
    folder = tmp_path / "export"
    folder.mkdir()
    for file in (tmp_path / "plain").iterdir():
        frame = pd.read_csv(file, dtype=str, keep_default_na=False)
        name, separator = file.stem, "\t" if form == "tabs" else ","
        if form == "capitals":
            frame, name = frame.rename(columns=str.upper), name.upper()
        text = frame.to_csv(index=False, sep=separator)
        if form == "gzip":
            (folder / f"{name}.csv.gz").write_bytes(gzip.compress(text.encode()))
        elif form == "folders" and len(frame) > 1:
            (folder / name).mkdir()
            for part in (0, 1):
                frame[part::2].to_csv(folder / name / f"part-{part}.csv", index=False)
        else:
            (folder / f"{name}.csv").write_text(text)
    assert held(import_source(folder, tmp_path / "two", map_file=plan)) == whole


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("measurement.csv", b"PK\x03\x04 x", "workbook"),
        ("measurement.parquet", b"PAR1 x", "cannot be read as Parquet"),
        ("measurement.csv", b"measurement_id,person_id\n1,1\n", "no column measurement_concept_id"),
        ("concept.csv", b"concept_id,concept_name\n1,x\n", "no column vocabulary_id"),
        ("concept.parquet", b"PAR1", "no column concept_id"),
        ("person.csv", b"person_id,person_id\n1,1\n", "same name"),
    ],
)
def test_a_damaged_table_refuses_the_export(
    tmp_path: Path, file: str, content: bytes, words: str
) -> None:
    plan = write_omop(tmp_path / "export", omop_tables(PEOPLE, VALUES))
    (tmp_path / "export" / file).write_bytes(content)
    with pytest.raises(CohortInvalid, match=words):
        import_source(tmp_path / "export", tmp_path / "cohort", format_name="omop", map_file=plan)
    assert not (tmp_path / "cohort").exists()


def test_concepts_that_contradict_each_other_refuse_the_export(tmp_path: Path) -> None:
    plan = write_omop(tmp_path / "export", omop_tables(PEOPLE, VALUES))
    other = [{**row, "concept_code": "1-8"} for row in concept_rows()]
    pd.DataFrame(other).to_csv(tmp_path / "export" / "concept_2.csv", index=False)
    with pytest.raises(CohortInvalid, match="what its rows mean is not known"):
        import_source(tmp_path / "export", tmp_path / "cohort", map_file=plan)


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ('birthday = "02-30"', "no month and day"),
        ("[[concepts]]\nconcept = 0\ncode = 'x'", "greater than 0"),
        ("[[concepts]]\ncode = 'x'", "name either concept or source_value"),
        ("[[concepts]]\nconcept = 1\ncode = 'a'\n[[concepts]]\nconcept = 1\ncode = 'b'", "twice"),
        ('time_zone = "Mars/Olympus"', "not an IANA time zone"),
        ("colour = 1", "is not a key here"),
    ],
)
def test_a_wrong_map_says_what_to_write(tmp_path: Path, toml: str, words: str) -> None:
    plan = write_omop(tmp_path / "export", omop_tables(PEOPLE, VALUES), toml=toml)
    with pytest.raises(ContractError, match=words):
        import_source(tmp_path / "export", tmp_path / "cohort", map_file=plan)


def test_a_folder_without_people_is_no_export(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="no table person"):
        import_source(tmp_path, tmp_path / "cohort", format_name="omop")


@st.composite
def records(draw: st.DrawFn) -> tuple[list[Person], list[Value]]:
    """Some people and values, at most one a person, code and day."""
    labels = draw(st.lists(st.sampled_from(["01", "1", "p-2", "x.Y"]), min_size=2, unique=True))
    people = [
        Person(label, draw(st.sampled_from(["male", "female"])),
               f"19{draw(st.integers(40, 80))}-0{draw(st.integers(1, 9))}-11",
               "2024-03-01", "2024-03-05")
        for label in labels
    ]  # fmt: skip
    cells = st.tuples(st.sampled_from(labels), st.integers(5, 28), st.sampled_from(list(UNITS)))
    where = draw(st.lists(cells, min_size=3, max_size=12, unique=True))
    times = {code: st.sampled_from(["", " 09:30:00"]) for code in (FM, WALK)}
    return people, [
        Value(label, f"2024-03-{day:02d}{draw(times.get(code, st.just('')))}", code,
              draw(st.integers(1, 60)))
        for label, day, code in where
    ]  # fmt: skip


@FEW
@given(drawn=records(), seed=st.integers(0, 99))
def test_form_order_and_split_decide_nothing(
    drawn: tuple[list[Person], list[Value]], seed: int
) -> None:
    people, values = drawn
    with tempfile.TemporaryDirectory() as temporary:
        home = Path(temporary)
        plan = write_omop(home / "a", omop_tables(people, values))
        whole = held(import_source(home / "a", home / "ca", map_file=plan))
        mixed = omop_tables(people, values)
        for rows in mixed.values():
            random.Random(seed).shuffle(rows)
        write_omop(home / "b", mixed, form="parquet")
        assert held(import_source(home / "b", home / "cb", map_file=plan)) == whole
        cut = 1 + seed % len(values)
        rest = mixed["measurement"][cut:]
        write_omop(home / "c", {**mixed, "measurement": mixed["measurement"][:cut]})
        if rest:
            pd.DataFrame(rest).to_csv(home / "c" / "measurement_0002.csv", index=False)
        assert held(import_source(home / "c", home / "cc", map_file=plan)) == whole


@FEW
@given(drawn=records())
def test_the_same_people_as_tables_and_as_fhir_give_the_same_events(
    drawn: tuple[list[Person], list[Value]],
) -> None:
    people, values = drawn
    with tempfile.TemporaryDirectory() as temporary:
        home = Path(temporary)
        plan = write_omop(home / "omop", omop_tables(people, values))
        omop = held(import_source(home / "omop", home / "c-omop", map_file=plan))
        tables = import_source(write_tables(home / "tables", people, values), home / "c-tables")
        seen = {label for label, *_ in held(tables)}
        assert held(tables) == {row for row in omop if row[0] in seen and row[2] != AGE}
        resources = fhir_resources(people, values)
        fhir = import_source(write_fhir(home / "fhir", resources, parts=2), home / "c-fhir")
        assert {row for row in held(fhir) if row[0] in seen and "ENROLMENT" not in row[2]} == {
            row for row in omop if row[0] in seen and "ENROLMENT" not in row[2]
        }


HOSTILE = ("", "NaN", "1e309", "-1", "0x10", "1,5", "9" * 400, "2024-13-45", "=1+1", "\u202e7",
           "../../x", '"', "null", "8507.5", "1970-01-01T00:00:00Z")  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_any_cell_is_read_or_named_and_never_an_accident(data: st.DataObject) -> None:
    tables = omop_tables(PEOPLE, VALUES)
    name = data.draw(st.sampled_from([name for name, rows in tables.items() if rows]))
    row = data.draw(st.sampled_from(tables[name]))
    row[data.draw(st.sampled_from(list(row)))] = data.draw(st.sampled_from(HOSTILE))
    with tempfile.TemporaryDirectory() as temporary:
        home = Path(temporary)
        plan = write_omop(home / "export", tables)
        try:
            import_source(home / "export", home / "cohort", map_file=plan)
        except ContractError:
            assert not (home / "cohort").exists()


def test_next_months_export_adds_and_the_same_one_changes_nothing(tmp_path: Path) -> None:
    plan = write_omop(tmp_path / "a", omop_tables(PEOPLE[:1], VALUES[:1]))
    other = tmp_path / "b"
    write_omop(other, omop_tables(PEOPLE, VALUES))
    import_source(tmp_path / "a", tmp_path / "cohort", map_file=plan)
    grown = grow_cohort(other, tmp_path / "cohort", map_file=plan)
    assert grown.changes is not None
    assert (grown.changes.people, grown.changes.corrected) == (1, 0)
    whole = import_source(other, tmp_path / "whole", map_file=plan)
    assert held(grown) == held(whole)
    again = grow_cohort(other, tmp_path / "cohort", map_file=plan)
    assert again.changes is not None
    assert again.changes.is_known
    report = json.loads((tmp_path / "cohort" / "metadata" / "import.json").read_text("utf-8"))
    assert set(report["read"].values()) == {"omop"}


def test_other_tables_are_named(tmp_path: Path) -> None:
    plan = write_omop(tmp_path / "export", omop_tables(PEOPLE, VALUES))
    (tmp_path / "export" / "drug_exposure.csv").write_text("drug_exposure_id\n1\n", "utf-8")
    done = import_source(tmp_path / "export", tmp_path / "cohort", map_file=plan)
    assert "drug_exposure.csv" in said(done, "nothing in them is used").found
    assert not said(done, "nothing in them is used").advice


def test_people_known_by_another_column_are_not_added(tmp_path: Path) -> None:
    plan = write_omop(tmp_path / "a", omop_tables(PEOPLE, VALUES))
    import_source(tmp_path / "a", tmp_path / "cohort", map_file=plan)
    by_id = tmp_path / "other.toml"
    by_id.write_text(plan.read_text("utf-8").replace("person_source_value", "person_id"), "utf-8")
    with pytest.raises(ContractError, match="nobody can tell who is the same person"):
        grow_cohort(tmp_path / "a", tmp_path / "cohort", map_file=by_id)
