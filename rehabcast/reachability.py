"""Checks that the ledger and the registry are still where the service opened them."""

from __future__ import annotations

from pathlib import Path

import httpx
import sqlalchemy as sa
from sqlalchemy.engine import make_url

from contracts.errors import RehabcastError, ServiceUnavailable
from stores.database import connect, reading
from stores.secret_url import SecretUrl, revealed

TIMEOUT_SECONDS = 2.0
MODELS_TABLE = "registered_models"
"""One of MLflow's tables: a database without it is not a registry."""


def file_identity(url: str | SecretUrl) -> tuple[int, int] | None:
    """Return device and inode of an SQLite database's file; None for a database server.

    SQLite goes on reading a file that was moved or replaced, and creates an empty one where there
    is none: to notice either, the file itself must be checked.

    Raises
    ------
    ServiceUnavailable
        The file is gone.
    """
    parsed = make_url(revealed(url))
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        return None
    try:
        status = Path(parsed.database).stat()
    except OSError as error:
        raise ServiceUnavailable(
            f"the database is gone ({type(error).__name__})",
            "put its file back where the service's settings name it",
        ) from None
    return status.st_dev, status.st_ino


def is_registry_reachable(address: str | SecretUrl) -> bool:
    """Return whether MLflow's server, or its database, can be reached."""
    tracking_uri = revealed(address)
    try:
        if tracking_uri.startswith(("http://", "https://")):
            health = httpx.get(f"{tracking_uri.rstrip('/')}/health", timeout=TIMEOUT_SECONDS)
            return health.status_code == httpx.codes.OK
        file_identity(tracking_uri)
        engine = connect(tracking_uri)
        try:
            with reading(engine) as connection:
                return sa.inspect(connection).has_table(MODELS_TABLE)
        finally:
            engine.dispose()
    except (RehabcastError, sa.exc.SQLAlchemyError, httpx.HTTPError, httpx.InvalidURL):
        return False
