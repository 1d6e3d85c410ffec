"""CDS Hooks as hospitals run it: whose card, which prefetch, what a card says, what came of it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest

from contracts.observation import Observation
from contracts.task import Task
from contracts.verdict import Outcome
from serving.forecast.audit_status import ServedModel
from serving.http.standards import hooks
from serving.state.champion import Snapshot
from tests.serving.http.standards.shapes import (
    HIP,
    PATIENT,
    SHAPES,
    condition,
    day,
    like_epic,
    patient,
    prefetch,
    sandbox,
    score,
    searchset,
    status,
)

HOOK = "/cds-services/recovery-forecast"
FAILED = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "timeout"}]}


def cards(application: Any, held: dict[str, Any], shape: Callable[[Any], Any] = like_epic) -> Any:
    answer = application.ask(HOOK, shape(held))
    assert answer.status_code == 200, answer.text
    return answer.json()["cards"]


# --- right patient -----------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
def test_a_patient_with_a_stroke_and_a_score_gets_a_card(application: Any, shape: Any) -> None:
    team, family = cards(application, prefetch(), shape)
    assert re.search(r"\d to \d+ points in 8 of 10", team["summary"])
    assert UUID(team["uuid"]) != UUID(family["uuid"])


NOBODY: dict[str, dict[str, Any]] = {
    "dead, on a day": {"patient": patient(deceasedDateTime=day(1))},
    "dead": {"patient": patient(deceasedBoolean=True)},
    "another condition": {"conditions": searchset(condition(HIP))},
    "refuted": {"conditions": searchset(condition(**status("refuted")))},
    "an error": {"conditions": searchset(condition(**status("entered-in-error")))},
    "unconfirmed": {"conditions": searchset(condition(**status("unconfirmed")))},
    "provisional": {"conditions": searchset(condition(**status("provisional")))},
    "differential": {"conditions": searchset(condition(**status("differential")))},
    "no conditions": {"conditions": searchset()},
    "null": {"conditions": None},
    "null, and nothing else": {"conditions": None, "observations": None, "patient": None},
}


@pytest.mark.parametrize("what", NOBODY)
@pytest.mark.parametrize("route", ["hook", "fhir"])
def test_nobody_whom_the_model_is_not_for_gets_a_forecast(
    application: Any, what: str, route: str
) -> None:
    held = prefetch(**NOBODY[what])
    if route == "hook":
        assert cards(application, held) == []
    else:
        entries = [patient() if held["patient"] is None else held["patient"]]
        for key in ("conditions", "observations"):
            entries += [each["resource"] for each in (held[key] or {}).get("entry", [])]
        answer = application.ask("/v1/fhir/forecast", searchset(*entries))
        assert answer.status_code == 422
        words = "died" if "dead" in what else "onset is not known"
        assert words in answer.json()["issue"][0]["details"]["text"]


@pytest.mark.parametrize("clinical", ["active", "inactive", "resolved", "recurrence"])
def test_a_stroke_that_is_past_is_a_stroke(application: Any, clinical: str) -> None:
    held = prefetch(conditions=searchset(condition(**status("confirmed", clinical))))
    assert len(cards(application, held)) == 2


OTHERS: dict[str, dict[str, Any]] = {
    "a score": {"observations": searchset(score(), score(58, days_ago=1, of="p77"))},
    "a condition": {"conditions": searchset(condition(of="p77"))},
    "the patient": {"patient": patient(id="p77")},
    "all": {
        "patient": patient(id="p77"), "conditions": searchset(condition(of="p77")),
        "observations": searchset(score(of="p77")),
    },
    "what is of no use": {"procedures": searchset({"resourceType": "Encounter", "subject": {"reference": "Patient/p77"}})},
}  # fmt: skip


@pytest.mark.parametrize("what", OTHERS)
def test_what_is_another_patients_is_told_and_nothing_is_forecast(
    application: Any, what: str
) -> None:
    (card,) = cards(application, prefetch(**OTHERS[what]))
    assert "No forecast" in card["summary"]
    assert "patient" in card["detail"]


# --- prefetch ----------------------------------------------------------------------------------


@pytest.mark.parametrize("nothing", [None, searchset()])
def test_no_scores_is_an_answer_to_work_with(application: Any, nothing: Any) -> None:
    (card,) = cards(application, prefetch(observations=nothing))
    assert "there is no score" in card["detail"]
    assert "assess the patient first" in card["detail"]


@pytest.mark.parametrize("key", ["conditions", "observations"])
def test_a_key_that_is_needed_and_absent_is_412(application: Any, key: str) -> None:
    held = {name: value for name, value in prefetch().items() if name != key}
    answer = application.ask(HOOK, like_epic(held))
    assert answer.status_code == 412
    assert f"{key} (not sent)" in answer.json()["reason"]
    assert "this service fetches nothing itself" in answer.json()["what_to_do"]
    assert application.ask(HOOK, {**like_epic(), "prefetch": {}}).status_code == 412


@pytest.mark.parametrize("key", ["conditions", "observations"])
def test_a_fetch_that_failed_is_412_with_its_cause(application: Any, key: str) -> None:
    answer = application.ask(HOOK, like_epic(prefetch(**{key: FAILED})))
    assert answer.status_code == 412
    assert f"{key} (could not be fetched: timeout)" in answer.json()["reason"]
    named = {**FAILED, "issue": [{"severity": "error", "code": "Jane Doe", "diagnostics": "Jane"}]}
    answer = application.ask(HOOK, like_epic(prefetch(**{key: named})))
    assert answer.status_code == 412
    assert "Jane" not in answer.text


def test_what_is_not_needed_may_be_missing_and_is_told(application: Any) -> None:
    team, _ = cards(application, prefetch(procedures=FAILED))
    assert "procedures could not be fetched: timeout" in team["detail"]
    held = {key: value for key, value in prefetch().items() if key != "patient"}
    team, _ = cards(application, held)
    assert "Note: patient not sent, so age, sex" in team["detail"]
    assert max(words(card) for card in cards(application, held)) < 80


def test_a_page_that_is_not_the_last_is_told(application: Any) -> None:
    more = {"link": [{"relation": "next", "url": "https://epic.hospital.test/next"}]}
    team, _ = cards(application, prefetch(observations=searchset(score(), **more)))
    assert "of observations only one page was sent" in team["detail"]
    # On a page that is missing may be the stroke.
    (card,) = cards(application, prefetch(conditions=searchset(condition(HIP), **more)))
    assert "more resources are on the server" in card["detail"]
    held = prefetch(conditions=searchset(condition(HIP)), observations=searchset(score(), **more))
    assert cards(application, held) == []


def test_discovery_asks_for_what_the_model_reads_and_no_more(application: Any, task: Task) -> None:
    (service,) = application.ask("/cds-services").json()["services"]
    templates = service["prefetch"]
    assert templates["patient"] == "Patient/{{context.patientId}}"
    asked = {
        key: parse_qs(urlsplit(template).query)
        for key, template in templates.items()
        if key != "patient"
    }
    assert set(asked) == {"conditions", "observations", "procedures"}
    for key, newest in (
        ("conditions", "recorded-date"),
        ("observations", "date"),
        ("procedures", "date"),
    ):
        assert asked[key]["patient"] == ["{{context.patientId}}"]
        assert asked[key]["_sort"] == [f"-{newest}"]
        assert int(asked[key]["_count"][0]) > 0
    codes = set(asked["observations"]["code"][0].split(","))
    read = {*task.inputs.assessments, *task.inputs.daily, *task.inputs.person} - {
        "REHABCAST//THERAPY"
    }
    verified = {
        f"http://loinc.org|{code}"
        for code in ("96761-2", "96762-0", "64098-7")  # Barthel index, its panel, six-minute walk
    }
    assert verified <= codes
    assert codes - verified == {
        code.replace("LOINC//", "http://loinc.org|").replace(
            "REHABCAST//", "urn:rehabcast:vocabulary|"
        )
        for code in read
    }
    diagnoses = set(asked["conditions"]["code"][0].split(","))
    assert task.onset is not None
    assert {*task.onset.snomed, *task.onset.icd10, "I63.9", "I63.512"} <= diagnoses
    assert not any(code.startswith(("I62", "J", "S")) for code in diagnoses)
    # Some record systems take no longer addresses.
    assert max(len(template) for template in templates.values()) < 2000


# --- the card ----------------------------------------------------------------------------------


def words(card: dict[str, Any]) -> int:
    return len(f"{card['summary']} {card['detail']}".split())


def test_a_card_is_short_dated_and_in_words(application: Any) -> None:
    team, family = cards(application, prefetch())
    assert max(words(team), words(family)) < 80
    assert re.search(r"Week 12 \(\d+ \w+ 20\d\d\): arm score \d+ to \d+", team["summary"])
    assert re.search(r"Forecast of \d+ \w+ 20\d\d from 22 on \d+ \w+", team["detail"])
    assert re.search(
        r"FM-UE 50 or more: (\d|more than 9|fewer than 1) of 1?0? ?\(?", team["detail"]
    )
    assert re.search(r"of 10 \((over |under )?\d+ %\)", team["detail"])
    assert "the last arm score (" in team["detail"]
    assert "Missing: " in team["detail"]
    assert "No reason to withhold therapy" in team["detail"]
    assert "SIMULATED" in team["detail"]


def test_a_card_of_an_overridden_model_is_as_short_and_says_who(
    application: Any, served: ServedModel
) -> None:
    status = replace(
        served.audit_status, outcome=Outcome.INSUFFICIENT, approver="Dr A", reason="a pilot " * 30,
        restricted_use="patients of ward 3 who " * 20,
    )  # fmt: skip
    application.champion.current = Snapshot(replace(served, audit_status=status))
    for card in cards(application, prefetch()):
        assert words(card) < 80
        assert "OVERRIDE until 1 January 2100 by Dr A, only for" in card["detail"]
        assert "only for patients" in card["detail"]
        assert ": a" in card["detail"]
        # What is cut leads to what was cut.
        assert card["detail"].count("[…](https://clinic.test/about)") == 2
        assert card["indicator"] == "warning"
    page = application.ask("/about", Authorization="").text
    assert status.reason.strip() in page


def test_a_card_can_be_opened_overridden_and_told_from_others(application: Any) -> None:
    for card in cards(application, prefetch()):
        assert card["source"]["url"] == "https://clinic.test/about"
        assert card["source"]["topic"]["code"].isalnum()
        assert {"code", "system", "display"} == set(card["overrideReasons"][0])
        for link in card["links"]:
            page = application.ask(urlsplit(link["url"]).path, Authorization="")
            assert page.status_code == 200
            assert page.headers["content-type"].startswith("text/html")
    application.runtime.public_address = ""
    for card in cards(application, prefetch()):
        assert "links" not in card
        assert "url" not in card["source"]


def test_a_card_leads_to_the_patients_page_where_people_sign_in_and_have_a_record(
    application: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    call: Any = SimpleNamespace(
        runtime=application.runtime, caller=SimpleNamespace(tenant="development")
    )
    application.store.add(
        "development", "P-1", 6,
        [Observation(code="REHABCAST//FUGL_MEYER_UE", day_since_onset=6, value=20.0)],
        actor="tests", now=datetime.now(UTC),
    )  # fmt: skip
    assert hooks.page_of(call, "P-1") == "", "nobody could sign in"
    sign_in: Any = SimpleNamespace(issuer="https://login.test")
    application.runtime.access = replace(application.runtime.access, sign_in=sign_in)
    page = hooks.page_of(call, "P-1")
    assert page == "https://clinic.test/pages/patients/P-1"
    assert hooks.page_of(call, "P-2") == "", "nothing is on record to be shown"
    assert hooks.page_of(call, PATIENT) == "", "no pseudonym of the running record"
    monkeypatch.setattr(hooks, "page_of", lambda *_: page)
    team, family = cards(application, prefetch())
    assert [link["url"] for link in team["links"]] == [page, "https://clinic.test/about"]
    assert page not in str(family), "what a family is shown leads to no record"


# --- feedback ----------------------------------------------------------------------------------


def feedback(of: str, **more: Any) -> dict[str, Any]:
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    told = {"card": of, "outcome": "overridden", "outcomeTimestamp": now, **more}
    return {"feedback": [told]}


CHOSEN = {"reason": {"code": "data-wrong", "system": "urn:rehabcast:override"}}


def test_feedback_as_the_sandbox_sends_it_is_kept(application: Any) -> None:
    card = cards(application, prefetch(), sandbox)[0]["uuid"]
    for sent in (
        feedback(card, overrideReason=CHOSEN),
        feedback(card, outcome="accepted", acceptedSuggestions=[]),
        {**feedback(card), "extension": {"com.epic.x": 1}},
    ):
        answer = application.ask(f"{HOOK}/feedback", sent)
        assert answer.status_code == 200, answer.text
    kept = [json.loads(row.content) for row in application.on_record("feedback")]
    assert [one["reason"] for one in kept] == ["data-wrong", "", ""]
    assert all(one["given"][:10] == day(0) for one in kept)


def later(**by: float) -> str:
    return (datetime.now(UTC) + timedelta(**by)).isoformat()


WRONG: dict[str, tuple[dict[str, Any], set[int]]] = {
    "a time to come": ({"outcomeTimestamp": later(hours=2)}, {422}),
    "a time before the card": ({"outcomeTimestamp": later(hours=-2)}, {422}),
    "a time of years ago": ({"outcomeTimestamp": "1970-01-01T00:00:00Z"}, {422}),
    "a time before year 1 in UTC": ({"outcomeTimestamp": "0001-01-01T00:00:00+14:00"}, {422}),
    "a time after 9999 in UTC": ({"outcomeTimestamp": "9999-12-31T23:59:59-14:00"}, {422}),
    "a time without a zone": ({"outcomeTimestamp": "2026-01-16T09:00:00"}, {400}),
    "no time": ({"outcomeTimestamp": "soon"}, {400}),
    "an unknown reason": ({"overrideReason": {"reason": {"code": "x"}}}, {422}),
    "another's reason": ({"overrideReason": {"reason": {"code": "data-wrong", "system": "urn:x"}}}, {422}),
    "an accepted card with a reason": ({"outcome": "accepted", "overrideReason": CHOSEN}, {422}),
    "a card of nobody": ({"card": "00000000-0000-4000-8000-000000000000"}, {404}),
    "no card": ({"card": "x"}, {400}),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_feedback_that_cannot_be_right_is_refused(
    application: Any, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serving.http.handlers.WAITS", (0.0,))
    card = cards(application, prefetch())[0]["uuid"]
    assert application.log.settle(30)
    changes, statuses = WRONG[what]
    answer = application.ask(f"{HOOK}/feedback", feedback(card, **changes))
    assert answer.status_code in statuses, answer.text
    assert application.on_record("feedback") == []


def test_only_cards_take_feedback_on_cards(
    application: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serving.http.handlers.WAITS", (0.0,))
    bundle = searchset(patient(), condition(), score())
    answer = application.ask("/v1/forecast", {"subject": PATIENT[:2], "bundle": bundle}).json()
    assert application.log.settle(30)
    sent = feedback(str(UUID(answer["forecast_id"])))
    assert application.ask(f"{HOOK}/feedback", sent).status_code == 404
