"""What another plan of therapy would change, as answers carry it."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from inference.twin.compare import Direction

ASSOCIATIONAL = "associational unless randomised"
PRIOR = "the effect of dose is from a prior of trials, not learned from these people"
PACE = "the pace under a dose (by_pace) was fitted to these people, whose doses nobody randomised"
STANDING = (ASSOCIATIONAL, PRIOR, PACE)
"""What every answer says of itself, as a field and in its words."""

MAX_PLANS = 8
MAX_PARTS = 12
LONGEST_NAME = 60

PlanName = Annotated[str, Meta(min_length=1, max_length=LONGEST_NAME)]
Kind = Annotated[str, Meta(max_length=40)]
Rating = Annotated[float, Meta(ge=0, le=10)]


class Strict(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of these types."""


class PlanPart(Strict, frozen=True, kw_only=True):
    """Some days of the same therapy: hours a week by kind, `therapy` for all of it.

    The last part of a plan has no days and goes on. A pause has 0 hours.
    """

    hours_a_week: Annotated[dict[Kind, float], Meta(min_length=1, max_length=16)]
    days: int | None = None


class PlanAsked(Strict, frozen=True, kw_only=True):
    """A plan of therapy, from the day of the forecast on."""

    name: PlanName
    parts: Annotated[list[PlanPart], Meta(min_length=1, max_length=MAX_PARTS)]


class PlanSearch(Strict, frozen=True, kw_only=True):
    """Limits within which plans are looked for: so many hours for some weeks, then others."""

    most_hours_a_week: Annotated[float, Meta(gt=0, le=60)]
    then_hours_a_week: Annotated[float, Meta(ge=0, le=60)]
    most_weeks: Annotated[int, Meta(ge=1, le=52)] = 12


class LastWeeks(Strict, frozen=True, kw_only=True):
    """How the last two weeks of therapy went; what is not known is left out."""

    adherence: (
        Annotated[
            list[Annotated[float, Meta(ge=0, le=1)]],
            Meta(max_length=2, description="Of each of the two weeks, done of what was planned."),
        ]
        | None
    ) = None
    borg: (
        Annotated[
            list[Annotated[float, Meta(ge=6, le=20)]],
            Meta(max_length=50, description="Rating of exertion of each session, 6 to 20."),
        ]
        | None
    ) = None
    pain_worst: Rating | None = None
    pain_rise: Rating | None = None
    pain_next_morning: bool | None = None
    fatigue_worst: Rating | None = None
    danger_signs: (
        Annotated[list[Literal["new neurological signs", "fall", "chest pain"]], Meta(max_length=3)]
        | None
    ) = None


class PlansFile(Strict, frozen=True, kw_only=True):
    """What a file for `rehabcast whatif` holds."""

    plans: Annotated[list[PlanAsked], Meta(max_length=MAX_PLANS)] = field(default_factory=list)
    search: PlanSearch | None = None
    last_weeks: LastWeeks | None = None


class LevelDifference(Strict, frozen=True, kw_only=True):
    """How much better the level is, points of improvement: never a number without its range."""

    mean: float
    low_80: float
    high_80: float
    low_90: float
    high_90: float
    direction: Direction
    """Which may be claimed: with at most 1 in 100 that it is none, or the other."""
    chance_better: float
    chance_worse: float
    """At all; the rest is that therapy changes nothing."""
    chance_important: float
    """That it is better by the minimal important difference or more."""
    chance_importantly_worse: float


class PlanHorizon(Strict, frozen=True, kw_only=True):
    """The forecast under a plan at one horizon, and its difference to therapy as now."""

    weeks: int
    median: float
    low_80: float
    high_80: float
    quantiles: dict[str, float]
    milestones: dict[str, float]
    difference: LevelDifference


