"""What a score would be worth, against what the ranges of made-up people really became."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.forecast import LOWER_80, MEDIAN, UPPER_80
from contracts.sequences import SequenceBatch
from contracts.task import Task
from inference.bundle import Bundle, forecast_batch
from inference.calibration import Calibration
from serving.forecast.measured_again.worth import (
    Unknown,
    Worth,
    measured_later,
    possible_scores,
    worth_measuring,
)

WEEK_12 = 3
LEVELS = np.linspace(-9, 9, 19)
AHEAD = np.array([-5, 10, 40, 100])


def for_all(bundle: Bundle) -> Bundle:
    """The same model, which has seen enough people like anybody."""
    seen = bundle.calibration.seen
    many = np.full((26, *seen.count_DSKH.shape[1:]), 1_000, np.int32)
    calibration: Calibration = replace(
        bundle.calibration, seen=replace(seen, count_DSKH=many, first_place=0)
    )
    return replace(bundle, calibration=calibration)


def widths(quantiles_BHQ: np.ndarray) -> np.ndarray:
    return np.asarray(quantiles_BHQ[..., UPPER_80] - quantiles_BHQ[..., LOWER_80])


def test_the_width_that_is_said_is_the_width_that_comes(
    bundle: Bundle, batch: SequenceBatch, task: Task
) -> None:
    """SIMULATED people, seen again on day 21: their real scores instead of the possible ones."""
    channel = batch.layout.channels_C.index(task.target.code)
    first = batch.take(batch.origin_day_B == 0)
    second = batch.take((batch.origin_day_B == 21) & batch.observed_BTC[:, -1, channel])
    model = for_all(bundle)
    said, came = [], []
    for row in range(len(second)):
        pair = first.take(first.subject_B == second.subject_B[row])
        worth = worth_measuring(model, pair, forecast_batch(model, pair)[0], WEEK_12, days=21)
        assert isinstance(worth, Worth)
        score = second.last_score_B[row : row + 1].astype(np.float64)
        later = measured_later(pair, task.target, score, 21)
        said.append((worth.now, worth.expected))
        came.append(widths(forecast_batch(model, later))[0, WEEK_12])
    now, expected = np.mean(said, axis=0)
    assert len(said) >= 20
    assert expected == pytest.approx(np.mean(came), rel=0.15)
    assert now != pytest.approx(expected, rel=0.01)


def test_the_later_record_is_that_of_the_day_with_the_score_and_nothing_else(
    batch: SequenceBatch, task: Task
) -> None:
    channel = batch.layout.channels_C.index(task.target.code)
    first = batch.take(batch.origin_day_B == 0)
    second = batch.take((batch.origin_day_B == 21) & batch.observed_BTC[:, -1, channel])
    pair = first.take(first.subject_B == second.subject_B[0])
    later = measured_later(pair, task.target, second.last_score_B[:1].astype(np.float64), 21)
    known = second.take(np.array([0]))
    np.testing.assert_array_equal(later.days_since_onset_BT, known.days_since_onset_BT)
    np.testing.assert_array_equal(later.last_score_B, known.last_score_B)
    assert later.origin_day_B.tolist() == [21]
    np.testing.assert_array_equal(later.values_BTC[..., channel], known.values_BTC[..., channel])
    others = np.arange(later.values_BTC.shape[2]) != channel
    assert not later.observed_BTC[:, -21:][..., others].any()
    np.testing.assert_array_equal(later.observed_BTC[:, :-21], pair.observed_BTC[:, 21:])
    np.testing.assert_array_equal(later.values_BTC[:, :-21], pair.values_BTC[:, 21:])


@settings(max_examples=50, deadline=None)
@given(last=st.integers(0, 66), gain=st.floats(-5, 25), days=st.integers(1, 120))
def test_possible_scores_are_scores_and_go_from_the_last_one_to_the_forecast(
    last: int, gain: float, days: int, task: Task
) -> None:
    quantiles_HQ = np.clip(last + gain * np.array([[9], [0.5], [0.8], [1]]) + LEVELS, 0, 66)
    scores_Q = possible_scores(quantiles_HQ, task.target, AHEAD, float(last), days)
    assert (np.diff(scores_Q) >= 0).all()
    assert ((scores_Q >= 0) & (scores_Q <= 66) & (scores_Q == np.round(scores_Q))).all()
    for h in (1, 2, 3):
        at_horizon_Q = possible_scores(quantiles_HQ, task.target, AHEAD, float(last), int(AHEAD[h]))
        np.testing.assert_allclose(at_horizon_Q, quantiles_HQ[h], atol=0.5)
    before = possible_scores(quantiles_HQ, task.target, AHEAD, float(last), 5)
    assert min(last, quantiles_HQ[1, MEDIAN]) - 1 <= before[MEDIAN]
    assert before[MEDIAN] <= max(last, quantiles_HQ[1, MEDIAN]) + 1


def test_where_there_would_be_no_forecast_it_is_said_why(
    bundle: Bundle, batch: SequenceBatch, task: Task
) -> None:
    model = for_all(bundle)
    first = batch.take(np.array([0]))
    quantiles_HQ = forecast_batch(model, first)[0]
    too_late = replace(first, origin_day_B=np.array([task.last_origin_day - 13]))
    assert worth_measuring(model, too_late, quantiles_HQ, 4) is Unknown.NO_LATER_FORECAST
    last = replace(first, origin_day_B=np.array([task.last_origin_day - 14]))
    assert isinstance(worth_measuring(model, last, quantiles_HQ, 4), Worth)
    assert worth_measuring(model, last, quantiles_HQ, WEEK_12) is Unknown.HORIZON_PASSED
    seen = model.calibration.seen
    nobody = replace(seen, count_DSKH=np.zeros_like(seen.count_DSKH))
    alone = replace(model, calibration=replace(model.calibration, seen=nobody))
    assert worth_measuring(alone, first, quantiles_HQ, 4) is Unknown.TOO_FEW_PEOPLE
