"""Onset, enrolment and age of everybody: what contradicts is named, and costs nobody else."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.cohort import CODE, COLUMNS, ENROLMENT, NUMBER, ONSET, SUBJECT, TEXT, TIME
from contracts.errors import Problem
from features.checks import check_events
from features.importing.dates import AGE, cut_at_death, dated
from features.measurements.plausible import from_onset_on
from features.measurements.records import BIRTH_DATE, SUBJECT_LABEL, records
from features.plausibility import plausible_events
from features.recording import Collected

STEPS = "LOINC//41950-7"
LABELS = {1: "01", 2: "1"}


def events(*rows: tuple[int, str | None, str, float | None]) -> pd.DataFrame:
    table = pd.DataFrame(
        [(s, time, code, number, None) for s, time, code, number in rows], columns=list(COLUMNS)
    )
    types = {SUBJECT: "int64", NUMBER: float, TEXT: object}
    return table.assign(**{TIME: pd.to_datetime(table[TIME])}).astype(
        types | {TIME: "datetime64[us]"}
    )


def made(
    *rows: tuple[int, str | None, str, float | None],
) -> tuple[pd.DataFrame, list[Problem], dict[str, int]]:
    counts: dict[str, int] = {}

    def count(rule: str, rows: int) -> None:
        counts[rule] = rows

    table, problems = dated(events(*rows), LABELS, count)
    return table, problems, {rule: n for rule, n in counts.items() if n}


def dates(table: pd.DataFrame, subject: int = 1) -> Mapping[str, str]:
    own = table[(table[SUBJECT] == subject) & table[CODE].isin([ONSET, ENROLMENT])]
    return {row[CODE]: f"{row[TIME]:%Y-%m-%d}" for _, row in own.iterrows()}


def test_nothing_at_all_is_no_error() -> None:
    table, problems, counts = made()
    assert (len(table), problems, counts) == (0, [], {})


def test_who_has_only_facts_is_left_out_by_name_and_the_others_stay() -> None:
    table, problems, counts = made((1, None, AGE, 70.0), (2, "2024-03-04", STEPS, 5.0))
    assert set(table[SUBJECT]) == {2}
    assert [problem.found for problem in problems] == [
        "of '01' nothing is dated, the subject was left out"
    ]
    assert counts["subject with nothing dated: left out"] == 1
    assert made((1, None, AGE, 70.0))[0].empty


def test_the_first_recorded_day_stands_for_a_missing_onset_and_that_is_counted() -> None:
    table, problems, counts = made((1, "2024-03-05 09:00", STEPS, 5.0))
    assert dates(table) == {ONSET: "2024-03-05", ENROLMENT: "2024-03-05"}
    assert not problems
    assert counts == {
        f"no {name} in the source: the first recorded day stands for it": 1
        for name in ("onset", "enrolment")
    }


def test_an_enrolment_before_the_first_value_is_the_first_recorded_day() -> None:
    table, problems, _ = made((1, "2024-03-01", ENROLMENT, None), (1, "2024-03-05", STEPS, 5.0))
    assert dates(table) == {ONSET: "2024-03-01", ENROLMENT: "2024-03-01"}
    assert not problems


def test_an_enrolment_before_the_onset_costs_itself_only() -> None:
    table, (problem,), _ = made(
        (1, "2024-02-01", ENROLMENT, None), (1, "2024-03-01", ONSET, None),
        (1, "2024-02-20", STEPS, 4.0), (1, "2024-03-05", STEPS, 5.0),
    )  # fmt: skip
    assert dates(table) == {ONSET: "2024-03-01", ENROLMENT: "2024-03-05"}
    assert "'01' was enrolled on 2024-02-01" in problem.found


@pytest.mark.parametrize(
    ("born", "age"),
    [
        ("1954-03-05", 69), ("1954-03-04", 70), ("2006-03-04", 18),
        ("2006-03-05", None), ("1900-01-01", None), ("2024-06-01", None), ("2190-01-01", None),
    ],
)  # fmt: skip
def test_an_age_that_cannot_be_is_left_out_by_name(born: str, age: float | None) -> None:
    table, problems, _ = made((1, born, BIRTH_DATE, None), (1, "2024-03-04", STEPS, 5.0))
    ages = table.loc[table[CODE] == AGE, NUMBER].tolist()
    assert ages == ([] if age is None else [age])
    assert ["'01' was born on" in problem.found for problem in problems] == [True] * (age is None)


DAY = st.integers(0, 60).map(lambda day: f"{pd.Timestamp('2024-01-01') + pd.Timedelta(days=day)}")
ROW = st.one_of(
    st.tuples(st.sampled_from([1, 2]), DAY, st.just(STEPS), st.floats(0, 20_000)),
    st.tuples(st.sampled_from([1, 2]), DAY, st.sampled_from([ONSET, ENROLMENT]), st.none()),
    st.tuples(st.sampled_from([1, 2]), st.none(), st.just(AGE), st.floats(18, 99)),
    st.tuples(st.sampled_from([1, 2]), DAY, st.just(BIRTH_DATE), st.none()),
)


def one_a_day(rows: list[tuple[int, str | None, str, float | None]]) -> list[tuple[object, ...]]:
    """One value a day and one of each fact, as reconciling leaves them."""
    keys = [(subject, code, time if code == STEPS else None) for subject, time, code, _ in rows]
    return list(dict(zip(keys, rows, strict=True)).values())


@settings(max_examples=80, deadline=None)
@given(st.lists(ROW, max_size=12).map(one_a_day))
def test_whatever_is_dated_becomes_a_cohort_that_keeps_its_contract(
    rows: list[tuple[int, str | None, str, float | None]],
) -> None:
    table, _, _ = made(*rows)
    if len(table):
        kept, _ = plausible_events(table)
        assert check_events(kept, file="x") == []


def test_a_recording_ends_with_the_death_of_its_subject() -> None:
    days = pd.DataFrame({TIME: pd.date_range("2024-03-01", periods=4), NUMBER: 1.0})
    collected = Collected()
    collected.daily["a"] = [days]
    collected.minutes["b"] = [days]
    seconds = days[TIME].astype("datetime64[s]").astype("int64")
    collected.strides["a"] = [days.assign(**{TIME: seconds.astype(float)})]
    deaths = {"a": pd.Timestamp("2024-03-02 10:00"), "b": pd.Timestamp("2024-02-01"), "c": pd.NaT}
    problems = cut_at_death(collected, deaths)  # type: ignore[arg-type]
    assert collected.daily["a"][0][TIME].dt.day.tolist() == [1, 2]
    assert len(collected.strides["a"][0]) == 2
    assert "b" not in collected.minutes
    assert ["died on" in problem.found for problem in problems] == [True, True]


def test_reported_values_before_the_onset_are_named_with_file_and_row() -> None:
    rows = [("a", pd.Timestamp(f"2024-03-0{day}"), STEPS, 5.0, None) for day in range(1, 8)]
    measured = records(rows, file="steps.csv").assign(place=[str(n) for n in range(2, 9)])
    onset = records([("a", pd.Timestamp("2024-03-05 14:00"), ONSET, None, None)])
    values, (problem,) = from_onset_on(measured, measured, onset)
    assert values[TIME].dt.day.tolist() == [5, 6, 7]
    assert (problem.file, problem.row, problem.count) == ("steps.csv", 2, 4)
    assert problem.places == ("row 2", "row 3", "row 4")
    assert "'a' on 2024-03-05" in problem.found
    nobody = records([])
    assert from_onset_on(measured, measured, nobody)[1] == []
    assert np.array_equal(from_onset_on(nobody, nobody, onset)[0][SUBJECT_LABEL], [])
