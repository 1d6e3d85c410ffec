"""Where a registry says that artifacts lie, and how it is told that its home is elsewhere now.

MLflow keeps absolute addresses. A home that was copied or renamed would go on reading and writing
the folder that it came from, so the addresses of a registry that is the home's own are brought
along when it is opened. A registry that others may use cannot be: it is refused.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import sqlalchemy as sa

from contracts.errors import EvidenceMissing, ServiceUnavailable
from stores.database import cause_of, reading, write

PLACES = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
"""Columns in which MLflow 3 keeps places of artifacts."""

DEFAULT = "Default"
"""Experiment that MLflow makes by itself, in a folder beside whatever the current one was."""


def local_folder(location: str) -> Path | None:
    """Return the folder of this machine that an address of MLflow's means; None for a server's."""
    address = urlsplit(location)
    if address.scheme == "file":
        return Path(url2pathname(address.path))
    return Path(location) if location.startswith("/") else None


def bring_along(engine: sa.Engine, experiment: str, artifacts: Path) -> None:
    """Have a home's own registry name the folder of artifacts that the home has now.

    Parameters
    ----------
    experiment
        Name of the experiment of every run of ours, whose place shows where the home was.

    Raises
    ------
    EvidenceMissing
        The artifacts did not come along.
    ServiceUnavailable
        The registry cannot be changed.
    """
    here = artifacts.resolve()
    with reading(engine) as connection:
        is_elsewhere = _place_elsewhere(connection, experiment, here) is not None
    if not is_elsewhere:
        return

    def action(connection: sa.Connection) -> None:
        # Read again in the queue of writers: another process may have done it meanwhile.
        before = _place_elsewhere(connection, experiment, here)
        if before is None:
            return
        _require_artifacts(connection, before, here)
        _move(connection, before, here)
        # A trace of the folder that some command was run in; nothing was ever put there.
        connection.execute(
            sa.text(
                "UPDATE experiments SET artifact_location = :place WHERE name = :name"
                " AND experiment_id NOT IN (SELECT experiment_id FROM runs)"
            ),
            {"place": (here / DEFAULT).as_uri(), "name": DEFAULT},
        )

    try:
        write(engine, action)
    except sa.exc.DBAPIError as error:
        raise ServiceUnavailable(
            f"the registry names the folder that its home was in before, {here.parent} is another,"
            f" and it cannot be corrected ({cause_of(error)})",
            "make the home writable for this user, and run the command again",
        ) from None


def move_artifacts(engine: sa.Engine, before: Path, after: Path) -> None:
    """Have a registry name another folder of artifacts, whoever keeps it."""
    write(engine, lambda connection: _move(connection, before, after))


def _place_elsewhere(connection: sa.Connection, experiment: str, here: Path) -> Path | None:
    location = connection.execute(
        sa.text("SELECT artifact_location FROM experiments WHERE name = :name"),
        {"name": experiment},
    ).scalar()
    folder = None if location is None else local_folder(location)
    return None if folder in {None, here} else folder


def _require_artifacts(connection: sa.Connection, before: Path, here: Path) -> None:
    """Refuse a registry whose runs' folders are all missing here: their home is another."""
    runs = connection.execute(sa.text("SELECT artifact_uri FROM runs")).scalars()
    folders = [folder for uri in runs if uri and (folder := local_folder(uri)) is not None]
    inside = [f.relative_to(before) for f in folders if f.is_relative_to(before)]
    if inside and not any((here / path).exists() for path in inside):
        raise EvidenceMissing(
            f"the registry here names artifacts in {before}, and none of them is in {here}",
            f"copy them to {here}, or set REHABCAST_HOME to the home that they belong to",
        )


def _move(connection: sa.Connection, before: Path, after: Path) -> None:
    inspector = sa.inspect(connection)
    for table, name in PLACES:
        if not inspector.has_table(table):
            continue
        for old in (str(before), before.as_uri()):
            column: sa.ColumnClause[str] = sa.column(name)
            moved = sa.literal(after.as_uri()) + sa.func.substr(column, len(old) + 1)
            connection.execute(
                sa.update(sa.table(table, column))
                .where(sa.func.substr(column, 1, len(old) + 1).in_([old, old + "/"]))
                .values({name: moved})
            )
