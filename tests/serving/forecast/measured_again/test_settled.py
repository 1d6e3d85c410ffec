from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import msgspec
import numpy as np
import pytest

from contracts.observation import Observation
from contracts.task import Task
from serving.forecast.audit_status import ServedModel
from serving.forecast.measured_again.settled import sentences
from serving.forecast.question import Question
from serving.forecast.respond import respond
from serving.schemas import ForecastAnswer
from serving.settled import NextMeasurement, Uncertainty

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def answer(served: ServedModel, share: float | None) -> ForecastAnswer:
    """The forecast of a model in which more people would settle this share of the variance."""
    score = {"code": "REHABCAST//FUGL_MEYER_UE", "day_since_onset": 10, "value": 20.0}
    asked = Question(
        subject="P-1", enrolment_day=10, observations=msgspec.convert([score], list[Observation]),
        explain=False, next_measurement=True,
    )  # fmt: skip
    share_H = None if share is None else np.full(len(served.bundle.task.horizons), share)
    model = replace(served, bundle=replace(served.bundle, by_people_H=share_H))
    return respond(asked, model, now=NOW)


def test_the_parts_are_of_the_range_that_is_shown(served: ServedModel) -> None:
    given = answer(served, 0.36)
    fact, again = given.uncertainty, given.next_measurement
    week_12 = next(horizon for horizon in given.horizons if horizon.weeks == 12)
    assert fact is not None
    assert again is not None
    assert again.expected_width_80 is not None
    assert (fact.horizon_weeks, fact.by_measuring_again) == (12, again.narrower_by)
    assert fact.width_80 == pytest.approx(week_12.high_80 - week_12.low_80)
    # A variance smaller by 0.36 is a range of 0.8 of the width.
    assert fact.by_more_people == pytest.approx(0.2 * fact.width_80)
    assert fact.stays_open == pytest.approx(0.8 * again.expected_width_80)


def test_nothing_that_is_told_apart_changes_the_forecast(served: ServedModel) -> None:
    without, little, much = (answer(served, share) for share in (None, 0.0, 0.9))
    assert without.horizons == little.horizons == much.horizons
    assert without.next_measurement == little.next_measurement == much.next_measurement


def test_a_model_that_did_not_measure_it_says_so_and_claims_nothing(served: ServedModel) -> None:
    given = answer(served, None)
    assert given.uncertainty is not None
    assert given.uncertainty.by_more_people is None
    assert given.uncertainty.stays_open is None
    assert not any("many more people" in said for said in given.in_words)


def test_a_trained_model_has_measured_it_at_every_horizon_that_it_forecasts(
    served: ServedModel,
) -> None:
    share_H = served.bundle.by_people_H
    assert share_H is not None
    given_H = served.bundle.calibration.seen.served_H
    assert ((share_H[given_H] > 0) & (share_H[given_H] < 1)).all()


@pytest.mark.parametrize(
    ("people", "left", "said"),
    [
        (2.2, 13.8, "about 2 points narrower; measured again in 14 days as well, it would still be"
         " 14 points wide."),
        (0.3, 17.0, "hardly narrower; measured again in 14 days as well, it would still be 17"
         " points wide."),
        (1.0, None, "about 1 point narrower."),
    ],
)  # fmt: skip
def test_one_sentence_says_both(people: float, left: float | None, said: str, task: Task) -> None:
    again = NextMeasurement(days=14, horizon_weeks=12)
    fact = Uncertainty(horizon_weeks=12, width_80=24, by_more_people=people, stays_open=left)
    *_, last = sentences(again, fact, task.target)
    assert last == (
        f"If the model had learned from many more people, the range for week 12 would be {said}"
    )
