"""What is on record of a person when a version is first asked about them: before any outcome.

Each number is put on a level of a fixed scale, so that what is kept are counts and no person's
numbers. Letters: N people, Q quantities.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from contracts.evidence.arrivals import ABSENT, LEVELS, Arrivals
from contracts.sequences import Layout
from contracts.task import Task
from contracts.vocabulary import NOT_RECORDED, vocabulary
from inference.out_of_distribution import ReferenceDistribution

SPREADS = 4.0
"""Standard deviations to each side of the training people's mean that the levels span."""

REFUSED, MEDIAN, WIDTH = "no forecast given", "median forecast", "width of the 80 % range"
FEW_SIMILAR, WEAR = "fewer than 11 people like this one", "median hours of wear"
STRANGENESS = "distance from the people trained on"
OWN = (REFUSED, MEDIAN, WIDTH, FEW_SIMILAR, WEAR, STRANGENESS)
"""Quantities of a person, before the mean of each channel and whether it is missing."""

MISSING = "without any value: "
"""Before the name of a channel."""


def is_yes_or_no(quantity: str) -> bool:
    """Return whether a quantity is so or not, and no number."""
    return quantity in {REFUSED, FEW_SIMILAR} or quantity.startswith(MISSING)


SITE = "site"
"""The attribute of whose patients somebody is: the tenant of the record."""

PAST_DAYS = 28
"""Days up to the forecast that a channel's mean is of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A person as a version was first asked about them.

    Parameters
    ----------
    number
        In an order that says nothing of people.
    groups
        Label by attribute; of sensitive ones none where no forecast was given.
    levels
        Of each quantity, from 0 to `LEVELS` - 1, or `ABSENT`.
    """

    number: int
    groups: Mapping[str, str]
    levels: Sequence[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scales:
    """The scale of each quantity, fixed before anybody came.

    Parameters
    ----------
    quantities
        Names of Q.
    low_Q, step_Q
        The lowest value, and the width of a level.
    channels
        Code and name of each channel, in the order of their quantities.
    """

    quantities: tuple[str, ...]
    low_Q: NDArray[np.float64]
    step_Q: NDArray[np.float64]
    channels: Mapping[str, str]

    def place(self, quantity: str) -> int:
        """Return the place of a quantity."""
        return self.quantities.index(quantity)

    @property
    def means(self) -> slice:
        """Where the means of channels are."""
        return slice(len(OWN), len(OWN) + len(self.channels))

    def levels(self, number_NQ: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return the level of each number; what is beyond the scale is at its end.

        The distance from the people trained on is computed here: the root of the mean square, over
        the channels that there are, of how many spreads a mean is away.
        """
        known_NQ = number_NQ.copy()
        away_NC = (number_NQ - self.low_Q) / self.step_Q * (2 * SPREADS / LEVELS) - SPREADS
        away_NC = away_NC[:, self.means]
        count_N = np.isfinite(away_NC).sum(axis=1)
        squares_N = np.nansum(np.square(away_NC), axis=1)
        distance_N = np.sqrt(squares_N / np.maximum(count_N, 1))
        known_NQ[:, self.place(STRANGENESS)] = np.where(count_N > 0, distance_N, np.nan)
        level_NQ = np.clip(np.floor((known_NQ - self.low_Q) / self.step_Q), 0, LEVELS - 1)
        return np.where(np.isnan(known_NQ), ABSENT, level_NQ).astype(np.int64)


def scales(task: Task, layout: Layout, reference: ReferenceDistribution) -> Scales:
    """Return the scales of a model: of a channel by its mean and spread among those trained on."""
    entries = vocabulary()
    span = (task.target.high - task.target.low) / LEVELS
    own = {
        REFUSED: (0.0, 1.0),
        MEDIAN: (task.target.low, span),
        WIDTH: (0.0, span),
        FEW_SIMILAR: (0.0, 1.0),
        WEAR: (0.0, 24 / LEVELS),
        STRANGENESS: (0.0, 2 * SPREADS / LEVELS),
    }
    names = [entries[code].name for code in layout.channels_C]
    mean_C = reference.mean_F[: len(names)]
    spread_C = np.sqrt(np.diag(reference.covariance_FF))[: len(names)]
    low_Q = [*(own[name][0] for name in OWN), *(mean_C - SPREADS * spread_C), *[0.0] * len(names)]
    step_Q = [*(own[name][1] for name in OWN), *(2 * SPREADS * spread_C / LEVELS)]
    return Scales(
        quantities=(*OWN, *names, *(MISSING + name for name in names)),
        low_Q=np.array(low_Q, dtype=np.float64),
        step_Q=np.array([*step_Q, *[1.0] * len(names)], dtype=np.float64),
        channels=dict(zip(layout.channels_C, names, strict=True)),
    )


def arrivals(
    people: Iterable[Arrival], quantities: Sequence[str], attributes: Sequence[str]
) -> Arrivals:
    """Put people in the order of their numbers."""
    ordered = sorted(people, key=lambda each: each.number)
    return Arrivals(
        quantities=tuple(quantities),
        level_NQ=np.array([each.levels for each in ordered], dtype=np.int64).reshape(
            len(ordered), len(quantities)
        ),
        groups={
            name: np.array([each.groups.get(name, NOT_RECORDED) for each in ordered], dtype=object)
            for name in attributes
        },
    )
