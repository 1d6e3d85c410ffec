from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.cohort import CODE, COLUMNS, ENROLMENT, NOMINAL_ONSET, NUMBER, ONSET, SUBJECT, TIME
from contracts.errors import ForecastRefused
from contracts.groups import NO_WEARABLE
from contracts.sequences import SequenceBatch
from contracts.task import Task
from contracts.vocabulary import NOT_RECORDED
from features import sequences
from features.blocks import blocks_of_subjects
from features.sequences import (
    cohort_sequences,
    forecast_sequence,
    present_modalities,
    training_sequences,
)

SCORE = "REHABCAST//FUGL_MEYER_UE"
STEPS = "LOINC//41950-7"
WEAR = "REHABCAST//WEAR_TIME"
THERAPY = "REHABCAST//THERAPY"


def person(*observed: tuple[int, str, float], subject: int = 1, enrolled: int = 10) -> pd.DataFrame:
    """One subject with values on days after enrolment."""
    enrolment = NOMINAL_ONSET + pd.Timedelta(days=enrolled)
    rows = [
        (subject, NOMINAL_ONSET, ONSET, np.nan, None),
        (subject, enrolment, ENROLMENT, np.nan, None),
        *(
            (subject, enrolment + pd.Timedelta(days=day), code, value, None)
            for day, code, value in observed
        ),
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def test_a_record_is_laid_out_by_day_with_what_was_not_observed_marked(task: Task) -> None:
    batch = training_sequences(
        person((0, SCORE, 20), (-2, STEPS, 900), (84, SCORE, 44), (21, SCORE, 30)), task
    )
    assert batch.origin_day_B.tolist() == [0, 21]
    score, steps = (batch.layout.channels_C.index(code) for code in (SCORE, STEPS))
    assert batch.values_BTC[0, -1, score] == 20
    assert batch.values_BTC[0, -3, steps] == 900
    assert batch.observed_BTC[0].sum() == 2
    assert batch.values_BTC[0][~batch.observed_BTC[0]].tolist() == [0] * 68
    assert batch.last_score_B.tolist() == [20, 30]
    assert batch.days_since_onset_BT[:, -1].tolist() == [10, 31]
    np.testing.assert_array_equal(batch.truth_BH[0], [30, np.nan, np.nan, 44, np.nan, np.nan])
    np.testing.assert_array_equal(batch.truth_BH[1], [np.nan, np.nan, np.nan, 44, np.nan, np.nan])


@pytest.mark.parametrize(("day", "counts"), [(76, False), (77, True), (98, True), (99, False)])
def test_an_outcome_counts_inside_the_half_open_window(task: Task, day: int, counts: bool) -> None:
    batch = training_sequences(person((0, SCORE, 20), (182, SCORE, 50), (day, SCORE, 40)), task)
    assert (batch.truth_BH[0, 3] == 40) == counts


def test_the_outcome_nearest_to_the_horizon_is_taken(task: Task) -> None:
    batch = training_sequences(
        person((0, SCORE, 20), (78, SCORE, 1), (85, SCORE, 2), (90, SCORE, 3)), task
    )
    assert batch.truth_BH[0, 3] == 2


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_nothing_after_the_origin_reaches_the_past(
    events: pd.DataFrame, task: Task, seed: int
) -> None:
    layout = training_sequences(events, task).layout
    enrolment = events[events[CODE] == ENROLMENT].set_index(SUBJECT)[TIME]
    day = (events[TIME] - events[SUBJECT].map(enrolment)).dt.days
    later = (day > 0) & ~events[CODE].isin([ONSET, ENROLMENT])
    noise = np.random.default_rng(seed).uniform(0, 24, len(events))
    changed = events.assign(**{NUMBER: events[NUMBER].where(~later, noise)})
    first, second = (
        at_origin(cohort_sequences(side, task, layout), 0) for side in (events, changed)
    )
    np.testing.assert_array_equal(first.subject_B, second.subject_B)
    np.testing.assert_array_equal(first.values_BTC, second.values_BTC)
    np.testing.assert_array_equal(first.last_score_B, second.last_score_B)
    pd.testing.assert_frame_equal(first.groups_B, second.groups_B)


def slow_pair(
    record: pd.DataFrame, task: Task, batch: SequenceBatch, origin: int
) -> tuple[np.ndarray, np.ndarray, float, list[float], str]:
    """Values, mask, last score, outcomes and wear band of one subject, event by event."""
    dates = record.set_index(CODE)[TIME]
    codes = batch.layout.channels_C
    values = np.zeros((task.inputs.past_days, len(codes)), dtype=np.float32)
    seen = np.zeros(values.shape, dtype=bool)
    scores, with_device, judged, worn = {}, set(), set(), set()
    for row in record[record[TIME].notna()].to_dict("records"):
        day = (row[TIME].normalize() - dates[ENROLMENT].normalize()).days
        index = day - origin + task.inputs.past_days - 1
        if row[CODE] == SCORE:
            scores[day] = row[NUMBER]
        if not 0 <= index < task.inputs.past_days:
            continue
        if row[CODE] in codes:
            values[index, codes.index(row[CODE])] = row[NUMBER]
            seen[index, codes.index(row[CODE])] = True
        if row[CODE] in task.inputs.daily and row[CODE] != THERAPY:
            with_device.add(index)
            if row[CODE] == WEAR:
                judged.add(index)
                if np.float32(row[NUMBER]) >= 10:
                    worn.add(index)
    target = codes.index(SCORE)
    past = [day for day in range(task.inputs.past_days) if seen[day, target]]
    last = values[past[-1], target] if past else np.nan
    truth = []
    for horizon in task.horizons:
        start, end = horizon.window_days
        later = [d for d in scores if d > origin and start <= d < end and horizon.day > origin]
        near = min(later, key=lambda d: (abs(d - horizon.day), d), default=None)
        truth.append(np.nan if near is None else scores[near])
    return values, seen, last, truth, slow_band(with_device, judged, worn, task)


def slow_band(with_device: set[int], judged: set[int], worn: set[int], task: Task) -> str:
    if not judged:
        return NOT_RECORDED if with_device else NO_WEARABLE
    share = len(worn) / (task.inputs.past_days - min(judged))
    (bands,) = (each.bands for each in task.sensitive if each.name == "wear band")
    under = next((n for n, edge in enumerate(bands) if share < edge), len(bands))
    labels = ["under 60%", "60% to under 90%", "90% and over"]
    return labels[under]


@settings(max_examples=15)
@given(subjects=st.sets(st.integers(1, 60), min_size=1, max_size=6), rows=st.integers(1, 300))
def test_blocks_of_any_size_give_what_a_reading_event_by_event_gives(
    events: pd.DataFrame, task: Task, subjects: set[int], rows: int
) -> None:
    events = events[events[SUBJECT].isin(subjects)]
    layout = training_sequences(events, task).layout
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sequences, "blocks_of_subjects", partial(blocks_of_subjects, rows=rows))
        batch = cohort_sequences(events, task, layout, outcomes=False)
    pairs = 0
    for subject, record in events.groupby(SUBJECT):
        for origin in sorted(task.origins_days):
            values, seen, last, truth, band = slow_pair(record, task, batch, origin)
            if np.isnan(last):
                continue
            assert (batch.subject_B[pairs], batch.origin_day_B[pairs]) == (subject, origin)
            np.testing.assert_array_equal(batch.values_BTC[pairs], values)
            np.testing.assert_array_equal(batch.observed_BTC[pairs], seen)
            assert batch.last_score_B[pairs] == last
            np.testing.assert_array_equal(batch.truth_BH[pairs], np.float32(truth))
            assert batch.groups_B["wear band"][pairs] == band
            pairs += 1
    assert len(batch) == pairs > 0


