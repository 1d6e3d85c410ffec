"""What BentoML serves: `bentoml serve rehabcast.application:service` (or `rehabcast serve`)."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy.exc import OperationalError

from audits.ledger import Ledger
from contracts.errors import (
    EvidenceMissing,
    IntegrityError,
    PromotionRefused,
    ServiceUnavailable,
)
from contracts.verdict import Outcome
from rehabcast.evidence import fetch_bundle, fetch_report, mirror
from rehabcast.settings import Settings
from serving.bundle import load_bundle
from serving.respond import Served, Standing
from serving.service import build_service
from training.register import find


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
    ledger = Ledger(settings.ledger_url)
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
    if fetch_report(settings, version)[1] not in {champion.report_digest, audit.report_digest}:
        raise IntegrityError(f"{champion.model_version}: its report is not the one in the ledger")
    folder = fetch_bundle(settings, version)
    mirror(settings, ledger)
    return Served(
        bundle=load_bundle(folder, expected_digest=champion.bundle_digest),
        standing=Standing(
            model_version=champion.model_version,
            report_digest=champion.report_digest,
            outcome=champion.outcome,
            valid_until=champion.valid_until,
            approver=champion.approver,
            reason=champion.reason,
            restricted_use=champion.restricted_use,
        ),
    )


def withdrawn(served: Served) -> str:
    """Say why the served champion was revoked; empty while it was not.

    While the ledger cannot be reached, the model whose bytes were checked goes on answering.
    """
    settings = Settings()
    try:
        ledger = Ledger(settings.ledger_url)
        champion = ledger.champion(served.standing.model_version.rpartition("/")[0])
        ledger.close()
    except (ServiceUnavailable, OperationalError):
        return ""
    is_it = champion.model_version == served.standing.model_version
    return champion.revoked or "" if is_it else ""


service = build_service(load_champion, withdrawn)
