"""Fits a recogniser of exercises from sets whose exercise is known.

Each head is ridge regression on the features of windows of the sets as recorded, and of copies that
are turned and done faster or slower a little, as another wearer would. The space in which sets lie
is that of the windows' main components, in which people who do the same are brought together. How
sharp scores are and how far is too far is learned from people left out (`left_out`).

Letters: as in `inference.exercise.recogniser`; S sets, P main components.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve
from scipy.spatial.transform import Rotation

from contracts.errors import ContractError
from features.exercise import kernels
from features.exercise.frame import as_right, handedness, upright
from features.exercise.repetitions import repetitions
from features.exercise.windows import channels, moments, windows
from inference.exercise.enrol import LEAST_SHOWN
from inference.exercise.recogniser import WITH, WITHOUT, Head, clipped
from training.exercise.forest import fit_forest
from training.exercise.left_out import COPY, LATER, RECORDED, SHOWN, LeftOut, limits
from training.exercise.space import Sets, space

Array = NDArray[np.float32]

FEATURES, RIDGE = 1008, 1000.0
COPIES, ABOUT_FOREARM_DEG, ABOUT_ANY_DEG, PACE = 2, 8.0, 4.0, 0.25
"""Copies of a set, the standard deviations of their turns, and how much faster or slower, as a
logarithm (local; accuracy on people left out was the same over wide ranges)."""

COMPONENTS = 100
LEAST_PEOPLE = 3
PART = 2
"""Windows of a set that stand for a few of its repetitions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledSet:
    """A set whose exercise is known.

    Parameters
    ----------
    values_T6
        At `RATE_HZ`, as recorded.
    """

    person: str
    side: str
    exercise: str
    values_T6: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledWindows:
    """Features of windows, the handedness of their set, and which; and of what kind.

    As recorded, of a copy, or of the repetitions that would be shown for a template, or of those
    that are done later.
    """

    raw_WF: Array
    handed_W: Array
    set_W: NDArray[np.int64]
    exercise_W: NDArray[np.int64]
    person_W: NDArray[np.int64]
    kind_W: NDArray[np.int64]
    kernels: kernels.Kernels

    @property
    def recorded_W(self) -> NDArray[np.bool_]:
        """Whether a window is as recorded."""
        return np.asarray(self.kind_W == RECORDED)

    @property
    def learned_W(self) -> NDArray[np.bool_]:
        """Whether ridge learns from a window."""
        return np.asarray(self.kind_W <= COPY)

    def without(self, exercise: int) -> LabelledWindows:
        """Return the windows of the other exercises, which are numbered anew."""
        kept_W = self.exercise_W != exercise
        number_W = self.exercise_W[kept_W]
        return replace(
            self, raw_WF=self.raw_WF[kept_W], handed_W=self.handed_W[kept_W],
            set_W=self.set_W[kept_W], exercise_W=number_W - (number_W > exercise),
            person_W=self.person_W[kept_W], kind_W=self.kind_W[kept_W],
        )  # fmt: skip

    @property
    def aim_WE(self) -> Array:
        """1 for the exercise that a window is of, -1 for the others."""
        every = np.arange(int(self.exercise_W.max()) + 1)
        return np.where(self.exercise_W[:, None] == every, 1.0, -1.0).astype(np.float32)

    def sets(self, z_WF: Array, main_FP: NDArray[np.float64]) -> Sets:
        """Return where the sets as recorded, and a few repetitions of each, lie."""
        numbers, first = np.unique(self.set_W, return_index=True)
        means, parts, of_part = [], [], []
        for number, person in zip(numbers, self.person_W[first], strict=True):
            own_WP = z_WF[(self.set_W == number) & self.recorded_W] @ main_FP
            means.append(own_WP.mean(axis=0))
            whole = len(own_WP) // PART * PART
            part_RP = own_WP[:whole].reshape(-1, PART, own_WP.shape[1]).mean(axis=1)
            parts.append(part_RP - means[-1])
            of_part += [person] * len(part_RP)
        return Sets(
            place_SP=np.array(means), exercise_S=self.exercise_W[first],
            person_S=self.person_W[first], part_RP=np.concatenate(parts),
            person_R=np.array(of_part),
        )  # fmt: skip


