"""FHIR R4 as a receiver reads it: what it rests on, what resolves, what is forecast and by whom."""

from __future__ import annotations

from base64 import b64decode
from typing import Any

import pytest
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.device import Device
from fhir.resources.R4B.documentreference import DocumentReference
from fhir.resources.R4B.provenance import Provenance
from fhir.resources.R4B.riskassessment import RiskAssessment

from contracts.task import Task
from serving.formats.fhir.record import record_of
from tests.serving.http.standards.shapes import condition, day, patient, score, searchset

FHIR = "application/fhir+json"
BASE = "https://ehr.hospital.test/fhir"


def ask(application: Any, *resources: Any, **more: Any) -> dict[str, Any]:
    bundle = resources[0] if len(resources) == 1 else searchset(*resources)
    answer = application.ask("/v1/fhir/forecast", bundle, Content_Type=FHIR, **more)
    assert answer.status_code == 200, answer.text
    content: dict[str, Any] = answer.json()
    return content


def references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["reference"]] if isinstance(value.get("reference"), str) else []
        return own + [found for each in value.values() for found in references(each)]
    return (
        [found for each in value for found in references(each)] if isinstance(value, list) else []
    )


def resolved(bundle: dict[str, Any], reference: str) -> Any:
    """Resolve a reference as R4 does: an address exactly, and nothing relative to a urn."""
    assert ":" in reference, f"{reference} is relative to a urn:uuid"
    (found,) = [each["resource"] for each in bundle["entry"] if each["fullUrl"] == reference]
    return found


def at(base: str, *resources: Any) -> dict[str, Any]:
    def url(each: Any) -> str:
        return f"{base}/{each['resourceType']}/{each['id']}"

    def whole(each: Any) -> Any:
        return {**each, "subject": {"reference": f"{base}/{each['subject']['reference']}"}}

    entries = [
        {"fullUrl": url(each), "resource": whole(each) if "subject" in each else each}
        for each in resources
    ]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}


def uuids(*resources: Any) -> dict[str, Any]:
    names = {
        f"{each['resourceType']}/{each['id']}": f"urn:uuid:0000000{n}-0000-4000-8000-000000000000"
        for n, each in enumerate(resources)
    }
    entries = []
    for each in resources:
        own = {name: value for name, value in each.items() if name != "id"}
        if "subject" in own:
            own["subject"] = {"reference": names[own["subject"]["reference"]]}
        entries.append({"fullUrl": names[f"{each['resourceType']}/{each['id']}"], "resource": own})
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}


OLD = score(61, days_ago=26, id="before-the-onset")
WRONG = score(63, days_ago=2, id="withdrawn", status="entered-in-error")
HEIGHT = {
    **score(180, days_ago=3, id="height"),
    "code": {"coding": [{"system": "http://loinc.org", "code": "8302-2"}]},
}


def test_the_basis_is_what_was_used(application: Any) -> None:
    content = ask(application, patient(), condition(), score(), OLD, WRONG, HEIGHT)
    assessment = content["entry"][0]["resource"]
    used = [resolved(content, each["reference"]) for each in assessment["basis"]]
    assert [(each["resourceType"], each["id"]) for each in used] == [
        ("Condition", "c1"), ("Observation", "o3"),
    ]  # fmt: skip
    assert used[1]["valueQuantity"]["value"] == 22
    assert resolved(content, assessment["condition"]["reference"])["id"] == "c1"
    assert resolved(content, assessment["subject"]["reference"])["resourceType"] == "Patient"


@pytest.mark.parametrize("shape", ["searchset", "addresses", "uuids"])
def test_every_reference_resolves_by_the_rules_of_r4(application: Any, shape: str) -> None:
    resources = (patient(), condition(), score())
    asked = {
        "searchset": searchset(*resources), "addresses": at(BASE, *resources),
        "uuids": uuids(*resources),
    }  # fmt: skip
    content = ask(application, asked[shape])
    assert all(entry["fullUrl"].startswith(("urn:uuid:", "https://")) for entry in content["entry"])
    found = set(references(content))
    for reference in found:
        if shape == "addresses" and reference.startswith(BASE):
            continue  # Of the caller's own server.
        resolved(content, reference)
    assert any(reference.startswith(BASE) for reference in found) is (shape == "addresses")
    assert len(found) >= 5


