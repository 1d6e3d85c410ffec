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
from rehabcast.evidence import fetch_bundle, fetch_report, mirror
from rehabcast.reachable import answers, place_of
from rehabcast.settings import Settings
from serving.forecast.audit_status import Coverage, Served, Standing
from serving.http.access import Access, read_access
from serving.http.runtime import Desk
from serving.http.service import build_service
from serving.state.champion import ChampionInService
from serving.state.forecast_log import Recorder
from serving.state.store import Store
from training.registry.register import find

REGISTRY_SECONDS = 10.0
"""How often we ask whether the registry is there; it is needed only for the next champion."""


def load_champion() -> Served:
    """Load the ledger's champion, after checking ledger, signatures, audit and every byte.

    The MLflow alias is not asked: it is a mirror that anyone with the store can move. Where one
    has been moved by hand, that is noted in the ledger and set right.

    Raises
    ------
    EvidenceMissing
        There is no champion, or its audit or override is over.
    PromotionRefused
        The champion was revoked, or a later audit of it failed.
    IntegrityError
        The ledger's chain is broken, a signature does not hold, or bundle or report are not what
        was audited.
    """
    settings = Settings()
    with closing(Ledger(settings.ledger_url)) as ledger:
        return _loaded(settings, ledger)


def _loaded(settings: Settings, ledger: Ledger) -> Served:
    ledger.verify()
    champion = ledger.champion(settings.model)
    if champion.revoked is not None:
        raise PromotionRefused(
            f"{champion.model_version} was revoked ({champion.revoked}): roll back or promote"
            " another version"
        )
    if champion.valid_until <= datetime.now(UTC):
        raise EvidenceMissing(
            f"the audit or override of {champion.model_version} held until"
            f" {champion.valid_until}: run `rehabcast audit {champion.model_version}`, have it"
            " approved and promote again"
        )
    audit = ledger.latest_audit(champion.model_version, champion.bundle_digest)
    if audit is None or audit.outcome is Outcome.BLOCKED:
        raise PromotionRefused(
            f"{champion.model_version}: its last audit failed, or was of other bytes: promote a"
            " version that passes"
        )
    version = find(settings.store, champion.model_version)
    report, report_digest = fetch_report(settings, version)
    if report_digest not in {champion.report_digest, audit.report_digest}:
        raise IntegrityError(f"{champion.model_version}: its report is not the one in the ledger")
    folder = fetch_bundle(settings, version)
    mirror(settings, ledger)
    return Served(
        bundle=load_bundle(folder, expected_digest=champion.bundle_digest),
        card=(folder / CARD_FILE).read_text("utf-8"),
        standing=Standing(
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
        self._place = place_of(settings.ledger_url)
        self._problem, self._asked_at = "", float("-inf")

    def moves(self) -> str:
        """Say what the ledger holds of the champion now.

        Raises
        ------
        ServiceUnavailable
            The ledger's file is gone.
        IntegrityError
            Another file is in its place, and its chain does not hold.
        """
        if (place := place_of(self._settings.ledger_url)) != self._place:
            self._ledger.close()
            self._ledger = Ledger(self._settings.ledger_url)
            self._ledger.verify()
            self._place = place
        champion = self._ledger.champion(self._settings.model)
        audit = self._ledger.latest_audit(champion.model_version)
        last = None if audit is None else audit.sequence
        return f"{champion.model_version} {champion.epoch} {champion.revoked} {last}"

    def problem(self) -> str:
        """Say whether the registry is there for the next champion."""
        if time.monotonic() - self._asked_at >= REGISTRY_SECONDS:
            there = answers(self._settings.tracking_uri)
            self._problem = (
                "" if there else "the registry cannot be reached: no champion can follow"
            )
            self._asked_at = time.monotonic()
        return self._problem

    def load(self) -> Served:
        """Load the champion after every check."""
        return load_champion()


def open_desk() -> Desk:
    """Open everything that a worker answers with.

    Raises
    ------
    RehabcastError
        There is no champion that may be served, the store cannot be opened, or nobody is trusted.
    """
    settings = Settings()
    access = _access(settings)
    store = Store(settings.store_url)
    return Desk(
        champion=ChampionInService(LedgerSource(settings)),
        store=store,
        recorder=Recorder(store),
        access=access,
    )


def _access(settings: Settings) -> Access:
    if settings.access is not None:
        return read_access(settings.access, settings.development_token)
    if settings.development_token is None:
        raise EvidenceMissing(
            "nobody may ask this service: set REHABCAST_ACCESS to a file of trusted issuers and"
            " clients (docs/operations.md), or try it with `rehabcast serve --development`"
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


service = build_service(open_desk, Settings().workers)
