"""The monitoring plan: what is done with outcomes as they come, agreed on before any has come."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from audits.sequential.betting import Starts
from contracts.declarations import read_declaration
from contracts.digests import record_digest

PACKAGED = Path(__file__).with_name("plan.toml")


class MonitoringPlan(BaseModel):
    """How a version in service is followed. Its rules and limits are those of the audit's policy.

    Parameters
    ----------
    version
        Raised with every change.
    alpha
        Chance, over all weeks and all tests of a version together, that one is restricted or
        suspended although it keeps every rule.
    warn_alpha
        The same, for a warning.
    range
        Differences in score points count up to this many important differences beyond the limit.
    grace_days
        How long an outcome may take to come on record after its window is over.
    restart_weeks, restarts, first_weight
        A part of the bets starts anew so often, and so many times; what the first bets with.
    minimum_share
        A version that may serve less than this share of its people is suspended, not restricted.
    rationale
        Why.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    version: Annotated[str, Field(min_length=1)]
    alpha: Annotated[float, Field(gt=0, le=0.2)]
    warn_alpha: Annotated[float, Field(gt=0, le=0.5)]
    range: Annotated[float, Field(gt=0)]
    grace_days: Annotated[int, Field(ge=0, le=366)]
    restart_weeks: Annotated[int, Field(ge=1)]
    restarts: Annotated[int, Field(ge=0)]
    first_weight: Annotated[float, Field(gt=0, le=1)]
    minimum_share: Annotated[float, Field(gt=0, le=1)]
    rationale: Annotated[str, Field(min_length=20)]

    @model_validator(mode="after")
    def _warns_first(self) -> MonitoringPlan:
        if self.warn_alpha <= self.alpha:
            raise ValueError("warn_alpha must be above alpha: a warning comes before an act")
        return self

    @property
    def digest(self) -> str:
        """SHA-256 of the plan's content, whatever the layout of its file."""
        return record_digest(self.model_dump(mode="json"))

    @property
    def starts(self) -> Starts:
        """When bets start."""
        return Starts(
            every_weeks=self.restart_weeks, count=self.restarts, first_weight=self.first_weight
        )


def load_plan(path: Path | None = None) -> MonitoringPlan:
    """Read a plan; without a path, the one that rehabcast ships.

    Raises
    ------
    ContractError
        The file is not TOML, or a key is unknown, missing, of a wrong type or impossible.
    """
    file, advice = PACKAGED if path is None else path, "correct the file (docs/evidence.md)"
    return read_declaration(
        file, MonitoringPlan, "a monitoring plan", advice, kind="monitoring-plan"
    )