def at_origin(batch: SequenceBatch, day: int) -> SequenceBatch:
    return batch.take(batch.origin_day_B == day)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_the_order_of_rows_does_not_matter(events: pd.DataFrame, task: Task, seed: int) -> None:
    shuffled = events.sample(frac=1, random_state=seed)
    first, second = training_sequences(events, task), training_sequences(shuffled, task)
    np.testing.assert_array_equal(first.values_BTC, second.values_BTC)
    np.testing.assert_array_equal(first.truth_BH, second.truth_BH)
    np.testing.assert_array_equal(first.person_BS, second.person_BS)
    pd.testing.assert_frame_equal(first.groups_B, second.groups_B)


def test_a_forecast_sees_the_same_past_as_training_did(events: pd.DataFrame, task: Task) -> None:
    trained = training_sequences(events, task)
    latest = trained.take(trained.origin_day_B == 21)
    for row in range(0, len(latest), 7):
        subject = latest.subject_B[row]
        own = events[events[SUBJECT] == subject]
        asked = forecast_sequence(own, task, trained.layout, as_of=21)
        assert asked.origin_day_B.tolist() == [21]
        np.testing.assert_array_equal(asked.values_BTC[0], latest.values_BTC[row])
        np.testing.assert_array_equal(asked.person_BS[0], latest.person_BS[row])
        np.testing.assert_array_equal(
            asked.days_since_observed_BTC()[0], latest.days_since_observed_BTC()[row]
        )
        assert np.isnan(asked.truth_BH[0, 0])


