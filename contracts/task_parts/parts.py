"""The parts of a task (`contracts.task`), each as a section of its file."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from contracts.vocabulary import Better

Whole = Annotated[int, Field(strict=True)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Words = Annotated[str, Field(min_length=1, pattern=r"\S")]

ToConfirm = Literal["target", "horizons", "milestones", "sensitive"]
"""Parts of a task whose figures or reasons may be recalled and not read."""

LONGEST_DAYS = 3_660
"""Ten years: a longer past, or an onset counted as recent for longer, is a slip (local)."""


class Strict(BaseModel):
    """A section without unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Target(Strict):
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
    low: Number
    high: Number
    better: Better = "higher"
    step: Annotated[Number, Field(ge=0)] = 0.0
    minimal_important_difference: Annotated[Number, Field(gt=0)]
    assumed: Number | None = None
    source: Words

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


class Horizon(Strict):
    """A time after enrolment, and the window in which an assessment counts as taken then."""

    weeks: Annotated[Whole, Field(gt=0)]
    window_days: tuple[Whole, Whole]

    @property
    def day(self) -> int:
        """Days after enrolment."""
        return 7 * self.weeks


class Milestone(Strict):
    """Something a patient hopes for: a score reached, or a gain since the forecast's origin.

    A score is reached from below (`at_least`) where higher is better, from above (`at_most`) where
    lower is; a gain is an improvement, whichever way the score then moves.
    """

    name: str
    at_least: Number | None = None
    at_most: Number | None = None
    gain_at_least: Annotated[Number | None, Field(gt=0)] = None
    source: Words

    @property
    def rule(self) -> tuple[float | None, float | None, float | None]:
        """What has to be reached, of which a sound milestone has one."""
        return self.at_least, self.at_most, self.gain_at_least


class Sensitive(Strict):
    """An attribute by which the forecast is audited, and why."""

    name: str
    code: str
    bands: tuple[Number, ...] = ()
    reason: Words


class Cluster(Strict):
    """What makes people alike beyond their groups, such as their hospital or assessor, and why."""

    name: str
    code: str
    reason: Words


class Inputs(Strict):
    """What a forecast may use."""

    past_days: Annotated[Whole, Field(gt=0, le=LONGEST_DAYS)]
    assessments: tuple[str, ...]
    daily: tuple[str, ...]
    person: tuple[str, ...]
