from __future__ import annotations

import re
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from contracts.errors import CohortInvalid, ForecastRefused
from contracts.observation import Observation
from contracts.sequences import Layout, SequenceBatch
from contracts.task import Task
from contracts.vocabulary import vocabulary
from features.sequences import forecast_sequence
from inference.record import MOST_CHECKED, check_observations, record_batch, record_events

CODES = st.sampled_from(
    [
        "REHABCAST//FUGL_MEYER_UE", "LOINC//41950-7", "REHABCAST//WEAR_TIME", "REHABCAST//AGE",
        "REHABCAST//SEX", "REHABCAST//SITE", "REHABCAST//SLEEP", "X//Y", "REHABCAST//ONSET",
        "REHABCAST//AFFECTED_ARM", "REHABCAST//THERAPY",
    ]
)  # fmt: skip


@st.composite
def observation(draw: st.DrawFn) -> Observation:
    """Mostly sound values, some of them not."""
    code = draw(CODES)
    word = vocabulary().get(code)
    person = word is not None and word.kind == "person"
    numeric = word is not None and word.is_numeric
    slip = draw(st.integers(0, 30)) == 0
    low, high = (word.low or 0, word.high or 0) if word is not None and numeric else (0, 1)
    return Observation(
        code=code,
        day_since_onset=None if person != slip else draw(st.integers(0, 150)),
        value=draw(st.floats(low, high + slip)) if numeric or slip else None,
        label=None
        if numeric and not slip
        else draw(st.sampled_from(["female", "male", "both", "left", "A", None])),
    )


def without_wearable(layout: Layout) -> Layout:
    """The layout of a model whose training saw no wearable data."""
    return replace(
        layout, channels_C=tuple(c for c in layout.channels_C if vocabulary()[c].kind != "daily")
    )


@settings(max_examples=40, deadline=None)
@given(st.lists(observation().filter(lambda o: o.day_since_onset is not None), max_size=25))
def test_what_a_model_does_not_read_changes_nothing(
    batch: SequenceBatch, task: Task, others: list[Observation]
) -> None:
    """Therapy and worn devices of somebody whose model learned from assessments alone."""
    layout = without_wearable(batch.layout)
    score = Observation(code=task.target.code, day_since_onset=30, value=20.0)
    unread = [
        o for o in others
        if o.code not in layout.channels_C
        and outcome(lambda o=o: record_events(5, [o])) is not None
        and not isinstance(outcome(lambda o=o: record_events(5, [o])), str)
    ]  # fmt: skip
    unread = list({(o.code, o.day_since_onset): o for o in unread}.values())
    alone = record_batch(5, [score], task, layout, 40)
    beside = record_batch(5, [score, *unread], task, layout, 40)
    for field in fields(SequenceBatch):
        ours, theirs = getattr(alone, field.name), getattr(beside, field.name)
        if field.name == "groups_B":
            assert ours.to_dict("records") == theirs.to_dict("records")
        elif field.name != "layout":
            np.testing.assert_array_equal(ours, theirs, err_msg=field.name)


def outcome(make: object) -> object:
    try:
        return make()  # type: ignore[operator]
    except (CohortInvalid, ForecastRefused) as error:
        return str(error)


@settings(max_examples=60, deadline=None)
@example(
    [
        Observation(code="REHABCAST//FUGL_MEYER_UE", day_since_onset=0, value=0.0),
        Observation(code="REHABCAST//FUGL_MEYER_UE", day_since_onset=0, value=0.0),
        Observation(code="REHABCAST//ONSET", day_since_onset=0, label="female"),
    ],
    0, None, False, None,
)  # fmt: skip
@given(
    st.lists(observation(), min_size=1, max_size=25),
    st.integers(0, 40),
    st.none() | st.integers(0, 150),
    st.booleans(),
    st.sampled_from([None, 3.0]),
)
def test_the_short_way_gives_what_the_cohorts_own_way_gives(
    batch: SequenceBatch,
    task: Task,
    observations: list[Observation],
    enrolment_day: int,
    as_of_day: int | None,
    wearable: bool,
    assumed: float | None,
) -> None:
    task = task.model_copy(update={"target": task.target.model_copy(update={"assumed": assumed})})
    layout = batch.layout if wearable else without_wearable(batch.layout)
    as_of = None if as_of_day is None else as_of_day - enrolment_day
    short = outcome(lambda: record_batch(enrolment_day, observations, task, layout, as_of_day))
    long = outcome(
        lambda: forecast_sequence(
            record_events(enrolment_day, observations), task, layout, as_of=as_of
        )
    )
    if isinstance(long, str):
        # Of many wrong observations the first few are named.
        many = long[0].isdigit() and int(long.split()[0]) >= MOST_CHECKED // 2
        assert short == long or (many and "problem(s), so nothing was read" in str(short))
        return
    assert isinstance(short, SequenceBatch)
    assert isinstance(long, SequenceBatch)
    for field in fields(SequenceBatch):
        ours, theirs = getattr(short, field.name), getattr(long, field.name)
        if field.name == "groups_B":
            assert ours.to_dict("records") == theirs.to_dict("records")
        elif field.name != "layout":
            np.testing.assert_array_equal(ours, theirs, err_msg=field.name)
    np.testing.assert_array_equal(short.days_since_observed_BTC(), long.days_since_observed_BTC())


@given(day=st.integers(-300, 3_000))
def test_a_message_about_a_record_says_days_as_they_were_sent(day: int) -> None:
    """Dates of the nominal clock are nobody's: a caller never sent one."""
    one = Observation(code="REHABCAST//FUGL_MEYER_UE", day_since_onset=day, value=20.0)
    with pytest.raises(CohortInvalid) as raised:
        check_observations([one, one])
    messages = " ".join(problem.found for problem in raised.value.problems)
    assert f"day {day} after the onset" in messages
    assert re.search(r"\d{4}-\d\d-\d\d", messages) is None
