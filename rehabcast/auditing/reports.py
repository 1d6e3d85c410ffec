"""A version's audit report: what it states about the model, its signature, and its editions."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from rehabcast.settings import Settings

if TYPE_CHECKING:
    import pandas as pd

    from audits.report.content import ModelFacts, Report
    from audits.report.editions import NotMade
    from inference.bundle import Bundle
    from training.registry.model_versions import ModelVersion


KEPT_FOLDER = "audit-reports"
"""The reports of all audits of a version, by digest: a later one is written over the last."""


def facts_of(settings: Settings, bundle: Bundle) -> ModelFacts:
    """Return what the report states about a model."""
    from audits.report.content import ModelFacts
    from audits.report.further import OwnCode, StartsFrom
    from contracts.priors import started_from
    from contracts.vocabulary import Kind, vocabulary
    from contracts.vocabulary.instruments import published_recovery_rule

    task, manifest = bundle.task, bundle.manifest
    start = started_from(manifest.family, manifest.prior, task.prior)
    entry = vocabulary()[task.target.code]
    confirm = f"; {entry.to_confirm}" if entry.to_confirm else ""
    return ModelFacts(
        developer=settings.developer,
        contact=settings.contact,
        funding=settings.funding,
        family=manifest.family,
        condition=task.condition,
        target=f"{entry.name} ({task.target.better} is better{confirm})",
        target_low=task.target.low,
        target_high=task.target.high,
        horizon_weeks=tuple(horizon.weeks for horizon in task.horizons),
        milestones=tuple(milestone.name for milestone in task.milestones),
        inputs=tuple(vocabulary()[code].name for code in (*manifest.channels, *task.inputs.person)),
        audited_attributes={attribute.name: attribute.reason for attribute in task.sensitive},
        cohort_name=manifest.cohort_name,
        simulated=manifest.simulated,
        subjects=manifest.subjects,
        seed=manifest.seed,
        created=manifest.created,
        judging=manifest.judging,
        starts_from=None if start is None else StartsFrom(name=start.name, source=start.source),
        own_codes=tuple(
            OwnCode(
                code=own.code, name=own.name, unit=own.unit, low=own.low, high=own.high,
                better=own.better if own.kind is Kind.ASSESSMENT else None,
                labels=own.labels, source=own.source,
            )
            for own in bundle.codes.codes
        ),
        recovery_rule_published=published_recovery_rule(task.target.code) is not None,
    )  # fmt: skip


def sign_report(settings: Settings, version: ModelVersion, report: Report) -> str:
    """Write a report to the version's run, signed; return its digest."""
    from audits.report.editions import write_report
    from contracts.digests import file_digest
    from rehabcast.signed_artifacts import REPORT_FOLDER, sign_into_run

    with TemporaryDirectory() as temporary:
        file = write_report(report, Path(temporary))
        digest = file_digest(file)
        # Readers keep every report, so later audits have to know them all.
        kept = Path(temporary) / f"{digest}.json"
        shutil.copyfile(file, kept)
        settings.store.client().log_artifact(version.run_id, str(kept), KEPT_FOLDER)
        settings.store.client().log_artifact(version.run_id, str(file), REPORT_FOLDER)
        sign_into_run(settings, version, file, REPORT_FOLDER)
    return digest


def fetch_earlier_report(settings: Settings, version: ModelVersion, digest: str) -> Report:
    """Return the report of an earlier audit of a version, by the digest that the ledger has of it.

    Raises
    ------
    IntegrityError
        It has another digest, or is not a report.
    EvidenceMissing
        It was not kept.
    """
    from audits.report.content import Report
    from contracts.digests import file_digest
    from contracts.errors import IntegrityError
    from contracts.naming.formats import require_known_form
    from training.registry.model_versions import fetch

    path = fetch(settings.store, version, f"{KEPT_FOLDER}/{digest}.json")
    if file_digest(path) != digest:
        raise IntegrityError(
            f"{version}: {path.name} is not the report that the ledger has on record",
            "restore the artifacts of its run",
        )
    require_known_form(path.read_bytes(), "audit-report", f"{version}: {path}", IntegrityError)
    try:
        return Report.model_validate_json(path.read_bytes())
    except ValueError as error:
        raise IntegrityError(
            f"{version}: {path.name} cannot be read as an audit report ({error})",
            "use the version of rehabcast that wrote it",
        ) from error


def publish_editions(
    settings: Settings, version: ModelVersion, report: Report
) -> tuple[NotMade, ...]:
    """Write all editions of a report to the version's run; return those that are missing there.

    MLflow's tags of the version then show the verdict.
    """
    from mlflow.exceptions import MlflowException

    from audits.report.editions import NotMade, write_editions
    from rehabcast.auditing.mirroring import show_verdict
    from rehabcast.signed_artifacts import REPORT_FOLDER

    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        not_made = [*write_editions(report, folder)]
        for path in sorted(folder.iterdir()):
            try:
                settings.store.client().log_artifact(version.run_id, str(path), REPORT_FOLDER)
            except (MlflowException, OSError) as error:
                found = f"{type(error).__name__}: it could not be stored with the run"
                not_made.append(NotMade(edition=path.name, found=found))
    show_verdict(settings, version, report.verdict)
    return tuple(not_made)


def with_explanation_quality(
    settings: Settings, version: ModelVersion, predictions: pd.DataFrame
) -> pd.DataFrame:
    """Return forecasts with how good their explanations were, where that was measured."""
    import pandas as pd

    from rehabcast.signed_artifacts import fetch_explanation_quality
    from serving.forecast.explanation_quality import with_explanations

    quality = fetch_explanation_quality(settings, version)
    if quality is None:
        return predictions
    return with_explanations(predictions, pd.read_parquet(quality))
