"""FHIR resources as tests write them, and what becomes of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from contracts.cohort import CODE, NUMBER, TEXT, TIME
from contracts.onset import STROKE, OnsetCodes
from features.measurements.reconcile import reconcile
from features.measurements.records import SUBJECT_LABEL
from features.recording import SourceFile
from features.sources.records.fhir import read_documents


@dataclass(frozen=True)
class Decided:
    """What counts of some documents."""

    values: pd.DataFrame
    said: str
    labels: frozenset[str]

    def of(self, code: str, label: str = "") -> list[tuple[str, Any]]:
        table = self.values[self.values[CODE] == code]
        if label:
            table = table[table[SUBJECT_LABEL] == label]
        return [
            ("" if pd.isna(time) else f"{time:%Y-%m-%d}", text if pd.isna(number) else number)
            for time, number, text in table[[TIME, NUMBER, TEXT]].itertuples(index=False)
        ]


Decide = Callable[..., Decided]


@pytest.fixture(scope="session")
def decide() -> Decide:
    def run(*documents: Any, zone: str = "", onset: OnsetCodes = STROKE) -> Decided:
        """Read each document as a file of its own, then decide over all."""
        readings = [
            read_documents(
                SourceFile(path=Path("x"), name=f"f{n}", subject_label="", zone=zone, onset=onset),
                [("*", document)] if isinstance(document, dict) else enumerated(document),
            )
            for n, document in enumerate(documents)
        ]
        result = reconcile([reading.records for reading in readings])
        problems = [*(p for reading in readings for p in reading.dropped), *result.problems]
        labels = frozenset(label for reading in readings for label in reading.labels)
        return Decided(result.values, "\n".join(map(str, problems)), labels)

    return run


def enumerated(documents: Sequence[Any]) -> list[tuple[str, Any]]:
    return [(f"line {n}", document) for n, document in enumerate(documents, start=1)]


def _resource(kind: str, **changes: Any) -> dict[str, Any]:
    return {key: v for key, v in {"resourceType": kind, **changes}.items() if v is not None}


@pytest.fixture(scope="session")
def score() -> Callable[..., dict[str, Any]]:
    """Builds a Fugl-Meyer Observation."""

    def build(value: Any = 22, **changes: Any) -> dict[str, Any]:
        code = {"coding": [{"system": "urn:rehabcast:vocabulary", "code": "FUGL_MEYER_UE"}]}
        usual: dict[str, Any] = {
            "id": "o1",
            "status": "final",
            "code": code,
            "subject": {"reference": "Patient/p1"},
            "effectiveDateTime": "2024-03-05",
        }
        if value is not None:
            usual["valueQuantity"] = {
                "value": value, "system": "http://unitsofmeasure.org", "code": "{score}",
            }  # fmt: skip
        return _resource("Observation", **{**usual, **changes})

    return build


@pytest.fixture(scope="session")
def steps() -> Callable[..., dict[str, Any]]:
    """Builds an Observation of steps."""

    def build(value: Any = 4000, **changes: Any) -> dict[str, Any]:
        usual: dict[str, Any] = {
            "id": "s1",
            "status": "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": "41950-7"}]},
            "subject": {"reference": "Patient/p1"},
            "effectiveDateTime": "2024-03-06",
            "valueQuantity": {
                "value": value, "system": "http://unitsofmeasure.org", "code": "/d",
            },
        }  # fmt: skip
        return _resource("Observation", **{**usual, **changes})

    return build


@pytest.fixture(scope="session")
def stroke() -> Callable[..., dict[str, Any]]:
    """Builds a Condition."""

    def build(code: str = "230690007", system: str = "", **changes: Any) -> dict[str, Any]:
        usual: dict[str, Any] = {
            "id": "c1",
            "subject": {"reference": "Patient/p1"},
            "code": {"coding": [{"system": system or "http://snomed.info/sct", "code": code}]},
            "onsetDateTime": "2024-03-01",
        }
        return _resource("Condition", **{**usual, **changes})

    return build


@pytest.fixture(scope="session")
def bundle() -> Callable[..., dict[str, Any]]:
    """Builds a Bundle of entries: resources, or (fullUrl, resource)."""

    def build(*items: Any, **changes: Any) -> dict[str, Any]:
        entries = [
            {"fullUrl": item[0], "resource": item[1]}
            if isinstance(item, tuple)
            else (item if "resourceType" not in item else {"resource": item})
            for item in items
        ]
        return {"resourceType": "Bundle", "type": "collection", "entry": entries, **changes}

    return build
