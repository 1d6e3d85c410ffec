"""A champion to serve, and a real server process."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import jwt
import pandas as pd
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from contracts.task import Task
from contracts.therapy import THERAPY
from contracts.verdict import Outcome
from inference.bundle import Bundle, load_bundle, verify_bundle
from serving.forecast.audit_status import AuditStatus, ServedModel
from serving.state.store import Store
from tests.conftest import train_bundle


@pytest.fixture(scope="session")
def served(bundle: Bundle) -> ServedModel:
    audit_status = AuditStatus(
        model_version="arm/1",
        report_digest="r" * 64,
        outcome=Outcome.PASS,
        valid_until=datetime(2100, 1, 1, tzinfo=UTC),
        approver=None,
        reason=None,
    )
    return ServedModel(bundle=bundle, audit_status=audit_status)


@pytest.fixture(scope="session")
def served_walking(walking_bundle_folder: Path, served: ServedModel) -> ServedModel:
    digest = verify_bundle(walking_bundle_folder)
    return ServedModel(
        bundle=load_bundle(walking_bundle_folder, expected_digest=digest),
        audit_status=replace(served.audit_status, model_version="walking/1"),
    )


def with_minutes(events: pd.DataFrame) -> pd.DataFrame:
    """Give everybody half an hour to an hour of therapy on the days with steps."""
    steps = events[events["code"] == "LOINC//41950-7"]
    minutes = 30.0 + 30 * (steps["subject_id"].to_numpy() % 2)
    return pd.concat([events, steps.assign(code=THERAPY, numeric_value=minutes)])


@pytest.fixture(scope="session")
def treated_folder(
    events: pd.DataFrame,
    task: Task,
    tmp_path_factory: pytest.TempPathFactory,
    made_once: Callable[[str, Callable[[Path], None]], Path],
) -> Path:
    """The bundle of a model that reads therapy, and has seen that of 60 people."""

    def make(folder: Path) -> None:
        folds = tmp_path_factory.mktemp("folds")
        train_bundle(with_minutes(events), task, folder, folds, max_epochs=2)

    return made_once("treated", make)


@pytest.fixture(scope="session")
def treated(treated_folder: Path, served: ServedModel) -> ServedModel:
    digest = verify_bundle(treated_folder)
    return replace(served, bundle=load_bundle(treated_folder, expected_digest=digest))


# What a test's server runs: the champion is the folder that `champion.txt` names.
APPLICATION = """
from datetime import UTC, datetime
from pathlib import Path
from contracts.errors import ServiceUnavailable
from contracts.verdict import Outcome
from serving.access.authentication import Access, read_access
from inference.bundle import load_bundle, verify_bundle
from serving.state.champion import ChampionInService
from serving.state.champions import Champions
from serving.state.following import Terms, Verified
from serving.http.runtime import Runtime
from serving.state.consent import Consents
from serving.state.forecast_log import ForecastLog
from serving.http.service import build_service
from serving.forecast.audit_status import ServedModel, AuditStatus
from serving.state.store import Store

FOLDER = Path({folder!r})

class FolderSource:
    entries = ()

    def read(self):
        try:
            entry = (FOLDER / "champion.txt").read_text()
        except OSError as error:
            raise ServiceUnavailable("the ledger is gone", "put it back") from error
        if entry not in self.entries[-1:]:
            self.entries += (entry,)
        terms = Terms(sequence=len(self.entries), epoch=len(self.entries), model="arm",
            model_version=entry.split()[0], valid_until=datetime(2100, 1, 1, tzinfo=UTC))
        return Verified(hashes=self.entries, latest=None, champion=terms)

    def registry(self):
        return None

    def load(self, terms):
        version, folder, digest = self.entries[terms.sequence - 1].split()
        audit_status = AuditStatus(model_version=version, report_digest="r" * 64, outcome=Outcome.PASS,
            valid_until=terms.valid_until, approver=None, reason=None)
        bundle = load_bundle(Path(folder), expected_digest=digest)
        return ServedModel(bundle=bundle, audit_status=audit_status, card="# Card")

def open_runtime():
    store = Store({store!r})
    access = read_access(FOLDER / "access.toml", {token!r})
    champion = ChampionInService(FolderSource(), recheck_seconds=0.05)
    return Runtime(champions=Champions({{"arm": champion}}), store=store, forecast_log=ForecastLog(store, FOLDER / "spool"), access=access,
        consents=Consents(store.engine))

