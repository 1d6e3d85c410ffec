"""Checks at the start of the service: its files are private, and it could serve somebody."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from pydantic import SecretStr
from sqlalchemy.engine import make_url

from audits.ledger.ledger import Ledger
from contracts.errors import EvidenceMissing, PromotionRefused
from rehabcast.identity import open_ledger
from rehabcast.settings import Settings
from serving.access.authentication import Access, read_access
from serving.server.listening import bind
from stores.private_files import (
    require_private,
    require_private_database,
    require_unchanged_by_others,
)
from stores.secret_url import SecretUrl


def require_private_installation(settings: Settings) -> None:
    """Refuse keys, an access file or databases that other users of this machine can get at.

    Raises
    ------
    ReadableByOthers
        Names the file, its mode and the command that mends it.
    """
    keys = settings.home / "keys"
    private = [*keys.glob("*.pem"), *_given(settings.signing_key), *_given(settings.access)]
    for path in private:
        require_private(path)
    for path in (settings.trusted_keys or keys / "trusted").glob("*.pem"):
        require_unchanged_by_others(path)
    for url in (settings.ledger_url, settings.store_url, settings.tracking_uri):
        if (database := _file_of(url)) is not None:
            require_private_database(database)


def require_servable(settings: Settings, token: SecretStr | None) -> None:
    """Refuse at once what no worker of the service could start with.

    Whether the champion's bundle is whole and its audit still valid is for the worker to see.

    Parameters
    ----------
    token
        Token of this start alone, for loopback.

    Raises
    ------
    EvidenceMissing
        No client is trusted, or there is no ledger.
    PromotionRefused
        The ledger has no champion, of none of the models.
    ServiceUnavailable, ContractError
        The port is in use, the ledger cannot be opened, or the access file is none.
    """
    access_of(settings, token)
    bind(settings.host, settings.port).close()
    with closing(open_ledger(settings)) as ledger:
        missing = [_missing(ledger, model) for model in settings.model or (None,)]
    if None not in missing:
        why = next(filter(None, missing))
        raise PromotionRefused(why.reason, why.what_to_do)


def _missing(ledger: Ledger, model: str | None) -> EvidenceMissing | None:
    try:
        ledger.champion(model)
    except EvidenceMissing as error:
        return error
    return None


def access_of(settings: Settings, token: SecretStr | None) -> Access:
    """Return who may use the service.

    Raises
    ------
    EvidenceMissing
        Nobody.
    ContractError
        As `serving.access.authentication.read_access`.
    """
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


def _given(path: Path | None) -> list[Path]:
    return [] if path is None else [path]


def _file_of(url: SecretUrl) -> Path | None:
    if url.scheme != "sqlite":
        return None
    return Path(str(make_url(url.get_secret_value()).database))
