"""What `rehabcast serve` serves: a BentoML service."""

from __future__ import annotations

from functools import partial

from contracts.errors import EvidenceMissing
from rehabcast.installation import access_of, require_private_installation
from rehabcast.ledger_source import LedgerSource
from rehabcast.pages.table import ALL_PAGES, TEMPLATES
from rehabcast.pyfunc import without_audit
from rehabcast.redaction import cleaner, install
from rehabcast.settings import Settings, secrets_in_environment, use_site_vocabulary
from rehabcast.signed_artifacts import open_bundle
from serving.http.runtime import Runtime
from serving.http.service import build_service
from serving.pages.mounted import Pages
from serving.state.alerting.webhook import Webhook, key_in
from serving.state.champion import ChampionInService
from serving.state.champions import Champions, champions_of
from serving.state.consent import Consents
from serving.state.evidence.shadow import Shadow
from serving.state.forecast_log import ForecastLog
from serving.state.store import Store
from stores.private_files import keep_private
from training.registry.model_versions import find


def open_runtime() -> Runtime:
    """Open everything that a worker answers with.

    Raises
    ------
    RehabcastError
        There is no champion that may be served, the store cannot be opened, or no client is
        trusted.
    """
    use_site_vocabulary()
    settings = Settings()
    require_private_installation(settings)
    access = access_of(settings, settings.development_token)
    store = Store(settings.store_url, make=True)
    champions = _champions(settings)
    forecast_log = ForecastLog(store, settings.spool)
    return Runtime(
        champions=champions,
        store=store,
        consents=Consents(store.engine),
        forecast_log=forecast_log,
        shadow=_shadow(settings, forecast_log),
        access=access,
        proxies=settings.trusted_proxies,
        declared_address=settings.public_address or "",
        origins=settings.cors_origins,
        webhook=_webhook(settings, store, champions),
        predict_first=settings.predict_first,
    )


def _champions(settings: Settings) -> Champions:
    if len(settings.model) > 1:
        return champions_of(
            {model: partial(_of_several, settings, model) for model in settings.model}
        )
    model = next(iter(settings.model), None)
    return Champions({model or "": ChampionInService(LedgerSource(settings, model))})


def _of_several(settings: Settings, model: str) -> ChampionInService:
    return ChampionInService(LedgerSource(settings, model), may_be_withdrawn=True)


def _shadow(settings: Settings, forecast_log: ForecastLog) -> Shadow | None:
    if settings.shadow is None:
        return None
    version = find(settings.store, settings.shadow)
    return Shadow(without_audit(open_bundle(settings, version), settings.shadow), forecast_log)


def _webhook(settings: Settings, store: Store, champions: Champions) -> Webhook | None:
    address, key = settings.alert_webhook, settings.alert_webhook_key
    if address is None and key is None:
        return None
    if address is None or key is None:
        raise EvidenceMissing(
            "of the address that is told of alerts and its key only one is set",
            "set both REHABCAST_ALERT_WEBHOOK and REHABCAST_ALERT_WEBHOOK_KEY, or neither",
        )
    return Webhook(store, address.get_secret_value(), key_in(key), lambda: champions.current)


keep_private()
install(cleaner(secrets_in_environment()))
service = build_service(open_runtime, Settings().workers, Pages(ALL_PAGES, [TEMPLATES]))
