"""Writes a fitted recogniser: tensors and text, nothing that runs when it is read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors.numpy import save

from contracts.errors import ContractError
from contracts.naming.formats import KEY, name_of
from inference.exercise.recogniser import FORM, Head, Recogniser, read_recogniser, tensors_of


def write_recogniser(
    path: Path,
    exercises: tuple[str, ...],
    heads: Mapping[str, Head],
    *,
    people: int,
    simulated: bool = False,
) -> Recogniser:
    """Write a recogniser, and return it as it is read.

    Raises
    ------
    ContractError
        It cannot be written there.
    """
    said = {
        KEY: name_of(FORM), "exercises": "\n".join(exercises), "people": str(people),
        "simulated": "yes" if simulated else "no",
    }  # fmt: skip
    tensors = {name: np.ascontiguousarray(value) for name, value in tensors_of(heads).items()}
    try:
        path.write_bytes(save(tensors, said))
    except OSError as error:
        raise ContractError(
            f"{path}: cannot be written ({error.strerror})", "name a place that can"
        ) from error
    return read_recogniser(path)
