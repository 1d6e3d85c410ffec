"""A fitted recogniser of exercises: read from its file, which nothing is unpickled from.

It has a head for recordings with a gyroscope and one for those without. A head gives the windows of
a set chances, half by ridge on kernels and moments (`features.exercise.windows`) and half by a
forest on the moments; the set is the exercise with the best mean. It is none of them where it lies
farther from that exercise's centre than all but few sets of people whom the recogniser had not
learned from. Templates, of a few demonstrated repetitions, replace chances and centres: the set is
what it is least unlike, in where it lies and in the scores of ridge.

Letters: W windows, F features, E exercises, D dimensions of the space in which sets lie.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from scipy.special import softmax

from contracts.errors import ContractError
from contracts.naming.formats import KEY, name_of, require_known_form
from contracts.naming.parsing import parsed_json
from features.exercise.kernels import Kernels
from features.exercise.windows import channels, moments, windows
from inference.exercise.forest import Forest
from inference.exercise.templates import Template

Array = NDArray[np.float32]

FORM = "exercise-recogniser"
ABOUT = "about"
WITH, WITHOUT = "with", "without"
LEAST_CHANCE = 1e-3
LARGEST_Z = 5.0
"""Features farther from their mean count as that far: one must not decide alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognition:
    """What a set is.

    Parameters
    ----------
    exercise, confidence
        Its name, None where it is none that is known; and the share of such answers that are right,
        where it is one of those that are asked about.
    distance
        From the centre or template of this exercise, 1 at the limit of what is known.
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
    forest
        Of the moments, the last of the features.
    space_FD, centre_ED
        Where sets lie, and the centre of each exercise.
    handed_E
        Mean handedness of each exercise (`features.exercise.frame`).
    sharpness, template_sharpness
        What turns mean chances of windows, and unlikeness to templates, into the share that are
        right.
    limit, template_limit
        Distances from a centre, or unlikeness to a template, within which all but few true sets
        lie.
    score_share
        What another score counts in unlikeness, beside another place.
    """

    kernels: Kernels
    level_F: Array
    spread_F: Array
    weight_FE: Array
    base_E: Array
    forest: Forest
    space_FD: Array
    centre_ED: Array
    handed_E: Array
    sharpness: float
    limit: float
    score_share: float
    template_sharpness: float
    template_limit: float

    def standardised(self, values_T6: Array, *, with_rotation: bool) -> Array:
        """Return the features of a set's windows, (W, F)."""
        window_WCT = windows(channels(values_T6, with_rotation=with_rotation))
        raw_WF = np.hstack([self.kernels.features(window_WCT), moments(window_WCT)])
        return clipped(raw_WF, self.level_F, self.spread_F)

    def chances(self, features_WF: Array) -> NDArray[np.float64]:
        """Return the chance of each exercise in each window, (W, E)."""
        score_WE = features_WF @ self.weight_FE + self.base_E
        moment_WF = features_WF[:, self.kernels.count :]
        return (by_ridge(score_WE) + self.forest.chances(moment_WF)) / 2

    def shown(self, exercise: str, features_WF: Array) -> Template:
        """Return where the windows of a set lie, and how ridge scores them, as a template."""
        mean_F = features_WF.mean(axis=0, dtype=np.float64)
        return Template(
            exercise=exercise, place_D=mean_F @ self.space_FD,
            score_E=mean_F @ self.weight_FE + self.base_E,
        )  # fmt: skip

    def unlikeness(self, one: Template, other: Template) -> float:
        """Return how unlike two sets are."""
        place = np.linalg.norm(one.place_D - other.place_D)
        return float(place + self.score_share * np.linalg.norm(one.score_E - other.score_E))


