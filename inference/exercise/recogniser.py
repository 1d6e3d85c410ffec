"""A fitted recogniser of exercises: read from its file, which nothing is unpickled from.

It has a head for recordings with a gyroscope and one for those without. A head scores the windows
of a set (ridge on kernels and moments, `features.exercise.windows`); the set is the exercise with
the best mean. It is none of them where it lies farther from that exercise's centre than all but few
sets of people whom the recogniser had not learned from. Templates, of a few demonstrated
repetitions, replace scores and centres by those of one person.

Letters: W windows, F features, E exercises, D dimensions of the space in which sets lie.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from contracts.errors import ContractError
from contracts.naming.formats import KEY, name_of, require_known_form
from features.exercise.kernels import Kernels
from features.exercise.windows import channels, moments, windows
from inference.exercise.templates import Template

Array = NDArray[np.float32]

FORM = "exercise-recogniser"
ABOUT = "about"
WITH, WITHOUT = "with", "without"
LARGEST_Z = 5.0
"""Features farther from their mean count as that far: one must not decide alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognition:
    """What a set is.

    Parameters
    ----------
    exercise, confidence
        Its name, None where it is none that is known; and the share of such answers that are right.
        By templates the second is an order only: how sharp it is was learned from ridge scores.
    distance
        From the centre of the exercise that it is likest, 1 at the limit of what is known.
    """

    exercise: str | None
    confidence: float
    distance: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What was fitted for recordings with, or without, a gyroscope.

    Parameters
    ----------
    level_F, spread_F
        Mean and standard deviation of the features.
    weight_FE, base_E
        Ridge.
    space_FD, centre_ED
        Where sets lie, and the centre of each exercise.
    handed_E
        Mean handedness of each exercise (`features.exercise.frame`).
    sharpness
        What turns scores into the share that are right.
    limit, template_limit
        Distances from a centre, or from a template, within which all but few true sets lie.
    """

    kernels: Kernels
    level_F: Array
    spread_F: Array
    weight_FE: Array
    base_E: Array
    space_FD: Array
    centre_ED: Array
    handed_E: Array
    sharpness: float
    limit: float
    template_limit: float

    def standardised(self, values_T6: Array, *, with_rotation: bool) -> Array:
        """Return the features of a set's windows, (W, F)."""
        window_WCT = windows(channels(values_T6, with_rotation=with_rotation))
        raw_WF = np.hstack([self.kernels.features(window_WCT), moments(window_WCT)])
        return clipped(raw_WF, self.level_F, self.spread_F)


def clipped(raw_WF: Array, level_F: Array, spread_F: Array) -> Array:
    """Return features about their mean, in standard deviations, and none too far."""
    return np.asarray(np.clip((raw_WF - level_F) / spread_F, -LARGEST_Z, LARGEST_Z))


@dataclass(frozen=True, slots=True, kw_only=True)
class Recogniser:
    """A fitted recogniser.

    Parameters
    ----------
    exercises
        Names, in the order of scores.
    heads
        With and without a gyroscope.
    version
        The SHA-256 of its file, shortened.
    people, simulated
        How many it learned from, and whether nobody moved.
    """

    exercises: tuple[str, ...]
    heads: Mapping[str, Head]
    version: str
    people: int
    simulated: bool

    def place(self, values_T6: Array, *, with_rotation: bool) -> NDArray[np.float64]:
        """Return where a set lies, (D): what a template keeps of a person's movement."""
        head = self.heads[WITH if with_rotation else WITHOUT]
        features_WF = head.standardised(values_T6, with_rotation=with_rotation)
        return np.asarray(features_WF.mean(axis=0) @ head.space_FD, dtype=np.float64)

    def handedness(self, exercise: str) -> float:
        """Return the usual handedness of an exercise."""
        return float(self.heads[WITH].handed_E[self.exercises.index(exercise)])

    def recognise(
        self, values_T6: Array, *, with_rotation: bool, templates: Sequence[Template] = ()
    ) -> Recognition:
        """Return what a set is, in the frame of a right wrist (`features.exercise.frame`)."""
        head = self.heads[WITH if with_rotation else WITHOUT]
        features_F = head.standardised(values_T6, with_rotation=with_rotation).mean(axis=0)
        place_D = features_F @ head.space_FD
        if templates:
            names = [each.exercise for each in templates]
            away = np.array([np.linalg.norm(place_D - each.place_D) for each in templates])
            return _judged(names, away, -away, head.template_limit, head.sharpness)
        score_E = features_F @ head.weight_FE + head.base_E
        away_E = np.linalg.norm(head.centre_ED - place_D, axis=1)
        return _judged(self.exercises, away_E, score_E, head.limit, head.sharpness)


