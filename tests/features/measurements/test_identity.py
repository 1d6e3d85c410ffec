from __future__ import annotations

from features.measurements.identity import on_one_server, without_server
from features.measurements.records import RECORD_ID, SUBJECT_LABEL, records

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
