"""The monitoring plan: what is done with outcomes as they come, agreed on before any has come."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from audits.sequential.betting import Starts
from contracts.declarations import read_declaration
from contracts.digests import record_digest

PACKAGED = Path(__file__).with_name("plan.toml")


class EarlyWarning(BaseModel):
    """What is asked of horizons before the primary one; it warns, and can do nothing else.

    Parameters
    ----------
    limit_share
        How far from what is promised a number may be there, as a part of what the policy's rule
        lets it be: errors that grow until the primary horizon have not grown whole by then.
    alpha
        Chance, over all weeks and all early tests together, of a warning although each number
        keeps its early limit. Beside the other budgets.
    rationale
        Why.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    limit_share: Annotated[float, Field(gt=0, le=1)]
    alpha: Annotated[float, Field(gt=0, le=0.5)]
    rationale: Annotated[str, Field(min_length=20)]


class MonitoringPlan(BaseModel):
    """How a version in service is followed. Its rules and limits are those of the audit's policy.

    Parameters
    ----------
    version
        Raised with every change of what can restrict or suspend.
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
    early
        What is asked of earlier horizons; if unset, nothing.
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
    early: EarlyWarning | None = None

    @model_serializer(mode="wrap")
    def _without_what_is_not_declared(
        self, serialize: SerializerFunctionWrapHandler
    ) -> dict[str, Any]:
        """Write a plan that asks nothing early as before there was that: its digest stays."""
        record: dict[str, Any] = serialize(self)
        if self.early is None:
            record.pop("early", None)
        return record

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
    def terms(self) -> str:
        """Digest of everything but the early warning, by which whatever else is counted goes.

        An account goes on where a plan begins or ceases to ask something early.
        """
        return self.model_copy(update={"early": None}).digest

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
