"""A recogniser of SIMULATED exercises, fitted once, on people whom it has not learned from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from contracts.errors import ContractError
from features.exercise.frame import HALF_TURN
from features.exercise.measures import measured as as_measured
from features.exercise.motion import RATE_HZ, Motion
from features.exercise.simulated import Shape, simulated_set
from inference.exercise.enrol import enrolled
from inference.exercise.recognise import recognise
from inference.exercise.recogniser import Recogniser, read_recogniser
from inference.exercise.templates import Template, TemplateFile, read_template, write_template
from tests.simulated_motion import SHAPES, START, day, labelled, movement
from training.exercise.fit import fit_heads
from training.exercise.write import write_recogniser


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("recogniser")


@pytest.fixture(scope="module")
def model(folder: Path) -> Recogniser:
    exercises, heads = fit_heads(labelled(5))
    return write_recogniser(folder / "m.safetensors", exercises, heads, people=5, simulated=True)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("gyroscope", [True, False])
def test_sets_are_found_recognised_and_counted(
    model: Recogniser, side: str, gyroscope: bool
) -> None:
    recording = day(9, side)
    if not gyroscope:
        recording.values_T6[:, 3:] = np.nan
    found = recognise([recording], side, model).file  # type: ignore[arg-type]
    assert [each.exercise for each in found.sets] == list(SHAPES)
    assert [len(each.repetitions) for each in found.sets] == [8, 8, 8]
    assert {each.model_version for each in found.sets} == {model.version}
    assert found.simulated
    assert found.recorded is not None
    assert (found.recorded[0].end - found.recorded[0].start).total_seconds() == recording.seconds


def test_simulated_recordings_are_no_deeds_whatever_recognises_them(model: Recogniser) -> None:
    of_people = replace(model, simulated=False)
    for simulated in (True, False):
        found = recognise([day(9)], "right", of_people, simulated=simulated).file
        assert found.simulated == simulated


def test_a_watch_turned_round_changes_nothing(model: Recogniser) -> None:
    recording = day(8)
    turned = Motion(start=START, values_T6=recording.values_T6 * HALF_TURN)
    as_worn, as_turned = (recognise([each], "right", model).file for each in (recording, turned))
    assert [each.exercise for each in as_turned.sets] == [each.exercise for each in as_worn.sets]


def unknown_movement() -> np.ndarray:
    shape = Shape(axis=(1.0, 0.0, 0.0), held=(0.0, -0.6, -0.8))
    return simulated_set(
        10, np.random.default_rng(0), range_deg=150, seconds=1.2, shape=shape
    ).values_T6


def test_what_nobody_taught_is_unknown_until_it_is_shown(model: Recogniser, folder: Path) -> None:
    other = unknown_movement()
    (found,) = recognise([Motion(start=START, values_T6=other)], "right", model).file.sets
    assert (found.exercise, found.confidence) == (None, 0.0)
    shown = Motion(start=START, values_T6=other[: int(2.0 * RATE_HZ) + 110])
    templates = [enrolled([shown], "right", "screw", model, name="shown.csv")]
    for exercise in SHAPES:
        one = Motion(start=START, values_T6=movement(exercise, 9)[25:250])
        templates.append(enrolled([one], "right", exercise, model, name="shown.csv"))
    write_template(folder / "t.json", templates[0])
    kept = read_template(folder / "t.json", model.version)
    assert kept == templates[0]
    assert kept.repetitions >= 3
    those = [each.template() for each in templates]
    (found,) = recognise([Motion(start=START, values_T6=other)], "right", model, those).file.sets
    assert found.exercise == "screw"
    done = recognise([day(9)], "right", model, those).file
    assert [each.exercise for each in done.sets] == list(SHAPES)
    (left,) = recognise([Motion(start=START, values_T6=other)], "right", model, those[1:]).file.sets
    assert left.exercise is None


def test_nothing_moves(model: Recogniser) -> None:
    still = np.repeat(movement("raise", 9)[:1], 3000, axis=0)
    with pytest.raises(ContractError, match="nothing moves in it from beginning to end"):
        recognise([Motion(start=START, values_T6=still)], "right", model)


@pytest.mark.parametrize(("factor", "refused"), [(1.0, False), (2.0, False), (57.3, True)])
def test_a_limb_turns_no_farther_to_and_fro_than_a_limb_can(
    model: Recogniser, factor: float, refused: bool
) -> None:
    """About the vertical, which gravity does not show, every range was capped at 360 degrees."""
    recording = day(9, exercises=("swing",))
    recording.values_T6[:, 3:] *= factor
    if refused:
        with pytest.raises(ContractError, match="farther than any limb"):
            recognise([recording], "right", model)
        return
    found = recognise([recording], "right", model)
    ranges = [one.range_deg for each in found.file.sets for one in each.repetitions]
    assert all(each is not None and each <= 360 for each in ranges)


def test_a_repetition_beyond_a_limb_is_told(
    model: Recogniser, monkeypatch: pytest.MonkeyPatch
) -> None:
    def measured(*given: Any) -> Any:
        first, *others = as_measured(*given)
        return (replace(first, range_deg=None), *others)

    monkeypatch.setattr("inference.exercise.recognise.measured", measured)
    found = recognise([day(9, exercises=("swing",))], "right", model)
    assert "1 of its 8 repetitions turn by more than 360 degrees" in found.problems[0].found
    still = day(9, exercises=("swing",))
    still.values_T6[:, 3:] = np.nan
    assert not recognise([still], "right", model).problems


def test_the_other_side(model: Recogniser) -> None:
    with pytest.raises(ContractError, match="declared as of the left wrist"):
        recognise([day(9, "right", ("turn", "swing"))], "left", model)


def test_a_set_that_the_end_of_the_recording_cuts_is_said(model: Recogniser) -> None:
    whole = movement("raise", 9)
    cut = Motion(start=START, values_T6=whole[: int(0.6 * len(whole))])
    found = recognise([cut], "right", model, name="day.csv")
    assert len(found.file.sets) == 1
    (problem,) = found.problems
    assert str(problem).startswith("day.csv, ")
    assert "ends within this set" in problem.found
    assert recognise([day(9)], "right", model).problems == ()


def test_fewer_than_three_repetitions_or_more_than_a_set_are_no_template(model: Recogniser) -> None:
    one = Motion(start=START, values_T6=movement("raise", 9)[:90])
    with pytest.raises(ContractError, match="can be seen in it, and 3 are needed"):
        enrolled([one], "right", "raise", model, name="a.csv")
    two = Motion(start=START, values_T6=movement("raise", 9, count=2))
    with pytest.raises(ContractError, match=r"a.csv: 2 repetition\(s\) can be seen in it"):
        enrolled([two], "right", "raise", model, name="a.csv")
    with pytest.raises(ContractError, match="holds 3 sets"):
        enrolled([day(9)], "right", "raise", model, name="a.csv")
    with pytest.raises(ContractError, match="with holes between them"):
        enrolled([one, one], "right", "raise", model, name="a.csv")


def test_what_is_the_same_is_the_same_file_and_another_byte_another_version(
    model: Recogniser, folder: Path
) -> None:
    again = write_recogniser(
        folder / "again.safetensors", model.exercises, model.heads, people=5, simulated=True
    )
    assert again.version == model.version
    other = write_recogniser(folder / "o.safetensors", model.exercises, model.heads, people=6)
    assert other.version != model.version


def test_what_is_no_recogniser_or_template_is_refused(model: Recogniser, folder: Path) -> None:
    (folder / "text").write_text("no tensors")
    with pytest.raises(ContractError, match="it is no recogniser"):
        read_recogniser(folder / "text")
    save_file(load_file(folder / "m.safetensors"), folder / "bare")
    with pytest.raises(ContractError, match="it is no recogniser"):
        read_recogniser(folder / "bare")
    for about in ("{", "[]", '{"format": "rehabcast-exercise-recogniser/1"}'):
        save_file({"a": np.zeros(1)}, folder / "bare", {"about": about})
        with pytest.raises(ContractError, match="it is no recogniser"):
            read_recogniser(folder / "bare")
    with pytest.raises(ContractError, match="cannot be read"):
        read_recogniser(folder / "nowhere")
    for content, said in (
        ("{", "no template"),
        ("[]", "no template"),
        ('{"place": [1]}', "exercise"),
    ):
        (folder / "t").write_text(content)
        with pytest.raises(ContractError, match=said):
            read_template(folder / "t", model.version)
    made = TemplateFile(exercise="e", side="left", repetitions=3, model_version="other",
                        gyroscope=True, place=(0.0,), scores=(0.0,))  # fmt: skip
    write_template(folder / "t", made)
    with pytest.raises(ContractError, match="for the recogniser other, not for"):
        read_template(folder / "t", model.version)


def test_too_few_people_to_learn_from() -> None:
    with pytest.raises(ContractError, match="2 people and 3 exercises: too few"):
        fit_heads(labelled(2))


def test_people_who_did_one_exercise_each_do_not_say_what_a_template_tells_apart() -> None:
    alone = [each for each in labelled(6) if list(SHAPES)[int(each.person) % 3] == each.exercise]
    with pytest.raises(ContractError, match="nobody did two exercises of more than three"):
        fit_heads(alone)


def test_an_exercise_of_one_person_only_is_refused_by_its_name() -> None:
    sets = [each for each in labelled(4) if each.exercise != "turn" or each.person == "3"]
    with pytest.raises(ContractError, match="only 1 person did 'turn'"):
        fit_heads(sets)


def test_what_is_written_is_what_was_fitted(model: Recogniser, folder: Path) -> None:
    """Also of the forest, whose arrays are many: chances are the same to the last digit."""
    read = read_recogniser(folder / "m.safetensors")
    values_T6 = movement("turn", 9)
    for name, head in model.heads.items():
        features_WF = head.standardised(values_T6, with_rotation=name == "with")
        assert (read.heads[name].chances(features_WF) == head.chances(features_WF)).all()
        assert read.heads[name].template_limit == head.template_limit
        assert read.handedness("turn", with_rotation=name == "with") == head.handed_E[2]


def test_a_template_is_less_unlike_its_own_exercise(model: Recogniser) -> None:
    """By place and by scores both: with either alone the limit would be another."""
    for name, head in model.heads.items():
        shown, again, other = (
            model.template("e", movement(exercise, person)[25:-25], with_rotation=name == "with")
            for exercise, person in (("turn", 9), ("turn", 9), ("swing", 9))
        )
        assert head.unlikeness(shown, again) == 0
        assert head.unlikeness(shown, other) > head.template_limit
        moved = Template(exercise="e", place_D=shown.place_D, score_E=other.score_E)
        assert head.unlikeness(shown, moved) == pytest.approx(
            head.score_share * np.linalg.norm(shown.score_E - other.score_E)
        )
