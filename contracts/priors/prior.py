"""The recovery population of a condition: groups of curves, as somebody published them."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from contracts.declarations import read_declaration
from contracts.task_parts.parts import Number, Strict, Words

GROUPS = 5
"""Groups of a population: the networks have as many, and tell their dose effects apart."""

SHARES_OFF_BY = 0.001
"""Published shares are rounded: their sum may miss 1 by this."""

HYBRID = "hybrid"
"""The family whose networks have a population of curves."""

BEFORE_PRIORS = "stroke-upper-limb"

Share = Annotated[Number, Field(gt=0, lt=1)]
Positive = Annotated[Number, Field(gt=0)]


class RecoveryGroup(Strict):
    """One group of a population.

    Parameters
    ----------
    name
        As clinicians would call it.
    share
        Share of the patients.
    rate
        Share of what is missing to the best score that is regained.
    time_weeks
        Time constant of the recovery.
    start_mean, start_spread
        Mean and SD of the logit of the initial score on the share of the scale.
    """

    name: Words
    share: Share
    rate: Share
    time_weeks: Positive
    start_mean: Number
    start_spread: Positive


class RecoveryPrior(Strict):
    """What is known of a condition's recovery before any patient was seen.

    A level runs from its start toward a capacity, start + rate (1 - start)(1 - exp(-t / time)), on
    the share of the scale from worst to best.

    Parameters
    ----------
    name, condition, source
        Short name, the condition in words, and where the numbers are from.
    scale_points, noise_points
        Length of the scale that it was published for, and SD of one score around its course there.
    rate_spread, time_spread, spread_source
        SD, within a group, of the rate's logit and of the time constant's log, and where they are
        from.
    groups
        `GROUPS` of them, whose shares sum to 1.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9-]+$")]
    condition: Words
    source: Words
    scale_points: Positive
    noise_points: Positive
    rate_spread: Positive
    time_spread: Positive
    spread_source: Words
    groups: Annotated[tuple[RecoveryGroup, ...], Field(min_length=GROUPS, max_length=GROUPS)]

    @property
    def noise_share(self) -> float:
        """SD of one score around its course, on the share of the scale."""
        return self.noise_points / self.scale_points

    @property
    def times_days(self) -> tuple[float, ...]:
        """Time constant of each group."""
        return tuple(7 * group.time_weeks for group in self.groups)

    @model_validator(mode="after")
    def _is_a_population(self) -> Self:
        total = sum(group.share for group in self.groups)
        if abs(total - 1) > SHARES_OFF_BY:
            raise ValueError(f"the shares sum to {total:g}: write shares that sum to 1")
        if self.noise_points > self.scale_points:
            raise ValueError(
                f"noise_points, {self.noise_points:g}, are more than the whole scale: write"
                f" {self.scale_points:g} or less"
            )
        return self


FLAT = RecoveryPrior(
    name="flat",
    condition="any",
    source="nobody: every start and every share regained is as likely as any other",
    scale_points=1.0,
    noise_points=0.1,
    rate_spread=0.8,
    time_spread=1.2,
    spread_source="so wide that neighbouring groups meet",
    groups=tuple(
        RecoveryGroup(
            name=f"{rate:.0%} of what is missing",
            share=0.2,
            rate=rate,
            time_weeks=8.0,
            start_mean=0.0,
            start_spread=1.7,
        )
        for rate in (0.1, 0.3, 0.5, 0.7, 0.9)
    ),
)
"""Where a hybrid starts of whose condition no population is known. A logit with an SD of 1.7 is
nearly evenly spread over the scale; the time constants are of 2 weeks to half a year. From there it
is fitted to the people trained on, before the weights are learned
(`training.models.layers.fitted_population`)."""

ADVICE = "correct the file; contracts/priors/stroke-upper-limb.toml is a complete one"


def read_prior(path: Path) -> RecoveryPrior:
    """Read a prior file.

    Raises
    ------
    ContractError
        It can't be read or breaks the contract: each key, what was found and what to write.
    """
    return read_declaration(path, RecoveryPrior, "a recovery prior", ADVICE, "prior")


@cache
def shipped_prior(name: str) -> RecoveryPrior:
    """Return a shipped prior; `shipped_priors` has the names."""
    return read_prior(Path(__file__).with_name(f"{name}.toml"))


@cache
def shipped_priors() -> tuple[str, ...]:
    """Return the names of the shipped priors."""
    return tuple(sorted(path.stem for path in Path(__file__).parent.glob("*.toml")))


def prior_of(family: str, declared: RecoveryPrior | None) -> RecoveryPrior | None:
    """Return the population that a network starts from; None where its family has none.

    Parameters
    ----------
    family
        As `training.models.architectures` and a bundle name it.
    declared
        The prior of the task.
    """
    if family != HYBRID:
        return None
    return FLAT if declared is None else declared


def started_from(
    family: str, recorded: str | None, declared: RecoveryPrior | None
) -> RecoveryPrior | None:
    """Return the population that a bundle's networks started from; None where they have none.

    Parameters
    ----------
    recorded
        Name of it in the manifest; None in bundles from before it was recorded, of which every
        hybrid started from the groups of the arm after stroke.
    """
    if family == HYBRID and recorded is None:
        return shipped_prior(BEFORE_PRIORS)
    return prior_of(family, declared)


def start_in_words(name: str, source: str) -> str:
    """Say where a network starts: what follows *it starts*."""
    if name == FLAT.name:
        return (
            "flat: the task names no recovery population (prior), so one is fitted to the people"
            " trained on, from one in which every course is as likely as any other"
        )
    return f"from the recovery population {name!r} ({source})"
