from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import pytest

from contracts.observation import Observation
from serving.forecast.audit_status import Served
from serving.forecast.question import Question
from serving.forecast.respond import refused, respond
from serving.formats.cds_hooks import SERVICE, cards, family_card, forecast_of_card
from serving.http.examples import HOOK, OBSERVATIONS

ID = "0123456789abcdef0123456789abcdee"


def answer(served: Served) -> Any:
    question = Question(
        subject="P",
        enrolment_day=10,
        observations=msgspec.convert(OBSERVATIONS, list[Observation]),
    )
    told = respond(question, served, now=datetime(2026, 11, 24, tzinfo=UTC))
    return msgspec.structs.replace(told, forecast_id=ID)


def test_there_is_a_card_for_the_team_and_one_for_the_family(served: Served) -> None:
    team, family = cards(answer(served), "https://here")["cards"]
    for card in (team, family):
        assert len(card["summary"]) < 140
        assert card["indicator"] in {"info", "warning", "critical"}
        assert card["source"]["label"] == "rehabcast arm/1"
        assert card["links"][0]["url"] == "https://here/v1/model"
        assert "therapy" in card["detail"]
    assert "| week |" in team["detail"]
    assert "points" not in family["detail"]
    assert "no promise" in family["detail"]
    assert team["uuid"] != family["uuid"]


def test_a_refusal_is_one_card_that_says_what_to_do(served: Served) -> None:
    told = msgspec.structs.replace(refused("P", served, "x" * 300 + ": assess"), forecast_id=ID)
    (card,) = cards(told, "https://here")["cards"]
    assert len(card["summary"]) < 140
    assert "assess" in card["detail"]


def test_either_card_leads_back_to_its_forecast() -> None:
    assert forecast_of_card(str(UUID(hex=ID))) == ID
    assert forecast_of_card(str(UUID(hex=family_card(ID)))) == ID


def test_the_sandboxs_request_is_answered_and_its_feedback_kept(server: Any) -> None:
    services = server.http.get("/cds-services", headers={"Authorization": ""}).json()["services"]
    assert services[0]["id"] == SERVICE
    assert set(services[0]["prefetch"]) == set(HOOK["prefetch"])
    told = server.http.post(f"/cds-services/{SERVICE}", json=HOOK)
    assert told.status_code == 200, told.text
    card = told.json()["cards"][0]
    assert "Week 12" in card["summary"]
    feedback = {
        "card": card["uuid"],
        "outcome": "overridden",
        "overrideReason": {"reason": {"code": "data-wrong"}, "userComment": "other arm"},
        "outcomeTimestamp": "2026-01-16T09:00:00Z",
    }
    said = server.http.post(f"/cds-services/{SERVICE}/feedback", json={"feedback": [feedback]})
    assert said.status_code == 200, said.text


FAILED = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "timeout"}]}


@pytest.mark.parametrize(
    "prefetch",
    [
        None,
        {},
        {"patient": None},
        {**HOOK["prefetch"], "observations": None},
        {**HOOK["prefetch"], "conditions": FAILED},
    ],
)
def test_a_hook_without_what_it_needs_gets_412(server: Any, prefetch: Any) -> None:
    told = server.http.post(f"/cds-services/{SERVICE}", json={**HOOK, "prefetch": prefetch})
    assert told.status_code == 412
    assert "send what the discovery asks for" in told.json()["error"]


def test_a_patient_without_scores_is_answered_with_what_to_do(server: Any) -> None:
    """An empty Bundle is data: the record system has looked, and there are none."""
    nothing = {"resourceType": "Bundle", "type": "searchset"}
    prefetch = {**HOOK["prefetch"], "observations": nothing}
    told = server.http.post(f"/cds-services/{SERVICE}", json={**HOOK, "prefetch": prefetch})
    (card,) = told.json()["cards"]
    assert "No forecast" in card["summary"]
