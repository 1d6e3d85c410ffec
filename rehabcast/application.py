"""What BentoML serves: `bentoml serve rehabcast.application:service` (or `rehabcast serve`)."""

from __future__ import annotations

import time
from contextlib import closing
from datetime import UTC, datetime

from audits.ledger.ledger import Ledger
from audits.measure.metrics import Metric
from audits.report.content import Report
from contracts.bundle import CARD_FILE
from contracts.errors import EvidenceMissing, IntegrityError, PromotionRefused
from contracts.verdict import Outcome
from inference.bundle import load_bundle
from rehabcast.reachability import file_identity, is_registry_reachable
from rehabcast.settings import Settings
from rehabcast.signed_artifacts import fetch_bundle, fetch_report, mirror_aliases
from serving.access.authentication import Access, read_access
from serving.faults import Fault
from serving.forecast.audit_status import AuditStatus, Coverage, ServedModel
from serving.http.runtime import Runtime
from serving.http.service import build_service
from serving.state.champion import ChampionInService
from serving.state.consent import Consents
from serving.state.forecast_log import ForecastLog
from serving.state.store import Store
from training.registry.model_versions import find

REGISTRY_SECONDS = 10.0
"""How often we check that the registry is reachable; only the next champion needs it."""

REGISTRY_UNREACHABLE = Fault(
    "the registry cannot be reached, so no new champion can be loaded",
    "check that MLflow is running",
)


def load_champion() -> ServedModel:
    """Load the ledger's champion, after checking ledger, signatures, audit and every byte.

    The MLflow alias is not consulted: it is a mirror that anyone with access to MLflow can move.
    Where someone has moved it, that is recorded in the ledger and corrected.

    Raises
    ------
    EvidenceMissing
        There is no champion, or its audit or override has expired.
    PromotionRefused
        The champion was revoked, or a later audit of it failed.
    IntegrityError
        The ledger's chain is broken, a signature is not valid, or the bundle or report is not what
        was audited.
    """
    settings = Settings()
    with closing(Ledger(settings.ledger_url)) as ledger:
        return _load(settings, ledger)


def _load(settings: Settings, ledger: Ledger) -> ServedModel:
    ledger.verify()
    champion = ledger.champion(settings.model)
    if champion.revoked is not None:
        raise PromotionRefused(
            f"{champion.model_version} was revoked ({champion.revoked})",
            "roll back or promote another version",
        )
    if champion.valid_until <= datetime.now(UTC):
        raise EvidenceMissing(
            f"the audit or override of {champion.model_version} expired at {champion.valid_until}",
            f"run `rehabcast audit {champion.model_version}`, have it approved and promote again",
        )
    audit = ledger.latest_audit(champion.model_version, champion.bundle_digest)
    if audit is None or audit.outcome is Outcome.BLOCKED:
        raise PromotionRefused(
            f"{champion.model_version}: its last audit failed, or was of a different bundle",
            "promote a version that passes",
        )
    version = find(settings.store, champion.model_version)
    report, report_digest = fetch_report(settings, version)
    if report_digest not in {champion.report_digest, audit.report_digest}:
        raise IntegrityError(
            f"{champion.model_version}: the report in its run is not the one in the ledger",
            f"restore the report, or run `rehabcast audit {champion.model_version}`, have it"
            " approved and promote again",
        )
    folder = fetch_bundle(settings, version)
    mirror_aliases(settings, ledger)
    return ServedModel(
        bundle=load_bundle(folder, expected_digest=champion.bundle_digest),
        card=(folder / CARD_FILE).read_text("utf-8"),
        audit_status=AuditStatus(
            model_version=champion.model_version,
            report_digest=champion.report_digest,
            outcome=champion.outcome,
            valid_until=champion.valid_until,
            approver=champion.approver,
            reason=champion.reason,
            restricted_use=champion.restricted_use,
            coverage=_coverage(report),
        ),
    )


class LedgerSource:
    """The champion that the ledger names."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._ledger = Ledger(settings.ledger_url)
        self._file = file_identity(settings.ledger_url)
        self._problem: Fault | None = None
        self._checked_at = float("-inf")

    def revision(self) -> str:
        """Return the champion's state in the ledger: another text means another state.

        Raises
        ------
        ServiceUnavailable
            The ledger's file is gone.
        IntegrityError
            The file was replaced, and the chain of the new one is broken.
        """
        if (file := file_identity(self._settings.ledger_url)) != self._file:
            self._ledger.close()
            self._ledger = Ledger(self._settings.ledger_url)
            self._ledger.verify()
            self._file = file
        champion = self._ledger.champion(self._settings.model)
        audit = self._ledger.latest_audit(champion.model_version)
        last_audit = None if audit is None else audit.sequence
        return f"{champion.model_version} {champion.epoch} {champion.revoked} {last_audit}"

    def problem(self) -> Fault | None:
        """Return what is wrong with the registry; None where it is reachable."""
        if time.monotonic() - self._checked_at >= REGISTRY_SECONDS:
            reachable = is_registry_reachable(self._settings.tracking_uri)
            self._problem = None if reachable else REGISTRY_UNREACHABLE
            self._checked_at = time.monotonic()
        return self._problem

    def load(self) -> ServedModel:
        """Load the champion after every check."""
        return load_champion()


def open_runtime() -> Runtime:
    """Open everything that a worker answers with.

    Raises
    ------
    RehabcastError
        There is no champion that may be served, the store cannot be opened, or no client is
        trusted.
    """
    settings = Settings()
    access = _access(settings)
    store = Store(settings.store_url)
    return Runtime(
        champion=ChampionInService(LedgerSource(settings)),
        store=store,
        consents=Consents(store.engine),
        forecast_log=ForecastLog(store, settings.spool),
        access=access,
    )


def _access(settings: Settings) -> Access:
    if settings.access is not None:
        return read_access(settings.access, settings.development_token)
    if settings.development_token is None:
        raise EvidenceMissing(
            "no client may use this service",
            "set REHABCAST_ACCESS to a file of trusted issuers and clients (docs/operations.md), or"
            " try it with `rehabcast serve --development`",
        )
    return Access(development_token=settings.development_token)


def _coverage(report: Report) -> dict[tuple[str, str], Coverage]:
    return {
        (row.axis, row.group): Coverage(
            value=row.value, low=row.low, high=row.high, people=row.subjects
        )
        for row in report.performance
        if row.metric == Metric.COVERAGE and row.horizon_day is None and len(row.attributes) <= 1
    }


service = build_service(open_runtime, Settings().workers)
