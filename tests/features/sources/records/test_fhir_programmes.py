"""A CarePlan says the same programme as a TOML file, or is refused with its place."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from contracts.errors import ContractError
from features.sources.records.fhir_programmes import (
    GOAL,
    RECORDING,
    read_any_programme,
    read_fhir_programme,
)
from tests.simulated_exercise import PROGRAMME, PROGRAMME_TOML

WHO = {"reference": "Patient/P"}


def request(
    identity: str, name: str, sets: int, per: str, repetitions: int, **goals: float
) -> dict[str, Any]:
    return {
        "resourceType": "ServiceRequest", "id": identity, "status": "active", "intent": "order",
        "subject": WHO, "code": {"text": name}, "bodySite": [{"text": "right shoulder"}],
        "occurrenceTiming": {"repeat": {"frequency": sets, "period": 1, "periodUnit": per}},
        "quantityQuantity": {"value": repetitions},
        "extension": [
            {"url": GOAL, "valueQuantity": {"value": value, "code": code}}
            for code, value in goals.items()
        ],
    }  # fmt: skip


def bundle() -> dict[str, Any]:
    requests = [
        request("r1", "external rotation", 2, "d", 10, deg=60, s=2.5),
        request("r2", "wall slide", 6, "wk", 12, deg=90),
    ]
    plan = {
        "resourceType": "CarePlan", "id": "c", "status": "active", "intent": "plan",
        "title": "shoulder", "subject": WHO,
        "period": {"start": "2026-03-02", "end": "2026-03-29"},
        "extension": [{"url": RECORDING, "valueCode": "in-sessions"}],
        "activity": [
            {"reference": {"reference": f"ServiceRequest/{each['id']}"}} for each in requests
        ],
    }  # fmt: skip
    patient = {"resourceType": "Patient", "id": "P"}
    resources = [patient, plan, *requests]
    return {
        "resourceType": "Bundle", "type": "collection",
        "entry": [{"resource": each} for each in resources],
    }  # fmt: skip


def written(tmp_path: Path, content: Any) -> Path:
    path = tmp_path / "programme.json"
    path.write_text(json.dumps(content), "utf-8")
    return path


def test_it_says_the_same_as_a_file_of_toml(tmp_path: Path) -> None:
    assert read_any_programme(written(tmp_path, bundle())) == PROGRAMME
    (tmp_path / "programme.toml").write_text(PROGRAMME_TOML, "utf-8")
    assert read_any_programme(tmp_path / "programme.toml") == PROGRAMME


Change = Callable[[dict[str, Any], dict[str, Any]], object]
"""Of the CarePlan and its first ServiceRequest."""


def repeat(one: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = one["occurrenceTiming"]["repeat"]
    return found


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda p, r: p.pop("extension"), "not known how the sensor is worn"),
        (lambda p, r: p["extension"][0].update(valueCode="sometimes"), "how the sensor is worn"),
        (lambda p, r: p["period"].pop("end"), "CarePlan.period.end: this is not a whole day"),
        (lambda p, r: p["period"].update(end="2026-03-28"), "not of whole weeks"),
        (lambda p, r: p["period"].update(end="2026-02-01"), "weeks is -4"),
        (lambda p, r: p.update(status="revoked"), "CarePlan.status: it does not hold"),
        (lambda p, r: p.pop("title"), "name is empty"),
        (lambda p, r: p.pop("activity"), "exercises is empty"),
        (lambda p, r: p["activity"].append(p["activity"][0]), "is prescribed twice"),
        (lambda p, r: p["activity"][0].update(reference={"reference": "ServiceRequest/x"}),
         "activity[0].reference: its ServiceRequest is not in this file"),
        (lambda p, r: p.update(implicitRules="https://x.example"), "it changes the meaning"),
        (lambda p, r: r.update(subject={"reference": "Patient/Q"}), "it is of somebody else"),
        (lambda p, r: r.pop("bodySite"), "its side is not known"),
        (lambda p, r: r.update(bodySite=[{"text": "left and right knee"}]), "side is not known"),
        (lambda p, r: r.update(doNotPerform=True), "doNotPerform: this is not read"),
        (lambda p, r: r.update(asNeededBoolean=True), "asNeededBoolean: this is not read"),
        (lambda p, r: r.pop("occurrenceTiming"), "how many sets a day or a week"),
        (lambda p, r: repeat(r).update(periodUnit="mo"), "how many sets a day or a week"),
        (lambda p, r: repeat(r).update(period=2), "how many sets a day or a week"),
        (lambda p, r: repeat(r).update(frequencyMax=4), "frequencyMax: this is not read"),
        (lambda p, r: repeat(r).update(dayOfWeek=["mon"]), "dayOfWeek: this is not read"),
        (lambda p, r: r["occurrenceTiming"].update(code={"text": "BID"}), "code: this is not read"),
        (lambda p, r: r.pop("quantityQuantity"), "repetitions is None"),
        (lambda p, r: r["quantityQuantity"].update(value=9.5), "repetitions is 9.5"),
        (lambda p, r: r["quantityQuantity"].update(code="min"), "no number of repetitions"),
        (lambda p, r: r["extension"].append(r["extension"][0]), "one of them twice"),
        (lambda p, r: r["extension"][0]["valueQuantity"].update(code="rad"), "it is no goal"),
        (lambda p, r: r.update(status="nonsense", intent=3), "not FHIR R4"),
    ],
)  # fmt: skip
def test_what_is_not_plain_is_refused(tmp_path: Path, change: Change, says: str) -> None:
    content = bundle()
    change(content["entry"][1]["resource"], content["entry"][2]["resource"])
    with pytest.raises(ContractError) as refused:
        read_fhir_programme(written(tmp_path, content))
    assert says in str(refused.value)


@pytest.mark.parametrize("content", [[], {}, {"resourceType": "Patient"}, "x", 3, None])
def test_something_else_is_refused(tmp_path: Path, content: Any) -> None:
    with pytest.raises(ContractError):
        read_fhir_programme(written(tmp_path, content))