def fit_heads(
    labelled: Sequence[LabelledSet], seed: int = 0
) -> tuple[tuple[str, ...], dict[str, Head]]:
    """Return the names of the exercises, and a head for recordings with and without gyroscope.

    Raises
    ------
    ContractError
        There are too few people or exercises to tell what people differ by from what exercises do.
    """
    exercises = tuple(sorted({each.exercise for each in labelled}))
    people = {each.person for each in labelled}
    if len(people) < LEAST_PEOPLE or len(exercises) < 2:
        raise ContractError(
            f"the sets are of {len(people)} people and {len(exercises)} exercises: too few to"
            " learn from",
            f"record at least {LEAST_PEOPLE} people and 2 exercises",
        )
    for exercise in exercises:
        if len({each.person for each in labelled if each.exercise == exercise}) < 2:
            raise ContractError(
                f"only 1 person did {exercise!r}: what it is cannot be told from whose it is",
                "record it of two people or more, or leave it out",
            )
    if bare := [each for each in labelled if np.isnan(each.values_T6[:, 3:]).any()]:
        raise ContractError(
            f"a set of {bare[0].exercise!r} of {bare[0].person!r} has no gyroscope",
            "learn from recordings with acceleration and rotation",
        )
    heads = {
        name: fit_head(
            labelled_windows(labelled, exercises, seed, with_rotation=name == WITH), seed
        )
        for name in (WITH, WITHOUT)
    }
    return exercises, heads


def labelled_windows(
    labelled: Sequence[LabelledSet], exercises: tuple[str, ...], seed: int, *, with_rotation: bool
) -> LabelledWindows:
    """Return the features of the windows of sets and of their copies."""
    generator = np.random.default_rng(seed)
    people = sorted({each.person for each in labelled})
    made, about, handed = [], [], []
    for number, each in enumerate(labelled):
        right_T6 = as_right(each.values_T6, each.side)
        parts: list[tuple[int, Array]] = []
        for copy in range(COPIES + 1):
            values_T6 = upright(_varied(right_T6, generator) if copy else right_T6)
            parts.append((COPY if copy else RECORDED, values_T6))
        parts += [(kind, upright(part_T6)) for kind, part_T6 in _as_for_a_template(right_T6)]
        for kind, values_T6 in parts:
            made.append(windows(channels(values_T6, with_rotation=with_rotation)))
            row = (number, exercises.index(each.exercise), people.index(each.person), kind)
            about += [row] * len(made[-1])
            handed += [handedness(values_T6)] * len(made[-1])
    window_WCT = np.concatenate(made)
    about_WN = np.array(about, dtype=np.int64)
    fitted = kernels.fit(window_WCT[about_WN[:, 3] == RECORDED], FEATURES, generator)
    return LabelledWindows(
        raw_WF=np.hstack([fitted.features(window_WCT), moments(window_WCT)]),
        handed_W=np.array(handed, dtype=np.float32), set_W=about_WN[:, 0],
        exercise_W=about_WN[:, 1], person_W=about_WN[:, 2], kind_W=about_WN[:, 3],
        kernels=fitted,
    )  # fmt: skip


def _as_for_a_template(values_T6: Array) -> list[tuple[int, Array]]:
    """Return the repetitions that would be shown, and the rest; nothing where there are too few."""
    spans = repetitions(values_T6)
    if len(spans) <= LEAST_SHOWN:
        return []
    until = spans[LEAST_SHOWN][0]
    return [(SHOWN, values_T6[:until]), (LATER, values_T6[until:])]


def _varied(values_T6: Array, generator: np.random.Generator) -> Array:
    """Return a set with the watch turned a little and at another pace."""
    turn = Rotation.from_euler("x", generator.normal(0, ABOUT_FOREARM_DEG), degrees=True)
    turn = turn * Rotation.from_rotvec(generator.normal(0, np.radians(ABOUT_ANY_DEG), 3))
    turned_T6 = np.hstack([turn.apply(values_T6[:, :3]), turn.apply(values_T6[:, 3:])])
    return paced(turned_T6, float(np.exp(generator.uniform(-PACE, PACE))))