class TimeToMilestone(Strict, frozen=True, kw_only=True):
    """Days until the level reaches a milestone, to the week; none of one that is reached today."""

    milestone: str
    share: float
    """Chance that it does before the last horizon."""
    low_80: float | None
    median: float | None
    high_80: float | None
    """Null where fewer of such people reach it by then."""


class PlanAnswer(Strict, frozen=True, kw_only=True):
    """What is said of one plan; without horizons where too few people alike had its doses."""

    name: str
    supported: bool
    why_not: str = ""
    minutes_a_week: float
    """Mean up to the last horizon."""
    horizons: list[PlanHorizon] = field(default_factory=list)
    times: list[TimeToMilestone] = field(default_factory=list)


class PlanComparison(Strict, frozen=True, kw_only=True):
    """One plan against another at one horizon."""

    plan: str
    other: str
    weeks: int
    difference: LevelDifference
    by_pace: float
    """Points of the mean that are a changed pace alone: the part that the network learned."""
    e_value: float
    """How strongly somebody unmeasured would have to be associated with plan and score to explain
    the difference away, if it had been seen in people (VanderWeele and Ding 2017)."""
    e_value_limit: float
    """The same of the nearer limit of the 98 % interval; 1 where that holds no difference."""
    hidden: list[HiddenShift] = field(default_factory=list)


class HiddenShift(Strict, frozen=True, kw_only=True):
    """How far a confounder of this strength may move a difference, in points either way."""

    strength: float
    points: float


class DoseSeen(Strict, frozen=True, kw_only=True):
    """Hours a week that enough people like this one had: what may be asked about."""

    kind: str
    low_hours: float
    high_hours: float | None
    people: int
    share: float
    over_days: int | None = None
    """Days that followed, over which it is their mean; null of the last two weeks."""


class FoundPlan(Strict, frozen=True, kw_only=True):
    """A plan than which no other that was looked at gains as much for fewer minutes."""

    hours_a_week: float
    weeks: int
    then_hours_a_week: float
    minutes_a_week: float
    difference: LevelDifference


class PriorSlope(Strict, frozen=True, kw_only=True):
    """What the prior says of 10 hours of therapy, in points at this patient's level."""

    median: float
    low_80: float
    high_80: float
    source: str


class NextWeek(Strict, frozen=True, kw_only=True):
    """What declared rules say of next week's dose, or why they say nothing."""

    status: Literal["advice", "no advice"]
    reason: str = ""
    what_to_do: str = ""
    action: Literal["progress", "hold", "regress", "stop and call", ""] = ""
    hours_a_week_now: float | None = None
    hours_a_week: float | None = None
    """Null where therapy is to stop until somebody has looked."""
    rule: str = ""
    standing: Literal["trial", "convention", ""] = ""
    """Whether a trial used the limit that decided."""
    source: str = ""
    because: dict[str, float] = field(default_factory=dict)
    held_by_support: bool = False
    """More was allowed by the rules, but too few people alike had such a dose."""
    in_words: list[str] = field(default_factory=list)


class WhatIf(Strict, frozen=True, kw_only=True):
    """What other plans would change, or why nothing is said and what to do."""

    status: Literal["answer", "no answer"]
    reason: str = ""
    what_to_do: str = ""
    standing: list[str] = field(default_factory=lambda: list(STANDING))
    """Of what kind every number here is: to be shown with it."""
    weeks: int | None = None
    """Horizon of the comparisons and of the plans that were found."""
    hours_a_week_now: float | None = None
    important_difference: float | None = None
    plans: list[PlanAnswer] = field(default_factory=list)
    """The first is that therapy goes on as now."""
    comparisons: list[PlanComparison] = field(default_factory=list)
    found: list[FoundPlan] = field(default_factory=list)
    """Where plans were looked for: by rising minutes, none of them the best for everybody."""
    doses_seen: list[DoseSeen] = field(default_factory=list)
    prior: PriorSlope | None = None
    next_week: NextWeek | None = None
    in_words: list[str] = field(default_factory=list)
