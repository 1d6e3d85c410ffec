"""What the shipped facts of an instrument say of a task that is sound."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.task import Task
from tests.conftest import ROOT
from training.task import read_task
from training.task_notes import TO_CONFIRM, task_notes


def of_the_instrument(task: Task) -> list[str]:
    """Say what is noted of scale, differences and gains."""
    return [
        str(note)
        for note in task_notes(task)
        if note.field not in {"prior", "comparators"} and note.found != TO_CONFIRM
    ]


def noted(name: str) -> str:
    return "\n".join(of_the_instrument(read_task(ROOT / "tasks" / f"{name}.toml")))


def test_a_gain_below_the_error_of_measurement_is_named() -> None:
    said = noted("stroke-upper-limb")
    assert "(important gain): a gain of 4.25 points is less than the 6.82 points" in said
    assert "published are 9 points" in said
    assert "to be confirmed" not in said


def test_what_is_recalled_of_a_scale_is_named() -> None:
    said = noted("stroke-gait-speed")
    assert "comfortable gait speed over 10 m: range and step to be confirmed" in said
    # 0.16 m/s is one of the published differences, and the error depends on the person's speed.
    assert "published" not in said
    assert "less than" not in said


def test_of_an_instrument_without_figures_nothing_is_said() -> None:
    assert noted("depression") == ""


@pytest.mark.parametrize("path", sorted((ROOT / "tasks").glob("*.toml")), ids=lambda p: p.stem)
def test_only_of_the_arm_after_stroke_a_recovery_rule_is_called_published(path: Path) -> None:
    said = [note.found for note in task_notes(read_task(path)) if note.field == "comparators"]
    if path.stem == "stroke-upper-limb":
        assert said == []
    else:
        (found,) = said
        assert "no recovery rule was published" in found
        assert "fitted to the people trained on" in found


@pytest.mark.parametrize("gain", [6.82, 10.0])
def test_a_gain_that_is_no_error_is_not_named(task: Task, gain: float) -> None:
    target = task.target.model_copy(update={"minimal_important_difference": 9.0})
    milestones = [
        m.model_copy(update={"gain_at_least": gain}) if m.gain_at_least else m
        for m in task.milestones
    ]
    changed = task.model_copy(update={"target": target, "milestones": tuple(milestones)})
    assert of_the_instrument(changed) == []


def test_where_a_hybrid_starts_and_what_is_to_be_confirmed_is_said(task: Task) -> None:
    said = {note.field: note.found for note in task_notes(task)}
    assert "from the recovery population 'stroke-upper-limb' (van der Vliet 2020" in said["prior"]
    assert said["milestones"] == TO_CONFIRM
    bare = task.model_copy(update={"prior": None, "confirm": ()})
    said = {note.field: note.found for note in task_notes(bare)}
    assert said["prior"].startswith("a hybrid starts flat")
    assert TO_CONFIRM not in said.values()
