"""Who a refusal is about: known, so that a withdrawal and an erasure find it."""

from __future__ import annotations

from typing import Any

import pytest

from serving.state.verification import verify
from tests.serving.http.standards.shapes import (
    HIP,
    PATIENT,
    condition,
    day,
    like_epic,
    patient,
    prefetch,
    score,
    searchset,
    status,
)

HOOK, FHIR = "/cds-services/recovery-forecast", "/v1/fhir/forecast"
ABOUT_THEM: dict[str, list[Any]] = {
    "dead": [patient(deceasedDateTime=day(1)), condition(), score()],
    "dead, day unknown": [patient(deceasedBoolean=True), condition(), score()],
    "no score": [patient(), condition()],
    "no date of onset": [patient(), condition(onsetDateTime=None), score()],
}
NO_BUSINESS: dict[str, list[Any]] = {
    "another condition": [patient(), condition(HIP), score()],
    "refuted": [patient(), condition(**status("refuted")), score()],
}


@pytest.mark.parametrize("what", ABOUT_THEM)
def test_a_refusal_about_a_patient_is_found_by_an_erasure(application: Any, what: str) -> None:
    assert application.ask(FHIR, searchset(*ABOUT_THEM[what])).status_code == 422
    (entry,) = application.on_record("forecast")
    assert entry.subject == PATIENT
    # Their ids on the other routes have no full stop.
    erased = application.ask("/v1/erasures", {"subject": PATIENT, "reason": "asked for it"})
    assert erased.status_code == 200, erased.text
    assert erased.json() == {"entries": 1}
    assert PATIENT not in str(application.on_record("forecast"))
    assert verify(application.store).findings == ()


@pytest.mark.parametrize("what", NO_BUSINESS)
def test_who_has_not_the_condition_is_not_named(application: Any, what: str) -> None:
    assert application.ask(FHIR, searchset(*NO_BUSINESS[what])).status_code == 422
    assert [entry.subject for entry in application.on_record("forecast")] == [None]


@pytest.mark.parametrize("what", [*ABOUT_THEM, *NO_BUSINESS])
@pytest.mark.parametrize("route", ["fhir", "hook", "bundle"])
def test_who_has_withdrawn_consent_is_told_so_and_nothing_of_their_health(
    application: Any, what: str, route: str
) -> None:
    decision = {"subject": PATIENT, "consent": "withdrawn"}
    assert application.ask("/v1/consent", decision).status_code == 200
    first, *others = {**ABOUT_THEM, **NO_BUSINESS}[what]
    bundle = searchset(first, *others)
    if route == "fhir":
        answer = application.ask(FHIR, bundle)
    elif route == "bundle":
        answer = application.ask("/v1/forecast", {"subject": "P", "bundle": bundle})
    else:
        scores = [each for each in others if each["resourceType"] == "Observation"]
        held = prefetch(
            patient=first, conditions=searchset(others[0]), observations=searchset(*scores)
        )
        answer = application.ask(HOOK, like_epic(held))
    assert "withdrawn consent" in answer.text
    for word in ("died", "onset", "score of"):
        assert word not in answer.text
    assert all(PATIENT not in str(entry) for entry in application.on_record("forecast"))
