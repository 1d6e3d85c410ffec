"""The newest day of a whole cohort is the day that a request about each person gets."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.cohort import CODE, ENROLMENT, ONSET, SUBJECT, TIME
from contracts.errors import ForecastRefused
from contracts.sequences import SequenceBatch
from contracts.task import Task
from features.newest import days_with_score, newest_day
from features.sequences import forecast_sequence, training_sequences


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(lost=st.floats(0, 0.95), seed=st.integers(0, 10_000))
def test_every_person_is_on_the_day_and_for_the_reason_of_their_own_request(
    events: pd.DataFrame, task: Task, lost: float, seed: int
) -> None:
    """With any share of the record lost, up to all scores and all measurements of somebody."""
    layout = training_sequences(events, task).layout
    some = events[events[SUBJECT] <= 15]
    generator = np.random.default_rng(seed)
    losing = dict(enumerate(generator.uniform(0, 2 * lost, size=16)))
    keeps = generator.random(len(some)) >= some[SUBJECT].map(losing).to_numpy()
    is_fact = some[TIME].isna() | some[CODE].isin([ONSET, ENROLMENT])
    some = some[keeps | is_fact].sample(frac=1, random_state=seed)
    everybody = newest_day(some, task, layout)
    assert everybody.batch.subject_B.tolist() == list(range(1, 16))
    for b, subject in enumerate(everybody.batch.subject_B):
        refused = everybody.nothing_measured_B[b] or everybody.no_score_B[b]
        own = some[some[SUBJECT] == subject].sort_values(TIME)
        day = int(everybody.batch.origin_day_B[b])
        if refused:
            words = "nothing was" if everybody.nothing_measured_B[b] else "score in the|days old"
            with pytest.raises(ForecastRefused, match=words):
                forecast_sequence(own, task, layout, as_of=day)
            continue
        asked = forecast_sequence(own, task, layout, as_of=day)
        same_pair(asked, everybody.batch.take(np.array([b])))


def test_everybody_is_on_each_day_with_a_score_on_the_landmarks_and_on_the_newest_day(
    events: pd.DataFrame, task: Task
) -> None:
    layout = training_sequences(events, task).layout
    some = events[events[SUBJECT] <= 10]
    records = days_with_score(some.sample(frac=1, random_state=0), task, layout)
    newest = newest_day(some, task, layout).batch
    for subject, own in some.groupby(SUBJECT):
        enrolled = own.loc[own[CODE] == ENROLMENT, TIME].iloc[0]
        days = (own.loc[own[CODE] == task.target.code, TIME] - enrolled).dt.days
        expected = {day for day in days if 0 <= day <= task.last_origin_day}
        expected |= {*task.origins_days, *newest.origin_day_B[newest.subject_B == subject].tolist()}
        rows = records.subject_B == subject
        assert records.origin_day_B[rows].tolist() == sorted(expected)
    for b in range(0, len(records), 7):
        own = some[some[SUBJECT] == records.subject_B[b]].sort_values(TIME)
        day = int(records.origin_day_B[b])
        same_pair(forecast_sequence(own, task, layout, as_of=day), records.take(np.array([b])))


def same_pair(one: SequenceBatch, other: SequenceBatch) -> None:
    for field in fields(SequenceBatch):
        ours, theirs = getattr(one, field.name), getattr(other, field.name)
        if field.name == "groups_B":
            assert ours.to_dict("records") == theirs.to_dict("records")
        elif field.name not in {"layout", "truth_BH"}:
            np.testing.assert_array_equal(ours, theirs, err_msg=field.name)
