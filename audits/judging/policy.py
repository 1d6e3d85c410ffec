"""The rules of the audit, read from TOML."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from audits.judging.units import ScoreUnit, score_unit
from audits.measure.disparity import Direction, Scope, Statistic
from audits.measure.losses import LossTerms
from audits.measure.metric_definitions import Better, MetricThresholds, Unit
from audits.measure.metrics import Metric
from contracts.declarations import read_declaration
from contracts.digests import record_digest
from contracts.errors import ContractError
from contracts.predictions import CHAMPION

PACKAGED = Path(__file__).parent.with_name("policy.toml")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Rule(_Strict):
    """One requirement.

    Parameters
    ----------
    name, rationale
        What it is called, and why its limit is what it is; readers see both.
    scope, axes, each_horizon
        Which groups it applies to, of which attributes (None: of all), and whether each horizon is
        judged on its own or all together.
    metric, statistic, comparator
        What is computed; a comparator is a `model` of the prediction table.
    direction, limit
        What is acceptable, in the metric's unit. There is no default direction, because a limit
        without one is a mistake.
    confidence
        Of the two-sided interval, and one minus the level of the Benjamini-Hochberg step.
    minimum_subjects, minimum_events
        A group with fewer, or fewer with or without the milestone, is at most suspected.
    binding, must_be_shown
        Whether the rule can hold back a pass; and if the second is false, only where it is broken,
        certainly or by the estimate. Too little evidence is then told, and holds nothing back.
    excludes_unless
        For intersections: how certain (one-sided) one must be to keep the limit, for its people to
        be inside the scope; 0.5 is the best guess. None where the rule is only reported.
    """

    name: Annotated[str, Field(min_length=1)]
    scope: Scope
    axes: tuple[str, ...] | None = None
    each_horizon: bool = False
    metric: Metric
    statistic: Statistic
    comparator: str | None = None
    direction: Direction
    limit: float
    confidence: Annotated[float, Field(ge=0.8, lt=1)]
    minimum_subjects: Annotated[int, Field(ge=2)]
    minimum_events: Annotated[int, Field(ge=1)] | None = None
    binding: bool
    # Not written where it is true: so policies from before it keep their digests.
    must_be_shown: Annotated[bool, Field(exclude_if=bool)] = True
    excludes_unless: Annotated[float, Field(ge=0.5, lt=1)] | None = None
    rationale: Annotated[str, Field(min_length=20)]

    @model_validator(mode="after")
    def _consistent(self) -> Rule:
        overall = self.scope is Scope.OVERALL
        inconsistencies = {
            f"a comparator belongs to {Statistic.AGAINST_COMPARATOR!r} only": (
                self.comparator is not None
            )
            != (self.statistic is Statistic.AGAINST_COMPARATOR),
            "with everyone in one group there is no rest to differ from": overall
            and self.statistic not in {Statistic.VALUE, Statistic.AGAINST_COMPARATOR},
            "a pattern is compared with no other": self.scope is Scope.PATTERNS
            and self.statistic is not Statistic.VALUE,
            "only binding rules on patterns need not be shown": not self.must_be_shown
            and (self.scope is not Scope.PATTERNS or not self.binding),
            "axes belong to the scope of axes": self.axes is not None
            and self.scope is not Scope.AXES,
            "minimum_events belongs to metrics of milestones only": self.metric.of_milestone
            != (self.minimum_events is not None),
            "only rules on pairs exclude, and they do not bind": self.excludes_unless is not None
            and (self.scope is not Scope.PAIRS or self.binding),
            "a limit to stay within must be above 0": self.direction is Direction.WITHIN
            and self.limit <= 0,
            "a ratio needs a limit above 0, and one side of it": self.statistic.is_ratio
            and (self.limit <= 0 or self.direction is Direction.WITHIN),
        }
        share = self.metric.definition.unit is Unit.SHARE and not self.statistic.is_ratio
        inconsistencies |= {
            f"the limit is {self.limit:g}, but shares go from 0 to 1 (80 % is 0.8)": share
            and abs(self.limit) > 1,
            "no value can break it": share
            and self.statistic is Statistic.VALUE
            and self.limit == (0 if self.direction is Direction.AT_LEAST else 1),
            f"{self.metric} is better when {self.metric.definition.better}, so the limit must be"
            " on the other side": self._asks_for_worse,
        }
        if present := [reason for reason, is_present in inconsistencies.items() if is_present]:
            raise ValueError(f"{self.name!r}: {'; '.join(present)}")
        return self

    @property
    def _asks_for_worse(self) -> bool:
        """Whether the direction of the limit forbids what is good."""
        if self.statistic.of_attribute:
            # These measure a gap: smaller is better, and for a ratio larger.
            return self.direction is (
                Direction.AT_MOST if self.statistic.is_ratio else Direction.AT_LEAST
            )
        wrong = {Better.LOWER: Direction.AT_LEAST, Better.HIGHER: Direction.AT_MOST}
        return self.direction is wrong.get(self.metric.definition.better)


class RequiredAttribute(_Strict):
    """An attribute without which nobody can say whom a model serves well, and why.

    Parameters
    ----------
    minimum_recorded
        Share of the people of whom it must be recorded.
    """

    attribute: Annotated[str, Field(min_length=1)]
    minimum_recorded: Annotated[float, Field(gt=0, le=1)]
    reason: Annotated[str, Field(min_length=20)]


class ScopeTerms(_Strict):
    """When a model may pass for a part of the people.

    Parameters
    ----------
    minimum_share
        Share of the people who must be inside.
    rationale
        Why.
    """

    minimum_share: Annotated[float, Field(gt=0, le=1)]
    rationale: Annotated[str, Field(min_length=20)]


class LabelBias(_Strict):
    """By how many points a group's scores may be off for the same ability, and the source."""

    points: Annotated[float, Field(gt=0)]
    source: Annotated[str, Field(min_length=10)]