def paced(values_T6: NDArray[np.floating], slower: float) -> Array:
    """Return a set that takes so many times as long: rotation is slower, gravity stays.

    The acceleration of the limb itself, which is small beside gravity, is left as it is.
    """
    count = max(2, round(len(values_T6) * slower))
    place = np.linspace(0, len(values_T6) - 1, count)
    known = np.arange(len(values_T6))
    paced_T6 = np.stack([np.interp(place, known, column) for column in values_T6.T], axis=1)
    paced_T6[:, 3:] /= slower
    return paced_T6.astype(np.float32)


def fit_head(found: LabelledWindows, seed: int = 0) -> Head:
    """Return a head fitted on everybody, with limits learned from people left out.

    Who is left out still counts in the scales and main components, which know of no exercise.
    """
    learned_WF = found.raw_WF[found.learned_W]
    level_F, spread_F = learned_WF.mean(axis=0), learned_WF.std(axis=0) + 1e-3
    z_WF = clipped(found.raw_WF, level_F, spread_F)
    shared = {
        int(person): _sums(z_WF[own_W], found.aim_WE[own_W])
        for person in np.unique(found.person_W)
        for own_W in ((found.person_W == person) & found.learned_W,)
    }
    whole = [np.sum(parts, axis=0) for parts in zip(*shared.values(), strict=True)]
    main_FP = np.linalg.eigh(whole[0])[1][:, ::-1][:, :COMPONENTS]
    sets = found.sets(z_WF, main_FP)
    forest, forest_WE = fit_forest(
        z_WF[found.recorded_W, found.kernels.count :], found.exercise_W[found.recorded_W],
        found.person_W[found.recorded_W], seed,
    )  # fmt: skip
    score_WE = np.empty(found.aim_WE.shape)
    place_WD = np.empty((len(z_WF), main_FP.shape[1]))
    away = []
    for person, own in shared.items():
        own_W = found.person_W == person
        weight_FE, base_E = _ridge(*(a - b for a, b in zip(whole, own, strict=True)))
        whitening_PD, centre_ED = space(sets.without(person))
        score_WE[own_W] = z_WF[own_W] @ weight_FE + base_E
        place_WD[own_W] = z_WF[own_W] @ (main_FP @ whitening_PD)
        away.append(sets.of(person).away(whitening_PD, centre_ED))
    learned = limits(LeftOut(
        score_WE=score_WE, forest_WE=forest_WE, place_WD=place_WD, away_S=np.concatenate(away),
        exercise_W=found.exercise_W, set_W=found.set_W, person_W=found.person_W,
        kind_W=found.kind_W,
    ))  # fmt: skip
    weight_FE, base_E = _ridge(*whole)
    whitening_PD, centre_ED = space(sets)
    return Head(
        kernels=found.kernels, level_F=level_F.astype(np.float32),
        spread_F=spread_F.astype(np.float32), weight_FE=weight_FE.astype(np.float32),
        base_E=base_E.astype(np.float32), forest=forest,
        space_FD=(main_FP @ whitening_PD).astype(np.float32),
        centre_ED=centre_ED.astype(np.float32),
        handed_E=np.array([
            found.handed_W[found.exercise_W == e].mean() for e in range(len(centre_ED))
        ], dtype=np.float32),
        **asdict(learned),
    )  # fmt: skip


def _sums(z_WF: Array, aim_WE: Array) -> list[NDArray[np.float64]]:
    """Return what ridge needs of some windows: sums of products, and counts."""
    return [
        part.astype(np.float64)
        for part in (z_WF.T @ z_WF, z_WF.T @ aim_WE, z_WF.sum(axis=0), aim_WE.sum(axis=0),
                     np.array([len(z_WF)], dtype=np.float32))
    ]  # fmt: skip


def _ridge(
    shared_FF: NDArray[np.float64],
    aimed_FE: NDArray[np.float64],
    sum_F: NDArray[np.float64],
    aim_E: NDArray[np.float64],
    count: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the weights and the level of each exercise."""
    base_E = aim_E / count
    weight_FE = solve(
        shared_FF + RIDGE * np.eye(len(shared_FF)), aimed_FE - np.outer(sum_F, base_E),
        assume_a="pos",
    )  # fmt: skip
    return np.asarray(weight_FE), base_E
