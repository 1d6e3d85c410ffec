"""Signs what leaves training and audit; fetches nothing back that its signature does not fit."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from audits.judging.policy import Policy, load_policy
from audits.ledger.ledger import Ledger
from audits.ledger.mirror import Drift, mirror_aliases
from audits.ledger.signing import SIGNATURE, make_key, sign, verify
from audits.report.content import Report
from contracts.cohort import Cohort
from contracts.digests import file_digest
from contracts.errors import EvidenceMissing, IntegrityError
from inference.bundle import Bundle, load_bundle, verify_bundle
from rehabcast.commands.output import words
from rehabcast.settings import Settings
from training.registry.register import BUNDLE_FOLDER, ChampionAliases, ModelVersion, fetch

REPORT_FOLDER, REPORT_FILE = "audit", "report.json"
LOCAL_KEY = "local.pem"


def signing_key(settings: Settings) -> Path:
    """Return the private key to sign with; make one for this home where none is set or there."""
    if settings.signing_key is not None:
        return settings.signing_key
    private = settings.home / "keys" / LOCAL_KEY
    if not private.exists():
        make_key(private, settings.home / "keys" / "trusted" / LOCAL_KEY)
        words.print(
            f"Made a key to sign with, {private}. Keep it from those who may not sign, or set"
            " REHABCAST_SIGNING_KEY and REHABCAST_TRUSTED_KEYS (docs/governance.md)."
        )
    return private


def trusted_keys(settings: Settings) -> list[Path]:
    """Return the public keys whose signatures hold."""
    return sorted((settings.trusted_keys or settings.home / "keys" / "trusted").glob("*.pem"))


def sign_into_run(
    settings: Settings, version: ModelVersion, path: Path, folder: str | None
) -> None:
    """Sign a file or folder, and log the signature to the version's run."""
    with TemporaryDirectory() as place:
        signature = Path(place, path.name + SIGNATURE)
        sign(path, signature, signing_key(settings))
        settings.store.client().log_artifact(version.run_id, str(signature), folder)


def sign_bundle(settings: Settings, version: ModelVersion) -> None:
    """Sign a registered bundle."""
    sign_into_run(settings, version, fetch(settings.store, version, BUNDLE_FOLDER), None)


def policy_of(bundle: Bundle) -> Policy:
    """Return the shipped policy, on the scale of a model's instrument."""
    target = bundle.task.target
    return load_policy().carried_over(target.code, target.minimal_important_difference)


def explain_sample(settings: Settings, version: ModelVersion, cohort: Cohort, seed: int) -> None:
    """Measure the explanations of a registered version, and log them to its run, signed."""
    from serving.forecast.explanation_quality import EXPLANATIONS_FILE, explanation_quality

    bundle = open_bundle(settings, version)
    with TemporaryDirectory() as place:
        path = Path(place, EXPLANATIONS_FILE)
        explanation_quality(bundle, cohort, seed=seed).to_parquet(path, index=False)
        settings.store.client().log_artifact(version.run_id, str(path))
        sign_into_run(settings, version, path, None)


def fetch_explanations(settings: Settings, version: ModelVersion) -> Path | None:
    """Return a version's table of explanations, its signature verified.

    None where it was registered without: the report then tells that they are not available.

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


def fetch_report(settings: Settings, version: ModelVersion) -> tuple[Report, str]:
    """Return a version's last audit report and its digest, its signature verified.

    Raises
    ------
    IntegrityError
        It is not signed by a trusted key, a byte was changed, or it is no report.
    EvidenceMissing
        There is none.
    """
    path = _fetch_signed(settings, version, f"{REPORT_FOLDER}/{REPORT_FILE}")
    try:
        return Report.model_validate_json(path.read_bytes()), file_digest(path)
    except ValueError as error:
        raise IntegrityError(f"{path.name}: no audit report: {error}") from error


def mirror(settings: Settings, ledger: Ledger) -> list[Drift]:
    """Make MLflow's aliases show the ledger's champions; say, and return, what drifted."""
    found = mirror_aliases(
        ledger,
        ChampionAliases(store=settings.store),
        actor=settings.actor,
        now=datetime.now(UTC),
    )
    for drift in found:
        words.print(f"[bold]Drift:[/bold] {drift}. Set right, and noted in the ledger.")
    return found


def _fetch_signed(settings: Settings, version: ModelVersion, path: str) -> Path:
    local = fetch(settings.store, version, path)
    try:
        signature = fetch(settings.store, version, path + SIGNATURE)
    except EvidenceMissing as error:
        raise IntegrityError(f"{version}: its {path} is not signed: {error}") from error
    verify(local, signature, trusted_keys(settings))
    return local
