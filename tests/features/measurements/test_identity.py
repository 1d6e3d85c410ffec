"""Identifiers are text: nobody is merged with anybody, and what may be one person is said."""

from __future__ import annotations

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from contracts.cohort import SUBJECT_LABEL
from features.measurements.identity import (
    of_somebody,
    on_one_server,
    similar_labels,
    similar_problems,
    subject_numbers,
    without_server,
)
from features.measurements.records import RECORD_ID, records

LABELS = st.lists(
    st.one_of(
        st.integers(0, 2**70).map(str),
        st.from_regex(r"0{0,3}\d{1,4}", fullmatch=True),
        st.sampled_from(["12E4", "120000", "A1", "a1", "A1 ", "101-1", "1.0", "٣", "é", "e\u0301"]),
        st.uuids().map(str),
        st.text(min_size=1, max_size=6),
    ),
    max_size=20,
)


@given(LABELS)
def test_every_identifier_has_a_number_of_its_own(labels: list[str]) -> None:
    numbers = subject_numbers(labels)
    assert set(numbers) == set(labels)
    assert len(set(numbers.values())) == len(numbers)
    assert all(0 <= number < 2**53 for number in numbers.values())


@given(LABELS, st.randoms())
def test_numbers_do_not_depend_on_the_order(labels: list[str], random: object) -> None:
    mixed = list(labels)
    random.shuffle(mixed)  # type: ignore[attr-defined]
    assert subject_numbers(mixed + labels) == subject_numbers(labels)


@given(st.lists(st.integers(0, 10**14), max_size=9))
def test_plain_whole_numbers_stay_as_they_are(numbers: list[int]) -> None:
    assert subject_numbers(map(str, numbers)) == {str(number): number for number in numbers}


def test_one_identifier_that_is_no_plain_number_numbers_everybody() -> None:
    assert subject_numbers(["1", "2", "01"]) == {"01": 1, "1": 2, "2": 3}
    assert subject_numbers([str(2**62), "7"]) == {str(2**62): 1, "7": 2}


def test_what_may_be_one_person_is_said_with_both_identifiers() -> None:
    labels = ["01", "1", "A1", "a1 ", "Jürgen", "Ju\u0308rgen", "101-1", "1011", "10", "100"]
    assert similar_labels(labels) == [("01", "1"), ("A1", "a1 "), ("Ju\u0308rgen", "Jürgen")]
    assert ["'01', '1'" in problem.found for problem in similar_problems(labels)] == [
        True,
        False,
        False,
    ]
    assert not similar_problems(["1", "2", "10"])


def test_values_of_nobody_are_left_out_and_counted() -> None:
    values = pd.DataFrame({SUBJECT_LABEL: ["", "a", "  ", "b "]})
    kept, (problem,) = of_somebody(values)
    assert kept[SUBJECT_LABEL].tolist() == ["a", "b "]
    assert problem.count == 2
    assert of_somebody(kept)[1] == []


ONE, OTHER = "https://one.test/fhir", "https://other.test/fhir"


def test_an_address_is_left_out_where_there_is_one_server() -> None:
    assert on_one_server([f"{ONE}/Patient/007", "7"]) == {f"{ONE}/Patient/007": "007"}
    assert on_one_server([f"{ONE}/Patient/7", f"{OTHER}/Patient/7"]) == {}
    assert on_one_server(["7", "A1", "https://one.test/other/7"]) == {}


def test_statements_lose_the_address_with_their_people() -> None:
    rows = [
        {SUBJECT_LABEL: f"{ONE}/Patient/7", RECORD_ID: f"{ONE}/Observation/o1"},
        {SUBJECT_LABEL: "7", RECORD_ID: "Observation/o1"},
    ]
    table, problems = without_server(records([{"code": "x", **row} for row in rows]))
    assert list(table[SUBJECT_LABEL]) == ["7", "7"]
    assert set(table[RECORD_ID]) == {"Observation/o1"}
    assert "'7' stand with and without the address" in problems[0].found
