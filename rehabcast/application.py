"""What BentoML serves: `bentoml serve rehabcast.application:service` (or `rehabcast serve`)."""

from __future__ import annotations

from datetime import UTC, datetime

from audits.ledger import Ledger
from contracts.errors import EvidenceMissing, PromotionRefused
from contracts.verdict import Outcome
from rehabcast.settings import Settings
from serving.bundle import load_bundle
from serving.respond import Served, Standing
from serving.service import build_service
from training.register import BUNDLE_FOLDER, fetch, find


def load_champion() -> Served:
    """Load the ledger's champion, after checking the ledger, its audit and every byte.

    The MLflow alias is not asked: it is a mirror that anyone with the store can move.

    Raises
    ------
    EvidenceMissing
        There is no champion, or its audit's validity is over.
    PromotionRefused
        A later audit of the champion failed.
    IntegrityError
        The ledger's chain is broken, or the bundle is not what was audited.
    """
    settings = Settings()
    ledger = Ledger(settings.ledger_url)
    ledger.verify()
    champion = ledger.champion(settings.model)
    if champion.valid_until <= datetime.now(UTC):
        raise EvidenceMissing(
            f"the audit of {champion.model_version} was valid until {champion.valid_until}:"
            f" run `rehabcast audit {champion.model_version}` and promote again"
        )
    audit = ledger.latest_audit(champion.model_version, champion.bundle_digest)
    if audit is None or audit.outcome is Outcome.BLOCKED:
        raise PromotionRefused(
            f"{champion.model_version}: its last audit failed, or was of other bytes: promote a"
            " version that passes"
        )
    version = find(settings.store, champion.model_version)
    folder = fetch(settings.store, version, BUNDLE_FOLDER)
    return Served(
        bundle=load_bundle(folder, expected_digest=champion.bundle_digest),
        standing=Standing(
            model_version=champion.model_version,
            report_digest=champion.report_digest,
            outcome=champion.outcome,
            valid_until=champion.valid_until,
            approver=champion.approver,
            reason=champion.reason,
        ),
    )


service = build_service(load_champion)
