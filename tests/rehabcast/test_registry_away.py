"""A real MLflow server is away, slow or wrong during a promotion."""

from __future__ import annotations

import logging
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from audits.judging.policy import load_policy
from audits.ledger.gate import PresentedEvidence, promote
from audits.ledger.ledger import Ledger
from audits.ledger.records import Role
from audits.report.content import ModelFacts, Report
from contracts.bundle import CARD_FILE
from contracts.digests import file_digest
from contracts.verdict import Outcome, Verdict
from inference.bundle import verify_bundle
from rehabcast.ledger_source import LedgerSource
from rehabcast.settings import Settings
from rehabcast.signed_artifacts import REPORT_FILE, REPORT_FOLDER, sign_bundle, sign_into_run
from serving.state.champion import ChampionInService
from tests.rehabcast.mlflow_server import mlflow_server
from training.registry.model_versions import ModelVersion, register
from training.tracking import run

# MLflow uses what others deprecate; rehabcast itself does not.
pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning"
)

PASSWORD = "hunter2"  # noqa: S105


class Proxy:
    """Between service and registry: forwards, holds what it gets, or refuses connections."""

    def __init__(self, port: int) -> None:
        self.target = port
        self.mode = "forward"
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def set(self, mode: str) -> None:
        self.mode = mode
        for one in self._open:
            one.close()
        self._open.clear()

    def close(self) -> None:
        self.set("refuse")
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(client)
            if self.mode == "refuse":
                client.close()
            elif self.mode == "wrong":
                client.recv(65536)
                client.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nwrong")
                client.close()
            elif self.mode == "forward":
                server = socket.create_connection(("127.0.0.1", self.target))
                self._open.append(server)
                for pair in ((client, server), (server, client)):
                    threading.Thread(target=self._copy, args=pair, daemon=True).start()

    def _copy(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass


def verdict_on(version: str, bundle_digest: str) -> Verdict:
    return Verdict(
        model_version=version, bundle_digest=bundle_digest, predictions_digest="a" * 64,
        policy_digest=load_policy().digest, data_digest="d" * 64, code_digest="e" * 64,
        simulated=True, outcome=Outcome.PASS, findings=(),
    )  # fmt: skip


def report_on(verdict: Verdict) -> Report:
    facts = ModelFacts(
        developer=None, contact=None, funding=None, family="hybrid", condition="stroke",
        target="FMA", target_low=0, target_high=66, horizon_weeks=(12,), milestones=(), inputs=(),
        audited_attributes={}, cohort_name="made up", simulated=True, subjects=60, seed=0,
        created="2026-11-01",
    )  # fmt: skip
    return Report(
        verdict=verdict, policy=load_policy(), facts=facts, made_at="2026-11-01",
        valid_until="2027-05-01", people=60, forecasts=60, comparators=(), performance=(),
        unavailable=(), label_sensitivity=(),
    )  # fmt: skip


class Hospital:
    """A ledger, a registry with two versions, and who promotes and revokes."""

    def __init__(self, folder: Path, bundle_folder: Path) -> None:
        self.folder = folder
        self.database = f"sqlite:///{folder / 'mlflow.db'}"
        self.ledger = Ledger(f"sqlite:///{folder / 'ledger.db'}")
        self.settings = self.settings_for(self.database)
        self.reports: dict[str, str] = {}
        self.bundle_digest = verify_bundle(bundle_folder)
        for _ in range(2):
            self._register(bundle_folder)

    def settings_for(self, tracking_uri: str) -> Settings:
        return Settings(
            tracking_uri=tracking_uri, home=self.folder, actor="ann",
            ledger_url=f"sqlite:///{self.folder / 'ledger.db'}",
        )  # fmt: skip

    def _register(self, bundle_folder: Path) -> None:
        with run(self.settings.store, name="train", tags={}) as opened:
            version: ModelVersion = register(opened, bundle_folder, name="arm", tags={})
            sign_bundle(self.settings, version)
            path = self.folder / REPORT_FILE
            report = report_on(verdict_on(str(version), self.bundle_digest))
            path.write_text(report.model_dump_json())
            opened.client.log_artifact(version.run_id, str(path), REPORT_FOLDER)
            sign_into_run(self.settings, version, path, REPORT_FOLDER)
            self.reports[str(version)] = file_digest(path)

    def put_in_service(self, version: str) -> None:
        verdict, now = verdict_on(version, self.bundle_digest), datetime.now(UTC)
        audit = self.ledger.record_audit(
            verdict, self.reports[version], actor="ann", now=now,
            valid_until=now + timedelta(days=30),
        )  # fmt: skip
        for role, person in zip(Role, ("mia", "gus"), strict=True):
            self.ledger.approve(audit, role, person=person, reason="Read it, discussed.", now=now)
        presented = PresentedEvidence(
            bundle_digest=self.bundle_digest, report=verdict,
            report_digest=self.reports[version], policy_digest=verdict.policy_digest,
        )  # fmt: skip
        promote(self.ledger, model_version=version, presented=presented, actor="bob", now=now)

    def revoke(self) -> None:
        self.ledger.revoke("arm", actor="bob", reason="Harm was seen.", now=datetime.now(UTC))


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory, bundle_folder: Path) -> Hospital:
    return Hospital(tmp_path_factory.mktemp("hospital"), bundle_folder)


