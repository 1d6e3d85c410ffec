"""`rehabcast approve`, `promote`, `revoke` and `rollback`: what changes the champion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from contracts.errors import ContractError, EvidenceMissing, RehabcastError
from contracts.naming.model_version import split_version
from rehabcast.auditing.promotions import PromotionResult, in_service, promotion_result
from rehabcast.commands.learning.training import VersionArgument
from rehabcast.output import INLINE, AsJson, emit, stderr_console
from rehabcast.settings import Settings

if TYPE_CHECKING:
    from audits.ledger.records import Approval, Override
    from contracts.verdict import Outcome

Reason = Annotated[str, typer.Option(help="Why, in a sentence; kept in the ledger.")]
ModelArgument = Annotated[str, typer.Argument(metavar="MODEL", help="NAME of the model.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalResult:
    """A recorded approval, with the audit that it is of and everyone who has approved it so far.

    The approval's `identity` is the key that signed it, or says that nobody verified the name.
    """

    approval: Approval = field(metadata=INLINE)
    report_digest: str
    outcome: Outcome
    approved_by: Mapping[str, str]


def approve(
    model_version: VersionArgument,
    role: Annotated[str, typer.Option(help="ml-owner or governance.")],
    reason: Reason,
    as_json: AsJson = False,
) -> None:
    """Approve a version after reading the report of its last audit; two different people must."""
    result = run_approval(model_version, role, reason=reason)
    message = (
        f"{result.approval.person} approved {model_version} as {role} (report"
        f" {result.report_digest[:12]})."
    )
    emit(result, escape(message), as_json=as_json)


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
    ledger = open_ledger(settings)
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


def promote(
    model_version: VersionArgument,
    approver: Annotated[
        str | None,
        typer.Option(help="Named person who overrides an audit that did not pass."),
    ] = None,
    reason: Annotated[str | None, typer.Option(help="Why it is overridden, in a sentence.")] = None,
    until: Annotated[
        datetime | None, typer.Option(help="When the override expires (UTC).", formats=["%Y-%m-%d"])
    ] = None,
    restricted_use: Annotated[
        str | None, typer.Option(help="The only use allowed. All four are shown on every forecast.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a version the champion if its audit passed and two people approved; else exit 5."""
    from audits.ledger.records import Override
    from rehabcast.auditing.plan_conditions import plan_conditions

    given = (approver, reason, until, restricted_use)
    if until is None and any(part is not None for part in given):
        raise ContractError("override: it has no end date", "say when it ends (--until DATE)")
    override = (
        None
        if until is None
        else Override(
            approver=approver or "",
            reason=reason or "",
            until=until.replace(tzinfo=UTC),
            restricted_use=restricted_use or "",
        )
    )
    result = run_promotion(model_version, override=override)
    emit(result, in_service(result), as_json=as_json)
    if as_json:
        return
    try:
        conditions = plan_conditions(Settings(), model_version)
    except RehabcastError as error:
        conditions = f"The promotion is done. The change plan could not be read again: {error}"
    if conditions is not None:
        stderr_console.print(escape(conditions))


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
    ledger = open_ledger(settings)
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


def revoke(model: ModelArgument, reason: Reason, as_json: AsJson = False) -> None:
    """Take a model's champion out of service at once; running services stop answering."""
    result = run_revocation(model, reason=reason)
    emit(result, escape(f"{result.model_version} is revoked."), as_json=as_json)
    if not as_json:
        stderr_console.print(
            f"Next: rehabcast rollback {model} --to-epoch N, or promote another version"
        )


def run_revocation(model: str, *, reason: str, actor: str | None = None) -> PromotionResult:
    """Take a model's champion out of service; by default, as who acts here."""
    from rehabcast.auditing.mirroring import try_to_show_champion
    from rehabcast.identity import actor_of, open_ledger

    settings = Settings()
    ledger = open_ledger(settings)
    actor = actor_of(settings, ledger) if actor is None else actor
    champion = ledger.revoke(model, actor=actor, reason=reason, now=datetime.now(UTC))
    is_mirrored = try_to_show_champion(settings, ledger, champion)
    return promotion_result(champion, ledger, is_mirrored=is_mirrored)


def rollback(
    model: ModelArgument,
    to_epoch: Annotated[int, typer.Option(min=1, help="Epoch whose champion returns to service.")],
    reason: Reason,
    as_json: AsJson = False,
) -> None:
    """Make the champion of an earlier epoch the champion again, if its audit is still valid."""
    result = run_rollback(model, to_epoch, reason=reason)
    message = f"{result.model_version} is the champion again (epoch {result.epoch})."
    emit(result, escape(message), as_json=as_json)


def run_rollback(
    model: str, to_epoch: int, *, reason: str, actor: str | None = None
) -> PromotionResult:
    """Bring an earlier champion back through the gate; by default, as who acts here."""
    from audits.ledger.gate import roll_back
    from rehabcast.auditing.mirroring import try_to_show_champion
    from rehabcast.identity import actor_of, open_ledger, say_if_trial

    settings = Settings()
    ledger = open_ledger(settings)
    actor = actor_of(settings, ledger) if actor is None else actor
    champion = roll_back(ledger, model, to_epoch, actor=actor, reason=reason, now=datetime.now(UTC))
    is_mirrored = try_to_show_champion(settings, ledger, champion)
    say_if_trial(ledger)
    return promotion_result(champion, ledger, is_mirrored=is_mirrored)
