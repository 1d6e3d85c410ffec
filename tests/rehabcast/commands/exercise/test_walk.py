"""From recordings of a wrist and a programme to adherence and next week's advice, SIMULATED."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from contracts.doses.next_week import shipped_exercise_rules
from contracts.exercise import Exercise, Programme, SetFile, joined
from features.adherence.observed import observe
from inference.exercise.recognise import recognise
from inference.exercise.recogniser import Recogniser, read_recogniser
from inference.twin.exercise import report_of
from inference.twin.next_week import facts_of
from tests.simulated_motion import SHAPES, day, labelled
from training.exercise.fit import fit_heads
from training.exercise.write import write_recogniser

SOMEBODY_NEW = 11
DAYS, MISSED = 14, {3, 10}
WELL = facts_of(
    pain_worst=2, pain_rise=1, pain_next_morning=False, fatigue_worst=3, danger_signs=[]
)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Recogniser:
    path = tmp_path_factory.mktemp("recogniser") / "recogniser.npz"
    made = labelled(6)
    exercises, heads = fit_heads(made, 0)
    write_recogniser(path, exercises, heads, people=6)
    return read_recogniser(path)


def done(model: Recogniser) -> SetFile:
    """Return what the recogniser finds in two weeks of somebody whom it has not seen."""
    files = []
    for number in range(DAYS):
        if number in MISSED:
            continue
        motion = day(SOMEBODY_NEW)
        at = motion.start + np.timedelta64(number, "D")
        files.append(recognise([replace(motion, start=at)], "right", model, (), name="day").file)
    return joined(files)


def test_a_walk_from_recordings_to_next_weeks_advice(model: Recogniser) -> None:
    exercises = tuple(
        Exercise(name=name, side="right", sets=1, per="day", repetitions=8, goal_seconds=1.0)
        for name in SHAPES
    )
    programme = Programme(
        name="shoulder", start=date(2026, 3, 2), weeks=4, recording="in sessions",
        exercises=exercises,
    )  # fmt: skip
    file = done(model)
    report = report_of(observe(programme, file), shipped_exercise_rules(), WELL, simulated=True)
    found = {each.exercise.name: each for each in report.exercises}
    assert report.left_out == {}
    for each in found.values():
        assert [week.sets for week in each.weeks] == [6, 6]
        for week in each.weeks:
            assert abs(week.repetitions - 48) <= 2, "counted within one, mostly exactly"
            assert week.adherence == pytest.approx(6 / 7, abs=0.05)
            assert week.quality.as_shown == pytest.approx(1)
        assert each.step.decision is not None
        assert (each.step.decision.action, each.step.repetitions) == ("progress", 9)