service = build_service(open_runtime, workers={workers})
"""

TOKEN = "a-token-of-the-tests"  # noqa: S105
AUDIENCE = "https://rehabcast.test"
ISSUER, CLIENT = "https://idp.test", "ehr"
ACCESS = f"""
audience = "{AUDIENCE}"
token_key = "own.pem"
[[issuer]]
name = "{ISSUER}"
jwks = "issuer.json"
[[client]]
id = "{CLIENT}"
jwks = "client.json"
scopes = ["forecast", "cds"]
"""


@dataclass(frozen=True)
class Signers:
    """Private keys of an identity provider (RSA and EC) and of a client (EC)."""

    rsa: Any
    ec: Any
    client: Any

    def issued(self, key: Any = None, alg: str = "RS256", kid: str = "rsa", **claims: Any) -> str:
        now = int(time.time())
        usual = {
            "iss": ISSUER, "aud": AUDIENCE, "sub": "dr", "iat": now, "exp": now + 60,
            "scope": "forecast",
        }  # fmt: skip
        return jwt.encode({**usual, **claims}, key or self.rsa, algorithm=alg, headers={"kid": kid})

    def asserted(self, **claims: Any) -> str:
        now = int(time.time())
        usual = {
            "iss": CLIENT, "sub": CLIENT, "aud": AUDIENCE, "iat": now, "exp": now + 60,
            "jti": secrets.token_hex(8),
        }  # fmt: skip
        return jwt.encode({**usual, **claims}, self.client, algorithm="ES384", headers={"kid": "c"})


@pytest.fixture(scope="session")
def signers() -> Signers:
    return Signers(
        rsa=rsa.generate_private_key(public_exponent=65537, key_size=2048),
        ec=ec.generate_private_key(ec.SECP256R1()),
        client=ec.generate_private_key(ec.SECP384R1()),
    )


@pytest.fixture(scope="session", name="write_access")
def _write_access() -> Callable[[Path, Signers], None]:
    return write_access


def write_access(folder: Path, signers: Signers) -> None:
    def jwk(key: Any, kid: str) -> dict[str, Any]:
        algorithm = RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else ECAlgorithm
        public: dict[str, Any] = algorithm.to_jwk(key.public_key(), as_dict=True)
        return {**public, "kid": kid}

    keys = {"keys": [jwk(signers.rsa, "rsa"), jwk(signers.ec, "ec")]}
    (folder / "issuer.json").write_text(json.dumps(keys))
    (folder / "client.json").write_text(json.dumps({"keys": [jwk(signers.client, "c")]}))
    own = ec.generate_private_key(ec.SECP384R1())
    (folder / "own.pem").write_bytes(
        own.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    (folder / "access.toml").write_text(ACCESS)


@dataclass(frozen=True)
class Server:
    """A running service of a test."""

    address: str
    folder: Path
    process: subprocess.Popen[bytes]
    http: httpx.Client

    @property
    def log(self) -> str:
        return (self.folder / "service.log").read_text()

    @property
    def store_url(self) -> str:
        return f"sqlite:///{self.folder / 'service.db'}"

    def promote(self, version: str, bundle_folder: Path, digest: str | None = None) -> None:
        promote(self.folder, version, bundle_folder, digest)


def promote(folder: Path, version: str, bundle_folder: Path, digest: str | None = None) -> None:
    """Name another champion, in one step: a server that reads meanwhile sees one or the other."""
    fresh = folder / "champion.new"
    fresh.write_text(f"{version} {bundle_folder} {digest or verify_bundle(bundle_folder)}")
    fresh.replace(folder / "champion.txt")


@pytest.fixture(scope="session")
def serve(signers: Signers) -> Callable[..., AbstractContextManager[Server]]:
    @contextmanager
    def run(
        folder: Path, bundle_folder: Path, *, workers: int = 1, store: str = ""
    ) -> Iterator[Server]:
        write_access(folder, signers)
        if not (folder / "champion.txt").exists():
            promote(folder, "arm/1", bundle_folder)
        url = store or f"sqlite:///{folder / 'service.db'}"
        (folder / "application.py").write_text(
            APPLICATION.format(folder=str(folder), store=url, token=TOKEN, workers=workers)
        )
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        command = [
            sys.executable, "-m", "serving.server", "application:service", "--port", str(port),
        ]  # fmt: skip
        with (folder / "service.log").open("w") as output:
            process = subprocess.Popen(
                command,
                cwd=folder,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            headers = {"Authorization": f"Bearer {TOKEN}"}
            http = httpx.Client(
                base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=30,
                limits=httpx.Limits(max_connections=256),
            )  # fmt: skip
            try:
                yield Server(f"http://127.0.0.1:{port}", folder, process, http)
            finally:
                http.close()
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGTERM)
                process.wait(timeout=40)

    return run


@dataclass(frozen=True)
class Postgres:
    """A real PostgreSQL server that a test may stop and start."""

    url: str
    stop: Callable[[], None]
    start: Callable[[], None]


@pytest.fixture
def postgres(start_postgresql: Callable[[], Any]) -> Iterator[Postgres]:
    server = start_postgresql()
    yield Postgres(server.get_uri(), server.stop, server.start)
    server.cleanup()


@pytest.fixture
def store(own_database: str) -> Iterator[Store]:
    with closing(Store(own_database)) as opened:
        yield opened


@pytest.fixture(scope="session")
def until_ready() -> Callable[..., bool]:
    def wait(server: Server, seconds: float = 150) -> bool:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and server.process.poll() is None:
            try:
                if server.http.get("/readyz").status_code == 200:
                    return True
            except httpx.TransportError:
                pass
            time.sleep(0.2)
        return False

    return wait


@pytest.fixture(scope="session")
def server(
    serve: Any, until_ready: Any, bundle_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    with serve(tmp_path_factory.mktemp("service"), bundle_folder) as running:
        assert until_ready(running), running.log
        yield running
