"""The declared rates of false alarms, and the limits that keep to them.

`limits.toml` is written by `python benchmarks/monitoring.py --write` from a SIMULATED cohort in
which nothing was planted, `exercise_limits.toml` by `python benchmarks/exercise_alerts.py --write`;
other simulated people measure what the limits keep to (docs/monitoring.md,
docs/exercise-programme.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

from contracts.exercise import codes
from contracts.naming.parsing import parsed_toml
from contracts.therapy import THERAPY
from serving.monitoring.series import CARE

Alarming = Literal["fall", "rise", "either"]
SIGNS: dict[Alarming, int] = {"fall": -1, "rise": 1, "either": 0}

STEPS, ARM_USE, HEART, SLEEP = 0.045, 0.085, 0.01, 0.075
"""False alarms declared a patient and month, for the daily codes that a ward asks for first. Each
buys the same share of changes told within a week as nearly as they can: most is given where
changes are the hardest to tell from days (docs/monitoring.md)."""

EXERCISE = 0.01
"""Declared for range, time and smoothness of exercise at home, and for the share done as shown."""

OTHERS, PEOPLE = 0.003, 0.006
"""Declared for each other code, and for wear and therapy, which depend on people. With scores and
silence all add up to less than one alarm a patient and quarter."""

WEARERS, EXERCISERS = "limits.toml", "exercise_limits.toml"

SILENCES_A_MONTH = 0.02
"""Declared for silence."""

FALSE_ALARMS_A_SCORE = 0.05
"""Declared for a fall of the score: of 20 scores of people who did not worsen, one tells a fall."""


@dataclass(frozen=True, slots=True)
class Place:
    """Which change of a code matters, how its days differ, and its declared rate.

    Parameters
    ----------
    alarming
        Which direction matters.
    log
        Whether days differ alike on a logarithmic scale.
    false_alarms
        Declared: per patient and month.
    """

    alarming: Alarming
    log: bool
    false_alarms: float


PLACES: Mapping[str, Place] = {
    "LOINC//41950-7": Place("fall", True, STEPS),
    "REHABCAST//ARM_USE_RATIO": Place("fall", True, ARM_USE),
    "LOINC//40443-4": Place("either", False, HEART),
    "REHABCAST//SLEEP": Place("either", False, SLEEP),
    "REHABCAST//CADENCE": Place("fall", False, OTHERS),
    "REHABCAST//GAIT_SPEED": Place("fall", True, OTHERS),
    "REHABCAST//UPRIGHT_SHARE": Place("fall", True, OTHERS),
    "REHABCAST//SHOULDER_ELEVATION": Place("fall", True, OTHERS),
    "REHABCAST//CO_CONTRACTION": Place("rise", True, OTHERS),
    "REHABCAST//RMSSD": Place("fall", True, OTHERS),
    "REHABCAST//WEAR_TIME": Place("fall", False, PEOPLE),
    "REHABCAST//THERAPY": Place("fall", False, PEOPLE),
}
OF_EXERCISE: Mapping[str, Place] = {
    codes.QUALITY: Place("fall", False, EXERCISE),
    codes.RANGE: Place("fall", True, EXERCISE),
    codes.PACE: Place("either", True, EXERCISE),
    codes.SMOOTHNESS: Place("fall", False, EXERCISE),
    codes.IRREGULARITY: Place("rise", True, OTHERS),
    codes.FATIGUE: Place("rise", False, OTHERS),
    codes.RANGE_ASYMMETRY: Place("rise", False, OTHERS),
    codes.TIME_ASYMMETRY: Place("rise", False, OTHERS),
    codes.TRUNK: Place("rise", True, OTHERS),
}
"""How well exercise at home is done. It is measured while it is done, however long a device is worn
on that day."""

PLANNED = Place("fall", False, PEOPLE)
"""Of the share of the planned therapy, which is not simulated."""

UNKNOWN = Place("either", False, OTHERS)
"""Of a code that was not simulated: nobody knows yet which way is worse."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """When a change of a daily code is told.

    Parameters
    ----------
    place
        Which change is told, and how often falsely.
    size
        Limit of the statistic, standard errors.
    usual_scale
        Standard deviation of days of other people, on their scale; not a number where not known.
    carried
        Correlation of a day with the next one: a bad day is seldom alone.
    drift
        How much people's slopes differ, in standard deviations of days a day.
    """

    place: Place
    size: float
    usual_scale: float
    carried: float
    drift: float


@cache
def limits() -> dict[str, Limit]:
    """Return the limits by code."""
    places = {**PLACES, **OF_EXERCISE}
    return {
        row["code"]: Limit(
            place=places[row["code"]],
            size=row["size"],
            usual_scale=row["usual_scale"],
            carried=row["carried"],
            drift=row["drift"],
        )
        for name in (WEARERS, EXERCISERS)
        for row in _file(name)["limit"]
    }


@cache
def silent_days() -> int:
    """Return after how many days without data silence is told."""
    return int(_file(WEARERS)["silent_days"])


def limit_of(code: str) -> Limit:
    """Return the limit of a code; of one that was not simulated, the strictest of all."""
    known = limits()
    if code in known:
        return known[code]
    strictest = max(limit.size for limit in known.values())
    if code in CARE:
        like = known[THERAPY]
        return replace(like, place=PLANNED, size=strictest, usual_scale=float("nan"))
    return Limit(
        place=UNKNOWN,
        size=strictest,
        usual_scale=float("nan"),
        carried=max(limit.carried for limit in known.values()),
        drift=max(limit.drift for limit in known.values()),
    )


def _file(name: str) -> dict[str, Any]:
    return parsed_toml(Path(__file__).with_name(name).read_text("utf-8"))
