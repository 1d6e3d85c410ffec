"""What is learned from people left out: how sharp scores are, and how far is too far.

Letters: W windows, E exercises, D dimensions of the space in which sets lie, S sets,
A sets that are asked, T templates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from contracts.errors import ContractError
from inference.exercise.recogniser import by_ridge

Array = NDArray[np.float64]

LOST = 0.05
"""Share of true sets that may be called unknown."""

RECORDED, COPY, SHOWN, LATER = range(4)
"""Kinds of windows: of a set as recorded, of a copy of it, of the repetitions of it that would be
shown for a template, and of those after them."""

SHARPNESS = np.geomspace(0.1, 20, 25)
SCORE_SHARES = np.geomspace(0.25, 64, 17)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """Windows of all kinds, as those see them who have not learned from their person.

    Parameters
    ----------
    score_WE, forest_WE
        Scores of ridge; and chances of the forest, of the windows as recorded only.
    place_WD, away_S
        Where windows lie, and how far each set is from the centre of its exercise.
    exercise_W, set_W, person_W, kind_W
        Which.
    """

    score_WE: Array
    forest_WE: Array
    place_WD: Array
    away_S: Array
    exercise_W: NDArray[np.int64]
    set_W: NDArray[np.int64]
    person_W: NDArray[np.int64]
    kind_W: NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a head keeps of it (`inference.exercise.recogniser.Head`)."""

    sharpness: float
    limit: float
    score_share: float
    template_sharpness: float
    template_limit: float


def limits(seen: LeftOut) -> Limits:
    """Return how sharp scores are, and limits within which all but few true sets lie.

    Raises
    ------
    ContractError
        There is nothing to learn from what templates tell apart.
    """
    _, sharpness = _of_sets(seen)
    pairs = _pairs(seen)
    if max((len(place_T) for place_T, _ in pairs), default=0) < 2:
        raise ContractError(
            "nobody did two exercises of more than three repetitions: what a template tells apart"
            " cannot be learned",
            "record two exercises or more of each person, with ten repetitions or more",
        )
    place_ATs, score_ATs = zip(*pairs, strict=True)
    place_AT, score_AT = _stacked(place_ATs), _stacked(score_ATs)
    own_A = np.zeros(len(place_AT), dtype=np.int64)
    found = [(*sharpest(-(place_AT + share * score_AT), own_A), share) for share in SCORE_SHARES]
    _, template_sharpness, score_share = min(found)
    return Limits(
        sharpness=sharpness,
        limit=float(np.quantile(seen.away_S, 1 - LOST)), score_share=float(score_share),
        template_sharpness=template_sharpness,
        template_limit=float(np.quantile((place_AT + score_share * score_AT)[:, 0], 1 - LOST)),
    )  # fmt: skip


def _of_sets(seen: LeftOut) -> tuple[float, float]:
    """Return the loss of whole sets as recorded, and their sharpness."""
    recorded_W = seen.kind_W == RECORDED
    set_W = seen.set_W[recorded_W]
    chance_WE = (by_ridge(seen.score_WE[recorded_W]) + seen.forest_WE) / 2
    numbers, first = np.unique(set_W, return_index=True)
    chance_SE = np.array([chance_WE[set_W == number].mean(axis=0) for number in numbers])
    return sharpest(np.log(chance_SE), seen.exercise_W[recorded_W][first])


def _pairs(seen: LeftOut) -> list[tuple[Array, Array]]:
    """Return how far the rest of a set is from what was shown, in place and in score: (T), (T).

    First of itself, then of the other exercises of the same person.
    """
    shown: list[tuple[Array, Array]] = []
    later: list[tuple[Array, Array]] = []
    about = []
    for number in np.unique(seen.set_W):
        of_W = seen.set_W == number
        parts = of_W & (seen.kind_W == SHOWN), of_W & (seen.kind_W == LATER)
        if all(part.any() for part in parts):
            each = int(np.flatnonzero(of_W)[0])
            about.append((seen.person_W[each], seen.exercise_W[each]))
            for part, kept in zip(parts, (shown, later), strict=True):
                kept.append((seen.place_WD[part].mean(axis=0), seen.score_WE[part].mean(axis=0)))
    pairs = []
    for number, (person, exercise) in enumerate(about):
        others = [at for at, (who, what) in enumerate(about) if who == person and what != exercise]
        place_T, score_T = (
            np.array(
                [np.linalg.norm(later[number][part] - shown[at][part]) for at in (number, *others)]
            )
            for part in (0, 1)
        )
        pairs.append((place_T, score_T))
    return pairs


def _stacked(rows: tuple[Array, ...]) -> Array:
    """Return rows of different lengths as one array: what is not there is infinitely far."""
    longest = max(map(len, rows))
    return np.array([np.pad(row, (0, longest - len(row)), constant_values=np.inf) for row in rows])


def sharpest(score_SE: Array, truth_S: NDArray[np.int64]) -> tuple[float, float]:
    """Return the least loss of the truth, and the sharpness at which it is that."""

    def loss(sharpness: float) -> float:
        chance_SE = softmax(sharpness * score_SE, axis=1)
        return -float(np.log(chance_SE[np.arange(len(truth_S)), truth_S] + 1e-12).mean())

    return min((loss(each), float(each)) for each in SHARPNESS)
