"""What `rehabcast serve` serves: a BentoML service."""

from __future__ import annotations

from contracts.errors import EvidenceMissing
from rehabcast.installation import require_private_installation
from rehabcast.ledger_source import LedgerSource
from rehabcast.redaction import cleaner, install
from rehabcast.settings import Settings, secrets_in_environment
from serving.access.authentication import Access, read_access
from serving.http.runtime import Runtime
from serving.http.service import build_service
from serving.state.alerting.webhook import Webhook, key_in
from serving.state.champion import ChampionInService
from serving.state.consent import Consents
from serving.state.forecast_log import ForecastLog
from serving.state.store import Store
from stores.private_files import keep_private


def open_runtime() -> Runtime:
    """Open everything that a worker answers with.

    Raises
    ------
    RehabcastError
        There is no champion that may be served, the store cannot be opened, or no client is
        trusted.
    """
    settings = Settings()
    require_private_installation(settings)
    access = _access(settings)
    store = Store(settings.store_url)
    champion = ChampionInService(LedgerSource(settings))
    return Runtime(
        champion=champion,
        store=store,
        consents=Consents(store.engine),
        forecast_log=ForecastLog(store, settings.spool),
        access=access,
        proxies=settings.trusted_proxies,
        webhook=_webhook(settings, store, champion),
    )


def _webhook(settings: Settings, store: Store, champion: ChampionInService) -> Webhook | None:
    address, key = settings.alert_webhook, settings.alert_webhook_key
    if address is None and key is None:
        return None
    if address is None or key is None:
        raise EvidenceMissing(
            "of the address that is told of alerts and its key only one is set",
            "set both REHABCAST_ALERT_WEBHOOK and REHABCAST_ALERT_WEBHOOK_KEY, or neither",
        )
    return Webhook(store, address.get_secret_value(), key_in(key), lambda: champion.current)


def _access(settings: Settings) -> Access:
    token = settings.development_token
    development = None if token is None else token.get_secret_value()
    if settings.access is not None:
        return read_access(settings.access, development)
    if development is None:
        raise EvidenceMissing(
            "no client may use this service",
            "set REHABCAST_ACCESS to a file of trusted issuers and clients (docs/operations.md), or"
            " try it with `rehabcast serve --development`",
        )
    return Access(development_token=development)


keep_private()
install(cleaner(secrets_in_environment()))
service = build_service(open_runtime, Settings().workers)
