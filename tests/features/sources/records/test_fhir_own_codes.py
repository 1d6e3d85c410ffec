"""Observations with a hospital's own codes, and values in units that UCUM converts."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.vocabulary import Additions, Code, Domain, Kind, learn

SYSTEM = "https://ourhospital.example/codes"
UCUM = "http://unitsofmeasure.org"
KNEE = Code(
    code="OURS//KNEE_SCORE", name="Knee score", kind=Kind.ASSESSMENT, modality="assessments",
    domain=Domain.WALKING, unit="{score}", low=0.0, high=48.0, step=1.0, source="our manual",
    fhir=(f"{SYSTEM}|KNEE-1",),
)  # fmt: skip
SIDE = Code(
    code="OURS//SIDE", name="operated knee", kind=Kind.PERSON, modality="person",
    labels=("left", "right"), source="ours",
)  # fmt: skip
WALK = "REHABCAST//SIX_MINUTE_WALK"


def coded(code: str, system: str = SYSTEM) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}]}


@pytest.fixture
def _ours() -> None:
    learn(Additions("site.toml", (KNEE, SIDE)), of_site=True)


@pytest.mark.usefixtures("_ours")
@pytest.mark.parametrize(
    "code", [coded("KNEE-1"), coded("OURS//KNEE_SCORE", "urn:rehabcast:vocabulary")]
)
def test_a_local_code_is_read_by_its_system(decide: Any, score: Any, code: dict[str, Any]) -> None:
    assert decide([score(code=code)]).of("OURS//KNEE_SCORE") == [("2024-03-05", 22)]


def test_a_local_code_that_nobody_defined_is_left_out(decide: Any, score: Any) -> None:
    got = decide([score(code=coded("KNEE-1"))])
    assert got.values.empty
    assert "not in the vocabulary" in got.said


@pytest.mark.usefixtures("_ours")
def test_the_same_code_of_another_system_is_another(decide: Any, score: Any) -> None:
    for code in (
        coded("KNEE-1", "https://elsewhere.example"),
        coded("KNEE_SCORE"),
        coded("knee-1"),
    ):
        assert decide([score(code=code)]).values.empty


@pytest.mark.usefixtures("_ours")
def test_an_observation_of_two_codes_of_ours_is_of_neither(decide: Any, score: Any) -> None:
    both = coded("KNEE-1")["coding"] + coded("FUGL_MEYER_UE", "urn:rehabcast:vocabulary")["coding"]
    assert decide([score(code={"coding": both})]).values.empty


@pytest.mark.usefixtures("_ours")
def test_a_label_of_an_own_code_is_a_fact(decide: Any, score: Any) -> None:
    side = coded("OURS//SIDE", "urn:rehabcast:vocabulary")
    said = {"coding": [{"system": "https://x.example", "code": "7771000", "display": "left"}]}
    resource = score(None, code=side, valueCodeableConcept=said, effectiveDateTime=None)
    assert decide([resource]).of("OURS//SIDE") == [("", "left")]


def walk(value: float, **unit: str) -> dict[str, Any]:
    return {
        "code": coded("SIX_MINUTE_WALK", "urn:rehabcast:vocabulary"),
        "valueQuantity": {"value": value, **unit},
    }


@pytest.mark.parametrize(
    ("value", "unit", "metres"),
    [(0.312, "km", 312.0), (1000, "[ft_i]", 304.8), (312, "m", 312.0), (31200, "cm", 312.0)],
)
def test_a_value_in_another_unit_of_its_dimension_is_converted(
    decide: Any, score: Any, value: float, unit: str, metres: float
) -> None:
    got = decide([score(None, **walk(value, system=UCUM, code=unit))])
    assert got.of(WALK) == [("2024-03-05", pytest.approx(metres, rel=1e-12))]


@pytest.mark.parametrize(
    "unit",
    [
        {"unit": "km"},
        {"unit": "feet"},
        {"system": UCUM, "code": "kg"},
        {"system": UCUM, "code": "min"},
        {"system": UCUM, "code": "kilometres"},
        {"system": "http://snomed.info/sct", "code": "km", "unit": "km"},
    ],
    ids=str,
)
def test_what_is_no_code_of_ucum_or_of_another_dimension_is_left_out_and_said(
    decide: Any, score: Any, unit: dict[str, str]
) -> None:
    got = decide([score(None, **walk(0.3, **unit))])
    assert got.of(WALK) == []
    assert "expected 'm'" in got.said or "not FHIR" in got.said


def test_a_converted_value_outside_the_range_is_impossible(decide: Any, score: Any) -> None:
    got = decide([score(None, **walk(312, system=UCUM, code="km"))])
    assert got.of(WALK) == []
    assert "312000" in got.said or "3.12e+05" in got.said
