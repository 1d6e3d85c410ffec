"""Databases that disappear while a service has them open."""

from __future__ import annotations

import http.server
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from contracts.errors import ServiceUnavailable
from rehabcast.reachability import file_identity, is_registry_reachable
from stores.database import connect, reading


def test_a_moved_or_replaced_file_is_noticed_though_sqlite_still_reads_it(tmp_path: Path) -> None:
    file = tmp_path / "ledger.db"
    url = f"sqlite:///{file}"
    with sqlite3.connect(file) as database:
        database.execute("CREATE TABLE entries (value)")
    database.close()
    engine = connect(url)
    with reading(engine) as connection:
        connection.execute(text("SELECT * FROM entries"))
    identity = file_identity(url)
    copy = shutil.copy(file, tmp_path / "copy.db")
    file.rename(tmp_path / "away.db")
    with reading(engine) as connection:
        connection.execute(text("SELECT * FROM entries"))
    with pytest.raises(ServiceUnavailable, match="gone"):
        file_identity(url)
    Path(copy).rename(file)
    assert file_identity(url) != identity
    engine.dispose()


def test_a_servers_database_has_no_file() -> None:
    assert file_identity("postgresql://user@host/database") is None


def test_a_registry_file_is_reachable_or_not_and_none_is_created(tmp_path: Path) -> None:
    file = tmp_path / "mlflow.db"
    assert not is_registry_reachable(f"sqlite:///{file}")
    assert not file.exists()
    with sqlite3.connect(file) as database:
        database.execute("CREATE TABLE registered_models (name)")
    database.close()
    assert is_registry_reachable(f"sqlite:///{file}")
    file.write_bytes(b"no database at all" * 100)
    assert not is_registry_reachable(f"sqlite:///{file}")


@pytest.fixture
def mlflow_address() -> Iterator[str]:
    class Health(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/health" else 404)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Health)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_registry_on_a_server_is_asked_for_its_health(mlflow_address: str) -> None:
    assert is_registry_reachable(mlflow_address)
    assert not is_registry_reachable(f"{mlflow_address}/elsewhere")
    assert not is_registry_reachable("http://127.0.0.1:9")
    assert not is_registry_reachable("postgresql://nobody@127.0.0.1:9/mlflow")
