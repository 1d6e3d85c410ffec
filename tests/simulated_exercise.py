"""A SIMULATED patient's sets: what is done each day is known, so that every count has a truth."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta

from contracts.exercise import (
    Exercise,
    ExerciseSet,
    Programme,
    Repetition,
    SetFile,
    Side,
    Span,
)

START = date(2026, 3, 2)
ROTATION = Exercise(
    name="external rotation", side="right", sets=2, per="day", repetitions=10,
    goal_range_deg=60.0, goal_seconds=2.5,
)  # fmt: skip
SLIDE = Exercise(
    name="wall slide", side="right", sets=6, per="week", repetitions=12, goal_range_deg=90.0
)
PROGRAMME = Programme(
    name="shoulder", start=START, weeks=4, recording="in sessions", exercises=(ROTATION, SLIDE)
)

PROGRAMME_TOML = """
name = "shoulder"
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
goal_range_deg = 90
"""
"""The same programme as a file."""


def day(number: int) -> date:
    """Return a day of the programme, from 0."""
    return START + timedelta(days=number)


def a_set(
    number: int, exercise: Exercise, well: int, badly: int = 0, *, hour: int = 9,
    name: str | None = "", side: Side | None = "right",
) -> ExerciseSet:  # fmt: skip
    """Return a set on a day: repetitions that reach every goal, then some that are too small."""
    seconds = 1.2 * (exercise.goal_seconds or 2.0)
    goal = exercise.goal_range_deg or 60.0
    start = datetime.combine(day(number), time(hour))
    repetitions = tuple(
        Repetition(
            start_s=n * seconds, end_s=(n + 1) * seconds, duration_s=seconds, tempo=0.5,
            range_deg=(1.1 if n < well else 0.7) * goal, smoothness_sparc=-2.0,
            smoothness_ldlj=-6.0,
        )
        for n in range(well + badly)
    )  # fmt: skip
    return ExerciseSet(
        exercise=exercise.name if name == "" else name, side=side, start=start,
        end=start + timedelta(seconds=max(1.0, (well + badly) * seconds)), confidence=0.95,
        repetitions=repetitions, model_version="simulated/1",
    )  # fmt: skip


def set_file(sets: Iterable[ExerciseSet], recorded: tuple[Span, ...] | None = None) -> SetFile:
    """Return SIMULATED sets as a file, by their start."""
    ordered = sorted(sets, key=lambda each: each.start)
    return SetFile(sets=tuple(ordered), recorded=recorded, simulated=True)


def days_of(
    numbers: Iterable[int], *, well: int = 10, badly: int = 0, sets: int = 2
) -> list[ExerciseSet]:
    """Return sets of rotation on some days, and a slide on six of each seven."""
    done = []
    for number in numbers:
        done += [a_set(number, ROTATION, well, badly, hour=9 + n) for n in range(sets)]
        if number % 7 < 6:
            done.append(a_set(number, SLIDE, 12, hour=15))
    return done
