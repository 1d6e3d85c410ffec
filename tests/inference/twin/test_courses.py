"""Whole courses of therapy: what followed each day on record, by person, and which plans they are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.bundle import COURSES_SEEN, COURSES_SEEN_FROM
from contracts.sequences import SequenceBatch
from contracts.task import Task
from contracts.therapy import THERAPY
from inference.moments import moments
from inference.similar import place_of
from inference.twin.courses import (
    LEAST_KNOWN,
    WINDOWS,
    hours_after,
    learn_courses_seen,
    read_courses_seen,
    unseen_courses,
)
from inference.twin.plans import ALL, Part, Plan
from inference.twin.support import EDGES_H, Seen, bin_of, seen_doses
from tests.inference.twin.test_support import with_therapy

PAST = 35
DAYS = 200


def people_of(
    records: SequenceBatch, minutes_PD: np.ndarray, origins: list[int], seen_PD: np.ndarray
) -> SequenceBatch:
    """Return each person's past on each origin, of the same minutes by day since enrolment."""
    people, count = len(minutes_PD), len(origins)
    some = records.take(np.zeros(people * count, dtype=np.int64))
    channels = len(records.layout.channels_C)
    values = np.zeros((people * count, PAST, channels), dtype=np.float32)
    known = np.zeros(values.shape, dtype=np.bool_)
    for row in range(people * count):
        person, day = row // count, origins[row % count]
        days = np.arange(day - PAST + 1, day + 1)
        inside = days >= 0
        values[row, inside, 0] = minutes_PD[person, days[inside]]
        known[row, inside, 0] = seen_PD[person, days[inside]]
    return replace(
        some, values_BTC=values, observed_BTC=known,
        days_since_onset_BT=np.zeros(values.shape[:2], np.float32),
        subject_B=np.repeat(np.arange(people), count),
        origin_day_B=np.tile(np.array(origins), people),
    )  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    origins=st.lists(st.integers(0, DAYS - 1), min_size=1, max_size=6, unique=True),
    share=st.floats(0.2, 1),
)
def test_what_followed_a_day_is_the_mean_of_the_days_on_record(
    records: SequenceBatch, seed: int, origins: list[int], share: float
) -> None:
    """However pasts overlap, and whatever the others had: against sums day by day."""
    rng = np.random.default_rng(seed)
    minutes, seen = rng.uniform(0, 90, (2, DAYS)), rng.random((2, DAYS)) < share
    batch = people_of(records, minutes, origins, seen)
    on_record = np.zeros((2, DAYS), dtype=bool)
    for day in origins:
        on_record[:, max(0, day - PAST + 1) : day + 1] = True
    on_record &= seen
    found_WB = hours_after(batch, 0)
    for w, days in enumerate(WINDOWS):
        for row, (person, day) in enumerate(zip(batch.subject_B, batch.origin_day_B, strict=True)):
            own = slice(int(day) + 1, int(day) + days + 1)
            known = on_record[person, own]
            if known.sum() < LEAST_KNOWN * days:
                assert np.isnan(found_WB[w, row])
            else:
                mean = minutes[person, own][known].mean() * 7 / 60
                assert found_WB[w, row] == pytest.approx(mean, rel=1e-4, abs=1e-6)


def test_people_are_counted_by_what_followed_and_read_again(
    records: SequenceBatch, task: Task
) -> None:
    batch = with_therapy(records, task, np.full(len(records), 4.0))
    seen = learn_courses_seen(batch, task)
    assert seen is not None
    four = bin_of(4.0)
    others = [e for e in range(len(EDGES_H) + 1) if e != four]
    assert seen.count_WDSE[0, ..., four].max() >= 11
    assert seen.count_WDSE[..., others].max() == 0
    np.testing.assert_array_equal(seen.count_WDSE[..., four], seen.count_WDSE[..., -1])
    again = read_courses_seen(
        {COURSES_SEEN: seen.count_WDSE, COURSES_SEEN_FROM: np.array([seen.first_place])}
    )
    assert again is not None
    assert again.first_place == seen.first_place
    alike = again.alike(batch.take(np.array([0])), task)
    assert set(alike) == set(WINDOWS)
    place = moments(batch.take(np.array([0])), task)
    at_the_edge = replace(again, first_place=place_of(place, task.target)[0])
    at_first = at_the_edge.alike(batch.take(np.array([0])), task)[WINDOWS[0]]
    assert at_first[0].alike == int(seen.count_WDSE[0, 0, place_of(place, task.target)[1], -1])
    far = replace(again, first_place=again.first_place + 1_000)
    assert {
        s.alike for doses in far.alike(batch.take(np.array([0])), task).values() for s in doses
    } == {0}


def test_a_model_without_therapy_and_an_earlier_bundle_know_no_course(
    records: SequenceBatch, task: Task
) -> None:
    assert THERAPY not in records.layout.channels_C
    assert learn_courses_seen(records, task) is None
    assert read_courses_seen({}) is None


def courses(enough_upto: float) -> dict[int, tuple[Seen, ...]]:
    """Return windows whose bins that begin below some hours were seen in enough people."""
    count_E = np.array([40 if low < enough_upto else 10 for low in (0.0, *EDGES_H)] + [100])
    return dict.fromkeys(WINDOWS, seen_doses(count_E.astype(np.int32)))


def test_parts_that_add_up_to_what_nobody_had_are_named_with_their_weeks() -> None:
    """Nine hours for six weeks, then a pause: 9 over 4 weeks, 4.5 over 12."""
    plan = Plan(name="p", parts=(Part(hours={ALL: 9.0}, days=42), Part(hours={ALL: 0.0})))
    assert unseen_courses(plan, courses(10.0)) == ()
    assert unseen_courses(plan, courses(5.0)) == ((28, pytest.approx(9.0)),)
    assert unseen_courses(plan, courses(2.5)) == (
        (28, pytest.approx(9.0)), (84, pytest.approx(4.5)),
    )  # fmt: skip
    assert unseen_courses(plan, {}) == ()
