"""Writes a fitted recogniser: tensors and text, nothing that runs when it is read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors.numpy import save

from contracts.naming.formats import KEY, name_of
from inference.exercise.recogniser import ABOUT, FORM, Head, Recogniser, read_recogniser, tensors_of


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
    OSError
        It cannot be written there.
    """
    # One entry: the library writes several in any order, and the same data are the same bytes.
    about = {
        KEY: name_of(FORM), "exercises": list(exercises), "people": people, "simulated": simulated,
    }  # fmt: skip
    tensors = {name: np.ascontiguousarray(value) for name, value in tensors_of(heads).items()}
    path.write_bytes(save(tensors, {ABOUT: json.dumps(about, ensure_ascii=False)}))
    return read_recogniser(path)
