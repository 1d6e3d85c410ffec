"""`rehabcast approve`, `promote`, `revoke` and `rollback`: what changes the champion."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.markup import escape

from contracts.errors import ContractError, RehabcastError
from rehabcast.auditing.decisions import (
    run_approval,
    run_promotion,
    run_revocation,
    run_rollback,
)
from rehabcast.auditing.promotions import in_service
from rehabcast.commands.learning.training import VersionArgument
from rehabcast.output import AsJson, emit, stderr_console
from rehabcast.settings import Settings

Reason = Annotated[str, typer.Option(help="Why, in a sentence; kept in the ledger.")]
ModelArgument = Annotated[str, typer.Argument(metavar="MODEL", help="NAME of the model.")]


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


def revoke(model: ModelArgument, reason: Reason, as_json: AsJson = False) -> None:
    """Take a model's champion out of service at once; running services stop answering."""
    result = run_revocation(model, reason=reason)
    emit(result, escape(f"{result.model_version} is revoked."), as_json=as_json)
    if not as_json:
        stderr_console.print(
            f"Next: rehabcast rollback {model} --to-epoch N, or promote another version"
        )


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
