"""How many people like this one a model learned from, and what follows where there are few.

Alike are people with a similar score, at a similar time since onset, on a similar course (worse,
as before, better). A model's forecast is only as good as what it saw of them: with few of them the
range is widened, with fewer than `FEWEST` there is no forecast.

A bundle leaves the hospital, so it holds no person's row: a coarse grid of counts within broad
neighbourhoods, each rounded down (`rounded_down`), so that fewer than `FEWEST` look like nobody,
fewer than `MINIMUM_SHOWN` all look alike, and one person more or less is hardly ever seen.

Letters: B pairs, H horizons, D places of time since onset, S of the score, K of the course, N
places. The last entry along H of a count is of people with an outcome at any
horizon.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from contracts.groups import MINIMUM_SHOWN
from contracts.sequences import SequenceBatch
from contracts.task import Target, Task
from inference.moments import Moments, log_change, moments, worsened

FEWEST = 5
"""Similar people without whom there is no forecast. Learned from n people alone, a range that is to
hold the next with a chance of 0.8 is that of the level 0.8 (1 + 1/n) (`inference.widening`): with 4
it is the whole scale, with 5 the inner 96 %."""

SOME = FEWEST
"""Stands for every number of people from `FEWEST` on that is too small to be told: a mark, and no
count. The range is as wide as with the fewest of them."""

LEAST_OUTCOMES = MINIMUM_SHOWN
"""People with an outcome at a horizon without whom it is forecast for nobody. With 11 an audit that
finds 9 inside the 80 % range shows, one-sided with 95 % certainty, that it holds more often than
not (Clopper-Pearson: more than 0.53; of 10 people, 8: 0.49); and an audit
shows no number about fewer, so nobody could see whether the forecast is right."""

ROUNDED_TO = 5
ALIKE_DAYS, ALIKE_SCORE, ALIKE_CHANGE = 0.7, 0.15, 0.7
"""How far a person alike may be: in log days since onset (half to twice as many), in the share of
the scale, and in `log_change`."""
STEP_DAYS, STEP_SCORE, STEP_CHANGE = 0.35, 0.05, 0.35
LARGEST_CHANGE = 9
"""Places of the course on either side of no change: 23 important differences, then all is one."""
UNKNOWN_COURSE = 2 * LARGEST_CHANGE + 1
"""Place of a course of which there is only one score: everybody at that time with that score."""

Array = NDArray[np.float64]
Indices = NDArray[np.int64]


class Rarity(StrEnum):
    """In what a person is unlike all, or nearly all, whom a model learned from."""

    TIME = "so long after the onset"
    SCORE = "such a score at that time"
    COURSE = "such a course"


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleSeen:
    """Whom a model learned from, as counts.

    Parameters
    ----------
    count_DSKH
        People alike at each place, by horizon at which their outcome is known.
    first_place
        Place of the first entry along D.
    outcomes_H
        People with an outcome at each horizon from a landmark, exact from `LEAST_OUTCOMES` on, 1
        for fewer, 0 for nobody.
    """

    count_DSKH: NDArray[np.int32]
    first_place: int
    outcomes_H: NDArray[np.int32]

    @property
    def served_H(self) -> NDArray[np.bool_]:
        """At which horizons there are enough people to forecast for anybody."""
        return np.asarray(self.outcomes_H >= LEAST_OUTCOMES)

    def similar(self, batch: SequenceBatch, task: Task) -> NDArray[np.int32]:
        """Return how many people like each pair there are, rounded down, (B, H).

        Of somebody whose score ever fell no more than if it had been steady: the forecast
        covers both
        (`inference.readings`).
        """
        at = moments(batch, task)
        days_B, score_B, course_B = _places(at, task.target)
        similar_BH = self._at(days_B, score_B, course_B)
        steady_BH = self._at(days_B, score_B, np.full(len(batch), LARGEST_CHANGE))
        fell_B = worsened(at.drop_B, task.target)
        return np.where(fell_B[:, None], np.minimum(similar_BH, steady_BH), similar_BH)

    def given(self, similar_BH: NDArray[np.int32], batch: SequenceBatch) -> NDArray[np.bool_]:
        """Say which horizons of each pair are forecast, (B, H): ahead, and enough people behind.

        Parameters
        ----------
        similar_BH
            As `similar` returns it.
        """
        ahead_BH = np.array(batch.layout.horizon_days_H) > batch.origin_day_B[:, None]
        return np.asarray(ahead_BH & self.served_H & (similar_BH[:, :-1] >= FEWEST))

    def rarity(self, batch: SequenceBatch, task: Task) -> Rarity:
        """Say in what one pair is unlike those that were seen."""
        days_1, score_1, _ = _places(moments(batch, task), task.target)
        unknown_1 = np.array([UNKNOWN_COURSE])
        if self._at(days_1, score_1, unknown_1)[0, -1] >= FEWEST:
            return Rarity.COURSE
        scores_N = np.arange(self.count_DSKH.shape[1])
        everywhere = self._at(np.repeat(days_1, len(scores_N)), scores_N, unknown_1)
        return Rarity.SCORE if everywhere[:, -1].max() >= FEWEST else Rarity.TIME

    def _at(self, days_N: Indices, score_N: Indices, course_N: Indices) -> NDArray[np.int32]:
        place_N = days_N - self.first_place
        inside_N = (place_N >= 0) & (place_N < len(self.count_DSKH))
        found_NH = self.count_DSKH[np.where(inside_N, place_N, 0), score_N, course_N]
        return np.where(inside_N[:, None], found_NH, np.int32(0))


def learn_people_seen(records: SequenceBatch, landmarks: SequenceBatch, task: Task) -> PeopleSeen:
    """Count the people of a training, rounded down.

    Parameters are those of `count_people`.
    """
    seen = count_people(records, landmarks, task)
    return replace(seen, count_DSKH=rounded_down(seen.count_DSKH))


def similar_others(records: SequenceBatch, pairs: SequenceBatch, task: Task) -> NDArray[np.int32]:
    """Return how many others like each of these people there are among them, (B, H).

    They are counted themselves where their outcome is known. A new person is alike to as many.
    """
    similar_BH = count_people(records, pairs, task).similar(pairs, task)
    known_BH = ~np.isnan(pairs.truth_BH)
    own_BH = np.concatenate([known_BH, known_BH.any(axis=1, keepdims=True)], axis=1)
    return rounded_down((similar_BH - own_BH).clip(min=0))


def given_by_others(records: SequenceBatch, pairs: SequenceBatch, task: Task) -> NDArray[np.bool_]:
    """Say which outcomes of these people a service would forecast that had seen all others, (B, H).

    Not by the folds that a network was trained on: whoever is like few among two thirds of the
    people, and like enough among all of them, is forecast in service, and must be judged.
    """
    seen = learn_people_seen(records, pairs, task)
    return seen.given(similar_others(records, pairs, task), pairs)


def given_if_unseen(
    records: SequenceBatch, landmarks: SequenceBatch, asked: SequenceBatch, task: Task
) -> NDArray[np.bool_]:
    """Say which horizons of each pair a service would forecast without its person, (B, H).

    Parameters
    ----------
    records, landmarks
        The people of a training, as `count_people` takes them.
    asked
        Pairs of the same people or of others, on any day. Who is in the training counts one alike
        less wherever their outcome is known.
    """
    similar_BH = count_people(records, landmarks, task).similar(asked, task)
    known = pd.DataFrame(~np.isnan(records.truth_BH)).groupby(records.subject_B).any()
    own_BH = np.zeros(similar_BH.shape, dtype=np.int32)
    own_BH[:, :-1] = known.reindex(asked.subject_B, fill_value=False)
    seen = learn_people_seen(records, landmarks, task)
    return seen.given(rounded_down((similar_BH - own_BH).clip(min=0)), asked)


def rounded_down(people: NDArray[np.integer]) -> NDArray[np.int32]:
    """Round numbers of people down to what may be known of them.

    That is nobody, `SOME` (enough for a forecast, and fewer than may be told), `MINIMUM_SHOWN`, or
    a multiple of `ROUNDED_TO`.
    """
    rounded = np.maximum(people // ROUNDED_TO * ROUNDED_TO, MINIMUM_SHOWN)
    some = np.where(people >= FEWEST, SOME, 0)
    return np.where(people >= MINIMUM_SHOWN, rounded, some).astype(np.int32)


def shown_number(people: int) -> int | None:
    """Return a number of people as it may be told; None for fewer than `MINIMUM_SHOWN`."""
    return people if people >= MINIMUM_SHOWN else None


def count_people(records: SequenceBatch, landmarks: SequenceBatch, task: Task) -> PeopleSeen:
    """Count the people of a training exactly: not to be kept.

    Parameters
    ----------
    records
        They on all of their days with a score, as far as their outcomes are known.
    landmarks
        The pairs that were learned from and calibrated on, and that the audit judges.
    """
    at = moments(records, task)
    known_BH = ~np.isnan(records.truth_BH)
    known_BH = np.concatenate([known_BH, known_BH.any(axis=1, keepdims=True)], axis=1)
    alike_BK = _alike_course(at.change_B, task.target)
    count_DSX, first_place = people_alike(
        records.subject_B, at, lambda rows: alike_BK[rows, :, None] & known_BH[rows, None, :]
    )
    return PeopleSeen(
        count_DSKH=count_DSX.reshape(*count_DSX.shape[:2], alike_BK.shape[1], known_BH.shape[1]),
        first_place=first_place,
        outcomes_H=_outcomes(landmarks),
    )


def people_alike(
    subject_B: NDArray[np.int64], at: Moments, flags: Callable[[Indices], NDArray[np.bool_]]
) -> tuple[NDArray[np.int32], int]:
    """Count exactly how many people alike at each place have each flag, (D, S, X).

    A person counts once, however many of the days are alike. `flags` are those of some rows, on any
    number of axes, flat along X. Also returns the place of the first entry along D.
    """
    log_days_B = np.log1p(at.days_B.clip(min=0))
    first_place = _place(log_days_B.min() - ALIKE_DAYS, STEP_DAYS) if len(subject_B) else 0
    last_place = _place(log_days_B.max() + ALIKE_DAYS, STEP_DAYS) if len(subject_B) else 0
    days_D = STEP_DAYS * np.arange(first_place, last_place + 1)
    score_S = np.arange(0, 1 + STEP_SCORE / 2, STEP_SCORE)
    alike_BD = np.abs(log_days_B[:, None] - days_D) <= ALIKE_DAYS
    alike_BS = np.abs(at.score_B[:, None] - score_S) <= ALIKE_SCORE + 1e-9
    _, person_B = np.unique(subject_B, return_inverse=True)
    width = int(np.prod(flags(np.zeros(0, np.int64)).shape[1:]))
    count_DSX = np.zeros((len(days_D), len(score_S), width), np.int32)
    for d, alike_B in enumerate(alike_BD.T):
        for s in range(len(score_S)):
            rows = np.flatnonzero(alike_B & alike_BS[:, s])
            seen_PX = np.zeros((person_B.max(initial=-1) + 1, width), np.bool_)
            np.logical_or.at(seen_PX, person_B[rows], flags(rows).reshape(len(rows), width))
            count_DSX[d, s] = seen_PX.sum(axis=0)
    return count_DSX, first_place


def place_of(at: Moments, target: Target) -> tuple[int, int]:
    """Return where on the grid of D and S the first pair stands."""
    days_B, score_B, _ = _places(at, target)
    return int(days_B[0]), int(score_B[0])


def _outcomes(landmarks: SequenceBatch) -> NDArray[np.int32]:
    seen_BH = ~np.isnan(landmarks.truth_BH)
    people_H = np.array([len(np.unique(landmarks.subject_B[seen_B])) for seen_B in seen_BH.T])
    return np.where(people_H >= LEAST_OUTCOMES, people_H, people_H.clip(max=1)).astype(np.int32)


def _place(value: float, step: float) -> int:
    return int(np.round(value / step))


def _places(at: Moments, target: Target) -> tuple[Indices, Indices, Indices]:
    """Return the nearest places of the grid along D, S and K."""
    days_B = np.round(np.log1p(at.days_B.clip(min=0)) / STEP_DAYS).astype(np.int64)
    # Without a score there is no forecast, whoever is alike.
    share_B = np.nan_to_num(np.clip(at.score_B, 0, 1))
    score_B = np.round(share_B / STEP_SCORE).astype(np.int64)
    change_B = np.nan_to_num(log_change(at.change_B, target))
    course_B = np.round(change_B / STEP_CHANGE).clip(-LARGEST_CHANGE, LARGEST_CHANGE)
    course_B = np.where(np.isnan(at.change_B), UNKNOWN_COURSE, course_B + LARGEST_CHANGE)
    return days_B, score_B, course_B.astype(np.int64)


def _alike_course(change_B: Array, target: Target) -> NDArray[np.bool_]:
    """Say whose course is like that of each place, (B, K).

    Of somebody with one score nobody knows that the course differs from one without a change.
    """
    place_K = STEP_CHANGE * np.arange(-LARGEST_CHANGE, LARGEST_CHANGE + 1)
    unknown_B = np.isnan(change_B)
    own_B = np.clip(np.nan_to_num(log_change(change_B, target)), place_K[0], place_K[-1])
    # As far as the error of a score, and the place that this is nearest to.
    steady_K = np.abs(place_K) <= np.log(2.0) + STEP_CHANGE / 2
    alike_BK = np.where(
        unknown_B[:, None], steady_K, np.abs(own_B[:, None] - place_K) <= ALIKE_CHANGE + 1e-9
    )
    return np.concatenate([alike_BK, np.ones((len(change_B), 1), dtype=np.bool_)], axis=1)


def nobody_alike(given_BH: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return whose forecast has too few similar people at every horizon, (B,)."""
    return np.asarray(~given_BH.any(axis=1))
