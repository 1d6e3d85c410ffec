"""Instruments in FHIR: read by the codes that were verified, of the side that they name."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.vocabulary import Kind, shipped

LOINC, SNOMED = "http://loinc.org", "http://snomed.info/sct"
CODED = [
    (*token.split("|"), entry)
    for entry in shipped().values()
    for token in entry.fhir
    if entry.kind is Kind.ASSESSMENT and entry.code != "REHABCAST//BARTHEL"
]


def observed(system: str, code: str, value: float, unit: str, **more: Any) -> dict[str, Any]:
    quantity = {"value": value, "system": "http://unitsofmeasure.org", "code": unit}
    return {
        "resourceType": "Observation", "id": "o1", "status": "final",
        "subject": {"reference": "Patient/p1"}, "effectiveDateTime": "2024-03-05",
        "code": {"coding": [{"system": system, "code": code}]}, "valueQuantity": quantity, **more,
    }  # fmt: skip


@pytest.mark.parametrize(("system", "code", "entry"), CODED, ids=[code for _, code, _ in CODED])
def test_a_score_is_read_by_each_code_of_its_instrument(
    decide: Any, system: str, code: str, entry: Any
) -> None:
    got = decide([observed(system, code, entry.high, entry.unit)])
    assert got.of(entry.code) == [("2024-03-05", pytest.approx(entry.high))]


def test_grip_in_pounds_is_a_force(decide: Any) -> None:
    got = decide([observed(LOINC, "83174-3", 100, "[lbf_av]")])
    ((_, value),) = got.of("REHABCAST//GRIP_STRENGTH_RIGHT")
    assert value == pytest.approx(45.359237)
    assert "expected 'kgf'" in decide([observed(LOINC, "83174-3", 45, "kg")]).said


@pytest.mark.parametrize(
    ("system", "code"), [(SNOMED, "273302005"), (SNOMED, "719091001"), (LOINC, "82289-0")]
)
def test_a_code_of_two_forms_is_not_read(decide: Any, system: str, code: str) -> None:
    got = decide([observed(system, code, 12, "{score}")])
    assert got.values.empty
    assert "not in the vocabulary" in got.said


ARM_LEFT = {"system": "urn:rehabcast:vocabulary", "code": "AFFECTED_ARM"}


@pytest.mark.parametrize("code", ["70190-4", "70191-2"], ids=["arm", "leg"])
@pytest.mark.parametrize("site", ["", "Left arm", "Right arm"])
def test_an_item_of_one_side_is_of_it_whichever_is_affected(
    decide: Any, code: str, site: str
) -> None:
    affected = observed(**ARM_LEFT, value=0, unit="1", id="o2", valueQuantity=None)
    affected["valueCodeableConcept"] = {"text": "right"}
    more = {"bodySite": {"text": site}} if site else {}
    got = decide([affected, observed(LOINC, code, 3, "{score}", **more)])
    name = "REHABCAST//NIHSS_ARM_LEFT" if code == "70190-4" else "REHABCAST//NIHSS_LEG_LEFT"
    if site == "Right arm":
        assert got.of(name) == []
        assert "of the right side under a code of the left one" in got.said
    else:
        assert got.of(name) == [("2024-03-05", 3)]