class Policy(_Strict):
    """Limits agreed with those responsible for the forecasts; every change is a new version.

    Parameters
    ----------
    version
        Raised with every change.
    instrument
        Code of the score in whose points the limits are.
    replicates, seed, valid_days
        Of the bootstrap; how long an audit is valid.
    recovery_rule
        The bedside rule that every candidate must beat: a `model` of the prediction table.
    important_difference, decision_threshold
        Score points that patients notice; the chance from which a milestone counts as forecast.
    least_error
        Score points: a smaller mean error than the instrument's own is a sign of a leak.
    label_bias
        For the sensitivity analysis.
    required, scope
        Attributes that must be recorded, one at least in a file (`load_policy`); when a model may
        pass for a part of the people.
    lost, rules
        How many outcomes may be lost (None: whoever vanishes is not missed); the requirements.
    """

    version: Annotated[str, Field(min_length=1)]
    instrument: Annotated[str, Field(min_length=1)]
    replicates: Annotated[int, Field(ge=200)]
    seed: Annotated[int, Field(ge=0)]
    valid_days: Annotated[int, Field(ge=1)]
    recovery_rule: Annotated[str, Field(min_length=1)]
    important_difference: Annotated[float, Field(gt=0)]
    decision_threshold: Annotated[float, Field(gt=0, lt=1)]
    least_error: Annotated[float, Field(ge=0)]
    label_bias: LabelBias
    required: tuple[RequiredAttribute, ...]
    scope: ScopeTerms
    lost: LossTerms | None = None
    rules: Annotated[tuple[Rule, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _can_hold_back(self) -> Policy:
        faults = []
        names = [rule.name for rule in self.rules]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            faults.append(f"rule names must differ: {', '.join(repeated)}")
        required = [each.attribute for each in self.required]
        if repeated := sorted({name for name in required if required.count(name) > 1}):
            faults.append(f"attributes are required twice: {', '.join(repeated)}")
        if not any(rule.binding for rule in self.rules):
            faults.append("at least one rule must bind")
        compared = {(rule.comparator, rule.scope) for rule in self.rules if rule.binding}
        if (self.recovery_rule, Scope.OVERALL) not in compared:
            faults.append(f"a binding rule must compare everyone with {self.recovery_rule!r}")
        if (CHAMPION, Scope.AXES) not in compared:
            faults.append(f"a binding rule must compare each group with {CHAMPION!r}")
        if faults:
            raise ValueError("; ".join(faults))
        return self

    @property
    def digest(self) -> str:
        """SHA-256 of the policy's content, whatever the layout of its file."""
        return record_digest(self.model_dump(mode="json"))

    @property
    def thresholds(self) -> MetricThresholds:
        """The thresholds that metrics use."""
        return MetricThresholds(
            important_difference=self.important_difference,
            decision_threshold=self.decision_threshold,
        )

    @property
    def score_unit(self) -> ScoreUnit:
        """Unit of the instrument's scores."""
        return score_unit(self.instrument, self.important_difference)

    def carried_over(self, instrument: str, important_difference: float) -> Policy:
        """Return the policy for another instrument, with limits of as many important differences.

        Shares, chances and ratios stay as they are. Version and rationales say what was done, so
        the digest differs.

        Parameters
        ----------
        important_difference
            Smallest change of that instrument that patients notice, in its own points.
        """
        if instrument == self.instrument:
            return self
        scale = important_difference / self.important_difference
        note = (
            f" Written for {self.important_difference:g} points of {self.instrument}, carried over"
            f" to {important_difference:g} of {instrument}."
        )
        rules = [
            rule.model_copy(
                update={"limit": rule.limit * scale, "rationale": rule.rationale + note}
            )
            if rule.metric.definition.unit is Unit.POINTS and not rule.statistic.is_ratio
            else rule
            for rule in self.rules
        ]
        bias = {
            "points": self.label_bias.points * scale,
            "source": self.label_bias.source + note,
        }
        return self.model_copy(
            update={
                "version": f"{self.version} for {instrument}",
                "instrument": instrument,
                "important_difference": important_difference,
                "least_error": self.least_error * scale,
                "label_bias": self.label_bias.model_copy(update=bias),
                "rules": tuple(rules),
            }
        )


CORRECT = "correct the file; `rehabcast policy new FILE` writes one that is right"


def load_policy(path: Path | None = None) -> Policy:
    """Read a policy; without a path, the one that rehabcast ships.

    Raises
    ------
    ContractError
        The file is not TOML, or a key is unknown, missing, of a wrong type or impossible; or no
        attribute is required. (Reports that were judged by such a policy can be read.)
    """
    file, advice = PACKAGED if path is None else path, CORRECT
    policy = read_declaration(file, Policy, "an audit policy", advice, kind="audit-policy")
    if not policy.required:
        raise ContractError(
            f"{file}: not an audit policy: required names no attribute, so a model for whose people"
            " none is recorded would pass without any group being audited",
            advice,
        )
    return policy
