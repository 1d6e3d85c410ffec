"""What trials suggest of the gain by therapy, before any patient of ours was seen.

A gain G, in logits of the scale's share, is made by therapy and forgotten without it
(`inference.twin.mechanism`): dG/dt = -forgetting G + gain rate s(hours a week) (largest gain - G).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from contracts.declarations import read_declaration
from contracts.priors import GROUPS
from contracts.task_parts.parts import Number, Strict, Words

Positive = Annotated[Number, Field(gt=0)]
Part = Annotated[Number, Field(gt=0, le=1)]
Chance = Annotated[Number, Field(ge=0, lt=1)]


class Spread(Strict):
    """A positive number that is not known exactly: log-normal.

    Parameters
    ----------
    median, log_spread
        Its median, and the SD of its natural logarithm.
    source
        Where they are from.
    """

    median: Positive
    log_spread: Positive
    source: Words

    def at(self, normal: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return it at values of a standard normal variable, of any shape."""
        return np.asarray(self.median * np.exp(self.log_spread * normal))


class GroupGain(Strict):
    """The largest gain of a group of recovery (`contracts.priors.RecoveryPrior.groups`, in order).

    Parameters
    ----------
    name
        As clinicians would call it.
    largest
        Its median, in logits of the scale's share.
    """

    name: Words
    largest: Positive


class DoseResponse(Strict):
    """How therapy acts on one kind of outcome.

    Parameters
    ----------
    name, outcome, source
        Short name, the kind of outcome in words, and where the numbers are from.
    instruments
        Codes of the scores that it holds for; of any other nothing is answered.
    gain_days
        Time constant of the gain under as much therapy as can be given, days. Trials tell only its
        quotient with the largest gain, the first slope, so the two are reported as one.
    half_dose_hours
        Hours a week with 63 % of the largest effect.
    half_life_days
        Time in which half of a gain is forgotten without therapy.
    largest_log_spread
        SD of the log of the largest gain, within a group.
    early_part, early_until_day, late_from_day
        Part of the gain that is left so soon after the onset, when people recover anyway; until
        which day it counts, and from which day the whole does. Between them it rises with the
        logarithm of time.
    nothing_early, nothing_late
        Chance that more therapy changes nothing at all, at the same days.
    groups
        `GROUPS` of them.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9-]+$")]
    outcome: Words
    source: Words
    instruments: Annotated[tuple[Words, ...], Field(min_length=1)]
    gain_days: Spread
    half_dose_hours: Spread
    half_life_days: Spread
    largest_log_spread: Positive
    early_part: Part
    early_until_day: Positive
    late_from_day: Positive
    nothing_early: Chance
    nothing_late: Chance
    groups: Annotated[tuple[GroupGain, ...], Field(min_length=GROUPS, max_length=GROUPS)]

    @model_validator(mode="after")
    def _is_in_order(self) -> Self:
        if self.late_from_day <= self.early_until_day:
            raise ValueError(
                f"late_from_day, {self.late_from_day:g}, is not after early_until_day,"
                f" {self.early_until_day:g}: write a later day"
            )
        return self

    def part_at(self, days_since_onset: float) -> float:
        """Return which part of the gain is left so long after the onset."""
        return self._between(days_since_onset, self.early_part, 1.0)

    def nothing_at(self, days_since_onset: float) -> float:
        """Return the chance that more therapy changes nothing so long after the onset."""
        return self._between(days_since_onset, self.nothing_early, self.nothing_late)

    def _between(self, days_since_onset: float, early: float, late: float) -> float:
        days = np.log([self.early_until_day, self.late_from_day])
        return float(np.interp(np.log(max(days_since_onset, 1.0)), days, [early, late]))


ADVICE = "correct the file; contracts/doses/responses/stroke-upper-limb.toml is a complete one"


def read_dose_response(path: Path) -> DoseResponse:
    """Read a file of a dose response.

    Raises
    ------
    ContractError
        It can't be read or breaks the contract: each key, what was found and what to write.
    """
    return read_declaration(path, DoseResponse, "a dose response", ADVICE)


@cache
def shipped_dose_responses() -> tuple[DoseResponse, ...]:
    """Return every dose response that rehabcast ships."""
    files = sorted((Path(__file__).parent / "responses").glob("*.toml"))
    return tuple(read_dose_response(path) for path in files)


def shipped_dose_response(instrument: str) -> DoseResponse | None:
    """Return the dose response of an instrument; None where nobody published one."""
    found = (each for each in shipped_dose_responses() if instrument in each.instruments)
    return next(found, None)
