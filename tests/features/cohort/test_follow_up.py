"""What became of the outcomes that were due, from a cohort's events."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from contracts.cohort import (
    COLUMNS,
    DEATH,
    ENROLMENT,
    ONSET,
    TRACED,
    TRACING_CHANCE,
    TRACING_DRAWN,
    WITHDRAWAL,
)
from contracts.task import Task
from features.cohort.follow_up import ends_of, follow_up_rows, people_to_trace
from features.sequences import cohort_sequences, training_sequences

START = pd.Timestamp("2024-01-01")
SCORE = "REHABCAST//FUGL_MEYER_UE"
Event = tuple[int, str]


def cohort(people: dict[int, list[Event]], facts: dict[int, dict[str, object]]) -> pd.DataFrame:
    """Events by subject, on days after enrolment; everybody is scored at enrolment."""
    rows: list[tuple[object, ...]] = []
    for subject, events in people.items():
        rows += [
            (subject, START, ONSET, np.nan, None),
            (subject, START, ENROLMENT, np.nan, None),
            (subject, START, SCORE, 20.0, None),
        ]
        for code, value in facts.get(subject, {}).items():
            number, text = (value, None) if isinstance(value, float) else (np.nan, value)
            rows.append((subject, pd.NaT, code, number, text))
        for day, code in events:
            number = 30.0 if code == SCORE else np.nan
            rows.append((subject, START + pd.Timedelta(days=day), code, number, None))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def statuses(
    events: pd.DataFrame, task: Task, *, dates_shifted: bool = True
) -> dict[tuple[int, int], str]:
    layout = training_sequences(events, task).layout
    batch = cohort_sequences(events, task, layout, outcomes=False)
    rows = follow_up_rows(batch, ends_of(events, dates_shifted=dates_shifted), task)
    first = rows[rows["origin_day"] == 0]
    keys = zip(first["subject_id"].tolist(), first["horizon_day"].tolist(), strict=True)
    return dict(zip(keys, map(str, first["status"]), strict=True))


@pytest.fixture
def late(task: Task) -> int:
    """The last horizon of the task."""
    return task.horizons[-1].day


@pytest.fixture
def events(task: Task, late: int) -> pd.DataFrame:
    first = task.horizons[0].day
    _, end = task.horizons[-1].window_days
    draw = {TRACING_CHANCE: 0.5, TRACING_DRAWN: "yes"}
    return cohort(
        {
            1: [(first, SCORE), (late, SCORE)],
            2: [(first, SCORE)],
            3: [(first, SCORE), (late - 20, DEATH)],
            4: [(first, SCORE), (late - 20, WITHDRAWAL)],
            5: [(first, SCORE), (late, SCORE), (late, TRACED)],
            6: [],
            7: [(first, SCORE), (end + 5, DEATH)],
            8: [(late, SCORE)],
        },
        {5: draw, 6: {TRACING_CHANCE: 0.5, TRACING_DRAWN: "no"}},
    )


def test_every_outcome_that_was_due_has_a_status(
    events: pd.DataFrame, task: Task, late: int
) -> None:
    found = statuses(events, task)
    expected = ["observed", "lost", "died", "withdrew", "traced", "lost", "lost"]
    assert [found[subject, late] for subject in range(1, 8)] == expected
    first = task.horizons[0].day
    assert [found[s, first] for s in (1, 5, 6, 8)] == ["observed", "observed", "lost", "missed"]


def test_a_horizon_without_any_outcome_is_not_followed_up(
    events: pd.DataFrame, task: Task, late: int
) -> None:
    days = {horizon for _, horizon in statuses(events, task)}
    assert days == {task.horizons[0].day, late}


def test_a_window_that_is_not_over_is_not_due(task: Task, late: int) -> None:
    _, end = task.horizons[-1].window_days
    first = task.horizons[0].day
    early = cohort({1: [(first, SCORE), (late, SCORE)], 2: [(first, SCORE)]}, {})
    # The last date of the cohort is within the last window.
    assert late < end - 1
    found = statuses(early, task, dates_shifted=False)
    assert {horizon for _, horizon in found} == {first}
    later = cohort({1: [(first, SCORE), (late, SCORE), (end, SCORE)], 2: [(first, SCORE)]}, {})
    assert statuses(later, task, dates_shifted=False)[2, late] == "lost"


def test_who_is_lost_is_called_unless_dead_or_withdrawn(events: pd.DataFrame, task: Task) -> None:
    layout = training_sequences(events, task).layout
    batch = cohort_sequences(events, task, layout, outcomes=False)
    found = people_to_trace(batch, ends_of(events, dates_shifted=True), task)
    assert found.tolist() == [2, 6]


def test_a_draw_is_known_of_everybody_it_was_made_from(events: pd.DataFrame, task: Task) -> None:
    layout = training_sequences(events, task).layout
    batch = cohort_sequences(events, task, layout, outcomes=False)
    rows = follow_up_rows(batch, ends_of(events, dates_shifted=True), task)
    drawn = rows.groupby("subject_id")[["tracing_chance", "drawn"]].first()
    assert drawn.loc[5].tolist() == [0.5, True]
    assert drawn.loc[6].tolist() == [0.5, False]
    assert drawn["tracing_chance"].isna().sum() == 6


def test_of_two_dates_of_withdrawal_or_death_the_first_counts(task: Task, late: int) -> None:
    """Two sources may date one death differently; a record may tell of a withdrawal twice."""
    first = task.horizons[0].day
    twice = cohort(
        {
            1: [(first, SCORE), (late, SCORE)],
            2: [(first, SCORE), (late - 20, WITHDRAWAL), (late + 200, WITHDRAWAL)],
            3: [(first, SCORE), (late - 20, DEATH), (late + 200, DEATH)],
        },
        {},
    )
    found = statuses(twice, task)
    assert [found[subject, late] for subject in (1, 2, 3)] == ["observed", "withdrew", "died"]
