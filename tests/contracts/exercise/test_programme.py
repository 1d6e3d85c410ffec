"""A programme is read as it is written, and what makes no sense is refused with its place."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from contracts.errors import ContractError
from contracts.exercise import read_programme

TEXT = """
name = "shoulder, weeks 1 to 4"
start = 2026-03-02
weeks = 4
recording = "in sessions"

[[exercises]]
name = "external rotation"
side = "right"
sets = 2
per = "day"
repetitions = 10
goal_range_deg = 60
goal_seconds = 2.5

[[exercises]]
name = "wall slide"
side = "right"
sets = 6
per = "week"
repetitions = 12
template = "wall-slide.csv"
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "programme.toml"
    path.write_text(text, "utf-8")
    return path


def test_it_is_read(tmp_path: Path) -> None:
    programme = read_programme(written(tmp_path, TEXT))
    assert programme.end == date(2026, 3, 29)
    first, second = programme.exercises
    assert (first.sets_a_week, first.repetitions_a_week) == (14, 140)
    assert (second.sets_a_week, second.repetitions_a_week) == (6, 72)
    assert (first.has_goals, second.has_goals) == (True, False)
    assert programme.exercise("External Rotation", "right") is first
    assert programme.exercise("external rotation", "left") is None
    assert programme.exercise(None, "right") is None


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('per = "day"', "", "exercises 1, per is missing"),
        ('per = "day"', 'per = "month"', "it should be 'day' or 'week'"),
        ("sets = 2", "sets = 0", "exercises 1, sets is 0"),
        ("sets = 2", "sets = 2.5", "exercises 1, sets is 2.5"),
        ("sets = 2", "sets = 90\nload = 3", "load is not a key here"),
        ("repetitions = 10", "repetitions = true", "repetitions is True"),
        ("repetitions = 10", "repetitions = 450\ntempo = 1", "tempo is not a key"),
        ("sets = 2\nper = \"day\"\nrepetitions = 10", "sets = 20\nper = \"day\"\nrepetitions = 300",
         "6,000 repetitions a day"),
        ('side = "right"', 'side = "both"', "it should be 'left' or 'right'"),
        ('"wall slide"', '"External rotation"', "is prescribed twice"),
        ('"wall slide"', '" "', "exercises 2, name"),
        ("start = 2026-03-02", 'start = "2026-03-02"', "start is '2026-03-02'"),
        ("start = 2026-03-02", "start = 2026-03-02T10:00:00", "start is"),
        ("weeks = 4", "weeks = 4000", "weeks is 4000"),
        ("start = 2026-03-02", "start = 9999-12-30", "it begins in the year 9999"),
        ('recording = "in sessions"', "", "recording is missing"),
        ("goal_range_deg = 60", "goal_range_deg = nan", "goal_range_deg is nan"),
        ('template = "wall-slide.csv"', f'template_sha256 = "{"a" * 64}"', "no template"),
        ('name = "shoulder', 'format = "rehabcast-exercise-programme/9"\nname = "shoulder',
         "says that its form is"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert old in TEXT
    with pytest.raises(ContractError, match=says):
        read_programme(written(tmp_path, TEXT.replace(old, new, 1)))
