"""PostgreSQL's own programs and statements, for what no transaction can do.

What a program has to know is written into a private file for it or into its environment: a command
line can be read by everybody on the machine.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import sqlalchemy as sa
from sqlalchemy.engine import URL

from contracts.errors import ServiceUnavailable
from stores.database import cause_of, connect

SERVICE = "rehabcast"
"""Name of the section that PostgreSQL's programs read their connection from."""


@contextmanager
def server(url: URL) -> Iterator[sa.Engine]:
    """Connect to a server.

    Raises
    ------
    ServiceUnavailable
        It cannot be reached, or refuses.
    """
    engine = connect(url.render_as_string(hide_password=False))
    try:
        yield engine
    except sa.exc.DBAPIError as error:
        raise ServiceUnavailable(
            f"the database cannot be used ({cause_of(error)})",
            "check that its server runs, and what its role may do",
        ) from error
    finally:
        engine.dispose()


def administer(engine: sa.Engine, statement: str) -> None:
    """Run a statement that no transaction may hold.

    Raises
    ------
    ServiceUnavailable
        The role may not.
    """
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        try:
            connection.execute(sa.text(statement))
        except sa.exc.ProgrammingError as error:
            raise ServiceUnavailable(
                "the copy cannot be tried, because the role may not create a database"
                f" ({cause_of(error)})",
                "back up as a role with CREATEDB: a copy that was never restored proves nothing",
            ) from error


def run(program: str, arguments: Sequence[str], url: URL) -> None:
    """Run a program on the database at a URL; it finds the connection itself, as `SERVICE`.

    Raises
    ------
    ServiceUnavailable
        It is missing, of another version than the server, or fails.
    """
    path = shutil.which(program)
    if path is None:
        raise ServiceUnavailable(
            f"the program {program} is missing", "install PostgreSQL's client programs"
        )
    _require_same_version(path, url)
    with TemporaryDirectory() as folder:
        done = subprocess.run(  # noqa: S603  (PostgreSQL's own program)
            [path, "--no-password", *arguments],
            env={**os.environ, **_connection(url, Path(folder))},
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode != 0:
        raise ServiceUnavailable(
            f"{program} failed ({cause_of(RuntimeError(done.stderr))})",
            "check that the server runs, and what its role may do",
        )


def _require_same_version(path: str, url: URL) -> None:
    program = subprocess.run(  # noqa: S603  (PostgreSQL's own program)
        [path, "--version"], capture_output=True, text=True, check=True
    ).stdout.strip()
    with server(url) as engine, engine.connect() as connection:
        number = int(connection.execute(sa.text("SHOW server_version_num")).scalar_one())
    major = number // 10_000
    if f" {major}." not in f"{program}.":
        raise ServiceUnavailable(
            f"the server is PostgreSQL {major}, but the program here is {program}",
            f"put the programs of PostgreSQL {major} first in PATH",
        )


def _connection(url: URL, folder: Path) -> Mapping[str, str]:
    """Return an environment in which PostgreSQL's programs connect as the URL says."""
    parameters = connect(url.render_as_string(hide_password=False)).dialect.create_connect_args(
        url
    )[1]
    password = parameters.pop("password", None)
    # Any parameter may be secret, so all are in a file that only we can read. Only the password is
    # not: a line of that file loses the spaces at its end.
    file = folder / "connection.conf"
    file.touch(mode=0o600)
    # SQLAlchemy adds an object of its driver to what goes to the server.
    given_to_server = {n: v for n, v in parameters.items() if isinstance(v, str | int)}
    lines = [f"[{SERVICE}]", *(f"{name}={value}" for name, value in given_to_server.items())]
    file.write_text("\n".join(lines) + "\n", "utf-8")
    given = {} if password is None else {"PGPASSWORD": password}
    return {"PGSERVICEFILE": str(file), "PGSERVICE": SERVICE, **given}