@pytest.fixture(scope="module")
def proxy(template: Hospital) -> Iterator[Proxy]:
    with mlflow_server(template.folder, template.database) as port:
        between = Proxy(port)
        try:
            yield between
        finally:
            between.close()


def until(condition: Callable[[], Any], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def version_of(service: ChampionInService) -> str:
    return service.current.served.audit_status.model_version


def test_a_registry_away_slow_or_wrong_during_a_promotion_stops_nothing_and_shows_no_secret(
    template: Hospital,
    proxy: Proxy,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, logger="rehabcast")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "8")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    address = f"http://user:{PASSWORD}@127.0.0.1:{proxy.port}"
    template.put_in_service("arm/1")
    service = ChampionInService(LedgerSource(template.settings_for(address)), recheck_seconds=0.2)
    said: list[str] = []

    def problem_says(words: str) -> bool:
        said.append(f"{service.problem} {service.current.withdrawn} {service.current.problem}")
        return words in said[-1]

    try:
        new = ["arm/2", "arm/1", "arm/2"]
        for mode, version in zip(("refuse", "wrong", "hold"), new, strict=True):
            before = version_of(service)
            proxy.set(mode)
            template.put_in_service(version)
            until(lambda: problem_says("cannot be loaded"))
            assert service.current.withdrawn is None
            assert version_of(service) == before != version
            proxy.set("forward")
            until(lambda version=version: version_of(service) == version)  # type: ignore[misc]
            until(lambda: service.problem is None)
        # A revocation is seen while the registry holds a load.
        proxy.set("hold")
        template.put_in_service("arm/1")
        time.sleep(0.5)
        template.revoke()
        until(lambda: problem_says("was revoked"), 2.5)
        assert service.current.withdrawn is not None
        # A promotion whose files cannot be had leaves the revoked model withdrawn.
        proxy.set("refuse")
        template.put_in_service("arm/2")
        until(lambda: problem_says("cannot be loaded"))
        assert service.current.withdrawn is not None
        proxy.set("forward")
        until(lambda: service.current.withdrawn is None)
        assert version_of(service) == "arm/2"
    finally:
        service.close()
    ours = [r.getMessage() for r in caplog.records if r.name.startswith("rehabcast")]
    written = "\n".join([*said, *ours])
    for secret in (PASSWORD, str(proxy.port), "127.0.0.1", str(template.folder)):
        assert secret not in written
    assert "cannot be loaded" in caplog.text


def test_files_changed_in_the_registry_are_not_loaded_and_the_champion_before_answers(
    template: Hospital,
) -> None:
    template.put_in_service("arm/1")
    service = ChampionInService(LedgerSource(template.settings), recheck_seconds=0.1)
    (card,) = (
        path
        for path in (template.folder / "artifacts").rglob(f"bundle/{CARD_FILE}")
        if "arm/2" in (path.parents[1] / REPORT_FOLDER / REPORT_FILE).read_text()
    )
    kept = card.with_name("kept")
    shutil.copy(card, template.folder / kept.name)
    try:
        card.write_text("# Another\n")
        template.put_in_service("arm/2")
        until(lambda: "not those that were signed" in str(service.problem))
        assert (version_of(service), service.current.withdrawn) == ("arm/1", None)
        shutil.copy(template.folder / kept.name, card)
        until(lambda: version_of(service) == "arm/2")
    finally:
        service.close()
