from __future__ import annotations

from typing import Any

import msgspec
import pytest

from serving.http.decoding import RequestInvalid, decoded
from serving.schemas import ForecastRequest

SCORE = {"code": "REHABCAST//FUGL_MEYER_UE", "day_since_onset": 10, "value": 20.0}
VALID = {"subject": "P-1", "enrolment_day": 10, "observations": [SCORE]}


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
    with pytest.raises(RequestInvalid) as caught:
        decoded(ForecastRequest, msgspec.json.encode({**VALID, **changes}))
    assert "Jane" not in str(caught.value)


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
    with pytest.raises(RequestInvalid):
        decoded(ForecastRequest, body)
