"""Anything at any place of a request: an answer or a refusal, never a fault, never a long wait.

Valid requests are changed at places drawn by chance, to any JSON value or to what FHIR has
elsewhere; others are drawn from nothing. They go through the whole application, in this process.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from serving.http.examples import EXAMPLES
from tests.serving.dates import BUNDLE, HOOK

SECONDS = 1.0
FHIR, HOOKS = "/v1/fhir/forecast", "/cds-services/recovery-forecast"
REFUSALS = {400, 401, 404, 412, 413, 422}

Ask = Callable[..., tuple[httpx.Response, float]]

NUMBERS = st.sampled_from(
    [0, -1, 1, 1.5, -0.0, 1e308, 2**31, 2**53 + 1, 2**64, 10**30, 10**400, 5e-324, 40_001]
)
WORDS = st.text(max_size=12) | st.sampled_from(
    [
        "", " ", "\x00", "\u202e", "é", "\ud7ff", "💥", "Patient/1288992", "Patient/", "#p",
        "urn:uuid:x", "http://a/Patient/1", "https://", "2026-01-15", "2026", "2026-02-30",
        "9999-12-31", "0001-01-01T00:00:00Z", "2026-01-15T10:00:00+14:00",
        "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "24:00", "NaN", "1e999",
        "Bundle", "Patient", "Observation", "Condition", "DELETE", "W/\"1\"", "final", "http://loinc.org",
        "41950-7", "urn:rehabcast:vocabulary", "FUGL_MEYER_UE", "http://unitsofmeasure.org", "/d",
        "next", "REHABCAST//SEX", "A" * 300, "icd10" * 60 + "pcs",
    ]
)  # fmt: skip
NAMES = st.text(max_size=8) | st.sampled_from(
    [
        "resourceType", "entry", "resource", "fullUrl", "request", "response", "method", "url",
        "etag", "lastModified", "link", "relation", "id", "meta", "versionId", "lastUpdated",
        "subject", "patient", "reference", "identifier", "type", "contained", "system", "value",
        "code", "coding", "text", "status", "category", "component", "valueQuantity", "valueString",
        "valueInteger", "valueBoolean", "valueCodeableConcept", "dataAbsentReason", "comparator",
        "unit", "effectiveDateTime", "effectivePeriod", "effectiveInstant", "effectiveTiming",
        "start", "end", "issued", "device", "display", "focus", "modifierExtension", "extension",
        "gender", "birthDate", "deceasedBoolean", "deceasedDateTime", "active", "replaced-by",
        "onsetDateTime", "onsetPeriod", "recordedDate", "verificationStatus", "clinicalStatus",
        "performedPeriod", "prefetch", "context", "patientId", "observations", "conditions",
        "day_since_onset", "label", "bundle", "condition", "explain", "subjectId",
    ]
)  # fmt: skip
SCALARS = st.none() | st.booleans() | NUMBERS | st.floats(allow_nan=False) | WORDS


def nested(depth: int) -> Any:
    """Resources within resources, so deep."""
    value: Any = {"resourceType": "Patient", "id": "p"}
    for _ in range(depth):
        value = {"resourceType": "Observation", "contained": [value]}
    return value


ANYTHING = st.recursive(
    SCALARS | st.integers(1, 400).map(nested),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)

RICH: dict[str, Any] = {
    "resourceType": "Bundle",
    "type": "history",
    "link": [{"relation": "self", "url": "http://a"}],
    "entry": [
        *BUNDLE["entry"],
        {
            "fullUrl": "http://a/Observation/steps",
            "request": {"method": "PUT", "url": "Observation/steps"},
            "response": {"etag": 'W/"2"', "lastModified": "2026-01-16T00:00:00Z", "status": "200"},
            "resource": {
                "resourceType": "Observation", "id": "steps", "status": "amended",
                "meta": {"versionId": "2", "lastUpdated": "2026-01-16T00:00:00Z"},
                "code": {"coding": [{"system": "http://loinc.org", "code": "41950-7"}]},
                "subject": {"reference": "#p"},
                "contained": [{"resourceType": "Patient", "id": "p",
                               "identifier": [{"system": "s", "value": "v"}]}],
                "effectivePeriod": {"start": "2026-01-15T00:00:00Z", "end": "2026-01-16T00:00:00Z"},
                "valueQuantity": {"value": 4000, "system": "http://unitsofmeasure.org",
                                  "code": "/d"},
                "device": {"display": "watch", "identifier": {"value": "7"}},
                "component": [{"code": {"coding": [{"system": "http://loinc.org",
                                                    "code": "40443-4"}]},
                               "valueString": "61", "dataAbsentReason": {"text": "x"}}],
            },
        },
        {"fullUrl": "http://a/Patient/1288992", "resource": {
            "resourceType": "Patient", "id": "1288992", "gender": "male", "active": False,
            "identifier": [{"system": "s", "value": "v", "use": "old"}],
            "link": [{"type": "seealso", "other": {"reference": "Patient/2"}}],
            "extension": [{"url": "http://hl7.org/fhir/us/core/StructureDefinition/us-core-race",
                           "extension": [{"url": "ombCategory",
                                          "valueCoding": {"display": "Asian"}}]}],
            "deceasedBoolean": False}},
        {"resource": {
            "resourceType": "Condition", "id": "icd",
            "clinicalStatus": {"coding": [{"code": "active"}]},
            "verificationStatus": {"coding": [{"code": "confirmed"}]},
            "code": {"coding": [{"system": "http://fhir.de/CodeSystem/bfarm/icd-10-gm",
                                 "code": "I63.9", "extension": [
                                     {"url": "http://x/icd-10-gm-diagnosesicherheit",
                                      "valueCoding": {"code": "G"}}]}]},
            "subject": {"identifier": {"system": "s", "value": "v"}, "type": "Patient"},
            "onsetPeriod": {"start": "2026-01-05"}}},
        {"resource": {
            "resourceType": "Procedure", "id": "t", "status": "completed",
            "code": {"coding": [{"system": "http://snomed.info/sct", "code": "91251008"}]},
            "subject": {"reference": "Patient?identifier=s|v"},
            "performedPeriod": {"start": "2026-01-16T09:00:00Z", "end": "2026-01-16T09:40:00Z"}}},
        {"request": {"method": "DELETE", "url": "Observation/gone"}, "response": {"etag": 'W/"3"'}},
        {"resource": {"resourceType": "Bundle", "entry": [BUNDLE["entry"][2]]}},
    ],
}  # fmt: skip

VALID: list[tuple[str, Any]] = [
    *EXAMPLES.items(),
    (FHIR, RICH),
    ("/v1/forecast", {"subject": "P", "bundle": RICH, "condition": "icd"}),
    ("/v1/forecasts", {"requests": [{"subject": "P", "bundle": RICH}, EXAMPLES["/v1/forecast"]]}),
    (HOOKS, {**HOOK, "prefetch": {**HOOK["prefetch"], "observations": RICH}}),
]


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every place of a document: what holds it, and its name or number there."""
    inside = value.items() if isinstance(value, dict) else enumerate(value)
    for at, item in list(inside):
        yield value, at
        if isinstance(item, dict | list):
            yield from places(item)


