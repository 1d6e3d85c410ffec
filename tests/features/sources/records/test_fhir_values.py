"""Observations and Procedures: which values count, of which day."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from contracts.vocabulary import Kind, vocabulary

SCORE, STEPS, HEART = "REHABCAST//FUGL_MEYER_UE", "LOINC//41950-7", "LOINC//40443-4"
THERAPY = "REHABCAST//THERAPY"


@pytest.mark.parametrize("comparator", ["<", "<=", ">", ">="])
def test_a_value_with_a_comparator_is_no_measurement(
    decide: Any, score: Any, comparator: str
) -> None:
    got = decide([score(valueQuantity={"value": 22, "code": "{score}", "comparator": comparator})])
    assert got.of(SCORE) == []
    assert f"comparator ({comparator} 22)" in got.said


@pytest.mark.parametrize("status", ["final", "amended", "corrected"])
def test_complete_values_count(decide: Any, score: Any, status: str) -> None:
    assert decide([score(status=status)]).of(SCORE) == [("2024-03-05", 22)]


@pytest.mark.parametrize(
    "status", ["registered", "preliminary", "cancelled", "entered-in-error", "unknown", "finl"]
)
def test_other_values_do_not_and_their_status_is_named(
    decide: Any, score: Any, status: str
) -> None:
    # Beside another of the same day: what was withdrawn casts no doubt on it.
    got = decide([score(), score(40, id="o2", status=status)])
    assert got.of(SCORE) == [("2024-03-05", 22)]
    assert status in got.said


@pytest.mark.parametrize(
    "value",
    [
        {"valueInteger": 22},
        {"valueString": "22"},
        {"valueQuantity": {"value": 22}},
        {"valueQuantity": {"value": 22, "unit": "points", "code": "1",
                           "system": "http://unitsofmeasure.org"}},
        {"valueQuantity": {"value": 22, "unit": "{score}", "code": "258708005",
                           "system": "http://snomed.info/sct"}},
    ],
)  # fmt: skip
def test_a_plain_number_is_a_score(decide: Any, score: Any, value: dict[str, Any]) -> None:
    assert decide([score(None, **value)]).of(SCORE) == [("2024-03-05", 22)]


@pytest.mark.parametrize(
    "value",
    [
        {"valueString": "22/66"},
        {"valueString": "22,5"},
        {"valueString": "< 22"},
        {"valueBoolean": True},
        {"valueRange": {"low": {"value": 20}, "high": {"value": 24}}},
        {"valueQuantity": {"value": 22, "code": "%", "system": "http://unitsofmeasure.org"}},
    ],
)
def test_what_is_no_number_is_left_out_with_what_it_may_have_corrected(
    decide: Any, score: Any, value: dict[str, Any]
) -> None:
    got = decide([score(None, **value), score(40, id="o2")])
    assert got.of(SCORE) == []
    assert "Observation" in got.said


NUMERIC = sorted(
    code for code, entry in vocabulary().items() if entry.is_numeric and entry.kind != Kind.PERSON
)
WITHOUT_A_UNIT: tuple[Callable[[int], dict[str, Any]], ...] = (
    lambda value: {"valueQuantity": {"value": value}},
    lambda value: {"valueQuantity": {"value": value, "unit": "points"}},
    lambda value: {"valueInteger": value},
    lambda value: {"valueString": str(value)},
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    code=st.sampled_from(NUMERIC), value=st.integers(0, 120), form=st.sampled_from(WITHOUT_A_UNIT)
)
def test_a_number_without_a_unit_is_a_score_and_never_a_measurement_or_a_share(
    decide: Any, score: Any, code: str, value: int, form: Any
) -> None:
    """R4 lets a quantity have no unit: of 0.4 nobody knows whether it is a share or its per cent."""
    entry = vocabulary()[code]
    assume(entry.low is not None and entry.high is not None and entry.low <= value <= entry.high)
    assume(code != "REHABCAST//BARTHEL")  # Which of its two forms is another question.
    system, _, own = entry.tokens[0].partition("|")
    coding = {"coding": [{"system": system, "code": own}]}
    got = decide([score(None, code=coding, **form(value))])
    if entry.unit == "{score}":
        assert [number for _, number in got.of(code)] == [value]
    else:
        assert got.of(code) == []
        assert "without a unit" in got.said


def test_a_number_without_a_unit_is_no_count_of_a_day(decide: Any, steps: Any) -> None:
    got = decide([steps(valueQuantity=None, valueInteger=4000)])
    assert got.of(STEPS) == []
    assert "without a unit" in got.said


def test_components_are_values_of_their_own(decide: Any, score: Any) -> None:
    part = {"code": score()["code"], "valueInteger": 31}
    panel = score(None, code={"text": "a panel"}, component=[part, {"code": {"text": "other"}}])
    assert decide([panel]).of(SCORE) == [("2024-03-05", 31)]
    absent = {"code": score()["code"], "dataAbsentReason": {"coding": [{"code": "not-performed"}]}}
    assert decide([score(None, code={"text": "a panel"}, component=[absent])]).of(SCORE) == []
    other = score(None, component=[{"code": {"text": "other"}, "valueInteger": 3}])
    assert "without a value" in decide([other]).said


def test_a_label_of_the_vocabulary_is_a_fact(decide: Any, score: Any) -> None:
    code = {"coding": [{"system": "urn:rehabcast:vocabulary", "code": "AFFECTED_ARM"}]}
    left = score(None, code=code, valueCodeableConcept={"text": "left"})
    assert decide([left]).of("REHABCAST//AFFECTED_ARM") == [("", "left")]
    got = decide([score(None, code=code, valueCodeableConcept={"text": "the left one"})])
    assert got.of("REHABCAST//AFFECTED_ARM") == []
    assert "without one of its labels" in got.said


@pytest.mark.parametrize(
    ("when", "words"),
    [
        ({"issued": "2024-03-05T09:00:00Z"}, "without the time of its measurement"),
        ({"effectiveTiming": {"event": ["2024-03-05"]}}, "effectiveTiming"),
        ({"effectiveDateTime": "2024"}, "no day"),
        ({"focus": [{"reference": "Patient/baby"}], "effectiveDateTime": "2024-03-05"}, "focus"),
    ],
)
def test_a_value_without_its_day_is_left_out(
    decide: Any, score: Any, when: dict[str, Any], words: str
) -> None:
    got = decide([score(**{"effectiveDateTime": None, **when})])
    assert got.of(SCORE) == []
    assert words in got.said


def period(start: str, end: str | None = None) -> dict[str, Any]:
    span = {"start": start} if end is None else {"start": start, "end": end}
    return {"effectiveDateTime": None, "effectivePeriod": span}


def test_a_day_is_stated_as_a_whole_or_in_parts(decide: Any, steps: Any) -> None:
    day = "2024-03-06"
    whole = [
        period(day), period(day, day), period(f"{day}T00:00:00+01:00", f"{day}T23:59:59+01:00"),
        {"effectiveInstant": f"{day}T23:00:00+01:00", "effectiveDateTime": None},
    ]  # fmt: skip
    for when in whole:
        twice = [steps(4000, **when), steps(4000, id="s2", **when), steps(3000, id="s3")]
        assert decide(twice).of(STEPS) == [(day, 4000)]
    parts = [
        steps(1000, id=f"s{n}", **period(f"{day}T{n:02}:00:00+01:00", f"{day}T{n:02}:30:00+01:00"))
        for n in (8, 10, 12)
    ]
    assert decide(parts).of(STEPS) == [(day, 3000)]
    assert decide([*parts, steps(2500, id="total")]).of(STEPS) == [(day, 3000)]
    assert decide([*parts, steps(3500, id="total")]).of(STEPS) == [(day, 3500)]
    week = decide([steps(**period("2024-03-04", "2024-03-10"))])
    assert week.of(STEPS) == []
    assert "more than a day" in week.said


def test_of_two_devices_one_counts(decide: Any, steps: Any) -> None:
    watch, phone = ({"device": {"reference": f"Device/{n}"}} for n in ("watch", "phone"))
    given = [steps(8000, **watch), steps(300, id="s2", **phone)]
    for order in (given, given[::-1]):
        assert decide(order).of(STEPS) == [("2024-03-06", 8000)]


def test_readings_of_a_day_are_averaged(decide: Any, steps: Any) -> None:
    code = {"coding": [{"system": "http://loinc.org", "code": "40443-4"}]}
    at = [f"2024-03-06T{hour:02}:00:00+01:00" for hour in (6, 22)]
    given = [
        steps(code=code, id=f"h{n}", effectiveDateTime=time,
              valueQuantity={"value": 60 + 10 * n, "code": "/min"})
        for n, time in enumerate(at)
    ]  # fmt: skip
    assert decide(given).of(HEART) == [("2024-03-06", 65)]


def therapy(start: str, end: str | None, **changes: Any) -> dict[str, Any]:
    return {
        "resourceType": "Procedure",
        "id": "t1",
        "status": "completed",
        "code": {"coding": [{"system": "http://snomed.info/sct", "code": "91251008"}]},
        "subject": {"reference": "Patient/p1"},
        "performedPeriod": {"start": start, **({"end": end} if end else {})},
        **changes,
    }


def test_sessions_of_a_day_add_up_and_overlaps_count_once(decide: Any) -> None:
    day = "2024-03-06"
    one = therapy(f"{day}T09:00:00+01:00", f"{day}T09:45:00+01:00")
    two = therapy(f"{day}T14:00:00+01:00", f"{day}T13:30:00Z", id="t2")
    assert decide([one, two]).of(THERAPY) == [(day, 75)]
    assert decide([one, two, {**one, "id": "t3"}]).of(THERAPY) == [(day, 75)]
    # The clock goes forward within the session.
    spring = therapy("2024-03-31T01:30:00+01:00", "2024-03-31T03:30:00+02:00")
    assert decide([spring]).of(THERAPY) == [("2024-03-31", 60)]


@pytest.mark.parametrize(
    "session",
    [
        therapy("2024-03-06T09:00:00+01:00", None),
        therapy("2024-03-06", "2024-03-06"),
        therapy("2024-03-06T09:45:00+01:00", "2024-03-06T09:00:00+01:00"),
        therapy("2024-03-06T09:00:00+01:00", "2024-03-26T09:00:00+01:00"),
        therapy("2024-03-06T09:00:00+01:00", "2024-03-06T09:45:00+01:00", status="not-done"),
        therapy("2024-03-06T09:00:00+01:00", "2024-03-06T09:45:00+01:00", status="in-progress"),
    ],
)
def test_a_session_that_was_not_held_or_has_no_duration_is_left_out(
    decide: Any, session: dict[str, Any]
) -> None:
    got = decide([session])
    assert got.of(THERAPY) == []
    assert THERAPY in got.said


def test_times_in_utc_take_the_declared_zone_or_are_named(decide: Any, steps: Any) -> None:
    late = steps(effectiveDateTime="2024-03-06T03:30:00Z")
    assert decide([late], zone="America/New_York").of(STEPS) == [("2024-03-05", 4000)]
    without = decide([late])
    assert without.of(STEPS) == [("2024-03-06", 4000)]
    assert "UTC" in without.said
    assert "UTC" not in decide([steps()]).said


ABSENT = {"dataAbsentReason": {"coding": [{"code": "not-performed"}]}}


def test_a_reason_for_a_values_absence_counts_before_a_value_that_is_written(
    decide: Any, score: Any
) -> None:
    got = decide([score(0, **ABSENT)])
    assert got.of(SCORE) == []
    assert "without a value (not-performed)" in got.said
    # It says nothing of another Observation of the day.
    assert decide([score(0, **ABSENT), score(22, id="o2")]).of(SCORE) == [("2024-03-05", 22)]


@pytest.mark.parametrize("reason", [{}, {"text": "refused"}, {"coding": []}])
def test_a_reason_without_a_code_is_one_too(decide: Any, score: Any, reason: Any) -> None:
    assert decide([score(0, dataAbsentReason=reason)]).of(SCORE) == []


def test_of_components_only_the_one_with_a_reason_is_absent(
    decide: Any, score: Any, steps: Any
) -> None:
    whole = score(22)
    steps_part = {"code": steps()["code"], "valueQuantity": {"value": 0, "code": "/d"}}
    assert decide([{**whole, "component": [{**steps_part, **ABSENT}]}]).of(STEPS) == []
    assert decide([{**whole, "component": [steps_part]}]).of(STEPS) == [("2024-03-05", 0)]
    assert decide([{**whole, "component": [{**steps_part, **ABSENT}]}]).of(SCORE) == [
        ("2024-03-05", 22)
    ]


@pytest.mark.parametrize("value", [{"valueQuantity": {"value": 10**400, "code": "{score}"}},
                                   {"valueString": "9" * 400}])  # fmt: skip
def test_a_value_too_large_to_be_a_number_may_be_the_correction_of_another(
    decide: Any, score: Any, value: dict[str, Any]
) -> None:
    huge = {**score(None, id="o2"), **value}
    got = decide([score(22), huge])
    assert got.of(SCORE) == []
    assert "too large" in got.said