def test_score_and_chances_cannot_be_misread(application: Any) -> None:
    content = ask(application, patient(), condition(), score())
    assessment = content["entry"][0]["resource"]
    scores = [each for each in assessment["prediction"] if "extension" in each]
    chances = [each for each in assessment["prediction"] if "probabilityRange" in each]
    assert (len(scores), len(chances)) == (6, 12)
    assert not any("probabilityDecimal" in each for each in assessment["prediction"])
    for each in scores:
        (extension,) = each["extension"]
        parts = {part["url"]: part for part in extension["extension"]}
        median = parts["median"]["valueQuantity"]
        interval = parts["interval"]["valueRange"]
        assert (median["system"], median["code"]) == ("http://unitsofmeasure.org", "{score}")
        assert interval["low"]["value"] <= median["value"] <= interval["high"]["value"]
        assert parts["coverage"]["valueQuantity"]["value"] == 80
        assert each["whenPeriod"]["start"] == each["whenPeriod"]["end"] > day(0)
    for each in chances:
        bounds = each["probabilityRange"]
        assert bounds["low"]["code"] == bounds["high"]["code"] == "%"
        assert 0 <= bounds["low"]["value"] <= bounds["high"]["value"] <= 100
        assert each["outcome"]["coding"][0]["system"] == "urn:rehabcast:outcome"
        assert each["whenPeriod"]["start"] == day(0) < each["whenPeriod"]["end"]
    assert {entry["resource"]["resourceType"] for entry in content["entry"]} == {
        "RiskAssessment", "Device", "Provenance", "DocumentReference", "Patient", "Condition",
        "Observation",
    }  # fmt: skip


def test_who_made_it_is_told_as_the_profiles_of_ai_transparency_require(application: Any) -> None:
    content = ask(application, patient(), condition(), score())
    Bundle.model_validate(content)
    assessment, device, provenance, card = (each["resource"] for each in content["entry"][:4])
    for model, resource in (
        (RiskAssessment, assessment), (Device, device), (Provenance, provenance),
        (DocumentReference, card),
    ):  # fmt: skip
        model.model_validate(resource)
    for resource in (assessment, device, provenance):
        assert [label["code"] for label in resource["meta"]["security"]] == ["AIAST"]
    assert device["type"]["coding"][0]["code"] == "Artificial-Intelligence"
    kinds = {each["url"].rpartition(".")[2]: each for each in device["extension"]}
    assert kinds["AIKind"]["valueCodeableConcept"]["coding"][0]["code"] == "Machine-Learning-Models"
    told = resolved(content, kinds["modelCardDescription"]["valueReference"]["reference"])
    assert "withhold therapy" in b64decode(told["content"][0]["attachment"]["data"]).decode()
    (agent,) = provenance["agent"]
    assert agent["type"]["coding"][0]["code"] == "author"
    assert agent["role"][0]["coding"][0]["code"] == "Artificial-Intelligence"
    assert resolved(content, agent["who"]["reference"]) == device
    assert provenance["reason"][0]["coding"][0]["code"] == "AIAST"
    assert resolved(content, provenance["target"][0]["reference"]) == assessment


def test_what_we_said_never_comes_back_as_measured(application: Any) -> None:
    label = {"meta": {"security": [{"code": "AIAST"}]}}
    content = ask(application, patient(), condition(), score(), score(60, days_ago=1, **label))
    notes = [note["text"] for note in content["entry"][0]["resource"]["note"]]
    assert any("last score 22" in note.lower() for note in notes)
    assert any("artificial intelligence" in note for note in notes)
    again = ask(application, {**content, "type": "collection"})
    assert any(
        "last score 22" in note["text"].lower() for note in again["entry"][0]["resource"]["note"]
    )


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("", FHIR),
        ("*/*", FHIR),
        ("application/fhir+json; fhirVersion=4.0", FHIR),
        ("text/html, application/json;q=0.9", "application/json"),
        ("application/fhir+xml", None),
        ("application/fhir+json;q=0, text/html", None),
    ],
)
def test_fhir_is_answered_as_it_is_accepted(
    application: Any, accept: str, kind: str | None
) -> None:
    for resources in ((patient(), condition(), score()), (patient(),)):
        answer = application.ask("/v1/fhir/forecast", searchset(*resources), Accept=accept)
        if kind is None:
            assert answer.status_code == 406
            assert answer.json()["resourceType"] == "OperationOutcome"
        else:
            assert (answer.headers["content-type"], answer.status_code) in {
                (kind, 200),
                (kind, 422),
            }


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("application/fhir+json; fhirVersion=4.0", 200),
        ("application/json", 200),
        ("application/fhir+json; fhirVersion=1.0", 415),
        ("application/fhir+xml", 415),
    ],
)
def test_fhir_is_taken_as_json_of_r4(application: Any, kind: str, status: int) -> None:
    body = searchset(patient(), condition(), score())
    assert application.ask("/v1/fhir/forecast", body, Content_Type=kind).status_code == status


