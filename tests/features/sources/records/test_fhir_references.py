"""Whom a resource is about, by FHIR's rules of reference resolution."""

from __future__ import annotations

from typing import Any

import pytest

SCORE = "REHABCAST//FUGL_MEYER_UE"
HERE, THERE = "https://here.test/fhir", "https://there.test/r4"
UUID = "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"


def patient(identity: str | None = "p1", **more: Any) -> dict[str, Any]:
    named = {} if identity is None else {"id": identity}
    return {"resourceType": "Patient", **named, "gender": "male", **more}


@pytest.mark.parametrize("label", ["007", "7", "12E4", "101-1", "P1", UUID[9:]])
def test_an_identifier_stays_the_text_that_it_is(decide: Any, score: Any, label: str) -> None:
    for reference in (f"Patient/{label}", f"Patient/{label}/_history/3", f"{HERE}/Patient/{label}"):
        got = decide([patient(label), score(subject={"reference": reference})])
        assert got.of(SCORE, label) == [("2024-03-05", 22)]
        assert got.of("REHABCAST//SEX", label) == [("", "male")]


def test_patients_of_two_servers_are_two_people(decide: Any, score: Any, bundle: Any) -> None:
    got = decide(
        bundle(
            (f"{HERE}/Patient/p1", patient()),
            (f"{THERE}/Patient/p1", patient()),
            (f"{HERE}/Observation/o1", score(22)),
            (f"{THERE}/Observation/o1", score(40)),
        )
    )
    assert got.of(SCORE, f"{HERE}/Patient/p1") == [("2024-03-05", 22)]
    assert got.of(SCORE, f"{THERE}/Patient/p1") == [("2024-03-05", 40)]


def test_with_one_server_its_address_makes_no_difference(
    decide: Any, score: Any, bundle: Any
) -> None:
    searched = bundle(
        (f"{HERE}/Patient/p1", patient()),
        (f"{HERE}/Observation/o1", score(meta={"versionId": "1"})),
    )
    bulk = [patient(), score(30, meta={"versionId": "2"})]
    for documents in ((searched, bulk), (bulk, searched)):
        got = decide(*documents)
        assert got.of(SCORE, "p1") == [("2024-03-05", 30)]
        assert "with and without the address" in got.said


@pytest.mark.parametrize(("identity", "label"), [("p1", "p1"), (None, UUID[9:])])
@pytest.mark.parametrize("reference", [UUID, UUID.upper().replace("URN:UUID", "urn:uuid")])
def test_a_uuid_names_an_entry_of_the_same_bundle(
    decide: Any, score: Any, bundle: Any, identity: str | None, label: str, reference: str
) -> None:
    got = decide(
        bundle((UUID, patient(identity)), ("urn:uuid:o", score(subject={"reference": reference})))
    )
    assert got.of(SCORE, label) == [("2024-03-05", 22)]


def test_an_oid_and_an_id_beside_it_name_the_same_patient(
    decide: Any, score: Any, bundle: Any
) -> None:
    got = decide(
        bundle(
            ("urn:oid:1.2.3", patient()),
            score(subject={"reference": "urn:oid:1.2.3"}),
            score(30, id="o2", effectiveDateTime="2024-03-09"),
        )
    )
    assert got.of(SCORE, "p1") == [("2024-03-05", 22), ("2024-03-09", 30)]


IDENTIFIER = {"system": "urn:mrn", "value": "4711"}
LOGICAL = {"identifier": IDENTIFIER}
CONTAINED = {
    "contained": [{"resourceType": "Patient", "id": "p", "identifier": [IDENTIFIER]}],
    "subject": {"reference": "#p"},
}


@pytest.mark.parametrize(
    "about",
    [
        {"subject": LOGICAL},
        {"subject": {"reference": "Patient?identifier=urn:mrn|4711"}},
        CONTAINED,
    ],
)
def test_an_identifier_counts_if_exactly_one_patient_has_it(
    decide: Any, score: Any, about: dict[str, Any]
) -> None:
    known = patient(identifier=[IDENTIFIER])
    assert decide([known, score(**about)]).of(SCORE, "p1") == [("2024-03-05", 22)]
    for patients in ([patient()], [known, {**known, "id": "p2"}]):
        got = decide([*patients, score(**about)])
        assert got.of(SCORE) == []
        assert "the Patient" in got.said or "its Patient" in got.said


@pytest.mark.parametrize(
    "subject",
    [
        {"reference": "Group/g1"},
        {"reference": "Device/d1"},
        {"reference": "Patient/p1", "type": "Group"},
        {"reference": "p1"},
        {"reference": "#nobody"},
        {"display": "John"},
        {"reference": "Patient?name=John"},
    ],
)
def test_what_is_about_nobody_is_left_out_and_reported(
    decide: Any, score: Any, subject: dict[str, Any]
) -> None:
    got = decide([patient(), score(subject=subject)])
    assert got.of(SCORE) == []
    assert "subject: Observation" in got.said
    assert "line 2" in got.said


def test_a_patient_without_a_resource_of_its_own_is_known_by_the_reference(
    decide: Any, score: Any
) -> None:
    assert decide([score()]).of(SCORE, "p1") == [("2024-03-05", 22)]
