"""A mistyped score is corrected, a person erased: the record still verifies, and says who and why."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from serving.forecast.audit_status import ServedModel
from serving.state.verification import verify
from tests.serving.http.standards.conftest import Application

SCORE = "REHABCAST//FUGL_MEYER_UE"
RECORD: dict[str, Any] = {
    "subject": "P-1",
    "enrolment_day": 10,
    "observations": [
        {"code": SCORE, "day_since_onset": 10, "value": 25},
        {"code": SCORE, "day_since_onset": 24, "value": 32},
        {"code": "REHABCAST//SEX", "label": "male"},
    ],
}


@pytest.fixture
def application(served: ServedModel, tmp_path: Path) -> Iterator[Application]:
    with closing(Application(tmp_path, served)) as opened:
        assert opened.ask("/v1/observations", RECORD).status_code == 200
        yield opened


def correction(*corrections: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"subject": "P-1", "corrections": corrections, "reason": "typed 32 for 23", **more}


def last_score(application: Application) -> float:
    answer = application.ask("/v1/forecast", {"subject": "P-1", "explain": False}).json()
    found: float = answer["last_score"]
    return found


def test_a_mistyped_score_is_corrected(application: Application) -> None:
    assert last_score(application) == 32
    right = {"code": SCORE, "day_since_onset": 24, "value": 23}
    answer = application.ask("/v1/corrections", correction(right))
    assert answer.status_code == 200, answer.text
    assert answer.json() == {"subject": "P-1", "sent": 1, "on_record": 3}
    assert last_score(application) == 23
    (entry,) = application.on_record("correction")
    content = json.loads(entry.content)
    assert (entry.actor, content["reason"]) == ("development", "typed 32 for 23")
    assert content["before"]["observations"][0]["value"] == 32
    assert entry.time
    assert verify(application.store).findings == ()


def test_a_score_that_was_never_taken_is_withdrawn(application: Application) -> None:
    wrong = {"code": SCORE, "day_since_onset": 24, "withdrawn": True}
    answer = application.ask("/v1/corrections", correction(wrong))
    assert answer.json()["on_record"] == 2
    assert last_score(application) == 25
    assert verify(application.store).findings == ()
    again = application.ask(
        "/v1/observations", {**RECORD, "observations": RECORD["observations"][1:2]}
    )
    assert again.status_code == 200
    assert verify(application.store).findings == ()


def test_the_day_of_enrolment_is_corrected(application: Application) -> None:
    assert application.ask("/v1/corrections", correction(enrolment_day=9)).status_code == 200
    assert verify(application.store).findings == ()
    told = application.ask("/v1/observations", {**RECORD, "enrolment_day": 10})
    assert "on day 9" in told.json()["reason"]


WRONG: dict[str, tuple[dict[str, Any], int]] = {
    "nothing of that day": (correction({"code": SCORE, "day_since_onset": 11, "value": 3}), 404),
    "nobody": ({**correction({"code": SCORE, "value": 3}), "subject": "P-2"}, 404),
    "the same value": (correction({"code": SCORE, "day_since_onset": 24, "value": 32}), 422),
    "neither": (correction({"code": SCORE, "day_since_onset": 24}), 422),
    "both": (correction({"code": SCORE, "day_since_onset": 24, "value": 3, "withdrawn": True}), 422),
    "twice": (correction(*[{"code": SCORE, "day_since_onset": 24, "value": v} for v in (1, 2)]), 422),
    "nothing": (correction(), 422),
    "no reason": ({**correction({"code": SCORE, "day_since_onset": 24, "value": 3}), "reason": ""}, 400),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_a_correction_that_cannot_be_meant_changes_nothing(
    application: Application, what: str
) -> None:
    body, status = WRONG[what]
    answer = application.ask("/v1/corrections", body)
    assert answer.status_code == status, answer.text
    assert application.on_record("correction") == []
    assert last_score(application) == 32


def test_a_person_is_erased_with_their_corrections(application: Application) -> None:
    right = {"code": SCORE, "day_since_onset": 24, "value": 23}
    assert application.ask("/v1/corrections", correction(right)).status_code == 200
    assert last_score(application) == 23
    erased = application.ask("/v1/erasures", {"subject": "P-1", "reason": "asked for it"})
    assert erased.status_code == 200, erased.text
    assert erased.json() == {"entries": 3}
    assert application.ask("/v1/forecast", {"subject": "P-1"}).status_code == 404
    assert "P-1" not in str(application.on_record("correction"))
    (proof,) = application.on_record("erasure")
    assert (proof.actor, json.loads(proof.details)["reason"]) == ("development", "asked for it")
    assert verify(application.store).findings == ()
    again = application.ask("/v1/erasures", {"subject": "P-1", "reason": "asked for it"})
    assert again.status_code == 404


def test_a_row_that_was_changed_without_a_correction_is_found(application: Application) -> None:
    right = {"code": SCORE, "day_since_onset": 24, "value": 23}
    assert application.ask("/v1/corrections", correction(right)).status_code == 200
    with application.store.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE service_measurement SET value = 32 WHERE day = 24")
    (finding,) = verify(application.store).findings
    assert "a row of it was changed" in finding.reason
