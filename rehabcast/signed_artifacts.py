"""Bundles, reports and explanation tables in a run: signed when logged, verified when fetched.

This is the only way to the bundle of a registered version: nothing is loaded whose signature was
not verified.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import pyarrow as pa

from audits.judging.policy import Policy, load_policy
from audits.ledger.signing import SIGNATURE, make_key, sign, verify
from audits.report.content import Report
from contracts.cohort import Cohort
from contracts.digests import file_digest
from contracts.errors import ContractError, EvidenceMissing, IntegrityError
from contracts.naming.formats import require_known_form
from contracts.predictions import MODEL, forecasts_of, questions_of
from inference.bundle import (
    Bundle,
    BundleDescription,
    describe_bundle,
    load_bundle,
    verify_bundle,
)
from rehabcast.output import stderr_console
from rehabcast.settings import Settings
from stores.private_files import require_private, require_unchanged_by_others
from training.registry.model_versions import (
    BUNDLE_FOLDER,
    PREDICTIONS_FILE,
    ModelVersion,
    fetch,
    fetch_of_bundle,
)

REPORT_FOLDER, REPORT_FILE = "audit", "report.json"
LOCAL_KEY = "local.pem"


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionTable:
    """A prediction table (`contracts.predictions`).

    Parameters
    ----------
    rows, questions
        Its forecasts, and the questions that a ward would ask today; no questions in tables from
        before they were recorded.
    digest
        SHA-256 of the file that it was read from.
    """

    rows: pd.DataFrame
    questions: pd.DataFrame
    digest: str


def signing_key(settings: Settings) -> Path:
    """Return the private key to sign with: the one set, or this home's own, made at first use."""
    if settings.signing_key is not None:
        require_private(settings.signing_key)
        return settings.signing_key
    private = settings.home / "keys" / LOCAL_KEY
    if not private.exists():
        make_key(private, settings.home / "keys" / "trusted" / LOCAL_KEY)
        stderr_console.print(
            f"Made a signing key, {private}. Keep it away from anyone who may not sign, or set"
            " REHABCAST_SIGNING_KEY and REHABCAST_TRUSTED_KEYS (docs/governance.md)."
        )
    require_private(private)
    return private


def trusted_keys(settings: Settings) -> list[Path]:
    """Return the public keys whose signatures are accepted.

    Raises
    ------
    ReadableByOthers
        Other users of this machine can change one, and so could sign as somebody else.
    """
    keys = sorted((settings.trusted_keys or settings.home / "keys" / "trusted").glob("*.pem"))
    for key in keys:
        require_unchanged_by_others(key)
    return keys


def sign_into_run(
    settings: Settings, version: ModelVersion, path: Path, folder: str | None
) -> None:
    """Sign a file or folder, and log the signature to the version's run."""
    with TemporaryDirectory() as temporary:
        signature = Path(temporary, path.name + SIGNATURE)
        sign(path, signature, signing_key(settings))
        settings.store.client().log_artifact(version.run_id, str(signature), folder)


def sign_bundle(settings: Settings, version: ModelVersion) -> None:
    """Sign a registered bundle."""
    sign_into_run(settings, version, fetch(settings.store, version, BUNDLE_FOLDER), None)


def policy_for(settings: Settings, bundle: Bundle, file: Path | None = None) -> Policy:
    """Return a policy, rescaled to a model's instrument.

    Parameters
    ----------
    file
        A policy for this once. Without one it is the board's, by which the gate decides: the file
        that is set, or the policy that rehabcast ships.
    """
    target = bundle.task.target
    policy = load_policy(settings.policy if file is None else file)
    return policy.carried_over(target.code, target.minimal_important_difference)


def log_explanation_quality(
    settings: Settings, version: ModelVersion, cohort: Cohort, seed: int
) -> None:
    """Measure the explanations of a registered version, and log the signed table to its run."""
    from serving.forecast.explanation_quality import EXPLANATIONS_FILE, explanation_quality

    bundle = open_bundle(settings, version)
    with TemporaryDirectory() as temporary:
        path = Path(temporary, EXPLANATIONS_FILE)
        explanation_quality(bundle, cohort, seed=seed).to_parquet(path, index=False)
        settings.store.client().log_artifact(version.run_id, str(path))
        sign_into_run(settings, version, path, None)


def fetch_explanation_quality(settings: Settings, version: ModelVersion) -> Path | None:
    """Return a version's explanation quality table, its signature verified.

    None where the version was registered without one: the report then lists it as not available.

    Raises
    ------
    IntegrityError
        It is not signed by a trusted key, or a byte was changed.
    """
    from serving.forecast.explanation_quality import EXPLANATIONS_FILE

    try:
        return _fetch_signed(settings, version, EXPLANATIONS_FILE)
    except EvidenceMissing:
        return None


