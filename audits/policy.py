"""The audit's rules: read from TOML, and applied to one estimate with its interval."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from audits.intervals import Interval
from audits.measures import Metric
from contracts.digests import record_digest
from contracts.errors import ContractError
from contracts.verdict import GRAVITY, Finding, Outcome

PACKAGED = Path(__file__).with_name("policy.toml")


class Scope(StrEnum):
    """Which groups a rule is applied to."""

    OVERALL = "overall"
    """Everyone at once."""
    AXES = "axes"
    """Each group of each sensitive attribute."""
    PAIRS = "pairs"
    """Each intersection of the groups of two attributes."""


class Statistic(StrEnum):
    """Which number of a group is compared with the limit."""

    VALUE = "value"
    """The metric in the group."""
    DIFFERENCE = "difference from the rest"
    """The metric in the group minus the metric in everyone else."""
    AGAINST = "against comparator"
    """The candidate's metric minus the comparator's, on the same forecasts."""


class Direction(StrEnum):
    """On which side of the limit a number is acceptable."""

    AT_MOST = "at most"
    AT_LEAST = "at least"
    WITHIN = "within"
    """From minus the limit to the limit."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Rule(_Strict):
    """One requirement.

    Parameters
    ----------
    name, rationale
        What it is called, and why its limit is what it is; both are shown to readers.
    scope, metric, statistic, comparator
        What is computed, for whom; a comparator is a `model` of the prediction table.
    direction, limit
        What is acceptable, in score points, or as a share for coverage and rates. There is no
        default direction: a threshold without one is a mistake.
    minimum_subjects, minimum_events
        Fewer people in the group, or with the milestone reached, are insufficient evidence.
    binding
        Whether the rule can hold back a pass.
    """

    name: Annotated[str, Field(min_length=1)]
    scope: Scope
    metric: Metric
    statistic: Statistic
    comparator: str | None = None
    direction: Direction
    limit: float
    minimum_subjects: Annotated[int, Field(ge=2)]
    minimum_events: Annotated[int, Field(ge=1)] | None = None
    binding: bool
    rationale: Annotated[str, Field(min_length=20)]

    @model_validator(mode="after")
    def _consistent(self) -> Rule:
        if (self.comparator is not None) != (self.statistic is Statistic.AGAINST):
            raise ValueError(f"{self.name!r}: a comparator belongs to {Statistic.AGAINST!r} only")
        if self.statistic is Statistic.AGAINST and self.scope is not Scope.OVERALL:
            raise ValueError(f"{self.name!r}: comparators are compared with overall only")
        if self.statistic is Statistic.DIFFERENCE and self.scope is Scope.OVERALL:
            raise ValueError(f"{self.name!r}: everyone at once leaves no rest to differ from")
        if (self.minimum_events is not None) != (self.metric is Metric.MISSED):
            raise ValueError(f"{self.name!r}: minimum_events belongs to {Metric.MISSED!r} only")
        if self.direction is Direction.WITHIN and self.limit <= 0:
            raise ValueError(f"{self.name!r}: a limit to stay within must be above 0")
        return self


class Policy(_Strict):
    """Limits agreed with those who answer for the forecasts; every change is a new version.

    Parameters
    ----------
    version
        Raised with every change.
    confidence, replicates, seed
        Of the two-sided bootstrap intervals.
    valid_days
        How long a pass holds.
    rules
        The requirements.
    """

    version: Annotated[str, Field(min_length=1)]
    confidence: Annotated[float, Field(ge=0.8, lt=1)]
    replicates: Annotated[int, Field(ge=200)]
    seed: Annotated[int, Field(ge=0)]
    valid_days: Annotated[int, Field(ge=1)]
    rules: Annotated[tuple[Rule, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _can_hold_back(self) -> Policy:
        names = [rule.name for rule in self.rules]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"rule names must differ: {', '.join(repeated)}")
        if not any(rule.binding for rule in self.rules):
            raise ValueError("at least one rule must bind")
        return self

    @property
    def digest(self) -> str:
        """SHA-256 of what the policy says, whatever the layout of its file."""
        return record_digest(self.model_dump(mode="json"))


def load_policy(path: Path | None = None) -> Policy:
    """Read a policy; without a path, the one that rehabcast ships.

    Raises
    ------
    ContractError
        The file is not TOML, or a key is unknown, missing, of a wrong type or impossible.
    """
    file = PACKAGED if path is None else path
    try:
        return Policy.model_validate(tomllib.loads(file.read_text("utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, ValidationError) as error:
        raise ContractError(f"audit policy {file.name}: {error}") from error


def decide(rule: Rule, estimate: float, interval: Interval | None) -> Outcome:
    """Compare an interval with a rule's limit.

    Pass when all of the interval is acceptable, fail when none of it is, else insufficient
    evidence: it could be either. Each comparison is written so that NaN is never a pass.

    Every binding rule must pass in every group, so the chance that an unfair model gets through
    does not grow with the number of groups (Berger 1982, an intersection-union test); what grows
    is the chance that a fair one is held back.
    """
    if interval is None or not math.isfinite(estimate):
        return Outcome.INSUFFICIENT
    low, high = interval.low, interval.high
    if rule.direction is Direction.AT_MOST:
        good, bad = high <= rule.limit, low > rule.limit
    elif rule.direction is Direction.AT_LEAST:
        good, bad = low >= rule.limit, high < rule.limit
    else:
        good = -rule.limit <= low and high <= rule.limit
        bad = low > rule.limit or high < -rule.limit
    if good:
        return Outcome.PASS
    return Outcome.FAIL if bad else Outcome.INSUFFICIENT


def gravest(findings: Iterable[Finding]) -> Outcome:
    """Return the gravest binding outcome; with none, nothing was judged: insufficient evidence."""
    outcomes = [finding.outcome for finding in findings if finding.binding]
    return max(outcomes, key=GRAVITY.__getitem__, default=Outcome.INSUFFICIENT)
