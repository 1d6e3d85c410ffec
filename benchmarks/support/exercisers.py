"""SIMULATED people who exercise at home, day by day, and changes planted in how well they do it.

Every repetition is drawn, kept as a set, and read as the product reads it: `features.adherence`
makes the daily values. Repetitions of a set differ twice as much as those of the healthy adults of
SPAR (range and time by 4 %, SPARC by 0.14, whose median is -2.4); how much days differ, what one
carries over to the next, and how people recover over the weeks was measured of nobody, and is
assumed here.

Letters: D days of the programme.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta

import numpy as np
from numpy.typing import NDArray

from contracts.exercise import Exercise, ExerciseSet, Programme, Repetition, SetFile, Side
from features.adherence.days import daily_values
from features.adherence.observed import observe

Array = NDArray[np.float64]

START, WEEKS = date(2026, 3, 2), 12
DAYS = 7 * WEEKS
REPETITIONS = 8
SIDES: tuple[Side, Side] = ("left", "right")
GOAL_DEG, GOAL_SECONDS, GOAL_SPARC = 60.0, 2.0, -3.2
PROGRAMME = Programme(
    name="both arms", start=START, weeks=WEEKS, recording="in sessions",
    exercises=tuple(
        Exercise(
            name="reaching", side=side, sets=1, per="day", repetitions=REPETITIONS,
            goal_range_deg=GOAL_DEG, goal_seconds=GOAL_SECONDS, goal_smoothness=GOAL_SPARC,
        )
        for side in SIDES
    ),
)  # fmt: skip

OF_REPETITIONS = {"range": 0.08, "seconds": 0.08, "sparc": 0.28, "trunk": 0.25}
OF_DAYS = {"range": 0.06, "seconds": 0.08, "sparc": 0.20, "trunk": 0.20}
"""Standard deviations: of logarithms, of SPARC as it is."""

CARRIED = 0.4
"""Correlation of a day with the next."""

ABOVE_GOAL, PEOPLE_DIFFER = 0.18, 0.06
"""Logarithm by which range and time are above their goals at first, and how people differ in it."""

RECOVERY, RECOVERIES_DIFFER = 0.06, 0.06
"""What twelve weeks add to the logarithm of the range, and take of that of the time."""

SIDES_DIFFER = 0.10
FATIGUE, FATIGUES_DIFFER = 0.04, 0.04
"""What a set takes of the range from its first repetition to its last; how days differ in it."""

TRUNK_DEG, MISSED = 10.0, (0.05, 0.35)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exerciser:
    """What a person does on each day: levels (D), and whether there is a session."""

    log_range_D: Array
    log_seconds_D: Array
    sparc_D: Array
    log_trunk_D: Array
    side_log: float
    session_D: NDArray[np.bool_]
    seed: int


def exerciser(seed: int) -> Exerciser:
    """Return a person in whom nothing is planted."""
    generator = np.random.default_rng(seed)
    grown_D = np.arange(DAYS) / DAYS * generator.normal(RECOVERY, RECOVERIES_DIFFER)
    level = {
        "range": np.log(GOAL_DEG) + generator.normal(ABOVE_GOAL, PEOPLE_DIFFER) + grown_D,
        "seconds": np.log(GOAL_SECONDS) + generator.normal(ABOVE_GOAL, PEOPLE_DIFFER) - grown_D / 2,
        "sparc": generator.normal(-2.4, 0.2) + grown_D,
        "trunk": np.log(TRUNK_DEG) + generator.normal(0, 0.3) - grown_D,
    }
    drawn = {name: level[name] + OF_DAYS[name] * _days(generator) for name in level}
    return Exerciser(
        log_range_D=drawn["range"], log_seconds_D=drawn["seconds"], sparc_D=drawn["sparc"],
        log_trunk_D=drawn["trunk"], side_log=generator.normal(0, SIDES_DIFFER),
        session_D=generator.random(DAYS) >= generator.uniform(*MISSED), seed=seed,
    )  # fmt: skip


def _days(generator: np.random.Generator) -> Array:
    """Return days of deviation 1 that carry over to the next."""
    fresh_D = generator.normal(0, 1, DAYS)
    made_D = fresh_D.copy()
    for day in range(1, DAYS):
        made_D[day] = CARRIED * made_D[day - 1] + np.sqrt(1 - CARRIED**2) * fresh_D[day]
    return made_D


def done(one: Exerciser) -> SetFile:
    """Return the sets of a person."""
    generator = np.random.default_rng([one.seed, 1])
    sets = []
    for day in range(DAYS):
        tired = generator.normal(FATIGUE, FATIGUES_DIFFER)
        for at, side in enumerate(SIDES):
            drawn = {n: generator.normal(0, s, REPETITIONS) for n, s in OF_REPETITIONS.items()}
            if one.session_D[day]:
                sets.append(_set(one, day, (at - 0.5) * one.side_log, tired, drawn, side))
    return SetFile(sets=tuple(sets), simulated=True)


def _set(
    one: Exerciser, day: int, side_log: float, tired: float, drawn: Mapping[str, Array], side: Side
) -> ExerciseSet:
    within = np.linspace(0, 1, REPETITIONS)
    degrees = np.exp(one.log_range_D[day] + side_log + drawn["range"]) * (1 - tired * within)
    seconds = np.exp(one.log_seconds_D[day] + drawn["seconds"])
    sparc = np.minimum(one.sparc_D[day] + drawn["sparc"], -1.0)
    trunk = np.minimum(np.exp(one.log_trunk_D[day] + drawn["trunk"]), 90.0)
    ends = np.cumsum(seconds)
    start = datetime.combine(START, time(9 + (side == "right"))) + timedelta(days=day)
    repetitions = tuple(
        Repetition(
            start_s=float(ends[n] - seconds[n]), end_s=float(ends[n]), range_deg=float(degrees[n]),
            duration_s=float(seconds[n]), tempo=0.5, smoothness_sparc=float(sparc[n]),
            smoothness_ldlj=None, trunk_deg=float(trunk[n]),
        )
        for n in range(REPETITIONS)
    )  # fmt: skip
    return ExerciseSet(
        exercise="reaching", side=side, start=start,
        end=start + timedelta(seconds=float(ends[-1]) + 1), repetitions=repetitions,
        confidence=0.9, model_version="simulated/1",
    )  # fmt: skip


def daily(one: Exerciser) -> dict[str, Array]:
    """Return the daily values of a person by code, (D); not a number where there is none."""
    observed = observe(PROGRAMME, done(one), START + timedelta(days=DAYS - 1))
    values: dict[str, Array] = {}
    for each in daily_values(observed):
        values.setdefault(each.code, np.full(DAYS, np.nan))[(each.day - START).days] = each.value
    return values


Plant = Callable[[Exerciser, int], Exerciser]
"""Plants a change that begins on a day of the programme."""


def _from(values_D: Array, day: int, change: float) -> Array:
    changed_D = values_D.copy()
    changed_D[day:] += change
    return changed_D


PLANTS: Mapping[str, Plant] = {
    "range falls by 20 %": lambda one, day: replace(
        one, log_range_D=_from(one.log_range_D, day, np.log(0.8))
    ),
    "time falls by 25 %": lambda one, day: replace(
        one, log_seconds_D=_from(one.log_seconds_D, day, np.log(0.75))
    ),
    "SPARC falls by 0.5": lambda one, day: replace(one, sparc_D=_from(one.sparc_D, day, -0.5)),
    "trunk moves half as far again": lambda one, day: replace(
        one, log_trunk_D=_from(one.log_trunk_D, day, np.log(1.5))
    ),
}
