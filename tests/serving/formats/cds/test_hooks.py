from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import pytest

from contracts.errors import ForecastRefused
from contracts.observation import Observation
from serving.forecast.audit_status import ServedModel
from serving.forecast.question import Question
from serving.forecast.respond import refused, respond
from serving.formats.cds.cards import cards, family_card, forecast_of_card
from serving.formats.cds.hooks import SERVICE
from serving.http.examples import OBSERVATIONS
from tests.serving.dates import HOOK

ID = "0123456789abcdef0123456789abcdee"


def answer(served: ServedModel) -> Any:
    question = Question(
        subject="P",
        enrolment_day=10,
        observations=msgspec.convert(OBSERVATIONS, list[Observation]),
    )
    forecast = respond(question, served, now=datetime(2026, 11, 24, tzinfo=UTC))
    return msgspec.structs.replace(forecast, forecast_id=ID)


def test_there_is_a_card_for_the_team_and_one_for_the_family(served: ServedModel) -> None:
    team, family = cards(answer(served), "https://here/about")["cards"]
    for card in (team, family):
        assert len(card["summary"]) < 140
        assert card["indicator"] in {"info", "warning", "critical"}
        assert card["source"]["label"] == "rehabcast arm/1"
        assert card["links"][0]["url"] == card["source"]["url"] == "https://here/about"
        assert "therapy" in card["detail"]
    assert "Why:" not in family["detail"]
    assert "neither a promise nor a limit" in family["detail"]
    assert team["uuid"] != family["uuid"]


def test_a_refusal_is_one_card_that_says_what_to_do(served: ServedModel) -> None:
    refusal = ForecastRefused("x" * 300, "assess")
    answer = msgspec.structs.replace(refused("P", served, refusal), forecast_id=ID)
    (card,) = cards(answer, "https://here/about")["cards"]
    assert len(card["summary"]) < 140
    assert "x" * 300 in card["detail"]
    assert "assess" in card["detail"]


def test_either_card_leads_back_to_its_forecast() -> None:
    assert forecast_of_card(str(UUID(hex=ID))) == ID
    assert forecast_of_card(str(UUID(hex=family_card(ID)))) == ID


def test_the_sandboxs_request_is_answered_and_its_feedback_kept(server: Any) -> None:
    services = server.http.get("/cds-services", headers={"Authorization": ""}).json()["services"]
    assert services[0]["id"] == SERVICE
    assert set(services[0]["prefetch"]) == set(HOOK["prefetch"])
    response = server.http.post(f"/cds-services/{SERVICE}", json=HOOK)
    assert response.status_code == 200, response.text
    card = response.json()["cards"][0]
    assert "Week 12" in card["summary"]
    feedback = {
        "card": card["uuid"],
        "outcome": "overridden",
        "overrideReason": {"reason": {"code": "data-wrong"}, "userComment": "other arm"},
        "outcomeTimestamp": datetime.now(UTC).isoformat(),
    }
    response = server.http.post(f"/cds-services/{SERVICE}/feedback", json={"feedback": [feedback]})
    assert response.status_code == 200, response.text


FAILED = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "timeout"}]}


@pytest.mark.parametrize(
    "prefetch",
    [
        None,
        {},
        {"patient": None},
        {**HOOK["prefetch"], "conditions": FAILED},
    ],
)
def test_a_hook_without_what_it_needs_gets_412(server: Any, prefetch: Any) -> None:
    response = server.http.post(f"/cds-services/{SERVICE}", json={**HOOK, "prefetch": prefetch})
    assert response.status_code == 412
    assert "the prefetch lacks" in response.json()["reason"]
    assert "send the prefetch that /cds-services asks for" in response.json()["what_to_do"]


def test_a_patient_without_scores_is_answered_with_what_to_do(server: Any) -> None:
    """An empty Bundle is data: the record system has searched and found none."""
    nothing = {"resourceType": "Bundle", "type": "searchset"}
    prefetch = {**HOOK["prefetch"], "observations": nothing}
    response = server.http.post(f"/cds-services/{SERVICE}", json={**HOOK, "prefetch": prefetch})
    (card,) = response.json()["cards"]
    assert "No forecast" in card["summary"]
