from __future__ import annotations

import json
import string
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.http.decoding import RequestInvalid, decoded
from serving.http.decoding.unknown_fields import (
    MOST_EDITS,
    MOST_SHOWN,
    SHORTEST_REPEATED,
    unknown_field,
)
from serving.http.endpoints import ENDPOINTS
from serving.schemas import ForecastRequest

SCORE = {"code": "REHABCAST//FUGL_MEYER_UE", "day_since_onset": 10, "value": 20.0}
VALID = {"subject": "P-1", "enrolment_day": 10, "observations": [SCORE, SCORE]}

STRICT = [
    each.request_type
    for each in ENDPOINTS
    if each.request_type not in {None, bytes}
    and getattr(msgspec.inspect.type_info(each.request_type), "forbid_unknown_fields", False)
]
MADE_UP = st.text(string.ascii_uppercase, min_size=12, max_size=60)


def refusal(kind: Any, content: Any) -> str:
    with pytest.raises(RequestInvalid) as caught:
        decoded(kind, json.dumps(content).encode())
    return str(caught.value)


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ("daySinceOnset", "field `daySinceOnset` of {}, perhaps for `day_since_onset`"),
        ("day_since_onest", "field `day_since_onest` of {}, perhaps for `day_since_onset`"),
        ("valu", "field 4 of {}, perhaps for `value`"),
        ("Cole", "field 4 of {}, perhaps for `code`"),
        ("note", "field 4 of {}"),
        ("dayOfOnset", "field 4 of {}"),
    ],
)
def test_a_misspelt_field_is_told_with_its_place_and_what_was_meant(sent: str, told: str) -> None:
    content = {**VALID, "observations": [SCORE, {**SCORE, sent: 3}]}
    reason = told.format("the object at `$.observations[1]` is not known")
    assert refusal(ForecastRequest, content) == (
        f"{reason}: send only `code`, `day_since_onset`, `value`, `label`; see /openapi.json"
    )


@given(st.sampled_from(STRICT), st.data())
def test_every_route_names_what_is_within_two_characters_of_a_field(kind: Any, data: Any) -> None:
    known = [field.encode_name for field in msgspec.inspect.type_info(kind).fields]
    meant = data.draw(
        st.sampled_from([name for name in known if len(name.replace("_", "")) >= SHORTEST_REPEATED])
    )
    at = data.draw(st.integers(0, len(meant) - 1))
    sent = meant[:at] + data.draw(st.sampled_from("xqz9")) + meant[at + 1 :]
    found = unknown_field(kind, {sent: 1})
    if sent in known:
        assert found is None
        return
    assert found is not None
    assert found.name == sent
    assert f"perhaps for `{found.nearest}`" in found.reason
    assert sent in refusal(kind, {sent: 1})


@given(st.sampled_from(STRICT), MADE_UP, st.booleans())
def test_a_name_that_resembles_no_field_is_never_repeated(
    kind: Any, planted: str, after_ours: bool
) -> None:
    first = msgspec.inspect.type_info(kind).fields[0].encode_name
    sent = f"{first}_{planted}" if after_ours else planted
    told = refusal(kind, {sent: planted})
    assert planted not in told
    assert "field 1 of the object at `$` is not known" in told


@given(st.text(max_size=MOST_EDITS))
def test_what_is_repeated_is_escaped(extra: str) -> None:
    found = unknown_field(ForecastRequest, {f"observations{extra}!": 1})
    assert found is not None
    assert (found.reason + found.what_to_do).isascii()
    assert found.reason.isprintable()
    assert len(found.name) <= 10 * MOST_SHOWN


def test_keys_of_a_map_are_the_callers_own_and_are_not_judged() -> None:
    assert unknown_field(ForecastRequest, {"subject": "P", "bundle": {"Jane": {"Doe": 1}}}) is None