def fetch_bundle(settings: Settings, version: ModelVersion) -> Path:
    """Return a version's bundle folder, its signature verified.

    Raises
    ------
    IntegrityError
        It is not signed by a trusted key, or a byte was changed.
    """
    return _fetch_signed(settings, version, BUNDLE_FOLDER)


def open_bundle(settings: Settings, version: ModelVersion) -> Bundle:
    """Load a version's bundle, its signature and every byte verified.

    Raises
    ------
    IntegrityError
        As `fetch_bundle`, or a file does not fit its manifest.
    """
    folder = fetch_bundle(settings, version)
    return load_bundle(folder, expected_digest=verify_bundle(folder))


def open_description(settings: Settings, version: ModelVersion) -> BundleDescription:
    """Read what a version's bundle says of itself, also one of an earlier form, verified.

    Raises
    ------
    IntegrityError
        As `fetch_bundle`, or a file does not fit its manifest.
    """
    return describe_bundle(fetch_bundle(settings, version))


def open_downloaded_bundle(settings: Settings, folder: Path) -> Bundle:
    """Load a bundle that MLflow has put into a folder, its signature and every byte verified.

    The signature is beside the bundle, or in the run that the bundle names. Which run that is
    matters to nothing else: a signature holds for these very bytes only.

    Raises
    ------
    IntegrityError
        As `open_bundle`.
    EvidenceMissing
        There is no signature, neither beside it nor in its run.
    """
    digest = verify_bundle(folder)
    with TemporaryDirectory() as temporary:
        signature = folder.with_name(BUNDLE_FOLDER + SIGNATURE)
        if not signature.is_file():
            signature = fetch_of_bundle(folder, BUNDLE_FOLDER + SIGNATURE, Path(temporary))
        verify(folder, signature, trusted_keys(settings))
    return load_bundle(folder, expected_digest=digest)


def read_predictions(file: Path) -> PredictionTable:
    """Read a prediction table from a file.

    Raises
    ------
    ContractError
        It is not one, or cannot be read.
    """
    # Read once, so that the digest is of the very bytes that are judged.
    try:
        content = file.read_bytes()
    except OSError as error:
        raise ContractError(
            f"{file.name} cannot be read ({error.strerror})", "check the path and its permissions"
        ) from error
    return _prediction_table(file.name, content, hashlib.sha256(content).hexdigest())


def open_predictions(
    settings: Settings, version: ModelVersion, bundle: Bundle | BundleDescription
) -> PredictionTable:
    """Return a version's out-of-fold predictions, if they are those its signed bundle names.

    Raises
    ------
    IntegrityError
        The run's table is another.
    """
    content = fetch(settings.store, version, PREDICTIONS_FILE).read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    # Before anything reads the content: it may be anybody's.
    if digest != bundle.manifest.predictions_digest:
        raise IntegrityError(
            f"{version}: the run's prediction table is not the one its bundle was made with",
            "train the version again",
        )
    return _prediction_table(PREDICTIONS_FILE, content, digest)


def _prediction_table(name: str, content: bytes, digest: str) -> PredictionTable:
    try:
        rows = pd.read_parquet(BytesIO(content))
    except (pa.ArrowException, ValueError) as error:
        raise ContractError(
            f"{name}: not a Parquet file", "write one with `rehabcast evaluate`"
        ) from error
    if MODEL not in rows.columns:
        raise ContractError(
            f"{name}: not a prediction table, there is no column {MODEL}",
            "write one with `rehabcast evaluate`",
        )
    return PredictionTable(rows=forecasts_of(rows), questions=questions_of(rows), digest=digest)


def fetch_report(settings: Settings, version: ModelVersion) -> tuple[Report, str]:
    """Return a version's last audit report and its digest, its signature verified.

    Raises
    ------
    IntegrityError
        It is not signed by a trusted key, a byte was changed, or it is not a report.
    EvidenceMissing
        There is no report.
    """
    path = _fetch_signed(settings, version, f"{REPORT_FOLDER}/{REPORT_FILE}")
    require_known_form(path.read_bytes(), "audit-report", f"{version}: its report", IntegrityError)
    try:
        return Report.model_validate_json(path.read_bytes()), file_digest(path)
    except ValueError as error:
        raise IntegrityError(
            f"{version}: {path.name} is signed, but cannot be read as an audit report ({error})",
            f"run `rehabcast audit {version}` with this version of rehabcast",
        ) from error


def _fetch_signed(settings: Settings, version: ModelVersion, path: str) -> Path:
    local = fetch(settings.store, version, path)
    try:
        signature = fetch(settings.store, version, path + SIGNATURE)
    except EvidenceMissing as error:
        raise IntegrityError(
            f"{version}: its {path} is not signed ({error.reason})",
            "restore the signature from a backup, or train the version again",
        ) from error
    verify(local, signature, trusted_keys(settings))
    return local
