"""`rehabcast audit`: judge a candidate, write and sign its report, tell the ledger."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from contracts.errors import ContractError, EvidenceMissing, IntegrityError
from contracts.predictions import CANDIDATE, CHAMPION, MODEL
from contracts.verdict import Outcome, Verdict
from rehabcast.commands.mitigation import run_mitigation
from rehabcast.commands.output import AsJson, emit, words
from rehabcast.commands.training import ConfigOption, VersionArgument
from rehabcast.settings import Settings

if TYPE_CHECKING:
    import pandas as pd

    from audits.report.content import ModelFacts
    from inference.bundle import Bundle


def audit(
    model_version: VersionArgument,
    champion_predictions: Annotated[
        Path | None,
        typer.Option(
            help="The champion's prediction table on the same cohort (`rehabcast evaluate`), where"
            " it was trained on another."
        ),
    ] = None,
    mitigate: Annotated[
        bool,
        typer.Option("--mitigate", help="Compare mitigations instead; the ledger is not told."),
    ] = False,
    attribute: Annotated[
        str | None, typer.Option(help="With --mitigate: the attribute; default, the first.")
    ] = None,
    variant: Annotated[
        list[str] | None,
        typer.Option(help="With --mitigate: a version trained otherwise, NAME/N; repeatable."),
    ] = None,
    cohort: Annotated[
        Path | None,
        typer.Option(
            help="With --mitigate: the cohort it was trained on; plain training, group-aware"
            " checkpoint choice, reweighing and Group DRO are then trained on it."
        ),
    ] = None,
    config: ConfigOption = None,
    as_json: AsJson = False,
) -> None:
    """Audit a candidate by subgroup; write the report to its run and the verdict to the ledger."""
    if mitigate:
        compared, table = run_mitigation(model_version, attribute, variant or [], cohort, config)
        emit(compared, table, as_json=as_json)
        return
    record, verdict = run_audit(model_version, champion_predictions=champion_predictions)
    emit(record, verdict_table(verdict), as_json=as_json)
    if not as_json:
        words.print(f"Verdict: {verdict.outcome}. Reports: {record['report_folder']}")
        words.print(f"Next, by two people: rehabcast approve {model_version} --role ROLE")


def run_audit(
    model_version: str, *, champion_predictions: Path | None = None
) -> tuple[dict[str, Any], Verdict]:
    """Judge a version's out-of-fold predictions; return what `audit --json` prints."""
    import pandas as pd

    from audits.judging.judge import AuditInputs, judge
    from audits.ledger.ledger import Ledger
    from audits.report.content import compose
    from rehabcast.evidence import REPORT_FOLDER, fetch_explanations, open_bundle, policy_of
    from serving.forecast.explanation_quality import with_explanations
    from training.registry.register import fetch, fetch_predictions, find

    settings = Settings()
    version = find(settings.store, model_version)
    bundle = open_bundle(settings, version)
    ledger, policy = Ledger(settings.ledger_url), policy_of(bundle)
    # Frozen before the forecasts are read: the chain shows which came first.
    ledger.freeze_policy(policy.version, policy.digest, actor=settings.actor, now=datetime.now(UTC))
    path, predictions_digest = fetch_predictions(settings.store, version)
    if predictions_digest != bundle.manifest.predictions_digest:
        raise IntegrityError(
            f"{model_version}: the run's prediction table is not the one its bundle was made with;"
            " train again"
        )
    champion = _champion(ledger, model_version)
    predictions = pd.read_parquet(path)
    if (quality := fetch_explanations(settings, version)) is not None:
        predictions = with_explanations(predictions, pd.read_parquet(quality))
    predictions = _with_champion(settings, predictions, champion, bundle, champion_predictions)
    verdict = judge(
        predictions,
        policy,
        AuditInputs(
            model_version=model_version,
            bundle_digest=bundle.digest,
            predictions_digest=predictions_digest,
            data_digest=bundle.manifest.data_digest,
            code_digest=bundle.manifest.code_digest,
            simulated=bundle.manifest.simulated,
            champion=champion,
        ),
    )
    now = datetime.now(UTC)
    until = now + timedelta(days=policy.valid_days)
    report = compose(
        predictions,
        verdict,
        policy,
        facts_of(settings, bundle),
        made_at=now.isoformat(timespec="seconds"),
        valid_until=until.isoformat(timespec="seconds"),
    )
    digest = _publish(settings, version, report)
    ledger.record_audit(report.verdict, digest, actor=settings.actor, now=now, valid_until=until)
    record = {
        **report.verdict.model_dump(mode="json"),
        "report_digest": digest,
        "report_folder": str(fetch(settings.store, version, REPORT_FOLDER)),
    }
    return record, report.verdict


