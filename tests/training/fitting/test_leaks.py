from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from contracts.errors import IntegrityError
from contracts.sequences import SequenceBatch
from contracts.task import Task
from features.sequences import training_sequences
from training.fitting.leaks import (
    FALSE_ALARM,
    LARGEST_BELIEVED,
    adjusted_correlations,
    check_batch_independence,
    check_folds,
    check_no_lookahead,
    check_target_leakage,
)

STEPS = "LOINC//41950-7"


def test_an_honest_batch_passes(events: pd.DataFrame, batch: SequenceBatch, task: Task) -> None:
    check_no_lookahead(events, task, batch)
    check_target_leakage(batch)
    check_folds(batch.take(batch.subject_B < 30), batch.take(batch.subject_B >= 30))


def test_a_subject_on_both_sides_of_a_fold_is_refused(batch: SequenceBatch) -> None:
    with pytest.raises(IntegrityError, match="both sides of a fold"):
        check_folds(batch.take(batch.subject_B < 30), batch.take(batch.subject_B >= 29))


def test_a_past_that_contains_a_later_value_is_refused(
    events: pd.DataFrame, batch: SequenceBatch, task: Task
) -> None:
    """The steps of the day after the origin, recorded on the day of the origin."""
    steps = batch.layout.channels_C.index(STEPS)
    values_BTC = batch.values_BTC.copy()
    values_BTC[0, -1, steps] += 1
    with pytest.raises(IntegrityError, match="values_BTC at day 0 changes"):
        check_no_lookahead(events, task, replace(batch, values_BTC=values_BTC))


def test_a_baseline_filled_in_from_later_is_refused(events: pd.DataFrame, task: Task) -> None:
    batch = training_sequences(events, task)
    filled = np.nan_to_num(batch.truth_BH[:, 3], nan=1.0)
    with pytest.raises(IntegrityError, match="last_score_B"):
        check_no_lookahead(events, task, replace(batch, last_score_B=filled))


def test_a_family_that_normalises_over_the_forecast_subjects_is_refused(
    batch: SequenceBatch,
) -> None:
    def ranking(unseen: SequenceBatch) -> np.ndarray:
        centred = unseen.last_score_B - unseen.last_score_B.mean()
        return np.broadcast_to(centred[:, None, None], (len(unseen), 6, 19))

    with pytest.raises(IntegrityError, match="of ranking depends on who else"):
        check_batch_independence(ranking, batch, model="ranking")


@pytest.mark.parametrize("error", [0.0, 1.0, 2.46, 3.0])
def test_the_outcome_with_the_error_of_an_assessment_is_refused(
    batch: SequenceBatch, error: float
) -> None:
    for seed in range(20):
        noise_B = np.random.default_rng(seed).normal(scale=error, size=len(batch))
        leaking = with_steps(batch, batch.truth_BH[:, 3] + noise_B)
        first = leaking.take(batch.origin_day_B == 0)
        with pytest.raises(
            IntegrityError, match=f"{STEPS}, at day 0 agrees with the change to day 84"
        ):
            check_target_leakage(first)


@pytest.mark.parametrize("people", [40, 150, 600])
def test_what_an_honest_input_may_foretell_is_seldom_refused(
    batch: SequenceBatch, people: int
) -> None:
    """Steps that agree with the change as closely as is believed of an honest input."""
    refusals, times = 0, 200
    for seed in range(times):
        generator = np.random.default_rng(seed)
        base_B, change_B, noise_B = generator.normal(size=(3, people))
        many = batch.take(np.zeros(people, dtype=np.int64))
        truth_BH = np.full_like(many.truth_BH, np.nan)
        truth_BH[:, 3] = 30 + 9 * (base_B + change_B)
        honest = replace(
            many,
            truth_BH=truth_BH,
            last_score_B=(30 + 9 * base_B).astype(np.float32),
            values_BTC=np.zeros_like(many.values_BTC),
            observed_BTC=np.zeros_like(many.observed_BTC),
        )
        steps_B = LARGEST_BELIEVED * change_B + np.sqrt(1 - LARGEST_BELIEVED**2) * noise_B + base_B
        try:
            check_target_leakage(with_steps(honest, steps_B))
        except IntegrityError:
            refusals += 1
    assert refusals <= binom.isf(1e-4, times, FALSE_ALARM)


@given(st.integers(0, 2**32 - 1), st.floats(0.0, 0.5))
def test_the_agreement_is_that_of_what_regressions_leave(seed: int, absent: float) -> None:
    """Against least squares, person by person, for inputs that not everybody has."""
    generator = np.random.default_rng(seed)
    base_B = generator.normal(30, 10, 80)
    features_BF = generator.normal(size=(80, 3)) + 0.1 * base_B[:, None]
    change_B = features_BF[:, 0] - 0.2 * base_B + generator.normal(size=80)
    features_BF[:, 2] = 3 * base_B
    features_BF[generator.random((80, 3)) < absent] = np.nan
    found_F, people_F = adjusted_correlations(features_BF, change_B, base_B)
    assert np.isnan(found_F[2])
    for f in range(2):
        known_B = ~np.isnan(features_BF[:, f])
        design = np.column_stack([np.ones(known_B.sum()), base_B[known_B]])
        left = [
            y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
            for y in (features_BF[known_B, f], change_B[known_B])
        ]
        assert people_F[f] == known_B.sum()
        assert found_F[f] == pytest.approx(np.corrcoef(*left)[0, 1], abs=1e-9)


def with_steps(batch: SequenceBatch, steps_B: np.ndarray) -> SequenceBatch:
    """Return the batch with these steps on the day of the forecast, where they are a number."""
    channel = batch.layout.channels_C.index(STEPS)
    values_BTC, observed_BTC = batch.values_BTC.copy(), batch.observed_BTC.copy()
    values_BTC[:, -1, channel] = np.nan_to_num(steps_B)
    observed_BTC[:, -1, channel] = ~np.isnan(steps_B)
    return replace(batch, values_BTC=values_BTC, observed_BTC=observed_BTC)