def _judged(
    names: Sequence[str],
    away: NDArray[np.floating],
    score: NDArray[np.floating],
    limit: float,
    sharpness: float,
) -> Recognition:
    best = int(score.argmax())
    distance = float(away[best] / limit)
    chance = np.exp(sharpness * (score - score.max()))
    known = distance <= 1
    return Recognition(
        exercise=names[best] if known else None,
        confidence=float(chance[best] / chance.sum()) if known else 0.0,
        distance=distance,
    )


def read_recogniser(path: Path) -> Recogniser:
    """Read a recogniser from its file.

    Raises
    ------
    ContractError
        It can't be read, or is none.
    """
    advice = "name a file that `rehabcast exercise train` wrote"
    try:
        version = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
        with safe_open(path, "numpy") as file:
            written = (file.metadata() or {}).get(ABOUT, "{}")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except OSError as error:
        raise ContractError(
            f"{path}: cannot be read ({error.strerror or error})", advice
        ) from error
    except SafetensorError as error:
        raise ContractError(f"{path}: it is no recogniser", advice) from error
    try:
        said = json.loads(written)
        require_known_form(said, FORM, str(path), ContractError)
        if said[KEY] != name_of(FORM):
            raise KeyError(KEY)
        return Recogniser(
            exercises=tuple(said["exercises"]),
            heads={name: _head(tensors, name) for name in (WITH, WITHOUT)},
            version=version,
            people=said["people"],
            simulated=said["simulated"],
        )
    except (ValueError, KeyError, TypeError) as error:
        raise ContractError(f"{path}: it is no recogniser", advice) from error


KERNEL_PARTS = ("dilation_D", "biases_D", "uses_DKC", "bias_KF")
HEAD_PARTS = ("level_F", "spread_F", "weight_FE", "base_E", "space_FD", "centre_ED", "handed_E")
LIMITS = ("sharpness", "limit", "template_limit")


def tensors_of(heads: Mapping[str, Head]) -> dict[str, NDArray[np.generic]]:
    """Return what is written of the heads, by name."""
    tensors: dict[str, NDArray[np.generic]] = {}
    for name, head in heads.items():
        tensors |= {f"{name}/{part}": getattr(head.kernels, part) for part in KERNEL_PARTS}
        tensors |= {f"{name}/{part}": getattr(head, part) for part in HEAD_PARTS}
        tensors[f"{name}/samples"] = np.array([head.kernels.samples])
        tensors[f"{name}/limits"] = np.array([getattr(head, part) for part in LIMITS])
    return tensors


def _head(tensors: Mapping[str, NDArray[Any]], name: str) -> Head:
    def part(key: str) -> NDArray[Any]:
        return tensors[f"{name}/{key}"]

    kernels = Kernels(
        samples=int(part("samples")[0]), dilation_D=part("dilation_D"), biases_D=part("biases_D"),
        uses_DKC=part("uses_DKC"), bias_KF=part("bias_KF"),
    )  # fmt: skip
    sharpness, limit, template_limit = map(float, part("limits"))
    return Head(
        kernels=kernels, level_F=part("level_F"), spread_F=part("spread_F"),
        weight_FE=part("weight_FE"), base_E=part("base_E"), space_FD=part("space_FD"),
        centre_ED=part("centre_ED"), handed_E=part("handed_E"), sharpness=sharpness, limit=limit,
        template_limit=template_limit,
    )  # fmt: skip