def by_ridge(score_WE: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the chances that scores stand for, (W, E).

    Ridge is fitted to 1 for an exercise and -1 for the others, so that a score's mean is twice the
    chance less 1; chances sum to 1 but for those that are raised to the least.
    """
    chance_WE = np.maximum((1 + score_WE.astype(np.float64)) / 2, LEAST_CHANCE)
    return np.asarray(chance_WE / chance_WE.sum(axis=1, keepdims=True))


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

    def template(self, exercise: str, values_T6: Array, *, with_rotation: bool) -> Template:
        """Return what is kept of a person's demonstrated repetitions."""
        head = self.heads[WITH if with_rotation else WITHOUT]
        return head.shown(exercise, head.standardised(values_T6, with_rotation=with_rotation))

    def template_size(self, with_rotation: bool) -> tuple[int, int]:
        """Return how many numbers a template's place and scores have."""
        head = self.heads[WITH if with_rotation else WITHOUT]
        return head.space_FD.shape[1], len(head.base_E)

    def handedness(self, exercise: str, *, with_rotation: bool) -> float:
        """Return the usual handedness of an exercise."""
        head = self.heads[WITH if with_rotation else WITHOUT]
        return float(head.handed_E[self.exercises.index(exercise)])

    def recognise(
        self, values_T6: Array, *, with_rotation: bool, templates: Sequence[Template] = ()
    ) -> Recognition:
        """Return what a set is, in the frame of a right wrist (`features.exercise.frame`)."""
        head = self.heads[WITH if with_rotation else WITHOUT]
        features_WF = head.standardised(values_T6, with_rotation=with_rotation)
        done = head.shown("", features_WF)
        if templates:
            names = [each.exercise for each in templates]
            unlike = np.array([head.unlikeness(done, each) for each in templates])
            chance = softmax(-head.template_sharpness * unlike)
            return _judged(names, chance, unlike / head.template_limit)
        chance_E = head.chances(features_WF).mean(axis=0)
        away_E = np.linalg.norm(head.centre_ED - done.place_D, axis=1)
        return _judged(
            self.exercises, softmax(head.sharpness * np.log(chance_E)), away_E / head.limit
        )


def _judged(
    names: Sequence[str], chance: NDArray[np.floating], distance: NDArray[np.floating]
) -> Recognition:
    best = int(chance.argmax())
    known = bool(distance[best] <= 1)
    return Recognition(
        exercise=names[best] if known else None,
        confidence=float(chance[best]) if known else 0.0,
        distance=float(distance[best]),
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
        with safe_open(path, "numpy") as file:
            said = parsed_json((file.metadata() or {}).get(ABOUT, "{}"))
            require_known_form(said, FORM, str(path), ContractError)
            # Before its tensors: those of other libraries may be of kinds that numpy does not have.
            if said[KEY] != name_of(FORM):
                raise KeyError(KEY)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return Recogniser(
            exercises=tuple(said["exercises"]),
            heads={name: _head(tensors, name) for name in (WITH, WITHOUT)},
            version=hashlib.sha256(path.read_bytes()).hexdigest()[:16],
            people=said["people"],
            simulated=said["simulated"],
        )
    except OSError as error:
        raise ContractError(
            f"{path}: cannot be read ({error.strerror or error})", advice
        ) from error
    except (SafetensorError, ValueError, LookupError, TypeError) as error:
        raise ContractError(f"{path}: it is no recogniser", advice) from error


KERNEL_PARTS = ("dilation_D", "biases_D", "uses_DKC", "bias_KF")
HEAD_PARTS = ("level_F", "spread_F", "weight_FE", "base_E", "space_FD", "centre_ED", "handed_E")
FOREST_PARTS = tuple(field.name for field in fields(Forest))
LIMITS = ("sharpness", "limit", "score_share", "template_sharpness", "template_limit")


def tensors_of(heads: Mapping[str, Head]) -> dict[str, NDArray[np.generic]]:
    """Return what is written of the heads, by name."""
    tensors: dict[str, NDArray[np.generic]] = {}
    for name, head in heads.items():
        tensors |= {f"{name}/{part}": getattr(head.kernels, part) for part in KERNEL_PARTS}
        tensors |= {f"{name}/{part}": getattr(head, part) for part in HEAD_PARTS}
        tensors |= {f"{name}/forest/{part}": getattr(head.forest, part) for part in FOREST_PARTS}
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
    parts: dict[str, Any] = {key: part(key) for key in HEAD_PARTS}
    parts |= zip(LIMITS, map(float, part("limits")), strict=True)
    forest = Forest(**{key: part(f"forest/{key}") for key in FOREST_PARTS})
    return Head(kernels=kernels, forest=forest, **parts)
