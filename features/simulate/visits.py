"""When people are assessed: visits near a schedule, some late, some missed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Visits:
    """The schedule. All numbers are assumptions, near those of recovery cohorts.

    Parameters
    ----------
    enrolment_days
        Days from onset to enrolment, [first, last).
    days, kept
        Days after enrolment of the visits, and the share of each that takes place.
    jitter
        Largest number of days that a visit after the second week is early or late.
    late_share, late_days
        Share of those visits that are late, and by how many days, [first, last).
    """

    enrolment_days: tuple[int, int] = (2, 6)
    days: tuple[int, ...] = (0, 4, 11, 21, 35, 42, 84, 182, 364)
    kept: tuple[float, ...] = (1.0, 0.9, 0.9, 0.9, 0.5, 0.5, 0.9, 0.8, 0.6)
    jitter: int = 2
    late_share: float = 0.15
    late_days: tuple[int, int] = (3, 10)


def draw_enrolment(
    subjects: int, generator: np.random.Generator, visits: Visits
) -> NDArray[np.int64]:
    """Draw days from onset to enrolment, (N,)."""
    return generator.integers(*visits.enrolment_days, size=subjects)


def draw_visits(
    subjects: int, generator: np.random.Generator, visits: Visits
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Draw days after enrolment of every visit, (N, V), and whether it takes place, (N, V)."""
    planned = np.array(visits.days)
    day = planned + draw_lateness((subjects, len(planned)), generator, visits)
    # The first two weeks are spent on the ward, where visits take place as planned.
    day = np.where(planned <= 14, planned, day)
    # Neighbouring visits keep their order, and never fall on one day.
    for visit in range(1, len(planned)):
        day[:, visit] = np.maximum(day[:, visit], day[:, visit - 1] + 1)
    return day, generator.random(day.shape) < np.array(visits.kept)


def draw_lateness(
    shape: tuple[int, ...], generator: np.random.Generator, visits: Visits
) -> NDArray[np.int64]:
    """Draw how many days after its planned day a visit takes place."""
    late = generator.random(shape) < visits.late_share
    early = generator.integers(-visits.jitter, visits.jitter + 1, shape)
    return np.where(late, generator.integers(*visits.late_days, size=shape), early)
