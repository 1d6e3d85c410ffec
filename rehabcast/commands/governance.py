"""`rehabcast approve`, `promote`, `revoke` and `rollback`: what moves a champion."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from contracts.errors import ContractError, EvidenceMissing
from rehabcast.commands.output import AsJson, emit, words
from rehabcast.commands.training import VersionArgument
from rehabcast.settings import Settings

if TYPE_CHECKING:
    from audits.ledger.records import Champion, Override

Reason = Annotated[str, typer.Option(help="Why, in a sentence. Kept in the ledger.")]
ModelArgument = Annotated[str, typer.Argument(metavar="MODEL", help="NAME of the model.")]


def approve(
    model_version: VersionArgument,
    role: Annotated[str, typer.Option(help="ml-owner or governance.")],
    reason: Reason,
    as_json: AsJson = False,
) -> None:
    """Approve a version after reading its last audit's report; two different people must."""
    person = Settings().actor
    record = run_approval(model_version, role, person=person, reason=reason)
    told = f"{person} approved {model_version} as {role} (report {record['report_digest'][:12]})."
    emit(record, told, as_json=as_json)


def run_approval(model_version: str, role: str, *, person: str, reason: str) -> dict[str, Any]:
    """Append an approval of a version's last audit; return what `approve --json` prints."""
    from audits.ledger.ledger import Ledger
    from audits.ledger.records import Role
    from rehabcast.evidence import fetch_report
    from training.registry.register import find

    if role not in set(Role):
        raise ContractError(f"{role!r} is no role: --role {' or '.join(Role)}")
    settings = Settings()
    ledger = Ledger(settings.ledger_url)
    audit = ledger.latest_audit(model_version)
    if audit is None:
        raise EvidenceMissing(f"{model_version} has no audit: run `rehabcast audit` first")
    _, digest = fetch_report(settings, find(settings.store, model_version))
    if digest != audit.report_digest:
        raise EvidenceMissing(
            f"{model_version}: the report in its run is not that of its last audit: audit it again"
        )
    approval = ledger.approve(
        audit, Role(role), person=person, reason=reason, now=datetime.now(UTC)
    )
    return {
        **asdict(approval),
        "report_digest": audit.report_digest,
        "outcome": audit.outcome,
        "approved_by": {each.role: each.person for each in ledger.approvals(audit)},
    }


def promote(
    model_version: VersionArgument,
    approver: Annotated[
        str | None,
        typer.Option(help="Named person who overrides an audit that is no pass."),
    ] = None,
    reason: Annotated[str | None, typer.Option(help="Why, in a sentence.")] = None,
    until: Annotated[
        datetime | None, typer.Option(help="When the override ends (UTC).", formats=["%Y-%m-%d"])
    ] = None,
    restricted_use: Annotated[
        str | None, typer.Option(help="For which use only. All four show on forecasts.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a version the champion if its audit passed and two approved; else exit 5."""
    from audits.ledger.records import Override

    given = (approver, reason, until, restricted_use)
    if until is None and any(part is not None for part in given):
        raise ContractError("override: say when it ends (--until DATE)")
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
    record = run_promotion(model_version, override=override)
    emit(record, f"{model_version} is the champion (epoch {record['epoch']}).", as_json=as_json)


def run_promotion(model_version: str, *, override: Override | None = None) -> dict[str, Any]:
    """Promote through the gate, then mirror the alias; return what `promote --json` prints."""
    from audits.ledger.gate import PresentedEvidence
    from audits.ledger.gate import promote as pass_gate
    from audits.ledger.ledger import Ledger
    from contracts.errors import PromotionRefused
    from rehabcast.evidence import fetch_report, mirror, open_bundle, policy_of
    from training.registry.register import find

    settings = Settings()
    version = find(settings.store, model_version)
    ledger = Ledger(settings.ledger_url)
    if ledger.latest_audit(model_version) is None:
        raise PromotionRefused(
            f"{model_version} has no audit: run `rehabcast audit {model_version}`"
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
            policy_digest=policy_of(bundle).digest,
        ),
        actor=settings.actor,
        now=datetime.now(UTC),
        override=override,
    )
    mirror(settings, ledger)
    return champion_record(champion)


def revoke(model: ModelArgument, reason: Reason, as_json: AsJson = False) -> None:
    """Take a model's champion out of service at once; running services stop answering."""
    from audits.ledger.ledger import Ledger
    from rehabcast.evidence import mirror

    settings = Settings()
    ledger = Ledger(settings.ledger_url)
    champion = ledger.revoke(model, actor=settings.actor, reason=reason, now=datetime.now(UTC))
    mirror(settings, ledger)
    emit(champion_record(champion), f"{champion.model_version} is revoked.", as_json=as_json)
    if not as_json:
        words.print(f"Next: rehabcast rollback {model} --to-epoch N, or promote another version")


def rollback(
    model: ModelArgument,
    to_epoch: Annotated[int, typer.Option(min=1, help="Epoch whose champion is to serve again.")],
    reason: Reason,
    as_json: AsJson = False,
) -> None:
    """Make the champion of an earlier epoch the champion again, if its audit still holds."""
    from audits.ledger.gate import roll_back
    from audits.ledger.ledger import Ledger
    from rehabcast.evidence import mirror

    settings = Settings()
    ledger = Ledger(settings.ledger_url)
    champion = roll_back(
        ledger, model, to_epoch, actor=settings.actor, reason=reason, now=datetime.now(UTC)
    )
    mirror(settings, ledger)
    told = f"{champion.model_version} is the champion again (epoch {champion.epoch})."
    emit(champion_record(champion), told, as_json=as_json)


def champion_record(champion: Champion) -> dict[str, Any]:
    """Return a champion as commands print it."""
    return {
        "model_version": champion.model_version,
        "epoch": champion.epoch,
        "bundle_digest": champion.bundle_digest,
        "report_digest": champion.report_digest,
        "audit_outcome": str(champion.outcome),
        "approved_by": {"ml-owner": champion.ml_owner, "governance": champion.governance},
        "override": {
            "approver": champion.approver,
            "reason": champion.reason,
            "until": str(champion.override_until),
            "restricted_use": champion.restricted_use,
        }
        if champion.is_override
        else None,
        "valid_until": str(champion.valid_until),
        "revoked": champion.revoked,
    }
