"""Which pattern a course shows, by cases that a reader can check."""

from __future__ import annotations

import pytest

from contracts.sequences import SequenceBatch
from contracts.task import Task
from inference.patterns import patterns
from tests.inference.test_similar import with_scores


@pytest.mark.parametrize(
    ("scores", "day", "course", "time", "place"),
    [
        ((40.0, 25.0, 10.0), 30, "became worse", "later", "between"),
        ((20.0, 16.0), 30, "about as before", "later", "between"),
        ((20.0, 15.0), 30, "became worse", "later", "between"),
        ((20.0, 25.0), 30, "improved", "later", "between"),
        ((66.0,), 6, "one score only", "first 7 days", "highest tenth"),
        ((6.0,), 7, "one score only", "later", "lowest tenth"),
        ((0.0, 0.0), 2, "about as before", "first 7 days", "lowest tenth"),
    ],
)
def test_patterns(
    batch: SequenceBatch,
    task: Task,
    scores: tuple[float, ...],
    day: int,
    course: str,
    time: str,
    place: str,
) -> None:
    shown = patterns(with_scores(batch, task, *scores, day=day), task)
    assert {name: labels[0] for name, labels in shown.items()} == {
        "course": course,
        "time since onset": time,
        "place on the scale": place,
    }
