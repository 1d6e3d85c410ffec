"""What is forecast: the typed form of a `tasks/*.toml` file.

A new condition is a new file. Time is in whole days; windows are half-open, [start, end).

A task that makes no sense cannot exist: what contradicts itself would not fail later but leave a
group, a horizon or a milestone out of the audit. `contracts.task_parts.slips` finds it from the
task alone, `training.task` what needs the vocabulary.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import (
    BeforeValidator,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from contracts.onset import OnsetCodes
from contracts.priors import RecoveryPrior, shipped_prior, shipped_priors
from contracts.task_parts.parts import (
    LONGEST_DAYS,
    Cluster,
    Horizon,
    Inputs,
    Milestone,
    Sensitive,
    Strict,
    Target,
    ToConfirm,
    Whole,
    Words,
)
from contracts.task_parts.slips import SlipsFound, slips

__all__ = ["Cluster", "Horizon", "Inputs", "Milestone", "Sensitive", "Target", "Task"]


def _named(prior: Any) -> Any:
    """Return the shipped prior of a name; a prior that a task has itself, as it is."""
    if not isinstance(prior, str):
        return prior
    if prior not in shipped_priors():
        raise ValueError(
            f"no prior {prior!r} is shipped: name one of {', '.join(shipped_priors())}, or a file"
            " of your own beside the task file (NAME.toml), or leave it out to start flat"
        )
    return shipped_prior(prior)


class Task(Strict):
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
        landmark. On a later day there is none.
    primary_horizon_weeks
        The horizon that is explained unless another is asked for, and reported first.
    early_days
        Origins closer to onset than this are also reported separately.
    inputs
        What a forecast may use.
    sensitive
        Attributes of the audit.
    clusters
        What people are clustered by: the audit then takes people of one cluster to be alike. Empty
        where they are taken to be independent.
    onset
        The diagnoses whose onset counts. If unset, no diagnosis gives an onset.
    horizons_source
        Where the horizons are from.
    confirm
        What of the task nobody read at a source, for a hospital's clinicians to confirm.
    prior
        The recovery population that the hybrid starts from, by the name of a shipped one or whole.
        If unset, it starts from all courses alike (`contracts.priors.FLAT`).
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9-]+$")]
    condition: Words
    target: Target
    horizons: Annotated[tuple[Horizon, ...], Field(min_length=1)]
    origins_days: Annotated[tuple[Annotated[Whole, Field(ge=0)], ...], Field(min_length=1)]
    forecasts_until_day: Whole | None = None
    primary_horizon_weeks: Whole
    early_days: Annotated[Whole, Field(ge=0, le=LONGEST_DAYS)]
    milestones: tuple[Milestone, ...]
    inputs: Inputs
    sensitive: tuple[Sensitive, ...]
    clusters: tuple[Cluster, ...] = ()
    onset: OnsetCodes | None = None
    horizons_source: Words | None = None
    confirm: tuple[ToConfirm, ...] = ()
    prior: Annotated[RecoveryPrior | None, BeforeValidator(_named)] = None

    @property
    def last_origin_day(self) -> int:
        """The last day after enrolment on which a forecast is made."""
        until = self.forecasts_until_day
        return max(self.origins_days) if until is None else until

    @model_serializer(mode="wrap")
    def _without_what_is_not_declared(
        self, serialize: SerializerFunctionWrapHandler
    ) -> dict[str, Any]:
        """Write a task as before there was what it does not declare: its digest stays."""
        record: dict[str, Any] = serialize(self)
        for name in ("clusters", "prior", "horizons_source", "confirm"):
            if not getattr(self, name):
                record.pop(name, None)
        return record

    @model_validator(mode="after")
    def _makes_sense(self) -> Task:
        if found := slips(self):
            raise SlipsFound(found)
        return self
