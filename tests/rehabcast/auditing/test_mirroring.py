"""MLflow hangs: what changes the champion is on record at once, and says that the alias lags."""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from audits.ledger.ledger import Ledger
from audits.ledger.records import Role
from audits.ledger.signing import make_key
from contracts.errors import RehabcastError, ServiceUnavailable
from contracts.verdict import Outcome, Verdict
from rehabcast.auditing import mirroring
from rehabcast.commands import governance
from rehabcast.commands import ledger as ledger_commands
from rehabcast.settings import Settings

SECRET = "hunter2"  # noqa: S105


@pytest.fixture
def hanging() -> Iterator[int]:
    """Return the port of a server that accepts connections, and never answers."""
    accepted: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def accept() -> None:
            while True:
                try:
                    accepted.append(listening.accept()[0])
                except OSError:
                    return

        threading.Thread(target=accept, daemon=True).start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)
    for one in accepted:
        one.close()


@pytest.fixture
def ledger(tmp_path: Path, hanging: int, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    """A ledger with two promotions, and a registry that hangs."""
    ledger_url = f"sqlite:///{tmp_path / 'ledger.db'}"
    monkeypatch.setenv("REHABCAST_HOME", str(tmp_path))
    monkeypatch.setenv("REHABCAST_LEDGER_URL", ledger_url)
    address = f"http://user:{SECRET}@127.0.0.1:{hanging}"
    monkeypatch.setenv("REHABCAST_TRACKING_URI", address)
    monkeypatch.setenv("REHABCAST_ACTOR", "gus")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "2")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setattr(mirroring, "PATIENCE_SECONDS", 0.5)
    make_key(tmp_path / "keys" / "local.pem", tmp_path / "keys" / "trusted" / "local.pem")
    opened = Ledger(ledger_url)
    for version in ("arm/1", "arm/2"):
        promote(opened, version)
    return opened


def promote(ledger: Ledger, version: str) -> None:
    now = datetime.now(UTC)
    verdict = Verdict(
        model_version=version, bundle_digest="b" * 64, predictions_digest="a" * 64,
        policy_digest="c" * 64, data_digest="d" * 64, code_digest="e" * 64, simulated=True,
        outcome=Outcome.PASS, findings=(),
    )  # fmt: skip
    until = now + timedelta(days=9)
    audit = ledger.record_audit(verdict, "f" * 64, actor="ann", now=now, valid_until=until)
    for role, person in zip(Role, ("mia", "gus"), strict=True):
        ledger.approve(audit, role, person=person, reason="Read and discussed.", now=now)
    ledger.promote(audit, seen_epoch=ledger.epoch("arm"), actor="bob", now=now)


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (lambda: governance.revoke("arm", reason="Harm was seen.", as_json=True), "revocation"),
        (
            lambda: governance.rollback("arm", 1, reason="Better before.", as_json=True),
            "rollback",
        ),
    ],
)
def test_a_registry_that_hangs_delays_no_change_of_the_champion(
    ledger: Ledger, capsys: pytest.CaptureFixture[str], change: Callable[[], None], kind: str
) -> None:
    began = time.monotonic()
    change()
    assert time.monotonic() - began < 5
    said = capsys.readouterr()
    assert ledger.trail()[-1].kind == kind
    assert json.loads(said.out)["alias_shows_it"] is False
    assert "in the ledger and in force" in said.err
    assert "rehabcast ledger mirror" in said.err
    assert SECRET not in said.out + said.err


def test_nobody_waits_for_the_lock_of_the_ledger_while_a_registry_hangs(ledger: Ledger) -> None:
    """The calls go on behind the command's back: approvals and revocations are written."""
    governance.revoke("arm", reason="Harm was seen.", as_json=True)
    began = time.monotonic()
    promote(ledger, "arm/3")
    ledger.revoke("arm", actor="gus", reason="Harm was seen.", now=datetime.now(UTC))
    assert time.monotonic() - began < 5


def test_a_promotion_without_its_evidence_is_refused_within_seconds(ledger: Ledger) -> None:
    length = len(ledger.trail())
    began = time.monotonic()
    with pytest.raises(RehabcastError):
        governance.run_promotion("arm/2")
    assert time.monotonic() - began < 20
    assert len(ledger.trail()) == length


def test_a_mirroring_on_request_fails_within_seconds_and_a_verification_does_not(
    ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ServiceUnavailable, match="did not answer"):
        ledger_commands.mirror()
    ledger_commands.verify(as_json=True)
    said = capsys.readouterr()
    assert (json.loads(said.out)["valid"], json.loads(said.out)["drift"]) == (True, None)
    assert "not compared" in said.err
    assert ledger.verify().length == len(ledger.trail())


def test_a_service_tries_again_until_the_alias_shows_the_champion(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    shown: dict[str, str | None] = {}
    failures = [ConnectionError(SECRET), ConnectionError(SECRET)]
    done = threading.Event()

    class Aliases:
        def __init__(self, **_: object) -> None:
            pass

        def version(self, model: str) -> str | None:
            return shown.get(model)

        def set_version(self, model: str, version: str | None) -> None:
            if failures:
                raise failures.pop()
            shown[model] = version
            done.set()

    monkeypatch.setattr(mirroring, "ChampionAliases", Aliases)
    monkeypatch.setattr(mirroring, "FIRST_PAUSE_SECONDS", 0.01)
    with caplog.at_level(logging.ERROR, logger="rehabcast.champion"):
        mirror = mirroring.ServiceMirror(Settings(), ledger)
        mirror.start()
        assert done.wait(20)
    assert shown == {"arm": "2"}
    assert [record.message.partition(":")[0] for record in caplog.records] == [
        "MLflow's alias lags behind the ledger"
    ] * 2
    assert SECRET not in caplog.text
    done.clear()
    ledger.revoke("arm", actor="gus", reason="Harm was seen.", now=datetime.now(UTC))
    mirror.start()
    assert done.wait(20)
    assert shown == {"arm": None}
