from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.formats.cds.hooks import HookFeedback
from serving.http.decoding import MAX_NESTING, MAX_VALUES, RequestInvalid, decoded, measured
from serving.schemas import FeedbackRequest, ForecastRequest
from tests.refusals import refuses

SCORE = {"code": "REHABCAST//FUGL_MEYER_UE", "day_since_onset": 10, "value": 20.0}
VALID = {"subject": "P-1", "enrolment_day": 10, "observations": [SCORE]}
FEEDBACK = {"forecast_id": "0" * 32, "outcome": "accepted"}
CARD = {
    "card": "00000000-0000-0000-0000-000000000000", "outcome": "accepted",
    "outcomeTimestamp": "2026-01-16T09:00:00Z",
}  # fmt: skip


def test_a_valid_body_is_read() -> None:
    assert decoded(ForecastRequest, msgspec.json.encode(VALID)).enrolment_day == 10


@pytest.mark.parametrize(
    "changes",
    [
        {"subject": "Jane Doe"},
        {"enrolment_day": -1},
        {"enrolment_day": 1e40},
        {"observations": []},
        {"Jane": 1},
        {"observations": [{**SCORE, "value": "Jane"}]},
        {"observations": [{**SCORE, "note": "Jane"}]},
        {"bundle": ["Jane"]},
        {"explain_horizon_weeks": 0},
    ],
)
def test_a_malformed_request_is_refused_without_echoing_it(changes: dict[str, Any]) -> None:
    with refuses(RequestInvalid) as caught:
        decoded(ForecastRequest, msgspec.json.encode({**VALID, **changes}))
    assert "Jane" not in str(caught.value)


def nested(depth: int) -> bytes:
    return b'{"subject":"P-1","bundle":{"a":' + b"[" * (depth - 2) + b"]" * (depth - 2) + b"}}"


def test_what_a_body_holds_is_bounded_before_it_is_decoded() -> None:
    decoded(ForecastRequest, nested(MAX_NESTING))
    with refuses(RequestInvalid, match="nested more than 64 deep"):
        decoded(ForecastRequest, nested(MAX_NESTING + 1))
    values = b'{"subject":"P-1","bundle":{"a":[' + b"0," * (MAX_VALUES - 10) + b"0]}}"
    decoded(ForecastRequest, values)
    with refuses(RequestInvalid, match="more than 400,000 JSON values") as refused:
        decoded(ForecastRequest, values.replace(b"[", b"[" + b"{}," * 10))
    assert "send fewer" in refused.value.what_to_do


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=30,
    ),
    st.booleans(),
)
def test_a_body_is_measured_as_it_is_decoded(document: Any, ascii_only: bool) -> None:
    def depth(value: Any) -> int:
        if isinstance(value, dict | list):
            inside = value.values() if isinstance(value, dict) else value
            return 1 + max(map(depth, inside), default=0)
        return 0

    def count(value: Any) -> int:
        if isinstance(value, dict | list):
            inside = list(value.values() if isinstance(value, dict) else value)
            # An opening bracket, and a comma between two.
            return 1 + max(0, len(inside) - 1) + sum(map(count, inside))
        return 0

    def texts(value: Any) -> str:
        if isinstance(value, dict):
            return "".join(name + texts(item) for name, item in value.items())
        if isinstance(value, list):
            return "".join(map(texts, value))
        return value if isinstance(value, str) else ""

    text = json.dumps(document, ensure_ascii=ascii_only).encode("utf-8", "replace")
    size = measured(text)
    assert (size.nesting, size.values) == (depth(document), 1 + count(document))
    assert size.has_nul == ("\0" in texts(document))


@pytest.mark.parametrize("text", ["\0", "a\0b", "\\\0"])
def test_a_text_with_a_nul_character_is_refused_and_its_escape_is_not(text: str) -> None:
    with refuses(RequestInvalid, match="NUL"):
        decoded(FeedbackRequest, msgspec.json.encode({**FEEDBACK, "reason": text}))
    harmless = text.replace("\0", r"\u0000")
    body = msgspec.json.encode({**FEEDBACK, "reason": harmless})
    assert decoded(FeedbackRequest, body).reason == harmless


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        (ForecastRequest, {**VALID, "subject": "P-1\n"}),
        (FeedbackRequest, {**FEEDBACK, "forecast_id": "0" * 32 + "\n"}),
        (HookFeedback, {"feedback": [{**CARD, "card": CARD["card"] + "\n"}]}),
    ],
)
def test_an_identifier_does_not_end_with_a_line_end(kind: Any, content: Any) -> None:
    with refuses(RequestInvalid):
        decoded(kind, msgspec.json.encode(content))


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"\xff", b"[" * 100_000, b'{"bundle":' + b'{"a":' * 5_000,
        b'{"subject": "P", "observations": [{"code": "a", "value": NaN}]}',
        b'{"subject": "P", "observations": [{"code": "a", "value": -Infinity}]}',
        b'{"subject": "P", "observations": [{"code": "a", "value": 1e999}]}',
    ],
)  # fmt: skip
def test_what_is_not_json_is_refused(body: bytes) -> None:
    with refuses(RequestInvalid):
        decoded(ForecastRequest, body)


@pytest.mark.parametrize("written", ["10", "10.0", "10.000"])
def test_a_whole_number_is_one_however_it_is_written(written: str) -> None:
    body = (
        f'{{"subject": "P-1", "enrolment_day": {written},'
        ' "observations": [{"code": "x", "value": 2.5}]}'
    )
    request = decoded(ForecastRequest, body.encode())
    assert (request.enrolment_day, type(request.enrolment_day)) == (10, int)
    assert request.observations is not None
    assert request.observations[0].value == 2.5
    with pytest.raises(RequestInvalid):
        decoded(ForecastRequest, body.replace(written, "10.5", 1).encode())


BROKEN = [
    b'"value": NaN', b'"value": Infinity', b'"value": -Infinity', b'"value": 1e999', b'"value": ',
    b'"value": "\\ud800"', b'"value": "\\"', b'"value": 1e5.0', b'"value": ' + b"9" * 5_000,
]  # fmt: skip
"""What is no JSON, or too large to be a number, in the place of `"value": 2.5`."""


@pytest.mark.parametrize("broken", BROKEN)
def test_what_is_not_json_is_refused_beside_a_whole_number_with_decimals(broken: bytes) -> None:
    """The body is read a second time for `10.0`, and that reading is as strict as the first one."""
    body = b'{"subject": "P", "enrolment_day": 10.0, "observations": [{"code": "x", %s}]}'
    with refuses(RequestInvalid):
        decoded(ForecastRequest, body % broken)


@given(st.text() | st.sampled_from(["1.0", '"1.0', "\\", '\\"2.0,', "-3.00]"]), st.integers(0, 40))
def test_texts_and_other_numbers_stay_as_they_were_sent(text: str, day: int) -> None:
    sent = {"code": "x", "label": text.replace("\0", ""), "value": 1.5}
    body = json.dumps({"subject": "P", "enrolment_day": float(day), "bundle": sent})
    request = decoded(ForecastRequest, body.encode())
    assert (request.enrolment_day, request.bundle) == (day, sent)
