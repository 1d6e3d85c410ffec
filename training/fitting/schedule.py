"""How long and how fast a network learns, by how many people it has to learn from.

A network that starts from a published population forecasts well before it has learned anything, and
on a small cohort every epoch is a chance to learn what is true of its people alone. Which epoch was
best was said by a fifth of 100 people, and was chance: a fixed length, at whose end the rate is 0
and from which nobody is kept away, forecasts better and takes a fraction of the time. What has no
clinical meaning, and above all what is learned from covariates of the person, moves more slowly
the fewer people there are: 45 early patients tell little of what age or sex does (figures of all
three rules: docs/benchmarks.md).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from contracts.priors import FLAT, prior_of
from contracts.task import Task
from training.fitting.config import TrainingConfig

FROM_PUBLISHED, FROM_FLAT = 8, 40
"""Least epochs, from a published population and from one in which all courses are alike."""

PER_ROOT_OF_PEOPLE = 0.8
"""More people have more to teach: 8 epochs for 100, 25 for 1,000."""


def epochs_by_rule(people: int, task: Task, config: TrainingConfig) -> int | None:
    """Return how many epochs a network learns from so many people; None where it is watched.

    `max_epochs` of the parameters bounds it.
    """
    start = prior_of(config.architecture, task.prior)
    if config.stopping == "watched" or start is None:
        return None
    least = FROM_FLAT if start == FLAT else FROM_PUBLISHED
    return min(config.max_epochs, max(least, round(PER_ROOT_OF_PEOPLE * math.sqrt(people))))


PEOPLE_AGAINST_LEARNED, PEOPLE_AGAINST_PERSON = 200, 700
"""How many people it takes until half of the rate is used: of all that has no clinical meaning, and
of what is learned from covariates of the person."""


@dataclass(frozen=True, slots=True)
class Shares:
    """Shares of the learning rate.

    Parameters
    ----------
    learned
        Of the parameters without a clinical meaning.
    person
        Of those among them that read the covariates of the person.
    """

    learned: float
    person: float


EQUAL = Shares(1.0, 1.0)


def shares_of_rate(people: int, task: Task, config: TrainingConfig) -> Shares:
    """Return how fast a network learns from so many people what no recovery population knows.

    With a schedule of fixed length the rate bounds how far a parameter can move: it is a prior
    around the start, which says that a covariate tells nothing. Networks that start from no
    population have nothing else to learn.
    """
    if prior_of(config.architecture, task.prior) is None:
        return EQUAL
    return Shares(
        people / (people + PEOPLE_AGAINST_LEARNED), people / (people + PEOPLE_AGAINST_PERSON)
    )
