from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import msgspec
import numpy as np
import pytest

from contracts.observation import Observation
from serving.forecast.audit_status import ServedModel
from serving.forecast.measured_again.facts import in_words
from serving.forecast.question import Question, input_digest
from serving.forecast.respond import respond
from serving.schemas import ForecastAnswer
from serving.settled import NextMeasurement

NOW = datetime(2026, 11, 24, tzinfo=UTC)
ARM = "REHABCAST//FUGL_MEYER_UE"


def question(score_day: int = 10, **changes: object) -> Question:
    score = {"code": ARM, "day_since_onset": score_day, "value": 20.0}
    record = msgspec.convert([score], list[Observation])
    asked = Question(subject="P-1", enrolment_day=10, observations=record, explain=False)
    return replace(asked, **{"next_measurement": True, **changes})  # type: ignore[arg-type]


def answer(served: ServedModel, **changes: object) -> ForecastAnswer:
    return respond(question(**changes), served, now=NOW)  # type: ignore[arg-type]


def for_all(served: ServedModel) -> ServedModel:
    """The same model, for which nobody is unlike and nobody without people alike."""
    bundle = served.bundle
    seen = bundle.calibration.seen
    many = np.full((26, *seen.count_DSKH.shape[1:]), 1_000, np.int32)
    calibration = replace(bundle.calibration, seen=replace(seen, count_DSKH=many, first_place=0))
    reference = replace(bundle.reference, limit=0.0)
    return replace(served, bundle=replace(bundle, calibration=calibration, reference=reference))


def test_only_who_asks_is_told_and_the_forecast_stays_the_same(served: ServedModel) -> None:
    asked, silent = answer(served), answer(served, next_measurement=False)
    assert silent.next_measurement is None
    assert asked.next_measurement is not None
    assert asked.horizons == silent.horizons
    assert silent.uncertainty is None
    assert asked.in_words[:-2] == silent.in_words


def test_the_fact_is_of_the_horizon_that_is_explained(served: ServedModel) -> None:
    given = answer(served)
    fact = given.next_measurement
    assert fact is not None
    week_12 = next(horizon for horizon in given.horizons if horizon.weeks == 12)
    assert (fact.days, fact.horizon_weeks) == (14, 12)
    assert fact.width_80 == pytest.approx(week_12.high_80 - week_12.low_80)
    assert fact.expected_width_80 is not None
    assert fact.narrower_by == pytest.approx(fact.width_80 - fact.expected_width_80)
    later = answer(served, weeks=26).next_measurement
    assert later is not None
    assert later.horizon_weeks == 26


def test_late_in_the_course_it_is_said_why_it_is_not_known(served: ServedModel) -> None:
    given = answer(for_all(served), score_day=10 + 75, as_of_day=10 + 75)
    assert given.next_measurement is not None
    assert given.next_measurement.narrower_by is None
    assert given.next_measurement.expected_width_80 is None
    assert "this model gives no forecast so late" in given.in_words[-2]


@pytest.mark.parametrize(
    ("now", "then", "said"),
    [
        (24, 18, "would be about 6 points narrower on average: 18 wide instead of 24 points"),
        (20, 19, "would be about 1 point narrower on average: 19 wide instead of 20 points"),
        (24.4, 18.6, "would be about 6 points narrower on average: 18 wide instead of 24 points"),
        (20, 19.8, "would be no narrower on average: it is 20 points wide now"),
        (20, 22.0, "would be no narrower on average: it is 20 points wide now"),
    ],
)
def test_the_sentence_is_rounded_to_what_the_instrument_tells_apart(
    now: float, then: float, said: str
) -> None:
    fact = NextMeasurement(
        days=14, horizon_weeks=12, width_80=now, expected_width_80=then, narrower_by=now - then
    )
    assert in_words(fact, ARM, 1.0) == (
        f"Measured again in 14 days, the 80 % range for week 12 {said}."
    )


def test_what_is_asked_is_in_the_digest_and_what_nobody_asks_is_not() -> None:
    asked = question()
    silent = replace(asked, next_measurement=False)
    assert input_digest(asked) != input_digest(silent)
    earlier = Question(
        subject="P-1", enrolment_day=10, observations=asked.observations, explain=False
    )
    assert input_digest(silent) == input_digest(earlier)
