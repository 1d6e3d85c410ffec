"""The dearest bodies that a caller may send: each is answered or refused within a second."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from contracts.therapy import THERAPY
from contracts.vocabulary import Kind, vocabulary
from serving.http.examples import CONDITION, OBSERVATION, PATIENT, RECORD, STEPS

MIB = 2**20
SECONDS = 1.0
FHIR, HOOKS = "/v1/fhir/forecast", "/cds-services/recovery-forecast"
DAILY = [
    code
    for code, entry in vocabulary().items()
    if entry.kind is Kind.DAILY
    and (entry.modality not in {"therapy", "exercise"} or code == THERAPY)
]
"""Daily biomarkers: nobody has each kind of therapy, or a programme, every day for five years."""
FIVE_YEARS = 5 * 365 + 2
MOST = 6_600
"""Observations of six elements: as many as are read."""

Ask = Callable[..., tuple[httpx.Response, float]]


def filled(start: bytes, unit: bytes, end: bytes) -> bytes:
    """Return a body of 8 MiB, most of it one thing again and again."""
    return start + unit * ((8 * MIB - len(start) - len(end)) // len(unit)) + end


def in_bundle(unit: bytes, end: bytes = b"0") -> bytes:
    return filled(b'{"resourceType":"Bundle","entry":[', unit, end + b"]}")


def text_of(unit: bytes) -> bytes:
    return filled(b'{"resourceType":"Bundle","x":"', unit, b'"}')


def bundle(*resources: Any) -> bytes:
    entries = [{"resource": resource} for resource in (PATIENT, CONDITION, OBSERVATION, *resources)]
    return json.dumps({"resourceType": "Bundle", "entry": entries}).encode()


def score(n: int, **changes: Any) -> dict[str, Any]:
    return {**OBSERVATION, "id": f"o{n}", **changes}


def daily(days: int) -> list[dict[str, Any]]:
    return [
        {"code": code, "day_since_onset": 10 + day, "value": vocabulary()[code].low}
        for day in range(days)
        for code in DAILY
    ]


def inline(*observations: Any) -> dict[str, Any]:
    return {**RECORD, "observations": [*RECORD["observations"], *observations]}


def subjects(record: dict[str, Any]) -> bytes:
    return json.dumps({"requests": [record] * 64}).encode()


def period(n: int) -> dict[str, Any]:
    return {"start": "2026-01-16T00:00:00Z", "end": f"2026-01-17T11:{n % 60:02}:00Z"}


NEWEST = datetime.now(UTC).date() - timedelta(days=2)
ENROLLED = (NEWEST - timedelta(days=25)).isoformat()
PUSHED = f"/v1/subjects/P-8/points?onset_date={ENROLLED}&enrolment_day=10&time_zone=Europe/Oslo"


def walked(n: int, steps: int = 640) -> dict[str, Any]:
    """A point of its own minute: some hundred on each of the last days."""
    day, minute = NEWEST - timedelta(days=n % 9), n // 9 % 720
    start = f"{day}T{8 + minute // 60 % 12:02}:{minute % 60:02}:00+01:00"
    text = json.dumps(STEPS).replace("2026-01-15T10:00:00+01:00", start)
    end = start.replace(":00+", ":30+")
    point: dict[str, Any] = json.loads(text.replace("2026-01-15T11:00:00+01:00", end))
    point["header"] |= {"uuid": f"u{n}", "source_creation_date_time": end}
    point["body"]["base_movement_quantity"]["value"] = steps + n % 7
    return point


def stepped(n: int) -> dict[str, Any]:
    at = walked(n)["body"]["effective_time_frame"]["time_interval"]
    return {
        "resourceType": "Observation", "id": f"s{n}", "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "41950-7"}]},
        "subject": {"reference": "Patient/P-8"},
        "effectivePeriod": {"start": at["start_date_time"], "end": at["end_date_time"]},
        "valueQuantity": {"value": 600 + n, "code": "/d", "system": "http://unitsofmeasure.org"},
    }  # fmt: skip


BYTES: dict[str, tuple[str, Callable[[], bytes]]] = {
    "8 MiB of {}": (FHIR, lambda: in_bundle(b"{},")),
    "8 MiB of {} in another route": (
        "/v1/forecast", lambda: filled(b'{"subject":"P","bundle":{"a":[', b"{},", b"{}]}}")),
    "8 MiB of {} that no field takes": (
        HOOKS, lambda: filled(b'{"hook":"patient-view","x":[', b"{},", b"{}]}")),
    "8 MiB of [": (FHIR, lambda: b"[" * 8 * MIB),
    "8 MiB of []": (FHIR, lambda: in_bundle(b"[],")),
    "8 MiB of 0": (FHIR, lambda: in_bundle(b"0,")),
    "8 MiB of empty texts": (FHIR, lambda: in_bundle(b'"",')),
    "as many {} as are decoded": (FHIR, lambda: b'{"entry":[' + b"{}," * 299_000 + b"0]}"),
    "one long text": (FHIR, lambda: text_of(b"a")),
    "unicode escapes": (FHIR, lambda: text_of(rb"\u00e9")),
    "backslashes": (FHIR, lambda: text_of(rb"\\")),
    "quotation marks": (FHIR, lambda: text_of(rb"\"")),
    "brackets in a text": (FHIR, lambda: text_of(b"[{")),
    "one name again and again": (FHIR, lambda: filled(b"{", b'"a":0,', b'"b":0}')),
    "many names": (
        FHIR, lambda: b"{" + b",".join(b'"k%d":0' % n for n in range(590_000)) + b"}"),
    "deep objects": (FHIR, lambda: b'{"a":' * 900 + b"0" + b"}" * 900),
    "a number too large": (FHIR, lambda: b'{"entry":1e400}'),
    "a number of many digits": (FHIR, lambda: b'{"entry":1' + b"0" * 4_000 + b"}"),
    "a number of very many digits": (FHIR, lambda: b'{"entry":1' + b"0" * 8_000_000 + b"}"),
    "many numbers of many digits": (FHIR, lambda: in_bundle(b"1" * 4_200 + b",")),
    "a long id": (FHIR, lambda: bundle(score(1, id="a" * 8_000_000))),
    "a long reference": (
        FHIR, lambda: bundle(score(1, subject={"reference": "http://" + "A/" * 4_000_000}))),
    "a long date": (FHIR, lambda: bundle(score(1, effectiveDateTime="2" * 8_000_000))),
    "a long code": (
        FHIR, lambda: bundle(score(1, code={"coding": [
            {"system": "http://loinc.org", "code": "9" * 8_000_000}]}))),
    "a system made to be searched": (
        FHIR, lambda: bundle({**CONDITION, "id": "x", "code": {"coding": [
            {"system": "icd10" * 1_600_000 + "pcs", "code": "I63"}]}})),
}  # fmt: skip

RECORDS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "100,000 Observations": (FHIR, lambda: bundle(*[{"resourceType": "Observation"}] * 100_000)),
    "one Observation again and again": (FHIR, lambda: bundle(*[OBSERVATION] * MOST)),
    "many versions": (FHIR, lambda: bundle(*(
        score(1, meta={"versionId": str(n)}) for n in range(5_600)))),
    "ids with two contents": (FHIR, lambda: bundle(*(
        score(n // 2, issued=f"2026-01-{1 + n % 2:02}T00:00:00Z", effectiveDateTime="2026-02-02",
              status=["final", "amended"][n % 2]) for n in range(MOST)))),
    "dates without a day": (FHIR, lambda: bundle(*(
        score(n, effectiveDateTime="2026-01") for n in range(MOST)))),
    "impossible values": (FHIR, lambda: bundle(*(
        score(n, valueQuantity={"value": 1e9 + n, "code": "{score}"}) for n in range(MOST)))),
    "different units": (FHIR, lambda: bundle(*(
        score(n, valueQuantity={"value": 1, "code": f"u{n}"}) for n in range(MOST)))),
    "many Conditions": (FHIR, lambda: bundle(*(
        {**CONDITION, "id": f"c{n}"} for n in range(7_900)))),
    "many people": (FHIR, lambda: bundle(*(
        {"resourceType": "Patient", "id": f"p{n}"} for n in range(19_000)))),
    "periods": (FHIR, lambda: bundle(*(
        score(n, code={"coding": [{"system": "http://loinc.org", "code": "41950-7"}]},
              valueQuantity={"value": n, "code": "/d"}, effectivePeriod=period(n),
              effectiveDateTime=None) for n in range(5_600)))),
    "components": (FHIR, lambda: bundle(score(1, component=[{"code": {"text": "x"}}] * 19_000))),
    "extensions": (FHIR, lambda: bundle({**PATIENT, "extension": [{"url": "a"}] * 19_000})),
    "contained": (FHIR, lambda: bundle(score(1, contained=[PATIENT] * 19_000))),
    "half a year inline": ("/v1/forecast", lambda: json.dumps(inline(*daily(180))).encode()),
    "five years inline": ("/v1/forecast", lambda: json.dumps(inline(*daily(FIVE_YEARS))).encode()),
    "79,000 of one day": ("/v1/forecast", lambda: json.dumps(
        inline(*[daily(1)[0]] * 79_000)).encode()),
    "79,000 unknown codes": ("/v1/forecast", lambda: json.dumps(
        inline(*({"code": f"x{n}"} for n in range(79_000)))).encode()),
    "71,000 impossible values": ("/v1/forecast", lambda: json.dumps(
        inline(*({**item, "value": -1e9} for item in daily(FIVE_YEARS)))).encode()),
    "64 people": ("/v1/forecasts", lambda: subjects(RECORD)),
    "64 people, each with everything twice": ("/v1/forecasts", lambda: subjects(
        inline(*daily(18), *daily(18)))),
    "64 Bundles": ("/v1/forecasts", lambda: subjects(
        {"subject": "P", "bundle": json.loads(bundle())})),
    "as many Bundles as are taken": ("/v1/forecasts", lambda: json.dumps({"requests": [
        {"subject": "P", "bundle": json.loads(bundle())}] * 12}).encode()),
    "1,000 points": (PUSHED, lambda: json.dumps([walked(n) for n in range(1_000)]).encode()),
    "one point of a day again and again": (
        PUSHED, lambda: json.dumps([walked(n % 60, steps=n) for n in range(1_000)]).encode()),
    "1,000 bodies of one point": (
        PUSHED, lambda: json.dumps({**walked(0), "body": [
            walked(n)["body"] for n in range(1_000)]}).encode()),
    "1,000 Observations pushed": (
        PUSHED, lambda: json.dumps([stepped(n) for n in range(1_000)]).encode()),
    "a Bundle of 1,000 Observations pushed": (
        PUSHED, lambda: json.dumps({"resourceType": "Bundle", "type": "collection", "entry": [
            {"resource": stepped(n)} for n in range(1_000)]}).encode()),
    "1,000 points of unknown schemas": (
        PUSHED, lambda: json.dumps([{"header": {"uuid": f"u{n}", "schema_id": {
            "namespace": "x", "name": f"s{n}", "version": "1.0"}}, "body": {}}
            for n in range(1_000)]).encode()),
    "more points than are taken": (
        PUSHED, lambda: json.dumps([{"header": {}}] * 40_000).encode()[:MIB]),
    "a MiB of {} pushed": (PUSHED, lambda: b"[" + b"{}," * 340_000 + b"{}]"),
    "a MiB on record": ("/v1/observations", lambda: json.dumps(
        {**RECORD, "subject": "P-9", "observations": daily(300)}).encode()[:MIB]),
}  # fmt: skip

IN_CI = {
    "8 MiB of {}", "as many {} as are decoded", "many names", "deep objects",
    "a system made to be searched", "one Observation again and again", "ids with two contents",
    "a long reference", "five years inline", "1,000 bodies of one point",
}  # fmt: skip


def cases() -> Iterator[Any]:
    for name, (path, make) in {**BYTES, **RECORDS}.items():
        marks = () if name in IN_CI else (pytest.mark.soak,)
        yield pytest.param(path, make, id=name, marks=marks)


@pytest.mark.parametrize(("path", "make"), list(cases()))
def test_the_dearest_bodies_take_no_worker_for_longer_than_a_second(
    ask: Ask, path: str, make: Callable[[], bytes]
) -> None:
    answer, seconds = ask(path, make())
    assert answer.status_code in {200, 400, 422}, answer.text[:300]
    assert seconds < SECONDS


def test_five_years_of_every_daily_value_are_a_record_like_any_other(ask: Ask) -> None:
    """Enrolled when they end: what is older than the model's window changes nothing."""
    last = 10 + FIVE_YEARS - 1
    facts = [{**item, "day_since_onset": last} for item in RECORD["observations"][:1]]
    everything, recent = daily(FIVE_YEARS), daily(FIVE_YEARS)[-60 * len(DAILY) :]
    told = []
    for values in (everything, recent):
        body = {**RECORD, "enrolment_day": last, "observations": [*facts, *values]}
        answer, _ = ask("/v1/forecast", json.dumps(body).encode())
        assert answer.status_code == 200, answer.text[:300]
        found = answer.json()
        told.append({name: found.get(name) for name in ("status", "reason", "horizons", "reasons")})
    assert told[0] == told[1]
