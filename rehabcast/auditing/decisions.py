"""Decisions in the ledger, as commands and pages make them: approvals and changes of a champion."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from contracts.errors import ContractError, EvidenceMissing
from contracts.naming.model_version import split_version
from rehabcast.auditing.promotions import PromotionResult, promotion_result
from rehabcast.output import INLINE
from rehabcast.settings import Settings

if TYPE_CHECKING:
    from audits.ledger.records import Approval, Override
    from contracts.verdict import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalResult:
    """A recorded approval, with the audit that it is of and everyone who has approved it so far.

    The approval's `identity` is the key that signed it, or says that nobody verified the name.
    """

    approval: Approval = field(metadata=INLINE)
    report_digest: str
    outcome: Outcome
    approved_by: Mapping[str, str]


def run_approval(
    model_version: str, role: str, *, reason: str, person: str | None = None
) -> ApprovalResult:
    """Record a person's approval of a version's last audit; by default, of who acts here."""
    from audits.ledger.records import Role
    from rehabcast.auditing.mirroring import bound_registry_calls
    from rehabcast.identity import actor_of, open_ledger, say_if_trial
    from rehabcast.signed_artifacts import fetch_report
    from training.registry.model_versions import find

    bound_registry_calls()
    if role not in set(Role):
        raise ContractError(f"{role!r} is not a role", f"use --role {' or --role '.join(Role)}")
    split_version(model_version)
    settings = Settings()
    with closing(open_ledger(settings)) as ledger:
        audit = ledger.latest_audit(model_version)
        if audit is None:
            raise EvidenceMissing(
                f"{model_version} has no audit", f"run `rehabcast audit {model_version}` first"
            )
        _, digest = fetch_report(settings, find(settings.store, model_version))
        if digest != audit.report_digest:
            raise EvidenceMissing(
                f"{model_version}: the report in its run is not that of its last audit",
                f"run `rehabcast audit {model_version}` again",
            )
        approval = ledger.approve(
            audit,
            Role(role),
            person=actor_of(settings, ledger) if person is None else person,
            reason=reason,
            now=datetime.now(UTC),
        )
        say_if_trial(ledger)
        return ApprovalResult(
            approval=approval,
            report_digest=audit.report_digest,
            outcome=audit.outcome,
            approved_by={given.role: given.person for given in ledger.approvals(audit)},
        )


def run_promotion(
    model_version: str, *, override: Override | None = None, actor: str | None = None
) -> PromotionResult:
    """Promote through the gate, then update MLflow's alias; by default, as who acts here."""
    from audits.ledger.gate import PresentedEvidence
    from audits.ledger.gate import promote as pass_gate
    from contracts.errors import PromotionRefused
    from rehabcast.auditing.mirroring import bound_registry_calls, try_to_show_champion
    from rehabcast.identity import actor_of, open_ledger, say_if_trial
    from rehabcast.signed_artifacts import fetch_report, open_bundle, policy_for
    from training.registry.model_versions import find

    bound_registry_calls()
    settings = Settings()
    version = find(settings.store, model_version)
    with closing(open_ledger(settings)) as ledger:
        if ledger.latest_audit(model_version) is None:
            raise PromotionRefused(
                f"{model_version} has no audit", f"run `rehabcast audit {model_version}`"
            )
        report, report_digest = fetch_report(settings, version)
        bundle = open_bundle(settings, version)
        champion = pass_gate(
            ledger,
            model_version=model_version,
            presented=PresentedEvidence(
                bundle_digest=bundle.digest,
                report=report.verdict,
                report_digest=report_digest,
                policy_digest=policy_for(settings, bundle).digest,
            ),
            actor=actor_of(settings, ledger) if actor is None else actor,
            now=datetime.now(UTC),
            override=override,
        )
        is_mirrored = try_to_show_champion(settings, ledger, champion)
        say_if_trial(ledger)
        return promotion_result(champion, ledger, is_mirrored=is_mirrored)


def run_revocation(model: str, *, reason: str, actor: str | None = None) -> PromotionResult:
    """Take a model's champion out of service; by default, as who acts here."""
    from rehabcast.auditing.mirroring import try_to_show_champion
    from rehabcast.identity import actor_of, open_ledger

    settings = Settings()
    with closing(open_ledger(settings)) as ledger:
        actor = actor_of(settings, ledger) if actor is None else actor
        champion = ledger.revoke(model, actor=actor, reason=reason, now=datetime.now(UTC))
        is_mirrored = try_to_show_champion(settings, ledger, champion)
        return promotion_result(champion, ledger, is_mirrored=is_mirrored)


def run_rollback(
    model: str, to_epoch: int, *, reason: str, actor: str | None = None
) -> PromotionResult:
    """Bring an earlier champion back through the gate; by default, as who acts here."""
    from audits.ledger.gate import roll_back
    from rehabcast.auditing.mirroring import try_to_show_champion
    from rehabcast.identity import actor_of, open_ledger, say_if_trial

    settings = Settings()
    with closing(open_ledger(settings)) as ledger:
        actor = actor_of(settings, ledger) if actor is None else actor
        champion = roll_back(
            ledger, model, to_epoch, actor=actor, reason=reason, now=datetime.now(UTC)
        )
        is_mirrored = try_to_show_champion(settings, ledger, champion)
        say_if_trial(ledger)
        return promotion_result(champion, ledger, is_mirrored=is_mirrored)
