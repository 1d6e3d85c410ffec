"""Which doses of therapy people like this one had: what a plan may be asked about.

Of each place of time since onset and score (`inference.similar`) the bundle keeps how many of the
people alike had so many hours a week, by kind of therapy, rounded down as all counts of people.
About a dose that nobody like this one had, nothing is said.

Letters: B pairs, T days, K kinds of therapy, D places of time since onset, S of the score, E bins
of hours a week, and one more entry along E for everybody whose dose is known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contracts.bundle import DOSES_SEEN, DOSES_SEEN_FROM
from contracts.sequences import SequenceBatch
from contracts.task import Task
from contracts.therapy import DOSE_DAYS, KINDS, THERAPY
from inference.moments import moments
from inference.similar import people_alike, place_of, rounded_down
from inference.twin.mechanism import DAYS_A_WEEK

EDGES_H = (0.25, 2.5, 5.0, 7.5, 10.0, 15.0, 20.0, 30.0)
"""Hours a week at which a bin begins; the first bin, below all of them, is no therapy."""

LEAST_SHARE = 0.05
"""Share of the people alike who must have had such a dose: below it, what is said of them rests on
the model's form alone. A convention."""

LEAST_PEOPLE = 30
"""People alike with such a dose, without whom nothing is said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DosesSeen:
    """Which doses the people of a training had, as counts.

    Parameters
    ----------
    count_KDSE
        People alike at each place who had a dose of each bin, rounded down.
    first_place
        Place of the first entry along D.
    codes_K
        Codes of the kinds of therapy that the model reads.
    """

    count_KDSE: NDArray[np.int32]
    first_place: int
    codes_K: tuple[str, ...]

    def alike(self, batch: SequenceBatch, task: Task) -> Mapping[str, NDArray[np.int32]]:
        """Return for one pair how many people alike had each dose, (E,), by code of the kind."""
        place, score = place_of(moments(batch, task), task.target)
        place -= self.first_place
        nobody = np.zeros(self.count_KDSE.shape[-1], dtype=np.int32)
        if not 0 <= place < self.count_KDSE.shape[1]:
            return dict.fromkeys(self.codes_K, nobody)
        return {code: self.count_KDSE[k, place, score] for k, code in enumerate(self.codes_K)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """How many people alike had a dose.

    Parameters
    ----------
    people, alike
        Who had such a dose, and whose dose is known; rounded down.
    low, high
        Hours a week of its bin; no upper end of the last.
    """

    people: int
    alike: int
    low: float
    high: float | None

    @property
    def share(self) -> float:
        """Share of the people alike who had such a dose."""
        return self.people / self.alike if self.alike else 0.0

    @property
    def is_enough(self) -> bool:
        """Whether something may be said of it."""
        return self.people >= LEAST_PEOPLE and self.share >= LEAST_SHARE


def seen_doses(count_E: NDArray[np.int32]) -> tuple[Seen, ...]:
    """Return the bins of one kind."""
    edges = (0.0, *EDGES_H)
    ends = (*EDGES_H, None)
    return tuple(
        Seen(people=int(people), alike=int(count_E[-1]), low=low, high=high)
        for people, low, high in zip(count_E[:-1], edges, ends, strict=True)
    )


def bin_of(hours: float) -> int:
    """Return the bin of hours a week."""
    return int(np.searchsorted(EDGES_H, hours, side="right"))


def dose_columns(channels_C: tuple[str, ...]) -> dict[str, int]:
    """Return the channels of therapy that a model reads, by code."""
    known = (THERAPY, *KINDS)
    return {code: c for c, code in enumerate(channels_C) if code in known}


def recent_hours(batch: SequenceBatch, channel: int) -> NDArray[np.float64]:
    """Return the mean hours a week of the last days, (B,); NaN where none is on record."""
    seen_BT = batch.observed_BTC[:, -DOSE_DAYS:, channel]
    minutes_B = (batch.values_BTC[:, -DOSE_DAYS:, channel] * seen_BT).sum(axis=1, dtype=float)
    days_B = seen_BT.sum(axis=1)
    mean_B = minutes_B / np.maximum(days_B, 1) * DAYS_A_WEEK / 60
    return np.where(days_B > 0, mean_B, np.nan)


def learn_doses_seen(records: SequenceBatch, task: Task) -> DosesSeen | None:
    """Count the doses of the people of a training; None where the model reads no therapy.

    Parameters
    ----------
    records
        They on all of their days with a score.
    """
    columns = dose_columns(records.layout.channels_C)
    if not columns or not len(records):
        return None
    at = moments(records, task)
    had_KBE = np.stack([in_bins(recent_hours(records, channel)) for channel in columns.values()])
    had_BKE = had_KBE.swapaxes(0, 1)
    count_DSX, first_place = people_alike(records.subject_B, at, lambda rows: had_BKE[rows])
    count_DSKE = count_DSX.reshape(*count_DSX.shape[:2], *had_BKE.shape[1:])
    return DosesSeen(
        count_KDSE=rounded_down(np.moveaxis(count_DSKE, 2, 0)),
        first_place=first_place,
        codes_K=tuple(columns),
    )


def read_doses_seen(
    tensors: Mapping[str, NDArray[Any]], channels_C: tuple[str, ...]
) -> DosesSeen | None:
    """Read what a bundle keeps; None in bundles of earlier versions."""
    if DOSES_SEEN not in tensors:
        return None
    return DosesSeen(
        count_KDSE=tensors[DOSES_SEEN],
        first_place=int(tensors[DOSES_SEEN_FROM][0]),
        codes_K=tuple(dose_columns(channels_C)),
    )


def in_bins(hours_B: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return in which bin each dose is, and last whether it is known, (B, E)."""
    had_BE = np.zeros((len(hours_B), len(EDGES_H) + 2), dtype=np.bool_)
    known = np.flatnonzero(np.isfinite(hours_B))
    had_BE[known, np.searchsorted(EDGES_H, hours_B[known], side="right")] = True
    had_BE[known, -1] = True
    return had_BE


def supported(doses: Sequence[Seen]) -> tuple[Seen, ...]:
    """Return the bins of which something may be said."""
    return tuple(dose for dose in doses if dose.is_enough)
