from __future__ import annotations

from dataclasses import replace

import numpy as np

from contracts.sequences import SequenceBatch
from contracts.task import Task
from training.models.rivals.trajectories import padded, past_scores, whole_courses


def test_each_score_of_a_course_is_there_once(batch: SequenceBatch, task: Task) -> None:
    """That of day 21 is an outcome of the first pair, and in the past of the second."""
    target = batch.layout.channels_C.index(task.target.code)
    scores, first_R = whole_courses(batch, task, [target])
    subject_N = batch.subject_B[first_R][scores.row_N]
    for subject in np.unique(batch.subject_B)[:10]:
        pairs = batch.take(batch.subject_B == subject)
        seen = set(pairs.values_BTC[..., target][pairs.observed_BTC[..., target]].tolist())
        later = pairs.truth_BH[-1][~np.isnan(pairs.truth_BH[-1])].tolist()
        days = scores.since_enrolment_N[subject_N == subject].tolist()
        assert len(days) == len(set(days))
        found = sorted(scores.value_N[subject_N == subject].tolist())
        assert set(found) == seen | set(later)
        past = past_scores(pairs, [target])
        newest = past.keep(past.row_N == len(pairs) - 1)
        assert len(found) == len(newest.value_N) + len(later)


def test_a_visit_that_was_early_is_not_counted_twice(batch: SequenceBatch, task: Task) -> None:
    """On day 19 for day 21: the outcome has the nominal day, the past the true one."""
    target = batch.layout.channels_C.index(task.target.code)
    values_BTC, observed_BTC = batch.values_BTC.copy(), batch.observed_BTC.copy()
    late_B = (batch.origin_day_B == 21) & batch.observed_BTC[:, -1, target]
    values_BTC[late_B, -3, target] = values_BTC[late_B, -1, target]
    observed_BTC[late_B, -3, target], observed_BTC[late_B, -1, target] = True, False
    early = replace(batch, values_BTC=values_BTC, observed_BTC=observed_BTC)
    moved, _ = whole_courses(early, task, [target])
    asked, _ = whole_courses(batch, task, [target])
    assert late_B.any()
    assert len(moved.value_N) == len(asked.value_N)
    assert (moved.since_enrolment_N == 19).sum() == late_B.sum()


def test_scores_are_padded_row_by_row_in_any_order() -> None:
    x_RW = padded(np.array([1.0, 2.0, 3.0]), np.array([2, 0, 2]), 3)
    np.testing.assert_array_equal(x_RW, [[2, np.nan], [np.nan, np.nan], [1, 3]])
