"""What a programme prescribes for the side of a recording, as its recogniser reads it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from contracts.digests import file_digest
from contracts.errors import ContractError, IntegrityError
from contracts.exercise import Exercise, Programme, Side

if TYPE_CHECKING:
    from features.exercise.recordings import Recording
    from inference.exercise.recognise import Recognised
    from inference.exercise.recogniser import Recogniser
    from inference.exercise.templates import Template


def templates_of(
    prescribed: Programme, folder: Path, recording: Recording, model: Recogniser
) -> tuple[Template, ...]:
    """Return the templates of a programme's exercises of one side: of all of them, or of none.

    Raises
    ------
    ContractError
        Nothing of that side is prescribed, what is prescribed could never be found, or a template
        is not of its exercise.
    IntegrityError
        A template is another than the programme was written with.
    """
    from inference.exercise.templates import read_template

    side, gyroscope = recording.side, all(each.has_rotation for each in recording.motions)
    own = [each for each in prescribed.exercises if each.side == side]
    if not own:
        raise ContractError(
            f"the programme prescribes nothing for the {side} side, and the recording is of it",
            "correct the placement in the map, or name the programme of this side",
        )
    named = {each.name: folder / each.template for each in own if each.template is not None}
    if not named:
        _require_known(own, model)
        return ()
    if lacking := [each.name for each in own if each.name not in named]:
        raise ContractError(
            f"{lacking[0]!r} of the {side} side has no template, and others have",
            "enrol it (`rehabcast exercise enrol`), or take the templates of the others out",
        )
    read = []
    for each in own:
        path = named[each.name]
        file = read_template(path, model.version)
        if each.template_sha256 is not None and file_digest(path) != each.template_sha256:
            raise IntegrityError(
                f"{path}: it is not the template that the programme was written with",
                "enrol the exercise again, and write its digest into the programme",
            )
        if (file.exercise.casefold(), file.side) != each.key:
            raise ContractError(
                f"{path}: it is a template of {file.exercise!r}, {file.side}, and the programme"
                f" names it for {each.name!r}, {each.side}",
                "name the right file in the programme",
            )
        if file.gyroscope != gyroscope:
            raise ContractError(
                f"{path}: only one of it and the recording was made with a gyroscope",
                "enrol the exercise with the device and settings of the recordings",
            )
        held, asked = (len(file.place), len(file.scores)), model.template_size(gyroscope)
        if held != asked:
            raise ContractError(
                f"{path}: it holds {held[0]} and {held[1]} numbers, and the recogniser needs"
                f" {asked[0]} and {asked[1]}",
                "enrol the exercise again: the file was changed since",
            )
        read.append(replace(file.template(), exercise=each.name))
    return tuple(read)


def _require_known(own: Sequence[Exercise], model: Recogniser) -> None:
    """Refuse what the recogniser could never find: it would count as not done."""
    known = {name.casefold() for name in model.exercises}
    if strange := [each.name for each in own if each.name.casefold() not in known]:
        raise ContractError(
            f"the recogniser does not know {strange[0]!r}, which the programme prescribes (it knows"
            f" {', '.join(model.exercises)})",
            "write its name as the recogniser has it, or enrol it (`rehabcast exercise enrol`)",
        )


def as_prescribed(found: Recognised, prescribed: Programme, side: Side) -> Recognised:
    """Return what was found under the programme's names; what it does not prescribe is unknown."""
    sets = []
    for each in found.file.sets:
        exercise = prescribed.exercise(each.exercise, side)
        name = None if exercise is None else exercise.name
        confidence = each.confidence if name is not None else 0.0
        sets.append(replace(each, exercise=name, confidence=confidence))
    return replace(found, file=replace(found.file, sets=tuple(sets)))