def facts_of(settings: Settings, bundle: Bundle) -> ModelFacts:
    """Return what the report tells of a model."""
    from audits.report.content import ModelFacts
    from contracts.vocabulary import vocabulary

    task, manifest = bundle.task, bundle.manifest
    return ModelFacts(
        developer=settings.developer,
        contact=settings.contact,
        funding=settings.funding,
        family=manifest.family,
        condition=task.condition,
        target=f"{vocabulary()[task.target.code].name} ({task.target.better} is better)",
        target_low=task.target.low,
        target_high=task.target.high,
        horizon_weeks=tuple(horizon.weeks for horizon in task.horizons),
        milestones=tuple(milestone.name for milestone in task.milestones),
        inputs=tuple(vocabulary()[code].name for code in (*manifest.channels, *task.inputs.person)),
        audited_attributes={each.name: each.reason for each in task.sensitive},
        cohort_name=manifest.cohort_name,
        simulated=manifest.simulated,
        subjects=manifest.subjects,
        seed=manifest.seed,
        created=manifest.created,
    )


def _publish(settings: Settings, version: Any, report: Any) -> str:
    """Write all editions of a report to the version's run, the JSON signed; return its digest."""
    from audits.report.editions import write_editions
    from contracts.digests import file_digest
    from rehabcast.evidence import REPORT_FILE, REPORT_FOLDER, sign_into_run

    with TemporaryDirectory() as place:
        folder = Path(place)
        write_editions(report, folder)
        digest = file_digest(folder / REPORT_FILE)
        for path in sorted(folder.iterdir()):
            settings.store.client().log_artifact(version.run_id, str(path), REPORT_FOLDER)
        sign_into_run(settings, version, folder / REPORT_FILE, REPORT_FOLDER)
    return digest


def _champion(ledger: Any, model_version: str) -> str | None:
    """Return the version in service that a candidate is compared with; None where it is itself."""
    try:
        champion = ledger.champion(model_version.rpartition("/")[0])
    except EvidenceMissing:
        return None
    if champion.model_version == model_version or champion.revoked is not None:
        return None
    return str(champion.model_version)


def _with_champion(
    settings: Settings,
    predictions: pd.DataFrame,
    champion: str | None,
    bundle: Bundle,
    given: Path | None,
) -> pd.DataFrame:
    """Put the champion's forecasts of the same people beside the candidate's."""
    import pandas as pd

    from training.registry.register import fetch_predictions, find

    if champion is None:
        return predictions
    path = given
    if path is None:
        other = find(settings.store, champion)
        path = fetch_predictions(settings.store, other)[0]
    table = pd.read_parquet(path)
    if MODEL not in table.columns:
        raise ContractError(f"{path}: no prediction table: write it by `rehabcast evaluate`")
    theirs = table[table[MODEL] == CANDIDATE].assign(**{MODEL: CHAMPION})
    shared = [name for name in predictions.columns if name in theirs.columns]
    keys = ["subject_id", "origin_day", "horizon_day"]
    asked = predictions.loc[predictions[MODEL] == CANDIDATE, keys]
    return pd.concat([predictions, theirs[shared].merge(asked, on=keys)], ignore_index=True)


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