@st.composite
def changed(draw: st.DrawFn) -> tuple[str, bytes]:
    """A valid request with one to three places changed."""
    path, valid = draw(st.sampled_from(VALID))
    document = deepcopy(valid)
    for _ in range(draw(st.integers(1, 3))):
        everywhere = list(places(document))
        if not everywhere:
            break
        holder, at = draw(st.sampled_from(everywhere))
        match draw(st.integers(0, 6)):
            case 0:
                del holder[at]
            case 1 if isinstance(holder, dict):
                holder[draw(NAMES)] = draw(ANYTHING)
            case 2:
                holder[at] = [deepcopy(holder[at])] * draw(st.integers(0, 3))
            case 3:
                other, there = draw(st.sampled_from(everywhere))
                try:
                    holder[at] = deepcopy(other[there])
                except (KeyError, IndexError):
                    holder[at] = None
            case 4 if isinstance(holder[at], str):
                holder[at] += draw(st.sampled_from(["\n", " ", "\x00", "\u2028", "\ud800"]))
            case _:
                holder[at] = draw(ANYTHING)
    return path, as_json(document)


@st.composite
def made_up(draw: st.DrawFn) -> tuple[str, bytes]:
    """A request that is nothing but chance, at every route and depth."""
    path = draw(st.sampled_from([path for path, _ in VALID]))
    content = draw(ANYTHING)
    match draw(st.integers(0, 3)):
        case 0:
            content = {"resourceType": "Bundle", "entry": [{"resource": content}, content]}
        case 1:
            kind = draw(st.sampled_from(["Patient", "Observation", "Condition", "Procedure"]))
            extra = content if isinstance(content, dict) else {"code": content}
            entries = [*BUNDLE["entry"], {"resource": {"resourceType": kind, **extra}}]
            content = {"resourceType": "Bundle", "entry": entries}
    return path, as_json(content)


