"""Whether the ledger and the registry still are where the service opened them."""

from __future__ import annotations

from pathlib import Path

import httpx
import sqlalchemy as sa
from sqlalchemy.engine import make_url

from contracts.errors import ServiceUnavailable
from stores.database import connect, reading

SECONDS = 2.0
MODELS = "registered_models"
"""A table of MLflow's."""


def place_of(url: str) -> tuple[int, int] | None:
    """Return device and inode of an SQLite database; None for a server's.

    SQLite goes on reading a file that was moved away or replaced, and makes an empty one where
    there is none: whoever follows a database has to look at the file too.

    Raises
    ------
    ServiceUnavailable
        The file is gone.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        return None
    try:
        found = Path(parsed.database).stat()
    except OSError as error:
        raise ServiceUnavailable(f"the database is gone ({type(error).__name__})") from error
    return found.st_dev, found.st_ino


def answers(tracking_uri: str) -> bool:
    """Say whether MLflow's server, or its database, can be reached."""
    try:
        if tracking_uri.startswith(("http://", "https://")):
            told = httpx.get(f"{tracking_uri.rstrip('/')}/health", timeout=SECONDS)
            return told.status_code == httpx.codes.OK
        place_of(tracking_uri)
        engine = connect(tracking_uri)
        try:
            with reading(engine) as connection:
                return sa.inspect(connection).has_table(MODELS)
        finally:
            engine.dispose()
    except (ServiceUnavailable, sa.exc.DBAPIError, httpx.HTTPError):
        return False
