from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from contracts.errors import IntegrityError
from contracts.sequences import SequenceBatch
from contracts.task import Task
from features.sequences import training_sequences
from training.comparison.leaks import (
    check_batch_independence,
    check_folds,
    check_no_lookahead,
    check_target_leakage,
)


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
    steps = batch.layout.channels_C.index("LOINC//41950-7")
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


def test_an_input_that_is_the_change_is_refused(batch: SequenceBatch) -> None:
    steps = batch.layout.channels_C.index("LOINC//41950-7")
    known = ~np.isnan(batch.truth_BH[:, 3])
    values_BTC, observed_BTC = batch.values_BTC.copy(), batch.observed_BTC.copy()
    change = np.nan_to_num(batch.truth_BH[:, 3] - batch.last_score_B)
    values_BTC[:, -1, steps] = change + 0.1 * batch.last_score_B
    observed_BTC[:, -1, steps] = known
    leaking = replace(batch, values_BTC=values_BTC, observed_BTC=observed_BTC)
    with pytest.raises(
        IntegrityError, match="LOINC//41950-7, at day 0 determines the change to day 84"
    ):
        check_target_leakage(leaking)