def as_json(document: Any) -> bytes:
    return json.dumps(document).encode("utf-8", "surrogatepass")


def no_fault(answer: httpx.Response, seconds: float) -> None:
    assert answer.status_code == 200 or answer.status_code in REFUSALS, answer.text
    assert seconds < SECONDS
    if answer.status_code != 200:
        assert answer.json()


SOAK = pytest.mark.soak


def quick(cases: int) -> settings:
    return settings(
        max_examples=cases, deadline=None, suppress_health_check=list(HealthCheck),
        phases=[Phase.generate], database=None,
    )  # fmt: skip


@pytest.mark.parametrize("cases", [80, pytest.param(7_000, marks=SOAK)])
def test_no_change_of_a_valid_request_is_a_fault(ask: Ask, cases: int) -> None:
    @quick(cases)
    @given(request=changed())
    def run(request: tuple[str, bytes]) -> None:
        no_fault(*ask(*request))

    run()


@pytest.mark.parametrize("cases", [40, pytest.param(2_000, marks=SOAK)])
def test_no_made_up_request_is_a_fault(ask: Ask, cases: int) -> None:
    @quick(cases)
    @given(request=made_up())
    def run(request: tuple[str, bytes]) -> None:
        no_fault(*ask(*request))

    run()


@pytest.mark.parametrize("cases", [40, pytest.param(1_000, marks=SOAK)])
def test_no_form_is_a_fault(ask: Ask, cases: int) -> None:
    fields = st.sampled_from(
        ["grant_type", "client_assertion_type", "client_assertion", "scope", "client_id", ""]
    )

    @quick(cases)
    @given(form=st.lists(st.tuples(fields | st.text(max_size=5), WORDS), max_size=8))
    def run(form: list[tuple[str, str]]) -> None:
        body = urlencode(form, errors="surrogatepass").encode()
        no_fault(*ask("/auth/token", body, "application/x-www-form-urlencoded"))

    run()


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e999", ""])
@pytest.mark.parametrize("path", sorted(EXAMPLES))
def test_what_is_no_number_is_refused_by_every_route(ask: Ask, path: str, number: str) -> None:
    """Also beside a whole number written as `10.0`, for which a body is read again."""
    example = EXAMPLES[path]
    is_list = isinstance(example, list)
    fields = example[0] if is_list else example
    for name in ("enrolment_day", "subject", "hook"):
        changed = {**fields, "explain_horizon_weeks": "WHOLE", name: "HERE"}
        text = json.dumps([changed] if is_list else changed)
        body = text.replace('"HERE"', number).replace('"WHOLE"', "12.0")
        answer, _ = ask(path, body.encode())
        # A field that a route does not read may be any JSON, and 1e999 is.
        refused = {400, 200, 404, 422} if number == "1e999" and name not in fields else {400}
        assert answer.status_code in refused, answer.text
