from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.operationoutcome import OperationOutcome
from fhir.resources.R4B.riskassessment import RiskAssessment

from serving.http.examples import PATIENT
from tests.serving.dates import BUNDLE, CONDITION, OBSERVATION

SAMPLES = Path(__file__).resolve().parents[5] / "shared" / "data" / "device_samples" / "fhir"
FHIR = {"Content-Type": "application/fhir+json"}


def test_a_forecast_is_a_valid_risk_assessment_labelled_as_artificial(server: Any) -> None:
    response = server.http.post("/v1/fhir/forecast", content=json.dumps(BUNDLE), headers=FHIR)
    assert response.status_code == 200, response.text
    bundle = Bundle.model_validate(response.json())
    kinds = [entry["resource"]["resourceType"] for entry in response.json()["entry"]]
    assert kinds[:4] == ["RiskAssessment", "Device", "Provenance", "DocumentReference"]
    first = response.json()["entry"][0]["resource"]
    RiskAssessment.model_validate(first)
    assert bundle.type == "collection"
    assert first["meta"]["security"][0]["code"] == "AIAST"
    assert len(first["basis"]) == 2
    assert len(first["prediction"]) == 18
    assert first["performer"]["reference"] == response.json()["entry"][1]["fullUrl"]
    assert any("in 8 of 10" in note["text"] for note in first["note"])


def test_a_refusal_is_an_operation_outcome(server: Any) -> None:
    bundle = {**BUNDLE, "entry": [{"resource": PATIENT}]}
    for body, status in ((json.dumps(bundle), 422), ("{", 400), ('{"resourceType": "X"}', 422)):
        response = server.http.post("/v1/fhir/forecast", content=body, headers=FHIR)
        assert response.status_code == status
        OperationOutcome.model_validate(response.json())


@pytest.mark.skipif(not SAMPLES.exists(), reason="../shared/data/device_samples is not here")
def test_synthea_patients_are_answered(server: Any) -> None:
    """They had no stroke and no Fugl-Meyer, so the answer is what is missing."""
    files = sorted(SAMPLES.glob("synthea_*.json.gz"))
    assert len(files) == 2
    for file in files:
        response = server.http.post(
            "/v1/fhir/forecast", content=gzip.decompress(file.read_bytes()), headers=FHIR
        )
        assert response.status_code == 422
        assert "onset" in response.json()["issue"][0]["details"]["text"]
        bundle = json.loads(gzip.decompress(file.read_bytes()))
        patient = bundle["entry"][0]["resource"]["id"]
        stroke = [
            {**CONDITION, "subject": {"reference": f"Patient/{patient}"}},
            {**OBSERVATION, "subject": {"reference": f"Patient/{patient}"}},
        ]
        kept = [e for e in bundle["entry"] if e["resource"]["resourceType"] != "Condition"]
        bundle["entry"] = [*kept, *({"resource": resource} for resource in stroke)]
        response = server.http.post("/v1/fhir/forecast", content=json.dumps(bundle), headers=FHIR)
        assert response.status_code == 200, response.text
