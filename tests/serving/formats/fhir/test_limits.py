"""How much FHIR a request may hold: half a year of everything, and what to do beyond."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from contracts.errors import ForecastRefused
from contracts.task import Task
from serving.formats.fhir.limits import (
    MAX_BUNDLES,
    MAX_ELEMENTS,
    MAX_ENTRIES,
    refuse_too_many,
)
from serving.formats.fhir.record import record_of
from serving.http.examples import BUNDLE, CONDITION, OBSERVATION, PATIENT
from tests.refusals import refuses


def bundle(*resources: Any) -> dict[str, Any]:
    entries = [{"resource": resource} for resource in resources]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}


def many(days: int, channels: int) -> list[dict[str, Any]]:
    """Observations as short as an export writes them."""
    start = pd.Timestamp("2026-01-15")
    codes = ["41950-7", "40443-4"]
    return [
        {
            **OBSERVATION,
            "id": f"d{day}c{channel}",
            "code": {"coding": [{"system": "http://loinc.org", "code": codes[channel % 2]}]},
            "effectiveDateTime": f"{start + pd.Timedelta(days=day):%Y-%m-%d}",
            "valueQuantity": {"value": 70, "code": ["/d", "/min"][channel % 2]},
        }
        for day in range(days)
        for channel in range(channels)
    ]


def test_half_a_year_of_all_channels_is_read(task: Task) -> None:
    record = record_of([bundle(PATIENT, CONDITION, OBSERVATION, *many(180, 32))], task)
    assert record.enrolment_day == 10


EXTENSION = {"url": "http://a", "valueString": "b"}


@pytest.mark.parametrize(
    ("resources", "refusal"),
    [
        ([{}] * MAX_ENTRIES, "more than 20,000 entries"),
        (many(240, 32), "more than 41,000 elements"),
        ([{**PATIENT, "extension": [EXTENSION] * (MAX_ELEMENTS // 3)}], "41,000 elements"),
        ([{**OBSERVATION, "contained": [PATIENT] * (MAX_ELEMENTS // 3)}], "41,000 elements"),
        ([{**OBSERVATION, "component": [{}] * MAX_ELEMENTS}], "41,000 elements"),
        ([bundle(*[{}] * (MAX_ENTRIES // 2))] * 2, "more than 20,000 entries"),
    ],
)
def test_too_much_is_refused_with_what_to_do(
    task: Task, resources: list[Any], refusal: str
) -> None:
    with refuses(ForecastRefused, match=refusal) as refused:
        record_of([bundle(PATIENT, CONDITION, OBSERVATION, *resources)], task)
    assert refused.value.what_to_do


def test_what_no_forecast_uses_counts_little(task: Task) -> None:
    encounter = {"resourceType": "Encounter", "subject": OBSERVATION["subject"]}
    claims = [{**encounter, "reasonCode": [{}] * 10}] * 8_000
    assert record_of([bundle(PATIENT, CONDITION, OBSERVATION, *claims)], task).enrolment_day == 10


def test_bundles_of_many_people_are_bounded_together() -> None:
    refuse_too_many([BUNDLE] * MAX_BUNDLES)
    refuse_too_many([bundle(*many(300, 32))])
    with refuses(ForecastRefused, match="more than 12 Bundles"):
        refuse_too_many([BUNDLE] * (MAX_BUNDLES + 1))
    with refuses(ForecastRefused, match="41,000 elements together"):
        refuse_too_many([bundle(*many(100, 32))] * 4)
