"""The declared rates of false alarms, and the limits that keep to them.

`limits.toml` is written by `python benchmarks/monitoring.py --write` from a SIMULATED cohort in
which nothing was planted; other simulated people measure what the limits keep to
(docs/monitoring.md).
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

Alarming = Literal["fall", "rise", "either"]
SIGNS: dict[Alarming, int] = {"fall": -1, "rise": 1, "either": 0}

FALSE_ALARMS_A_MONTH = 0.012
"""Declared for each daily code: with twelve of them, under half an alarm a patient and quarter."""

SILENCES_A_MONTH = 0.02
"""Declared for silence."""

FALSE_ALARMS_A_SCORE = 0.025
"""Declared for a fall of the score: of 40 scores of people who did not worsen, one tells a fall."""

PLACES = {
    "LOINC//41950-7": ("fall", True),
    "REHABCAST//ARM_USE_RATIO": ("fall", True),
    "REHABCAST//CADENCE": ("fall", False),
    "REHABCAST//GAIT_SPEED": ("fall", True),
    "REHABCAST//UPRIGHT_SHARE": ("fall", True),
    "REHABCAST//SHOULDER_ELEVATION": ("fall", True),
    "REHABCAST//CO_CONTRACTION": ("rise", True),
    "LOINC//40443-4": ("either", False),
    "REHABCAST//RMSSD": ("fall", True),
    "REHABCAST//SLEEP": ("either", False),
    "REHABCAST//WEAR_TIME": ("fall", False),
    "REHABCAST//THERAPY": ("fall", False),
}
"""Which change of a code matters, and whether its days differ alike on a logarithmic scale."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """When a change of a daily code is told.

    Parameters
    ----------
    alarming
        Which direction matters.
    log
        Whether days differ alike on a logarithmic scale.
    size
        Limit of the statistic, standard errors.
    usual_scale
        Standard deviation of days of other people, on that scale; not a number where not known.
    """

    alarming: Alarming
    log: bool
    size: float
    usual_scale: float


@cache
def limits() -> dict[str, Limit]:
    """Return the limits by code."""
    read = tomllib.loads(Path(__file__).with_name("limits.toml").read_text("utf-8"))
    return {
        row["code"]: Limit(
            alarming=PLACES[row["code"]][0],  # type: ignore[arg-type]
            log=PLACES[row["code"]][1],
            size=row["size"],
            usual_scale=row["usual_scale"],
        )
        for row in read["limit"]
    }


@cache
def silent_days() -> int:
    """Return after how many days without data silence is told."""
    read = tomllib.loads(Path(__file__).with_name("limits.toml").read_text("utf-8"))
    return int(read["silent_days"])


def limit_of(code: str) -> Limit:
    """Return the limit of a code; of one that was not simulated, the strictest of all."""
    known = limits()
    if code in known:
        return known[code]
    strictest = max(limit.size for limit in known.values())
    return Limit(alarming="either", log=False, size=strictest, usual_scale=float("nan"))
