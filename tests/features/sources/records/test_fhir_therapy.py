"""Procedures: sessions by kind, each minute once in the day's therapy."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

THERAPY = "REHABCAST//THERAPY"
SNOMED, OURS = "http://snomed.info/sct", "urn:rehabcast:vocabulary"
PHYSIO, OCCUPATIONAL = (SNOMED, "91251008"), (SNOMED, "84478008")
GENERAL, ROBOT = (SNOMED, "52052004"), (OURS, "THERAPY_ROBOT")
CODE = {
    PHYSIO: "REHABCAST//THERAPY_PHYSIO", OCCUPATIONAL: "REHABCAST//THERAPY_OCCUPATIONAL",
    ROBOT: "REHABCAST//THERAPY_ROBOT",
}  # fmt: skip


def session(number: int, start: int, end: int, *kinds: tuple[str, str]) -> dict[str, Any]:
    """A session from one minute after nine to another."""
    at = [f"2024-03-05T{9 + minute // 60:02}:{minute % 60:02}:00+00:00" for minute in (start, end)]
    return {
        "resourceType": "Procedure", "id": f"s{number}", "status": "completed",
        "subject": {"reference": "Patient/p1"},
        "code": {"coding": [{"system": system, "code": code} for system, code in kinds]},
        "performedPeriod": {"start": at[0], "end": at[1]},
    }  # fmt: skip


def test_a_session_is_therapy_and_of_each_kind_that_it_is_coded_as(decide: Any) -> None:
    got = decide([session(1, 0, 45, PHYSIO, ROBOT), session(2, 60, 90, GENERAL)])
    day = "2024-03-05"
    assert got.of(THERAPY) == [(day, 75)]
    assert got.of(CODE[PHYSIO]) == got.of(CODE[ROBOT]) == [(day, 45)]
    assert got.of(CODE[OCCUPATIONAL]) == []


def test_a_session_that_only_says_how_it_was_given_is_therapy(decide: Any) -> None:
    got = decide([session(1, 0, 30, ROBOT)])
    assert got.of(THERAPY) == got.of(CODE[ROBOT]) == [("2024-03-05", 30)]
    other = decide([session(1, 0, 30, (SNOMED, "1234567"))])
    assert "not a coded therapy" in other.said


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    drawn=st.lists(
        st.tuples(
            st.integers(0, 12), st.integers(1, 6),
            st.lists(st.sampled_from([PHYSIO, OCCUPATIONAL, ROBOT]), min_size=1, max_size=2,
                     unique=True),
        ),
        min_size=1, max_size=5,
    )
)  # fmt: skip
def test_a_minute_counts_once_in_all_and_once_in_each_kind(decide: Any, drawn: list[Any]) -> None:
    sessions, minutes = [], {}
    for number, (start, length, kinds) in enumerate(drawn):
        start, end = 10 * start, 10 * (start + length)
        sessions.append(session(number, start, end, *kinds))
        for code in (THERAPY, *(CODE[kind] for kind in kinds)):
            minutes.setdefault(code, set()).update(range(start, end))
    got = decide(sessions)
    for code, covered in minutes.items():
        ((_, value),) = got.of(code)
        assert value == pytest.approx(len(covered)), code
