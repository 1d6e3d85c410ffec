"""Templates: what a recogniser keeps of a few repetitions that a person was shown to do."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from contracts.declarations import mistakes
from contracts.errors import ContractError
from contracts.exercise import Side
from contracts.exercise.programme import Name
from contracts.naming.formats import KEY, name_of, require_known_form, without_form
from contracts.naming.parsing import parsed_json
from contracts.task_parts.parts import Number, Strict, Whole

FORM = "exercise-template"
ADVICE = "name a file that `rehabcast exercise enrol` wrote"


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """Where a person's repetitions of an exercise lie, and how ridge scores them.

    See `inference.exercise.recogniser`.
    """

    exercise: str
    place_D: NDArray[np.float64]
    score_E: NDArray[np.float64]


class TemplateFile(Strict):
    """The file of a template.

    Parameters
    ----------
    exercise, side
        What was demonstrated, with which arm.
    repetitions
        How many.
    model_version, gyroscope
        The recogniser that it is for, and whether the recording had a gyroscope.
    place, scores
        Where the repetitions lie, and how ridge scores them.
    """

    exercise: Name
    side: Side
    repetitions: Annotated[Whole, Field(ge=1)]
    model_version: str
    gyroscope: bool
    place: Annotated[tuple[Number, ...], Field(min_length=1, max_length=1000)]
    scores: Annotated[tuple[Number, ...], Field(min_length=1, max_length=1000)]

    def template(self) -> Template:
        """Return what the recogniser needs of it."""
        return Template(
            exercise=self.exercise, place_D=np.array(self.place), score_E=np.array(self.scores)
        )


def write_template(path: Path, file: TemplateFile) -> None:
    """Write a template as JSON."""
    content = {KEY: name_of(FORM), **file.model_dump(mode="json")}
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8")


def read_template(path: Path, version: str) -> TemplateFile:
    """Read a template that was made for a version of the recogniser.

    Raises
    ------
    ContractError
        It can't be read, is none, or is of another version.
    """
    try:
        content = parsed_json(path.read_text("utf-8"))
    except OSError as error:
        raise ContractError(f"{path}: cannot be read ({error.strerror})", ADVICE) from error
    except ValueError as error:
        raise ContractError(f"{path}: it is no template", ADVICE) from error
    if not isinstance(content, dict):
        raise ContractError(f"{path}: it is no template", ADVICE)
    require_known_form(content, FORM, str(path), ContractError)
    try:
        file = TemplateFile.model_validate(without_form(content), strict=False)
    except ValidationError as error:
        found = "; ".join(mistakes(error, TemplateFile))
        raise ContractError(f"{path}: {found}", ADVICE) from error
    if file.model_version != version:
        raise ContractError(
            f"{path}: it is a template for the recogniser {file.model_version}, not for {version}",
            "enrol the demonstrated repetitions again with this recogniser",
        )
    return file
