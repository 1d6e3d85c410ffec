"""`rehabcast audit`, `promote` and `ledger verify`: what a governance board uses."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer
from rich.table import Table

from contracts.verdict import Outcome, Verdict
from rehabcast.output import AsJson, emit, words
from rehabcast.settings import Settings
from rehabcast.training_commands import VersionArgument

ledger_app = typer.Typer(no_args_is_help=True, help="The record of audits and promotions.")

REPORT_FOLDER = "audit"


def audit(model_version: VersionArgument, as_json: AsJson = False) -> None:
    """Audit a candidate by subgroup; write the report to its run and the verdict to the ledger."""
    record, verdict = run_audit(model_version)
    emit(record, verdict_table(verdict), as_json=as_json)
    if not as_json:
        words.print(f"Verdict: {verdict.outcome}. Report: {record['report_html']}")
        words.print(f"Next: rehabcast promote {model_version}")


def run_audit(model_version: str) -> tuple[dict[str, Any], Verdict]:
    """Judge a version's out-of-fold predictions; return what `audit --json` prints."""
    import pandas as pd

    from audits.judge import Audited, judge
    from audits.ledger import Ledger
    from audits.policy import load_policy
    from audits.report import render
    from contracts.digests import file_digest
    from contracts.errors import IntegrityError
    from serving.bundle import load_bundle, verify_bundle
    from training.register import BUNDLE_FOLDER, fetch, fetch_predictions, find

    settings = Settings()
    store = settings.store
    version = find(store, model_version)
    folder = fetch(store, version, BUNDLE_FOLDER)
    bundle = load_bundle(folder, expected_digest=verify_bundle(folder))
    predictions, predictions_digest = fetch_predictions(store, version)
    if predictions_digest != bundle.manifest.predictions_digest:
        raise IntegrityError(
            f"{model_version}: the run's prediction table is not the one its bundle was made with;"
            " train again"
        )
    policy = load_policy()
    verdict = judge(
        pd.read_parquet(predictions),
        policy,
        Audited(
            model_version=model_version,
            bundle_digest=bundle.digest,
            predictions_digest=predictions_digest,
            data_digest=bundle.manifest.data_digest,
            code_digest=bundle.manifest.code_digest,
            simulated=bundle.manifest.simulated,
        ),
    )
    now = datetime.now(UTC)
    name, made_at = bundle.manifest.cohort_name, now.isoformat(timespec="seconds")
    page = render(verdict, policy, cohort_name=name, made_at=made_at)
    with TemporaryDirectory() as place:
        report, html = Path(place, "report.json"), Path(place, "report.html")
        report.write_text(verdict.model_dump_json(indent=2), "utf-8")
        html.write_text(page, "utf-8")
        report_digest = file_digest(report)
        for path in (report, html):
            store.client().log_artifact(version.run_id, str(path), REPORT_FOLDER)
    Ledger(settings.ledger_url).record_audit(
        verdict,
        report_digest,
        actor=settings.actor,
        now=now,
        valid_until=now + timedelta(days=policy.valid_days),
    )
    record = {
        **verdict.model_dump(mode="json"),
        "report_digest": report_digest,
        "report_html": str(fetch(store, version, f"{REPORT_FOLDER}/report.html")),
    }
    return record, verdict


def verdict_table(verdict: Verdict) -> Table:
    """Return what holds the verdict back; or, when it passes, each binding rule and its groups."""
    binding = [finding for finding in verdict.findings if finding.binding]
    held = [finding for finding in binding if finding.outcome is not Outcome.PASS]
    label = " (SIMULATED cohort)" if verdict.simulated else ""
    title = f"Audit of {verdict.model_version}: {verdict.outcome}{label}"
    caption = f"{len(binding)} binding of {len(verdict.findings)} findings; the report has all"
    if held:
        table = Table("outcome", "what holds it back", title=title, caption=caption)
        for finding in held:
            table.add_row(str(finding.outcome), finding.reason)
        return table
    table = Table("binding rule", "shown to hold", title=title, caption=caption)
    for rule, count in Counter(finding.rule for finding in binding).items():
        table.add_row(rule, f"{count} time(s)")
    return table


def promote(
    model_version: VersionArgument,
    approver: Annotated[
        str | None,
        typer.Option(help="Named person who overrides insufficient evidence. Shown on forecasts."),
    ] = None,
    reason: Annotated[str | None, typer.Option(help="Why, in a sentence. Shown too.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make a version the champion if its audit passed; otherwise change nothing and exit 5."""
    record = run_promotion(model_version, approver=approver, reason=reason)
    emit(record, f"{model_version} is the champion (epoch {record['epoch']}).", as_json=as_json)


def run_promotion(
    model_version: str, *, approver: str | None = None, reason: str | None = None
) -> dict[str, Any]:
    """Promote through the gate, then mirror the alias; return what `promote --json` prints."""
    from audits.gate import Override
    from audits.gate import promote as pass_gate
    from audits.ledger import Ledger
    from serving.bundle import verify_bundle
    from training.register import BUNDLE_FOLDER, fetch, find, mirror_champion

    settings = Settings()
    version = find(settings.store, model_version)
    champion = pass_gate(
        Ledger(settings.ledger_url),
        model_version=model_version,
        bundle_digest=verify_bundle(fetch(settings.store, version, BUNDLE_FOLDER)),
        actor=settings.actor,
        now=datetime.now(UTC),
        override=None
        if approver is None and reason is None
        else Override(approver=approver or "", reason=reason or ""),
    )
    mirror_champion(settings.store, version)
    return {
        "model_version": model_version,
        "epoch": champion.epoch,
        "bundle_digest": champion.bundle_digest,
        "report_digest": champion.report_digest,
        "audit_outcome": str(champion.outcome),
        "override": {"approver": champion.approver, "reason": champion.reason}
        if champion.is_override
        else None,
        "valid_until": str(champion.valid_until),
    }


@ledger_app.command()
def verify(as_json: AsJson = False) -> None:
    """Recompute the ledger's hash chain; any edited, lost or moved entry is an error (exit 6)."""
    from audits.ledger import Ledger

    state = Ledger(Settings().ledger_url).verify()
    record = {"valid": True, "entries": state.length, "head": state.head}
    emit(record, f"{state.length} entries, chain holds, head {state.head}", as_json=as_json)
