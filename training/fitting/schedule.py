"""How long and how fast a network learns, by how many people it has to learn from.

A network that starts from a published population forecasts well before it has learned anything, and
on a small cohort every epoch is a chance to learn what is true of its people alone. Which epoch was
best was said by a fifth of 100 people, and was chance: a fixed length, at whose end the rate is 0
and from which nobody is kept away, forecasts better and takes a fraction of the time. What is
learned from covariates of the person moves more slowly the fewer people there are: 45 early
patients tell little of what age or sex does (docs/decisions/0017).
"""

from __future__ import annotations

import math

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
    if config.stopping == "early stopping" or start is None:
        return None
    least = FROM_FLAT if start == FLAT else FROM_PUBLISHED
    return min(config.max_epochs, max(least, round(PER_ROOT_OF_PEOPLE * math.sqrt(people))))


PEOPLE_AGAINST_COVARIATES = 700
"""How many people it takes until what reads covariates of the person learns at half of the rate."""


def person_share(people: int, task: Task, config: TrainingConfig) -> float:
    """Return at which share of the rate a network learns from covariates of so many people.

    With a schedule of fixed length the rate bounds how far a parameter can move: it is a prior
    around the start, which says that a covariate tells nothing. Networks that start from no
    population have nothing else to learn.
    """
    if prior_of(config.architecture, task.prior) is None:
        return 1.0
    return people / (people + PEOPLE_AGAINST_COVARIATES)
