"""What is forecast: the typed form of a `tasks/*.toml` file.

A new condition is a new file. Time is in whole days; windows are half-open, [start, end).
"""

from __future__ import annotations

import itertools
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from contracts.onset import OnsetCodes
from contracts.vocabulary import Better


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Target(_Strict):
    """The instrument whose score is forecast.

    Parameters
    ----------
    code, low, high, better, step
        As in the vocabulary: ends of the scale, whether higher or lower scores are better, and the
        distance between neighbouring scores (0: any number can be a score).
    minimal_important_difference
        Score points that a patient notices.
    assumed
        The value used as last score where none was observed. If unset, there is no forecast
        without a past score.
    """

    code: str
    low: float
    high: float
    better: Better = "higher"
    step: Annotated[float, Field(ge=0)] = 0.0
    minimal_important_difference: Annotated[float, Field(gt=0)]
    assumed: float | None = None
    source: str

    @property
    def worst(self) -> float:
        """The end of the scale where nothing has recovered."""
        return self.low if self.better == "higher" else self.high

    @property
    def best(self) -> float:
        """The end of the scale that nobody can improve on."""
        return self.high if self.better == "higher" else self.low

    @property
    def direction(self) -> int:
        """1 where an improvement raises the score, -1 where it lowers it."""
        return 1 if self.better == "higher" else -1


class Horizon(_Strict):
    """A time after enrolment, and the window in which an assessment counts as taken then."""

    weeks: Annotated[int, Field(gt=0)]
    window_days: tuple[int, int]

    @property
    def day(self) -> int:
        """Days after enrolment."""
        return 7 * self.weeks


class Milestone(_Strict):
    """Something a patient hopes for: a score reached, or a gain since the forecast's origin.

    A score is reached from below (`at_least`) where higher is better, from above (`at_most`) where
    lower is; a gain is an improvement, whichever way the score then moves.
    """

    name: str
    at_least: float | None = None
    at_most: float | None = None
    gain_at_least: Annotated[float | None, Field(gt=0)] = None
    source: str

    @model_validator(mode="after")
    def _one_rule(self) -> Milestone:
        if sum(x is not None for x in (self.at_least, self.at_most, self.gain_at_least)) != 1:
            raise ValueError(
                f"milestone {self.name!r}: give one of at_least, at_most, gain_at_least"
            )
        return self


class Sensitive(_Strict):
    """An attribute by which the forecast is audited, and why."""

    name: str
    code: str
    bands: tuple[float, ...] = ()
    reason: str

    @model_validator(mode="after")
    def _bands_rise(self) -> Sensitive:
        if any(end <= start for start, end in itertools.pairwise(self.bands)):
            raise ValueError(f"sensitive attribute {self.name!r}: bands must be in rising order")
        return self


class Inputs(_Strict):
    """What a forecast may use."""

    past_days: Annotated[int, Field(gt=0)]
    assessments: tuple[str, ...]
    daily: tuple[str, ...]
    person: tuple[str, ...]


class Task(_Strict):
    """One forecasting task.

    Parameters
    ----------
    name, condition
        Short name for files and registries; the condition in words.
    target, horizons, milestones
        What is forecast.
    origins_days
        Days after enrolment at which forecasts are made in training and audit (landmarks).
    forecasts_until_day
        Forecasts are given on any day from the first landmark to this one; if unset, to the last
        landmark. On a later day the forecast is made as of this one.
    primary_horizon_weeks
        The horizon that is explained unless another is asked for, and reported first.
    early_days
        Origins closer to onset than this are also reported separately.
    inputs
        What a forecast may use.
    sensitive
        Attributes of the audit.
    onset
        The diagnoses whose onset counts. If unset, no diagnosis gives an onset.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9-]+$")]
    condition: str
    target: Target
    horizons: Annotated[tuple[Horizon, ...], Field(min_length=1)]
    origins_days: Annotated[tuple[int, ...], Field(min_length=1)]
    forecasts_until_day: int | None = None
    primary_horizon_weeks: int
    early_days: int
    milestones: tuple[Milestone, ...]
    inputs: Inputs
    sensitive: tuple[Sensitive, ...]
    onset: OnsetCodes | None = None

    @property
    def last_origin_day(self) -> int:
        """The last day after enrolment on which a forecast is made."""
        until = self.forecasts_until_day
        return max(self.origins_days) if until is None else until

    @model_validator(mode="after")
    def _consistent(self) -> Task:
        if self.last_origin_day < max(self.origins_days):
            raise ValueError("forecasts_until_day lies before the last of origins_days")
        weeks = [horizon.weeks for horizon in self.horizons]
        if weeks != sorted(set(weeks)):
            raise ValueError("horizons must be in ascending order without repetitions")
        if self.primary_horizon_weeks not in weeks:
            raise ValueError(
                f"primary_horizon_weeks {self.primary_horizon_weeks} is not one of the horizons"
            )
        if self.target.code not in self.inputs.assessments:
            raise ValueError("the target must be among inputs.assessments: it is the baseline")
        wrong = "at_most" if self.target.better == "higher" else "at_least"
        for milestone in self.milestones:
            if getattr(milestone, wrong) is not None:
                raise ValueError(
                    f"milestone {milestone.name!r} has {wrong}, but a {self.target.better} score"
                    f" of {self.target.code} is better"
                )
        windows = [horizon.window_days for horizon in self.horizons]
        for (_, end), (start, _) in itertools.pairwise(windows):
            if start < end:
                raise ValueError(f"horizon windows overlap at day {start}")
        return self
