from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from contracts.verdict import Outcome
from serving.request import ForecastAnswer, ForecastRequest
from serving.respond import Served, respond

NOW = datetime(2026, 11, 24, tzinfo=UTC)
SCORE = {"code": "REHABCAST//FUGL_MEYER_UE", "day_since_onset": 10, "value": 20.0}
AGE = {"code": "REHABCAST//AGE", "value": 70.0}
STEPS = {"code": "LOINC//41950-7", "day_since_onset": 9, "value": 1200.0}


def asked(*observations: dict[str, Any], **changes: Any) -> ForecastRequest:
    record = {"subject": "P-1", "enrolment_day": 10, "observations": list(observations), **changes}
    return ForecastRequest.model_validate(record)


def answer(served: Served, *observations: dict[str, Any], **changes: Any) -> ForecastAnswer:
    return respond(asked(*observations, **changes), served, now=NOW)


def test_one_score_is_enough_for_a_forecast_with_reasons(served: Served) -> None:
    given_ = answer(served, SCORE)
    assert given_.status == "forecast"
    assert [horizon.weeks for horizon in given_.horizons] == [3, 5, 6, 12, 26, 52]
    assert given_.last_score == 20
    assert given_.reasons is not None
    assert given_.reasons.horizon_weeks == 12
    assert given_.reasons.additivity_gap <= 1e-4
    assert given_.rests_on is not None
    assert given_.rests_on.assessments == 1
    assert {"gait", "wear", "person"} <= set(given_.rests_on.missing_modalities)
    assert given_.model.bundle_digest == served.bundle.digest
    assert any("not a medical device" in limit.lower() for limit in given_.limits)
    assert any("SIMULATED" in limit for limit in given_.limits)


@settings(max_examples=25, deadline=None)
@given(score=st.integers(0, 66), age=st.integers(18, 110), day=st.sampled_from([7, 10, 31]))
def test_every_number_has_its_range_and_reasons_add_up(
    served: Served, score: int, age: int, day: int
) -> None:
    given_ = answer(
        served,
        {**SCORE, "value": score, "day_since_onset": day},
        {**AGE, "value": age},
        {**STEPS, "day_since_onset": 10},
    )
    for horizon in given_.horizons:
        values = list(horizon.quantiles.values())
        assert values == sorted(values)
        assert 0 <= horizon.low_80 <= horizon.median <= horizon.high_80 <= 66
        assert all(0 <= chance <= 1 for chance in horizon.milestones.values())
    reasons = given_.reasons
    assert reasons is not None
    total = reasons.base + sum(each.points for each in reasons.contributions)
    assert total == pytest.approx(reasons.forecast, abs=1e-4)
    shown = next(h for h in given_.horizons if h.weeks == reasons.horizon_weeks)
    assert reasons.forecast == pytest.approx(shown.median)


def test_a_later_record_moves_the_origin_and_drops_the_past_horizons(served: Served) -> None:
    later = answer(served, SCORE, {**SCORE, "day_since_onset": 31, "value": 30.0})
    assert later.origin_day == 21
    assert later.last_score == 30
    assert [horizon.weeks for horizon in later.horizons] == [5, 6, 12, 26, 52]


@pytest.mark.parametrize(
    ("observations", "told", "to_do"),
    [
        ([STEPS, {**STEPS, "day_since_onset": 12}], "no Fugl-Meyer", "assess the patient"),
        ([STEPS, {**SCORE, "day_since_onset": 13}], "no Fugl-Meyer", "date the enrolment"),
        ([{**SCORE, "value": 67.0}], "impossible", "check the entry"),
        ([{**SCORE, "value": None}], "expected a number", "missing value"),
        ([{**SCORE, "code": "X//Y"}], "not in the vocabulary", "map it"),
        ([SCORE, SCORE], "already has one", "keep one"),
        ([SCORE, {"code": "REHABCAST//SEX", "label": "F"}], "female, male", "no row"),
        ([SCORE, {**AGE, "day_since_onset": 3}], "has a time", "leave the time empty"),
        ([{**SCORE, "day_since_onset": None}], "no time", "say when"),
    ],
)
def test_what_can_not_be_trusted_gives_no_forecast_and_what_to_do(
    served: Served, observations: list[dict[str, Any]], told: str, to_do: str
) -> None:
    refused = answer(served, *observations)
    assert refused.status == "no forecast"
    assert refused.horizons == []
    assert refused.reasons is None
    whole = f"{refused.reason}: {refused.what_to_do}"
    assert told in whole
    assert to_do in whole


def test_a_withdrawn_model_gives_no_forecast_and_says_why(served: Served) -> None:
    refused = respond(asked(SCORE), served, now=NOW, withdrawn="wrong units")
    assert refused.status == "no forecast"
    assert "withdrawn (wrong units)" in refused.reason
    assert refused.horizons == []


def test_an_expired_audit_gives_no_forecast(served: Served) -> None:
    standing = replace(served.standing, valid_until=NOW)
    refused = answer(replace(served, standing=standing), SCORE)
    assert refused.status == "no forecast"
    assert "expired" in refused.reason


def test_a_horizon_that_is_not_ahead_can_not_be_explained(served: Served) -> None:
    refused = answer(served, SCORE, explain_horizon_weeks=7)
    assert "week 7 is no horizon ahead" in refused.reason
    assert answer(served, SCORE, explain_horizon_weeks=26).reasons.horizon_weeks == 26  # type: ignore[union-attr]


def test_an_override_stands_on_the_answer(served: Served) -> None:
    standing = replace(
        served.standing, outcome=Outcome.INSUFFICIENT, approver="Dr A", reason="pilot ward only"
    )
    model = answer(replace(served, standing=standing), SCORE).model
    assert model.override is not None
    assert (model.override.approver, model.override.reason) == ("Dr A", "pilot ward only")
    assert model.audit_outcome == "insufficient evidence"


def test_codes_that_the_model_never_learned_are_named(served: Served) -> None:
    sleep = {"code": "REHABCAST//SLEEP", "day_since_onset": 9, "value": 8.0}
    given_ = answer(served, SCORE, sleep)
    assert given_.rests_on is not None
    assert given_.rests_on.ignored_codes == ["REHABCAST//SLEEP"]


@pytest.mark.parametrize(
    "changes",
    [
        {"subject": "Jane Doe"},
        {"enrolment_day": -1},
        {"observations": []},
        {"surprise": 1},
        {"observations": [{**SCORE, "value": float("nan")}]},
        {"observations": [{**SCORE, "value": float("inf")}]},
        {"observations": [{**SCORE, "note": "free text"}]},
    ],
)
def test_a_malformed_request_is_refused_without_echoing_it(changes: dict[str, Any]) -> None:
    record = {"subject": "P-1", "enrolment_day": 10, "observations": [SCORE], **changes}
    with pytest.raises(ValidationError) as caught:
        ForecastRequest.model_validate(record)
    assert "Jane" not in str(caught.value)
    assert "free text" not in str(caught.value)


def test_the_same_request_gets_the_same_answer(served: Served) -> None:
    first, again = (answer(served, SCORE, AGE, STEPS).model_dump_json() for _ in range(2))
    assert first == again
    assert np.isfinite(answer(served, SCORE).horizons[0].median)