# --- why a score was not used ------------------------------------------------------------------

NOT_USED: dict[str, tuple[dict[str, Any], str, bool]] = {
    # What stands in the Observation, what is told, and whether to assess is the whole advice.
    "in another unit": ({"valueQuantity": {"value": 22, "code": "kg"}}, "in 'kg'", False),
    "a bound": ({"valueQuantity": {"value": 22, "comparator": "<"}}, "comparator", False),
    "preliminary": ({"status": "preliminary"}, "preliminary", False),
    "an error": ({"status": "entered-in-error"}, "entered-in-error", False),
    "declined": (
        {"valueQuantity": None, "dataAbsentReason": {"coding": [{"code": "asked-declined"}]}},
        "asked-declined", False,
    ),
    "without a date": ({"effectiveDateTime": None}, "without the time", False),
    "before the onset": ({"effectiveDateTime": day(30)}, "before the onset", False),
    "beyond the scale": ({"valueQuantity": {"value": 67, "code": "{score}"}}, "67", False),
    "a local code": (
        {"code": {"coding": [{"system": "urn:local", "code": "FM"}]}}, "codes that the model", False,
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", NOT_USED)
def test_why_a_score_was_not_used_is_told(application: Any, what: str) -> None:
    changes, told, _ = NOT_USED[what]
    given = {name: value for name, value in {**score(), **changes}.items() if value is not None}
    answer = application.ask("/v1/fhir/forecast", searchset(patient(), condition(), given))
    assert answer.status_code == 422
    (issue,) = answer.json()["issue"]
    assert told in issue["details"]["text"]
    advice = issue["diagnostics"].removeprefix(f"{issue['details']['text']}: ")
    assert advice
    assert advice != "assess the patient first"


@pytest.mark.parametrize(
    "value",
    [
        {"valueInteger": 22},
        {"valueQuantity": {"value": 22, "system": "http://unitsofmeasure.org", "code": "1"}},
        {
            "valueQuantity": {
                "value": 22,
                "unit": "points",
                "system": "http://unitsofmeasure.org",
                "code": "{points}",
            }
        },
        {"valueQuantity": {"value": 22, "unit": "points"}},
        {"valueQuantity": {"value": 22, "unit": "Score"}},
        {"valueQuantity": {"value": 22}},
    ],
)
def test_a_score_is_a_number_however_its_unit_is_written(application: Any, value: Any) -> None:
    given = {name: each for name, each in score().items() if name != "valueQuantity"}
    content = ask(application, patient(), condition(), {**given, **value})
    assert "ast score 22" in content["entry"][0]["resource"]["note"][0]["text"]


def loinc(code: str, value: float) -> dict[str, Any]:
    coding = {"system": "http://loinc.org", "code": code}
    return {"code": {"coding": [coding]}, "valueQuantity": {"value": value, "code": "{score}"}}


@pytest.mark.parametrize("shape", ["total", "panel"])
@pytest.mark.parametrize(("total", "counts"), [(85, True), (20, False), (15, False)])
def test_a_barthel_total_counts_alone_and_in_a_panel_unless_it_may_be_of_either_form(
    task: Task, shape: str, total: float, counts: bool
) -> None:
    given = {**score(days_ago=2), **loinc("96761-2", total)}
    if shape == "panel":
        given |= {"code": loinc("96762-0", 0)["code"]}
        del given["valueQuantity"]
        given["component"] = [loinc("83184-6", 10), loinc("96761-2", total)]
    record = record_of([searchset(patient(), condition(), score(), given)], task)
    found = [each.value for each in record.observations if each.code == "REHABCAST//BARTHEL"]
    assert found == ([total] if counts else [])
    assert any("may be of 20 or of 100 points" in note for note in record.notes) is not counts