def test_what_was_measured_between_landmarks_counts(task: Task) -> None:
    record = pd.concat([person((0, SCORE, 20), (40, SCORE, 31), (300, SCORE, 60))])
    layout = training_sequences(person((0, SCORE, 20), (40, SCORE, 31)), task).layout
    asked = forecast_sequence(record[record[TIME] < record[TIME].max()], task, layout)
    assert (asked.origin_day_B.tolist(), asked.last_score_B.tolist()) == ([40], [31])
    then = forecast_sequence(record, task, layout, as_of=50)
    assert (then.origin_day_B.tolist(), then.last_score_B.tolist()) == ([50], [31])
    # A score of day 300 is not passed over for a forecast that starts before it.
    with pytest.raises(ForecastRefused, match="up to day 84"):
        forecast_sequence(record, task, layout)


def test_a_record_without_a_score_is_refused_with_what_to_do(
    events: pd.DataFrame, task: Task
) -> None:
    layout = training_sequences(events, task).layout
    with pytest.raises(ForecastRefused, match="no Fugl-Meyer upper extremity score"):
        forecast_sequence(person((0, STEPS, 500)), task, layout)
    with pytest.raises(ForecastRefused, match="nothing was measured from enrolment on"):
        forecast_sequence(person((-3, SCORE, 20)), task, layout)
    record = person((0, SCORE, 20))
    only_onset = record[record[CODE] != ENROLMENT]
    with pytest.raises(ForecastRefused, match="ENROLMENT"):
        forecast_sequence(only_onset, task, layout)


def test_wear_is_banded_by_worn_days_and_its_absence_is_a_group(task: Task) -> None:
    half = [(day, WEAR, 16.0 if day % 2 else 3.0) for day in range(-9, 1)]
    both = pd.concat(
        [
            person((0, SCORE, 20), (84, SCORE, 30), *half, subject=1),
            person((0, SCORE, 20), (84, SCORE, 30), subject=2),
            person((0, SCORE, 20), (84, SCORE, 30), (-1, THERAPY, 45.0), subject=3),
        ]
    )
    at_start = at_origin(training_sequences(both, task), 0)
    assert at_start.groups_B["wear band"].tolist() == ["under 60%", NO_WEARABLE, NO_WEARABLE]


def test_wear_that_nobody_judged_is_not_recorded_and_never_little(task: Task) -> None:
    reported = [(day, STEPS, 4000.0) for day in range(-9, 1)]
    judged_late = [(day, WEAR, 16.0) for day in range(-4, 1)]
    people = [
        person((0, SCORE, 20), (84, SCORE, 30), *days, subject=subject)
        for subject, days in enumerate((reported, [*reported, *judged_late]), start=1)
    ]
    at_start = at_origin(training_sequences(pd.concat(people), task), 0)
    assert at_start.groups_B["wear band"].tolist() == [NOT_RECORDED, "90% and over"]


def test_a_label_that_a_model_never_saw_is_not_known_to_it(task: Task) -> None:
    people = []
    for subject, side in enumerate(("left", "right", "both"), start=1):
        record = person((0, SCORE, 20), (84, SCORE, 30), subject=subject)
        record.loc[len(record)] = (subject, pd.NaT, "REHABCAST//AFFECTED_ARM", np.nan, side)
        people.append(record)
    layout = training_sequences(pd.concat(people[:2]), task).layout
    assert [covariate.label for covariate in layout.person_S] == ["left", "right"]
    batch = at_origin(cohort_sequences(pd.concat(people), task, layout), 0)
    assert batch.person_BS.tolist() == [[1, 0], [0, 1], [0, 0]]
    assert batch.person_known_BS.tolist() == [[True, True], [True, True], [False, False]]


def test_age_bands_are_half_open_and_missing_age_is_a_group(task: Task) -> None:
    people = []
    for subject, age in enumerate([54.9, 55, 75, None], start=1):
        record = person((0, SCORE, 20), (84, SCORE, 30), subject=subject)
        if age is not None:
            record.loc[len(record)] = (subject, pd.NaT, "REHABCAST//AGE", age, None)
        people.append(record)
    batch = at_origin(training_sequences(pd.concat(people), task), 0)
    bands = ["under 55", "55 to under 75", "75 and over", "not recorded"]
    assert batch.groups_B["age band"].tolist() == bands


def test_a_modality_is_present_when_anything_of_it_was_observed(
    events: pd.DataFrame, task: Task
) -> None:
    layout = training_sequences(events, task).layout
    batch = forecast_sequence(person((0, SCORE, 20)), task, layout)
    names = ("time since onset", "person", "assessments", "wear", "gait")
    assert present_modalities(batch, names).tolist() == [[1, 0, 1, 0, 0]]
