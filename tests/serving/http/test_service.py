"""A real server process on loopback, with the requests that a client would send."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from serving.formats.cds.hooks import SERVICE
from serving.http.endpoints import ENDPOINTS, MIB
from serving.http.examples import EXAMPLES, HOOK, RECORD
from serving.state.entries import entries
from serving.state.store import Store
from serving.state.verification import verify_chain

JSON = {"Content-Type": "application/json"}


def test_a_forecast_carries_all_that_it_rests_on(server: Any) -> None:
    response = server.http.post("/v1/forecast", json=RECORD)
    assert response.status_code == 200, response.text
    answer = response.json()
    assert answer["status"] == "forecast"
    assert len(answer["horizons"]) == 6
    assert {"quantiles", "milestones"} <= set(answer["horizons"][0])
    for horizon in answer["horizons"]:
        assert horizon["last_observation"] == 22
        # 22 + 0.70 (66 - 22)
        assert horizon["proportional_recovery"] == pytest.approx(52.8)
    assert answer["rests_on"]["assessments"] == 1
    assert {"gait", "wear"} <= set(answer["rests_on"]["missing_modalities"])
    assert {group["attribute"] for group in answer["groups"]} >= {"sex", "age band"}
    assert answer["reasons"]["additivity_gap"] <= 1e-4
    assert set(answer["model"]) >= {
        "model_version",
        "bundle_digest",
        "report_digest",
        "valid_until",
    }
    assert answer["limits"]
    assert len(answer["forecast_id"]) == 32


def test_probes_answer_anybody_and_metrics_count_by_route(server: Any) -> None:
    for route in ("/livez", "/readyz", "/healthz"):
        assert httpx.get(f"{server.address}{route}").status_code == 200
    assert httpx.get(f"{server.address}/metrics").status_code == 401
    server.http.post("/v1/forecast", json=RECORD)
    metrics = server.http.get("/metrics").text
    assert 'rehabcast_requests_total{method="POST",route="/v1/forecast",status="200"}' in metrics


@pytest.mark.parametrize(
    "path", ["/", "/docs.json", "/schema.json", "/forecast", "/v1/%2e%2e/metrics"]
)
def test_nothing_else_is_served(server: Any, path: str) -> None:
    assert server.http.get(path).status_code in {404, 401}


@pytest.mark.parametrize(
    "kind",
    ["application/vnd.bentoml+pickle", "application/octet-stream", "text/plain",
     "multipart/form-data; boundary=x", "application/x-www-form-urlencoded", ""],
)  # fmt: skip
def test_only_json_is_taken_on_any_route(server: Any, kind: str) -> None:
    bomb = b"\x80\x04\x95\x1c\x00\x00\x00\x00\x00\x00\x00."
    for route in ("/", "/livez", "/metrics", "/anything", *(e.path for e in ENDPOINTS)):
        if route == "/auth/token" and "urlencoded" in kind:
            continue
        for method in ("POST", "PUT", "DELETE"):
            response = server.http.request(
                method, route, content=bomb, headers={"Content-Type": kind}
            )
            assert response.status_code == 415, (route, method)


@pytest.mark.parametrize("second", ["application/json", "multipart/form-data; boundary=x"])
@pytest.mark.parametrize("first", ["multipart/form-data; boundary=x", "application/json"])
def test_two_content_types_are_refused_in_either_order(
    server: Any, first: str, second: str
) -> None:
    headers = [("Content-Type", first), ("Content-Type", second)]
    assert server.http.post("/v1/forecast", content=b"{}", headers=headers).status_code == 415


def test_a_body_over_the_limit_is_refused_even_when_its_length_is_not_declared(server: Any) -> None:
    large = b'{"subject": "' + b"x" * MIB + b'"}'
    declared = server.http.post("/v1/observations", content=large, headers=JSON)

    def parts() -> Iterator[bytes]:
        for start in range(0, len(large), 65_536):
            yield large[start : start + 65_536]

    undeclared = server.http.post("/v1/observations", content=parts(), headers=JSON)
    assert declared.status_code == undeclared.status_code == 413


@pytest.mark.parametrize(
    "content",
    ["{", '{"extra": 1}', "[" * 100_000, '{"subject": "P-1", "enrolment_day": NaN}', "\x00"],
)
def test_a_malformed_request_is_refused(server: Any, content: str) -> None:
    response = server.http.post("/v1/forecast", content=content, headers=JSON)
    assert response.status_code == 400
    assert set(response.json()) == {"error", "reason", "what_to_do"}


@pytest.mark.parametrize(
    "content",
    [
        '{"subject": "P-1", "subject": "P-2"}',
        '{"subject": "P-1", "\\u0073ubject": "P-2"}',
        '{"subject": "P-1", "bundle": {"resourceType": "Bundle", "entry": [{"a": 1, "a": 2}]}}',
    ],
)
def test_a_field_named_twice_is_refused(server: Any, content: str) -> None:
    response = server.http.post("/v1/forecast", content=content, headers=JSON)
    assert response.status_code == 400
    assert "twice" in response.json()["error"]


def test_a_form_of_many_fields_is_refused(server: Any) -> None:
    many = {f"f{n}": "1" for n in range(30)}
    assert server.http.post("/auth/token", data=many).status_code == 400
    assert server.http.get("/v1/model", params=many).status_code == 400


def test_a_bad_record_gets_no_forecast_and_what_to_do(server: Any) -> None:
    unknown = {**RECORD, "observations": [{"code": "X//Y", "day_since_onset": 1, "value": 1}]}
    answer = server.http.post("/v1/forecast", json=unknown).json()
    assert (answer["status"], answer["horizons"], answer["reasons"]) == ("no forecast", [], None)
    assert answer["what_to_do"]


@pytest.mark.parametrize("path", sorted(EXAMPLES))
def test_the_documents_examples_run(server: Any, path: str) -> None:
    document = server.http.get("/openapi.json").json()
    (media, *_) = document["paths"][path]["post"]["requestBody"]["content"].values()
    example = json.dumps(media["examples"]["one"]["value"])
    if "corrections" in path:
        server.http.post("/v1/observations", json={**RECORD, "subject": "P-3"})
    if "feedback" in path:
        # Of a forecast that this caller was given.
        answer = server.http.post("/v1/forecast", json=RECORD).json()
        example = example.replace("0" * 32, answer["forecast_id"])
        card = server.http.post(f"/cds-services/{SERVICE}", json=HOOK).json()["cards"][0]
        example = example.replace(str(UUID(int=0)), card["uuid"])
        now = datetime.now(UTC).isoformat()
        example = re.sub(r"20\d\d-\d\d-\d\dT09:00:00Z", now, example)
    if path == "/v1/alerts/decisions":
        # About an alert that there is.
        score = {"code": "REHABCAST//FUGL_MEYER_UE"}
        fall = [{**score, "day_since_onset": day, "value": v} for day, v in ((10, 44), (20, 22))]
        sent = {"subject": "decided", "enrolment_day": 10, "observations": fall}
        assert server.http.post("/v1/observations", json=sent).status_code == 200
        example = example.replace("P-1", "decided")
    headers = {"Content-Type": "application/json"}
    given = document["paths"][path]["post"].get("parameters", [])
    query = {e["name"]: e["example"] for e in given if "example" in e and e["in"] == "query"}
    there = {e["name"]: e["example"] for e in given if "example" in e and e["in"] == "path"}
    path = path.format(**there)
    response = server.http.post(path, content=example, headers=headers, params=query)
    if path in {"/v1/fhir/whatif", "/fhir/$whatif"}:
        # This server's model reads no therapy; tests/serving/http/standards has one that does.
        assert response.status_code == 422
        assert "reads no therapy" in response.text
        return
    assert response.status_code == 200, response.text


def test_the_same_subject_gets_the_same_numbers_alone_and_among_many(server: Any) -> None:
    alone = server.http.post("/v1/forecast", json=RECORD).json()
    many = [{**RECORD, "subject": f"P-{n}"} for n in range(32)]
    answers = server.http.post("/v1/forecasts", json={"requests": many}).json()["answers"]
    assert {answer["subject"] for answer in answers} == {request["subject"] for request in many}
    for answer in answers:
        assert answer["horizons"] == alone["horizons"]
        assert answer["reasons"] == alone["reasons"]


def test_a_milestone_and_the_days_of_a_modality_are_explained(server: Any) -> None:
    steps = [
        {"code": "LOINC//41950-7", "day_since_onset": day, "value": 2000 + day} for day in range(11)
    ]
    request = {**RECORD, "observations": [*RECORD["observations"], *steps], "days_of": "gait"}
    answer = server.http.post("/v1/explain", json=request).json()["reasons"]
    assert answer["days_of"] == "gait"
    assert answer["days"][0]["first_day"] == -10
    milestone = {**RECORD, "output": "FM-UE 50 or more"}
    assert server.http.post("/v1/explain", json=milestone).json()["reasons"]["unit"] == "chance"


def test_the_running_record_is_what_the_next_forecast_rests_on(server: Any) -> None:
    day = {"code": "LOINC//41950-7", "value": 3000}
    sent = {**RECORD, "subject": "running"}
    assert server.http.post("/v1/observations", json=sent).json()["on_record"] == 3
    before = server.http.post("/v1/forecast", json={"subject": "running"}).json()
    assert before["rests_on"]["days_with_wearable"] == 0
    more = {"subject": "running", "observations": [{**day, "day_since_onset": 10}]}
    assert server.http.post("/v1/observations", json=more).json()["on_record"] == 4
    assert server.http.post("/v1/observations", json=more).json()["on_record"] == 4
    after = server.http.post("/v1/forecast", json={"subject": "running"}).json()
    assert after["rests_on"]["days_with_wearable"] == 1
    other = {"subject": "running", "observations": [{**day, "day_since_onset": 10, "value": 1}]}
    refused = server.http.post("/v1/observations", json=other)
    assert refused.status_code == 422
    assert "nothing was added" in refused.json()["error"]
    nobody = server.http.post("/v1/forecast", json={"subject": "nobody"})
    assert (nobody.status_code, nobody.json()["reason"][:20]) == (404, "nothing is on record")
    many = server.http.post("/v1/forecasts", json={"requests": [{"subject": "nobody"}]}).json()
    assert many["answers"][0]["status"] == "no forecast"


@pytest.mark.parametrize(
    "wrong",
    [
        {"code": "REHABCAST//FUGL_MEYER_UE", "day_since_onset": 30, "value": 99},
        {"code": "REHABCAST//FUGL_MEYER_UE", "day_since_onset": 30, "label": "good"},
        {"code": "REHABCAST//SEX", "label": "martian"},
        {"code": "XX//Y", "day_since_onset": 30, "value": 1},
    ],
)
def test_what_no_forecast_would_read_is_not_put_on_record(
    server: Any, wrong: dict[str, Any]
) -> None:
    """It would hide a fall that an alert tells of."""
    subject = f"impossible-{abs(hash(str(wrong)))}"
    score = {"code": "REHABCAST//FUGL_MEYER_UE"}
    fall = [{**score, "day_since_onset": day, "value": v} for day, v in ((10, 40), (24, 10))]
    sent = {"subject": subject, "enrolment_day": 10, "observations": fall}
    assert server.http.post("/v1/observations", json=sent).status_code == 200
    refused = server.http.post(
        "/v1/observations", json={"subject": subject, "observations": [wrong]}
    )
    assert refused.status_code == 422, refused.text
    # A code that is not known may be anything: it is not repeated.
    place = "observation 1: its code is not" if wrong["code"] == "XX//Y" else wrong["code"]
    assert place in refused.json()["reason"]
    alerts = server.http.get(f"/v1/subjects/{subject}/alerts").json()["alerts"]
    assert any(row["kind"] == "score fell" for row in alerts)
    corrected = {
        "subject": subject, "reason": "typed wrong",
        "corrections": [{**score, "day_since_onset": 24, "value": 350}],
    }  # fmt: skip
    assert server.http.post("/v1/corrections", json=corrected).status_code == 422


def test_a_course_that_leaves_its_range_for_long_raises_an_alert(server: Any) -> None:
    score = {"code": "REHABCAST//FUGL_MEYER_UE"}
    scores = [{**score, "day_since_onset": 10, "value": 22}]
    scores += [{**score, "day_since_onset": day, "value": 0} for day in (60, 70, 80)]
    sent = {"subject": "falling", "enrolment_day": 10, "observations": scores}
    assert server.http.post("/v1/observations", json=sent).status_code == 200
    answer = server.http.get("/v1/subjects/falling/course").json()
    assert answer["forecast"]["origin_day"] == 0
    assert [point["inside"] for point in answer["points"]] == [False, False, False]
    assert answer["days_outside"] == 21
    assert "below the range" in answer["alert"]
    longer = server.http.get("/v1/subjects/falling/course", params={"alert_days": 30}).json()
    assert longer["alert"] == ""
    assert server.http.get("/v1/subjects/nobody/course").status_code == 404


def test_the_card_shows_model_and_audit(server: Any) -> None:
    answer = server.http.get("/v1/model").json()
    assert answer["card"] == "# Card"
    assert answer["model"]["audit_outcome"] == "pass"


def test_forecasts_are_chained_and_feedback_is_kept_with_the_version(
    serve: Any, until_ready: Any, bundle_folder: Path, tmp_path: Path
) -> None:
    with serve(tmp_path, bundle_folder) as server:
        assert until_ready(server), server.log
        answers = [server.http.post("/v1/forecast", json=RECORD).json() for _ in range(20)]
        feedback = {"forecast_id": answers[0]["forecast_id"], "outcome": "accepted"}
        assert server.http.post("/v1/feedback", json=feedback).status_code == 200
    # The server has ended: waiting entries were written first.
    store = Store(server.store_url)
    assert verify_chain(store) == 20
    with store.engine.connect() as connection:
        stored = list(entries(connection))
    given = [json.loads(entry.content or "") for entry in stored if entry.kind == "forecast"]
    assert [json.loads(content["output"]) for content in given] == answers
    (said,) = [json.loads(entry.details) for entry in stored if entry.kind == "feedback"]
    assert (said["about"], said["model_version"]) == (answers[0]["forecast_id"], "arm/1")


def test_a_service_that_can_not_load_its_champion_never_becomes_ready(
    serve: Any, until_ready: Any, bundle_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "champion.txt").write_text(f"arm/1 {bundle_folder} {'0' * 64}")
    with serve(tmp_path, bundle_folder) as server:
        deadline = time.monotonic() + 60
        while "was audited and promoted" not in server.log and time.monotonic() < deadline:
            assert not until_ready(server, 1)
        assert "was audited and promoted" in server.log


def test_two_workers_give_the_numbers_of_one(
    serve: Any, until_ready: Any, server: Any, bundle_folder: Path, tmp_path: Path
) -> None:
    one = server.http.post("/v1/forecast", json=RECORD).json()
    with serve(tmp_path, bundle_folder, workers=2) as two:
        assert until_ready(two), two.log
        for _ in range(12):
            with httpx.Client(headers=dict(two.http.headers), timeout=30) as http:
                answer = http.post(f"{two.address}/v1/forecast", json=RECORD).json()
            assert (answer["horizons"], answer["reasons"]) == (one["horizons"], one["reasons"])
    assert verify_chain(Store(two.store_url)) == 12
