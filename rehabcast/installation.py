"""Checks at the start of the service that its keys, access file and databases are private."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy.engine import make_url

from rehabcast.settings import Settings
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


def _given(path: Path | None) -> list[Path]:
    return [] if path is None else [path]


def _file_of(url: SecretUrl) -> Path | None:
    if url.scheme != "sqlite":
        return None
    return Path(str(make_url(url.get_secret_value()).database))
