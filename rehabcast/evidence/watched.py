"""What is fixed beforehand of a version that is followed: task, rules, groups, plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from audits.judging.policy import Policy
from audits.ledger.ledger import Ledger
from audits.ledger.records import Champion
from audits.ledger.trail import utc
from audits.sequential.early import early_hypotheses, until_primary
from audits.sequential.growing import cannot_be_shown, doubts, groups_outside
from audits.sequential.hypotheses import Hypothesis, hypotheses
from audits.sequential.plan import MonitoringPlan, load_plan
from contracts.digests import record_digest
from contracts.errors import EvidenceMissing
from contracts.predictions import CANDIDATE, GROUP, MODEL, PATTERN
from contracts.scope import HeldBack, Scope
from contracts.task import Task
from inference.bundle import Bundle
from rehabcast.auditing.planned_changes import served_scope
from rehabcast.settings import Settings
from rehabcast.signed_artifacts import fetch_report, open_bundle, open_predictions, policy_for
from serving.state.evidence.counting import Followed
from training.registry.model_versions import ModelVersion, find


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """A version that is followed.

    Parameters
    ----------
    model_version, bundle
        Which.
    champion
        Its entry, where it is the champion of its model; None for a shadow.
    scope
        For whom it was promoted; None where somebody answers for everyone, and of a shadow.
    policy, plan
        The rules by which it was audited, and how it is followed.
    tested
        What is tested of it.
    shown
        For whom the audit has shown that it serves them well, also where everyone is served under
        an override; None of a shadow.
    grows
        What is bet against of the groups that are not among them (`audits.sequential.growing`).
    never
        Rules because of which some groups are never proposed.
    tested_early
        What is tested of horizons before the primary one (`audits.sequential.early`).
    """

    model_version: str
    bundle: Bundle
    champion: Champion | None
    scope: Scope | None
    policy: Policy
    plan: MonitoringPlan
    tested: tuple[Hypothesis, ...]
    shown: Scope | None = None
    grows: tuple[Hypothesis, ...] = ()
    never: tuple[str, ...] = ()
    tested_early: tuple[Hypothesis, ...] = ()

    @property
    def followed(self) -> Followed:
        """By what its outcomes are counted."""
        return Followed(
            model_version=self.model_version,
            task=self.bundle.task,
            terms=record_digest(
                {
                    "plan": self.plan.terms,
                    "policy": self.policy.digest,
                    "tested": [each.name for each in self.tested],
                }
            ),
            grace_days=self.plan.grace_days,
            since="" if self.champion is None else utc(self.champion.promoted_at),
            silent_too=self.champion is None,
        )

    @property
    def traced(self) -> Followed:
        """By what is counted what was seen and traced of its people."""
        return replace(self.followed, purpose="tracing")

    @property
    def growing(self) -> Followed | None:
        """By what is counted whom its scope may grow by; None where nobody is left out."""
        if self.shown is None or not self.grows:
            return None
        terms = {
            "plan": self.plan.terms,
            "policy": self.policy.digest,
            "tested": [each.name for each in self.grows],
            "shown": self.shown.model_dump(mode="json"),
        }
        return replace(
            self.followed, terms=record_digest(terms), silent_too=True, purpose="scope"
        )  # fmt: skip

    @property
    def early_task(self) -> Task | None:
        """The task of the horizons before the primary one; None where there are none."""
        return until_primary(self.bundle.task)

    @property
    def followed_early(self) -> Followed | None:
        """By what early outcomes are counted; None where nothing is asked of them."""
        task = self.early_task
        if task is None or not self.tested_early:
            return None
        terms = {
            "plan": self.plan.digest,
            "policy": self.policy.digest,
            "tested": [each.name for each in self.tested_early],
        }
        return replace(
            self.followed, task=task, terms=record_digest(terms), purpose="early outcomes"
        )


def watched(settings: Settings, ledger: Ledger, name: str) -> Watched:
    """Return what is fixed beforehand of a model's champion, or of one version.

    The rules are those of the report that the champion was promoted on, so that no later policy
    changes them; those of a shadow are the policy in force.

    Parameters
    ----------
    name
        Name of a model, for its champion; or `NAME/N`.

    Raises
    ------
    EvidenceMissing
        There is no such champion or version.
    IntegrityError
        Bundle, report or predictions are not what was signed.
    """
    model, _, number = name.partition("/")
    champion = _champion(ledger, model)
    if not number and champion is None:
        raise EvidenceMissing(
            f"the ledger has no champion of {model!r}", "run `rehabcast promote NAME/N`"
        )
    if number and (champion is None or champion.model_version != name):
        champion = None
    version = find(settings.store, name if champion is None else champion.model_version)
    bundle = open_bundle(settings, version)
    policy, scope, judged = policy_for(settings, bundle), None, None
    if champion is not None:
        report, _ = fetch_report(settings, version)
        policy, judged = report.policy, report.verdict.held_back
        scope = served_scope(ledger.trail(), champion)
    plan = load_plan(settings.monitoring_plan)
    points = plan.range * bundle.task.target.minimal_important_difference
    milestones = [milestone.name for milestone in bundle.task.milestones]
    groups = (
        _judged_on(settings, version, bundle)
        if scope is None and judged is None
        else _in(scope, judged)
    )
    shown = scope if scope is not None else None if judged is None else judged.groups
    left_out = () if shown is None else groups_outside(shown)
    never = {each: cannot_be_shown(policy, each.attribute) for each in left_out}
    grows = doubts(policy, [each for each in left_out if not never[each]], milestones, points)
    early = () if plan.early is None else early_hypotheses(policy, groups, points, plan.early)
    return Watched(
        model_version=str(version), bundle=bundle, champion=champion, scope=scope, policy=policy,
        plan=plan, tested=hypotheses(policy, groups, milestones, points), shown=shown, grows=grows,
        never=tuple(dict.fromkeys(rule for rules in never.values() for rule in rules)),
        tested_early=early,
    )  # fmt: skip


def _champion(ledger: Ledger, model: str) -> Champion | None:
    try:
        return ledger.champion(model)
    except EvidenceMissing:
        return None


def _in(scope: Scope | None, judged: HeldBack | None) -> Mapping[str, tuple[str, ...]]:
    """Return the groups that are served: those in scope, or all that somebody answers for."""
    if scope is not None:
        return {each.attribute: each.inside for each in scope.attributes}
    assert judged is not None  # noqa: S101  (the caller has checked)
    return {
        each.attribute: (*each.inside, *(group.label for group in each.outside))
        for each in judged.groups.attributes
        if not each.attribute.startswith(PATTERN)
    }


def _judged_on(
    settings: Settings, version: ModelVersion, bundle: Bundle
) -> Mapping[str, tuple[str, ...]]:
    """Return all groups that a version was judged on in training: nobody has promoted it."""
    rows = open_predictions(settings, version, bundle).rows
    rows = rows[rows[MODEL] == CANDIDATE]
    return {
        attribute.name: tuple(sorted(map(str, rows[GROUP + attribute.name].unique())))
        for attribute in bundle.task.sensitive
        if GROUP + attribute.name in rows
    }
