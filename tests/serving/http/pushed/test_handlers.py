"""What a gateway pushes, over HTTP: what is said of each point, and what is on record afterwards."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.cohort import CODE, NUMBER, ONSET, TIME, Cohort
from features.importing import import_source
from serving.forecast.audit_status import ServedModel
from serving.state.verification import verify
from tests.serving.http.test_on_record import Service

STEPS, RATE, SLEEP = "LOINC//41950-7", "REHABCAST//HEART_RATE", "REHABCAST//SLEEP"
TODAY = datetime.now(UTC).date()
DAY = TODAY - timedelta(days=10)
ONSET_DATE = TODAY - timedelta(days=20)
ON_DAY = 10
FIRST = f"?onset_date={ONSET_DATE}&enrolment_day=1"
Point = dict[str, Any]


def at(time: str, day: int = 0, offset: str = "+01:00") -> str:
    return f"{DAY + timedelta(days=day)}T{time}:00{offset}"


def omh(name: str, value: float, frame: Point, *, key: str = "", **header: Any) -> Point:
    version, field, unit = {
        "step-count": ("3.0", "step_count", "steps"),
        "heart-rate": ("2.0", "heart_rate", "beats/min"),
        "sleep-duration": ("2.0", "sleep_duration", "h"),
    }[name]
    return {
        "header": {
            "creation_date_time": f"{TODAY}T00:00:00Z", **({"id": key} if key else {}), **header,
            "schema_id": {"namespace": "omh", "name": name, "version": version},
        },
        "body": {field: {"value": value, "unit": unit}, "effective_time_frame": frame},
    }  # fmt: skip


def during(start: str, end: str) -> Point:
    return {"time_interval": {"start_date_time": start, "end_date_time": end}}


def steps(value: float, hour: int = 9, day: int = 0, *, key: str = "", **header: Any) -> Point:
    frame = during(at(f"{hour:02}:00", day), at(f"{hour + 1:02}:00", day))
    return omh("step-count", value, frame, key=key, **header)


def observation(value: float = 900, **more: Any) -> Point:
    return {
        "resourceType": "Observation", "id": "steps-1", "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "41950-7"}]},
        "subject": {"reference": "Patient/P-1"},
        "effectivePeriod": {"start": at("00:00"), "end": at("00:00", 1)},
        "valueQuantity": {"value": value, "system": "http://unitsofmeasure.org", "code": "/d"},
        **more,
    }  # fmt: skip


@pytest.fixture
def service(served: ServedModel, tmp_path: Path) -> Iterator[Service]:
    service = Service(served, tmp_path)
    yield service
    service.close()


def push(service: Service, body: Any, query: str = FIRST, subject: str = "P-1") -> httpx.Response:
    return service.ask(f"/v1/subjects/{subject}/points{query}", body)


def values(service: Service, subject: str = "P-1") -> dict[tuple[str, int], float]:
    _, observations = service.store.record("development", subject)
    return {(o.code, o.day_since_onset): o.value for o in observations}  # type: ignore[misc]


def statuses(answer: httpx.Response) -> list[str]:
    assert answer.status_code in {200, 422}, answer.text
    return [point["status"] for point in answer.json()["points"]]


def test_a_day_s_points_become_its_value_and_late_ones_correct_it(service: Service) -> None:
    answer = push(service, [steps(100), steps(50, 10)])
    assert answer.status_code == 200
    assert statuses(answer) == ["recorded", "recorded"]
    assert values(service) == {(STEPS, ON_DAY): 150}
    late = push(service, steps(25, 12), "")
    assert (late.json()["days_added"], late.json()["days_changed"]) == (0, 1)
    assert values(service) == {(STEPS, ON_DAY): 175}
    kinds = [entry.kind for entry in service.on_record()]
    assert kinds == ["observations", "correction"]
    assert verify(service.store).findings == ()


def test_the_same_again_changes_nothing(service: Service) -> None:
    points = [steps(100, key="a"), steps(50, 10), observation()]
    push(service, points[:2])
    entries = service.on_record()
    again = push(service, points[:2], "")
    assert statuses(again) == ["already known"] * 2
    # Under another identifier the same code, time and value are the same measurement.
    renamed = push(service, steps(100, key="b"), "")
    assert statuses(renamed) == ["already known"]
    assert service.on_record() == entries


def test_a_newer_version_replaces_an_earlier_one_in_any_order(service: Service) -> None:
    old = steps(100, key="a", creation_date_time=f"{DAY}T20:00:00Z")
    new = steps(70, key="a", creation_date_time=f"{DAY}T21:00:00Z")
    assert statuses(push(service, old)) == ["recorded"]
    assert statuses(push(service, new, "")) == ["corrected"]
    assert values(service) == {(STEPS, ON_DAY): 70}
    assert statuses(push(service, new, FIRST, "P-2")) == ["recorded"]
    assert statuses(push(service, old, "", "P-2")) == ["superseded"]
    assert values(service, "P-2") == values(service)


def test_a_bundle_of_observations_and_its_withdrawal(service: Service) -> None:
    bundle = {
        "resourceType": "Bundle", "type": "collection",
        "entry": [
            {"resource": {"resourceType": "Patient", "id": "P-1"}},
            {"resource": observation()},
            {"resource": observation(id="other", subject={"reference": "Patient/P-9"})},
        ],
    }  # fmt: skip
    answer = push(service, bundle)
    assert statuses(answer) == ["not used", "recorded", "refused"]
    assert answer.json()["points"][2]["field"] == "subject"
    assert values(service) == {(STEPS, ON_DAY): 900}
    wrong = observation(
        status="entered-in-error", meta={"versionId": "2", "lastUpdated": f"{TODAY}T00:00:00Z"}
    )
    first = observation(meta={"versionId": "1", "lastUpdated": f"{DAY}T00:00:00Z"})
    assert statuses(push(service, first, FIRST, "P-1")) == ["already known"]
    gone = push(service, wrong, "")
    assert statuses(gone) == ["corrected"]


def test_what_somebody_stated_or_corrected_stays(service: Service) -> None:
    sent = {"subject": "P-1", "enrolment_day": 1, "observations": [
        {"code": STEPS, "day_since_onset": ON_DAY, "value": 4_000}]}  # fmt: skip
    assert service.ask("/v1/observations", sent).status_code == 200
    answer = push(service, [steps(100), steps(30, day=1)], f"?onset_date={ONSET_DATE}")
    assert answer.json()["stated"] == [{"code": STEPS, "day_since_onset": ON_DAY}]
    assert values(service) == {(STEPS, ON_DAY): 4_000, (STEPS, ON_DAY + 1): 30}
    correction = {"subject": "P-1", "reason": "worn by somebody else",
                  "corrections": [{"code": STEPS, "day_since_onset": ON_DAY + 1, "withdrawn": True}]}  # fmt: skip
    assert service.ask("/v1/corrections", correction).status_code == 200
    push(service, steps(10, 15, day=1), "")
    assert values(service) == {(STEPS, ON_DAY): 4_000}


def _changed(**header: Any) -> Point:
    return steps(1, **header)


REFUSED: dict[str, tuple[Any, str]] = {
    "another person": (steps(1, user_id="P-2"), "subject"),
    "unknown schema": ({**steps(1), "header": {**steps(1)["header"], "schema_id": {
        "namespace": "omh", "name": "mood", "version": "1.0"}}}, "schema"),
    "unknown version": ({**steps(1), "header": {**steps(1)["header"], "schema_id": {
        "namespace": "omh", "name": "step-count", "version": "9.9"}}}, "step-count"),
    "no header": ({"body": steps(1)["body"]}, "data point"),
    "a unit": ({**steps(1), "body": {**steps(1)["body"], "step_count": {"value": 1, "unit": "km"}}},
               "step-count"),
    "no value": ({**steps(1), "body": {"effective_time_frame": during(at("09:00"), at("10:00"))}},
                 "step-count"),
    "in UTC": (omh("step-count", 1, during(at("09:00", 0, "Z"), at("10:00", 0, "Z"))), "time"),
    "without a zone": (omh("step-count", 1, during(at("09:00", 0, ""), at("10:00", 0, ""))), ""),
    "to come": (steps(1, day=13), "time"),
    "old": (steps(1, day=-40), "time"),
    "before the onset": (steps(1, day=-15), "time"),
    "impossible": (omh("heart-rate", 900, {"date_time": at("09:00")}), RATE),
    "ends before it begins": (omh("step-count", 1, during(at("10:00"), at("09:00"))), ""),
    "a score": (observation(code={"coding": [
        {"system": "urn:rehabcast:vocabulary", "code": "FUGL_MEYER_UE"}]}, valueQuantity={
            "value": 30, "system": "http://unitsofmeasure.org", "code": "{score}"}),
        "REHABCAST//FUGL_MEYER_UE"),
    "no FHIR": (observation(status=7), "Observation"),
    "an Observation without a zone": (observation(effectivePeriod=None, effectiveDateTime=at("09:00", 0, "")), ""),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_a_point_that_cannot_be_used_is_refused_by_place_and_the_others_are_kept(
    service: Service, what: str
) -> None:
    point, field = REFUSED[what]
    alone = push(service, point)
    assert alone.status_code == 422, alone.text
    assert {"error", "reason", "what_to_do"} <= set(alone.json())
    assert alone.json()["reason"]
    assert alone.json()["what_to_do"]
    assert service.on_record() == []
    good = observation() if "resourceType" in point else steps(100)
    good["id" if "resourceType" in good else "x"] = "good"
    good.pop("x", None)
    both = push(service, [point, good])
    assert both.status_code == 200
    assert statuses(both) == ["refused", "recorded"]
    (said, _) = both.json()["points"]
    assert said["index"] == 0
    assert said["reason"]
    assert field in said["field"]
    assert len(values(service)) == 1


HOSTILE: dict[str, tuple[str, str, int]] = {
    "NaN": ('{"header": NaN}', "application/json", 400),
    "deep": ("[" * 500 + "]" * 500, "application/json", 400),
    "a number": ("7", "application/json", 400),
    "numbers": ("[1, 2]", "application/json", 400),
    "nothing": ("[]", "application/json", 422),
    "too many": (json.dumps([{}] * 1_001), "application/json", 422),
    "large": ('[{"a": "' + "x" * 2_000_000 + '"}]', "application/json", 413),
    "a table": ("a,b", "text/csv", 415),
    "mixed": (json.dumps([steps(1), observation()]), "application/json", 422),
    "Bundles": (json.dumps([{"resourceType": "Bundle"}] * 2), "application/json", 422),
    "no entries": (json.dumps({"resourceType": "Bundle", "entry": 3}), "application/json", 422),
    "an odd frame": (json.dumps({**steps(1), "body": {"effective_time_frame": {"time_interval": 3}}}),
                     "application/json", 422),
    "odd bodies": (json.dumps({**steps(1), "body": [3, None, []]}), "application/json", 422),
    "an odd header": (json.dumps({"header": [], "body": 3}), "application/json", 422),
}  # fmt: skip


@pytest.mark.parametrize("what", HOSTILE)
def test_what_is_no_point_is_refused_in_words(ask: Any, what: str) -> None:
    body, kind, status = HOSTILE[what]
    answer, _ = ask(f"/v1/subjects/P-1/points{FIRST}", body.encode(), kind)
    assert answer.status_code == status, answer.text
    said = answer.json()
    assert said["error"]
    assert said["reason"]
    assert said["what_to_do"]
    assert "Traceback" not in answer.text


def test_onset_enrolment_and_zone_are_never_guessed(service: Service) -> None:
    assert "onset" in push(service, steps(1), "?enrolment_day=1").json()["reason"]
    assert "enrolment" in push(service, steps(1), f"?onset_date={ONSET_DATE}").json()["reason"]
    assert service.on_record() == []
    assert push(service, steps(1), "?onset_date=soon").status_code == 400
    assert push(service, steps(1), f"{FIRST}&time_zone=Mars").status_code == 400
    in_utc = omh("step-count", 7, during(at("23:30", 0, "Z"), at("23:45", 0, "Z")))
    assert statuses(push(service, in_utc, f"{FIRST}&time_zone=Europe/Oslo")) == ["recorded"]
    # Half past eleven in UTC is the next day in Oslo.
    assert values(service) == {(STEPS, ON_DAY + 1): 7}
    other = push(service, steps(1), f"?onset_date={DAY}")
    assert other.status_code == 422
    assert "another date of onset" in other.json()["reason"]


def test_who_has_withdrawn_or_was_erased_leaves_no_point(service: Service) -> None:
    push(service, steps(123, key="seen"))
    service.ask("/v1/consent", {"subject": "P-1", "consent": "withdrawn"})
    assert push(service, steps(5, 11), "").status_code == 422
    with service.store.engine.connect() as connection:
        for table in ("point", "day", "onset"):
            rows = connection.exec_driver_sql(f"SELECT * FROM service_pushed_{table}")
            assert rows.all() == []
    push(service, steps(123, key="seen"), FIRST, "P-3")
    assert (
        service.ask("/v1/erasures", {"subject": "P-3", "reason": "asked to be"}).status_code == 200
    )
    with service.store.engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT * FROM service_pushed_point").all() == []


SENT = [
    *(steps(100 * n, 8 + n, day, key=f"s{n}-{day}") for n in range(1, 4) for day in (0, 1)),
    steps(50, 9, key="s1-0", creation_date_time=f"{TODAY}T01:00:00Z"),
    omh("heart-rate", 60, {"date_time": at("09:00")}), omh("heart-rate", 80, {"date_time": at("10:00")}),
    omh("sleep-duration", 2, during(at("22:00"), at("00:00", 1)), key="n1"),
    omh("sleep-duration", 5, during(at("00:30", 1), at("05:30", 1)), key="n2"),
    omh("sleep-duration", 1, during(at("14:00", 1), at("15:00", 1)), key="nap"),
]  # fmt: skip


def imported(tmp_path: Path, points: list[Point]) -> dict[tuple[str, int], float]:
    """Return what an import of the same points as a folder puts on record."""
    source = tmp_path / "source"
    (source / "P-1").mkdir(parents=True)
    (source / "P-1" / "points.json").write_text(json.dumps(points), "utf-8")
    (tmp_path / "people.csv").write_text(f"subject,onset\nP-1,{ONSET_DATE}\n", "utf-8")
    plan = tmp_path / "map.toml"
    plan.write_text('people = "people.csv"\n', "utf-8")
    cohort: Cohort = import_source(source, tmp_path / "cohort", map_file=plan).cohort
    events = cohort.events
    daily = events[events[CODE].isin({STEPS, RATE, SLEEP})]
    assert ONSET in set(events[CODE])
    return {
        (code, (time.date() - ONSET_DATE).days): number
        for code, time, number in daily[[CODE, TIME, NUMBER]].itertuples(index=False, name=None)
    }


def test_pushing_puts_on_record_what_an_import_does(service: Service, tmp_path: Path) -> None:
    assert set(statuses(push(service, SENT))) == {"recorded", "superseded"}
    found, expected = values(service), imported(tmp_path, SENT)
    assert found == expected
    assert {code for code, _ in found} == {STEPS, RATE, SLEEP}


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_split_order_and_repetition_gives_the_same_record(
    service: Service, data: st.DataObject
) -> None:
    name = f"P-{data.draw(st.integers(100, 10**9))}"
    push(service, SENT, FIRST, "all")
    order = data.draw(st.permutations([*range(len(SENT)), *range(0, len(SENT), 3)]))
    while order:
        size = data.draw(st.integers(1, len(order)))
        batch, order = order[:size], order[size:]
        assert push(service, [SENT[n] for n in batch], FIRST, name).status_code == 200
    assert values(service, name) == values(service, "all")
    again = copy.deepcopy(SENT)
    entries = service.on_record()
    assert set(statuses(push(service, again, "", name))) == {"already known"}
    assert service.on_record() == entries


def test_alerts_and_forecasts_see_pushed_days(service: Service) -> None:
    score = {"subject": "P-1", "enrolment_day": 1, "observations": [
        {"code": "REHABCAST//FUGL_MEYER_UE", "day_since_onset": 5, "value": 22},
        {"code": "REHABCAST//AGE", "value": 68}, {"code": "REHABCAST//SEX", "label": "female"}]}  # fmt: skip
    service.ask("/v1/observations", score)
    push(service, steps(100, day=9), f"?onset_date={ONSET_DATE}")
    answer = service.ask("/v1/forecast", {"subject": "P-1", "explain": False}).json()
    assert answer["rests_on"]["assessments"] == 1, answer
    assert math.isfinite(answer["horizons"][0]["median"])
