"""The champion as loaded: the model, and the audit that it rests on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from contracts.groups import attributes_of_person
from contracts.predictions import PATTERN
from contracts.scope import HeldBack, Outside, Scope
from contracts.task import Task
from contracts.task_parts.slips import AXIS_OF_ALL
from contracts.verdict import Outcome
from contracts.vocabulary import NOT_RECORDED
from contracts.vocabulary.changes import amount_in_words, noise_in_words
from inference.bundle import Bundle
from serving.model_info import GroupCoverage, ModelInfo, Override, ScopeInfo


class Standing(StrEnum):
    """A limit of use of every forecast, whoever it is of."""

    SUPPORT = (
        "Decision support for a clinician who knows the patient: no diagnosis, no treatment advice."
    )
    NO_DEVICE = "Not a medical device as shipped."
    THERAPY = "It must not be used to withhold therapy."
    ASSOCIATION = "An association seen in earlier patients, not an effect of anything done."
    SIMULATED = "SIMULATED training data: the people behind this model do not exist."


LIMITS = (Standing.SUPPORT, Standing.NO_DEVICE, Standing.THERAPY, Standing.ASSOCIATION)
NAMES_NOT_VERIFIED = (
    "One-person trial: nobody has verified the names of those who approved this model."
)
NOT_IN_AUDIT = "too few people in the audit to say how often the range holds"
NOT_SHOWN = (
    "how often the range holds is not shown, so that no person of the audit can be worked out"
)
NOBODY_RECORDED = "not recorded for anyone in the audit, which says nothing about it"
NOT_AUDITED = "not audited"
NO_AUDIT = "NOT IN SERVICE: no audit stands behind this forecast. It is for nobody's care."
NOT_RECORDED_WHOM = "Whom that audit would have held back is not recorded: a new audit says it."


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """How often the 80 % range held for a group in the audit; None where suppressed or unknown."""

    value: float | None
    low: float | None
    high: float | None
    people: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditStatus:
    """The audit, and where there is one the override, that a model in service rests on.

    Parameters
    ----------
    model_version, report_digest, outcome, valid_until
        Version and audit, and until when the audit or its override is valid. Without an outcome
        no audit stands behind the model: it is only looked at.
    approver, reason, restricted_use
        Who overrode the audit, why and for what use; None where nobody did.
    names_verified
        Whether people's keys vouch for those who approved and promoted it.
    coverage
        In the audit, by attribute and group; empty where the audit did not report groups.
    scope
        For whom the model passed; None where it was overridden, or audited before scopes.
    not_shown
        Under an override: whom the audit would have held back; None where nobody overrode it, or
        the audit is from before that was recorded.
    in_doubt
        Patterns of a course for which it was not shown, either way, whether ranges hold: by name
        of the column and label.
    """

    model_version: str
    report_digest: str
    outcome: Outcome | None
    valid_until: datetime
    approver: str | None
    reason: str | None
    restricted_use: str | None = None
    names_verified: bool = True
    coverage: Mapping[tuple[str, str], Coverage] = field(default_factory=dict)
    scope: Scope | None = None
    not_shown: HeldBack | None = None
    in_doubt: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedModel:
    """The champion as loaded, with its model card."""

    bundle: Bundle
    audit_status: AuditStatus
    card: str = ""


def model_info(served: ServedModel) -> ModelInfo:
    """Return which model answers, and the audit that it rests on."""
    manifest, audit_status = served.bundle.manifest, served.audit_status
    until = audit_status.valid_until.isoformat(timespec="seconds")
    override = (
        Override(
            approver=audit_status.approver,
            reason=audit_status.reason,
            until=until,
            restricted_use=audit_status.restricted_use or "not stated",
        )
        if audit_status.approver is not None and audit_status.reason is not None
        else None
    )
    return ModelInfo(
        model_version=audit_status.model_version,
        bundle_digest=served.bundle.digest,
        report_digest=audit_status.report_digest,
        audit_outcome=str(audit_status.outcome or NOT_AUDITED),
        valid_until=until,
        simulated=manifest.simulated,
        cohort_name=manifest.cohort_name,
        override=override,
        scope=None if audit_status.scope is None else scope_info(audit_status.scope),
        task=served.bundle.task.name,
    )


def scope_info(scope: Scope) -> ScopeInfo:
    """Return for whom a model passed, as answers give it."""
    return ScopeInfo(
        everyone=scope.is_everyone,
        inside={a.attribute: list(a.inside) for a in scope.attributes},
        outside={
            a.attribute: [group.label for group in a.outside] for a in scope.attributes if a.outside
        },
        pairs_outside=[
            [f"{a}: {b}" for a, b in zip(pair.attributes, pair.labels, strict=True)]
            for pair in scope.pairs
        ],
    )


def outside_scope(served: ServedModel, groups: Mapping[str, str]) -> tuple[Outside, ...]:
    """Return why a subject is outside of the scope that the model passed for.

    How much somebody wore is no population: a wear band that the audit never saw is not outside.
    """
    return _outside(served, served.audit_status.scope, groups)


def held_back(served: ServedModel, labels: Mapping[str, str]) -> tuple[Outside, ...]:
    """Return why the audit would have held a subject back who is served under an override.

    Parameters
    ----------
    labels
        The subject's group by attribute, and pattern by `PATTERN` and its name.
    """
    not_shown = served.audit_status.not_shown
    return _outside(served, None if not_shown is None else not_shown.groups, labels)


def _outside(
    served: ServedModel, scope: Scope | None, groups: Mapping[str, str]
) -> tuple[Outside, ...]:
    if scope is None:
        return ()
    own = attributes_of_person(served.bundle.task)
    return tuple(each for each in scope.outside(groups) if each.rules or own & {*each.attributes})


def banner(served: ServedModel, beside: Sequence[Outside] = ()) -> str:
    """Return what must be shown above every forecast of a model without a passed audit.

    Parameters
    ----------
    beside
        Why the audit would have held this subject back.
    """
    if served.audit_status.outcome is None:
        return NO_AUDIT
    override = model_info(served).override
    if override is None:
        return ""
    not_shown = served.audit_status.not_shown
    own = ""
    if not_shown is None:
        own = f" {NOT_RECORDED_WHOM}"
    elif not_shown.everyone:
        rules = ", ".join(f"“{rule}”" for rule in not_shown.everyone)
        own = f" The audit has not shown for anyone that it keeps {rules}."
    own += f" This patient: {'; '.join(why_outside(beside))}." if beside else ""
    said = (
        f"OVERRIDE: the audit ended in {str(served.audit_status.outcome)!r}. Allowed by"
        f" {override.approver} until {override.until[:10]}: {override.reason.removesuffix('.')}."
        f" Only for: {override.restricted_use}"
    )
    return f"{said.removesuffix('.')}.{own}" if own else said


def limits(served: ServedModel) -> list[str]:
    """Return the limits of use."""
    own: list[str] = []
    if served.bundle.manifest.simulated:
        own.append(Standing.SIMULATED)
    if not served.audit_status.names_verified:
        own.append(NAMES_NOT_VERIFIED)
    return [*own, *LIMITS, *_small_gains(served.bundle.task)]


def _small_gains(task: Task) -> Iterator[str]:
    """Yield the milestones that the error of measuring one person can reach by itself."""
    for milestone in task.milestones:
        gain = milestone.gain_at_least
        if gain is not None and (noise := noise_in_words(task.target.code, gain)):
            amount = amount_in_words(task.target.code, gain)
            yield f"The milestone “{milestone.name}”, a gain of {amount}, is {noise}."


def names_of(outside: Outside) -> str:
    """Name the group, or the pair of groups, that somebody is held back for."""
    return " and ".join(
        f"{attribute.removeprefix(PATTERN)}: {label or NOT_RECORDED}"
        for attribute, label in zip(outside.attributes, outside.labels, strict=True)
    )


def why_outside(outside: Sequence[Outside]) -> list[str]:
    """Say which rules were not shown to hold for which groups of a subject, each rule once."""
    unknown = [names_of(each) for each in outside if not each.rules]
    groups_of: dict[str, list[str]] = {}
    for each in outside:
        for rule in each.rules:
            groups_of.setdefault(rule, []).append(names_of(each))
    rules_of: dict[tuple[str, ...], list[str]] = {}
    for rule, groups in groups_of.items():
        rules_of.setdefault(tuple(groups), []).append(f"“{rule}”")
    said = [f"nobody in the audit belonged to {_groups_in_words(unknown)}"] if unknown else []
    return said + [
        f"the audit has not shown for {_groups_in_words(groups)} that"
        f" {'it' if len(groups) == 1 else 'each'} keeps {', '.join(rules)}"
        for groups, rules in rules_of.items()
    ]


def _groups_in_words(names: Sequence[str]) -> str:
    who = "this subject's group" if len(names) == 1 else "these of this subject's groups"
    return f"{who} ({'; '.join(names)})"


def of_everyone(served: ServedModel) -> Coverage | None:
    """Return how often the range held for all people of the audit; None where it does not say."""
    return served.audit_status.coverage.get((AXIS_OF_ALL, AXIS_OF_ALL))


def group_coverage(served: ServedModel, groups: Mapping[str, str]) -> list[GroupCoverage]:
    """Say for each group of a subject how often the range held in the audit."""
    return [_of_group(served, attribute, label) for attribute, label in groups.items()]


def _of_group(served: ServedModel, attribute: str, label: str) -> GroupCoverage:
    coverage = served.audit_status.coverage
    audited = coverage.get((attribute, label))
    group = f"{attribute} {label}" if label == NOT_RECORDED else f"{attribute}, {label}"
    if label == NOT_RECORDED and {name for axis, name in coverage if axis == attribute} == {label}:
        # Of everyone: the number would be read as one of a group.
        return GroupCoverage(
            attribute=attribute, group=label, coverage=None, low=None, high=None, people=None,
            statement=f"{attribute}: {NOBODY_RECORDED}",
        )  # fmt: skip
    if audited is None or audited.value is None:
        return GroupCoverage(
            attribute=attribute,
            group=label,
            coverage=None,
            low=None,
            high=None,
            people=None if audited is None else audited.people,
            statement=f"{group}: {NOT_IN_AUDIT if audited is None else NOT_SHOWN}",
        )
    interval = (
        f" (95 % interval {audited.low:.0%} to {audited.high:.0%})"
        if audited.low is not None and audited.high is not None
        else ""
    )
    return GroupCoverage(
        attribute=attribute,
        group=label,
        coverage=audited.value,
        low=audited.low,
        high=audited.high,
        people=audited.people,
        statement=f"{group}: the 80 % range held in {audited.value:.0%}{interval}",
    )
