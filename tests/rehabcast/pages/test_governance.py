"""The governance room and the bench, as a board and an engineer use them."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy.pool import QueuePool

from audits.ledger.ledger import Ledger
from audits.ledger.records import Role
from audits.ledger.storage import trail_table
from contracts.verdict import Outcome, Verdict
from rehabcast import identity
from rehabcast.identity import open_ledger
from rehabcast.settings import Settings
from tests.rehabcast.pages.conftest import WhileItsAuditIsValid
from tests.serving.pages.conftest import Browser

# MLflow uses what others deprecate; nothing of ours does.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

ROOM, VERSION = "/pages/governance", "/pages/governance/arm/1"
WHY = "Read the whole report, and discussed it."


def decide(browser: Browser, what: str, person: str, of: str, **form: str) -> Any:
    browser.sign_in(of, person=person)
    return browser.send(f"{VERSION}/{what}", {"reason": WHY, **form}, on=VERSION)


def test_the_room_shows_what_serves_and_that_the_ledger_verifies(browser: Browser) -> None:
    browser.sign_in("governance")
    page = browser.open(ROOM)
    assert "The ledger verifies" in page
    assert "one-person trial" in page
    version = browser.open(VERSION)
    with closing(open_ledger(Settings())) as ledger:
        champion = ledger.champion("arm")
    assert champion.override_until != champion.valid_until
    for each in (page, version):
        assert f"Override by A. Tester until {champion.valid_until.date()}: A golden" in each
        given = f"It was given until {str(champion.override_until)[:10]}, and ends with the audit."
        assert given in each
    assert "signature was verified" in version
    assert "no group forecast less accurately" in version
    assert "approval" in browser.open(f"{ROOM}/ledger")
    browser.open(f"{ROOM}/arm/9", status=422)


def test_a_board_takes_a_model_out_of_service_and_the_gate_decides_what_returns(
    browser: Browser,
) -> None:
    assert "out of service" in decide(browser, "revoke", "Olga", "operator").text
    assert "revoked" in browser.open(ROOM)
    given = decide(browser, "approve", "Mia", "ml-owner", role="ml-owner")
    assert "The approval is in the ledger" in given.text
    same = decide(browser, "approve", "Mia", "governance", role="governance")
    assert same.status_code == 422
    assert "two different people must approve" in same.text
    decide(browser, "approve", "Gus", "governance", role="governance")
    with closing(open_ledger(Settings())) as ledger:
        audit = ledger.latest_audit("arm/1")
        assert audit is not None
        assert {"user:test:Mia", "user:test:Gus"} <= {a.person for a in ledger.approvals(audit)}
        # The golden home was audited by an earlier policy: the gate lets nobody past that.
        for what, form in (
            ("promote", {}),
            ("override", {"until": "2026-12-20", "use": "tests of these pages only"}),
        ):
            refused = decide(browser, what, "Gus", "governance", **form)
            assert refused.status_code == 422
            assert "the policy has changed since its audit" in refused.text
            assert "Nothing was put on record" in refused.text
        assert ledger.champion("arm").revoked == WHY
        ledger.verify()


def test_an_earlier_champion_that_comes_back_is_shown_as_the_champion(browser: Browser) -> None:
    now = WhileItsAuditIsValid.now()
    verdict = Verdict(
        model_version="arm/2", bundle_digest="b" * 64, predictions_digest="a" * 64,
        policy_digest="c" * 64, data_digest="d" * 64, code_digest="e" * 64, simulated=True,
        outcome=Outcome.PASS, findings=(),
    )  # fmt: skip
    with closing(open_ledger(Settings())) as ledger:
        audit = ledger.record_audit(
            verdict, "f" * 64, actor="ann", now=now, valid_until=now + timedelta(days=9)
        )
        for role, person in zip(Role, ("mia", "gus"), strict=True):
            ledger.approve(audit, role, person=person, reason=WHY, now=now)
        ledger.promote(audit, seen_epoch=1, actor="bob", now=now)
    browser.sign_in("governance")
    on = f"{ROOM}/arm/2"
    for wrong in ("²", "1.5", "0"):
        said = browser.send(f"{on}/rollback", {"reason": WHY, "epoch": wrong}, on=on)
        assert (said.status_code, "is not a whole number" in said.text) == (400, True)
    back = browser.send(f"{on}/rollback", {"reason": WHY, "epoch": "1"}, on=on)
    assert back.url.path == VERSION
    assert "The version is the champion" in back.text
    assert "change number 3" in back.text


def test_a_decision_leaves_no_connection_to_the_ledger_open(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Ledger] = []

    class Remembered(Ledger):
        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, **named)
            opened.append(self)

    monkeypatch.setattr(identity, "Ledger", Remembered)
    decide(browser, "revoke", "Olga", "operator")
    decide(browser, "approve", "Mia", "ml-owner", role="ml-owner")
    decide(browser, "promote", "Mia", "ml-owner")
    decide(browser, "rollback", "Gus", "governance", epoch="1")
    assert opened
    pools = [ledger.engine.pool for ledger in opened]
    assert all(isinstance(pool, QueuePool) and pool.checkedin() == 0 for pool in pools)


def test_two_approvers_at_once_are_both_in_the_ledger(browser: Browser) -> None:
    decide(browser, "revoke", "Olga", "operator")
    forms = []
    for person, role in (("Mia", "ml-owner"), ("Gus", "governance")):
        browser.sign_in(role, person=person)
        token = browser.token(browser.open(VERSION), f"{VERSION}/approve")
        cookie = f"rehabcast-session={browser.http.cookies['rehabcast-session']}"
        forms.append((role, token, cookie))
    browser.http.cookies.clear()

    def approve(one: tuple[str, str, str]) -> int:
        role, token, cookie = one
        form = {"role": role, "reason": WHY}
        answer = browser.send(f"{VERSION}/approve", form, token=token, follow=False, cookie=cookie)
        return int(answer.status_code)

    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(approve, forms)) == [303, 303]
    ledger = open_ledger(Settings())
    audit = ledger.latest_audit("arm/1")
    assert audit is not None
    assert {"user:test:Mia", "user:test:Gus"} <= {a.person for a in ledger.approvals(audit)}
    ledger.verify()
    ledger.close()


def test_what_another_has_revoked_is_not_revoked_again(browser: Browser) -> None:
    browser.sign_in("operator")
    token = browser.token(browser.open(VERSION), f"{VERSION}/revoke")
    decide(browser, "revoke", "Gus", "governance")
    browser.sign_in("operator")
    late = browser.send(f"{VERSION}/revoke", {"reason": WHY}, token=token)
    assert late.status_code == 409
    token = browser.token(late.text, f"{VERSION}/revoke")
    again = browser.send(f"{VERSION}/revoke", {"reason": WHY}, token=token)
    assert "is not in service now" in again.text


def test_no_role_decides_for_another(browser: Browser) -> None:
    browser.sign_in("clinician")
    browser.open(ROOM, status=403)
    browser.sign_in("operator")
    assert browser.send(f"{VERSION}/approve", {"reason": WHY}, token="").status_code == 403
    browser.sign_in("ml-owner")
    page = browser.open(VERSION)
    token = browser.token(page, f"{VERSION}/approve")
    form = {"role": "governance", "reason": WHY}
    assert "none of the choices" in browser.send(f"{VERSION}/approve", form, token=token).text


def test_where_people_sign_with_keys_a_page_shows_the_command(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser.sign_in("governance")
    token = browser.token(browser.open(VERSION), f"{VERSION}/approve")
    people = tmp_path / "people"
    people.mkdir(mode=0o755)
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    (people / "Gus.pem").write_bytes(
        key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    monkeypatch.setenv("REHABCAST_PEOPLE", str(people))
    assert "rehabcast approve arm/1" in browser.open(VERSION)
    form = {"role": "governance", "reason": WHY}
    answer = browser.send(f"{VERSION}/approve", form, token=token)
    assert answer.status_code == 409
    assert "keys of their own" in answer.text


def test_an_edited_ledger_is_said_to_be_edited(browser: Browser, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "home" / "ledger.db")) as connection:
        triggers = connection.execute("select name from sqlite_master where type = 'trigger'")
        for (name,) in triggers.fetchall():
            connection.execute(f'drop trigger "{name}"')
        connection.execute(f"update {trail_table.name} set actor = 'another' where sequence = 2")
        connection.commit()
    browser.sign_in("governance")
    answer = browser.http.get(ROOM)
    assert answer.status_code == 500
    assert "What to do" in answer.text


def test_the_bench_shows_versions_errors_and_digests(browser: Browser) -> None:
    browser.sign_in("ml-owner")
    page = browser.open("/pages/bench")
    for words in ("SIMULATED", "last observation", "data digest", "rehabcast train --cohort"):
        assert words in page
