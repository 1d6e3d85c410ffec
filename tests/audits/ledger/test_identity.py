"""Whose entries count: signed by people's keys where the ledger is shared."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from audits.ledger.gate import PresentedEvidence, promote, roll_back
from audits.ledger.identity import Identities
from audits.ledger.ledger import Ledger
from audits.ledger.people import read_people, read_person_key
from audits.ledger.records import Champion, Override, Role
from audits.ledger.signing import make_key
from audits.ledger.storage import trail_table
from audits.ledger.trail import IDENTITY, Entry, _hash
from contracts.errors import ContractError, EvidenceMissing, IntegrityError, PromotionRefused
from contracts.verdict import Outcome, Verdict
from tests.refusals import refuses

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
LATER = NOW + timedelta(days=180)
REPORT = "e" * 64
WHY = "Read it, discussed it."
GUARDS = ("trail_is_not_edited", "trail_is_not_shortened", "trail_grows_at_its_end")

VerdictOf = Callable[..., Verdict]
LedgerAs = Callable[..., Ledger]


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    folder = tmp_path / "keys"
    for name in ("mia", "gus", "bob", "eve"):
        make_key(folder / f"{name}.pem", folder / "people" / f"{name}.pem")
    return folder


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'shared.db'}"


@pytest.fixture
def ledger_as(keys: Path, url: str) -> LedgerAs:
    """Opens the shared ledger as somebody does, with their own key; None has none."""

    def opened(name: str | None = None) -> Ledger:
        people = read_people(keys / "people")
        own = None if name is None else read_person_key(keys / f"{name}.pem", people)
        return Ledger(url, Identities(people=people, own_key=own))

    return opened


def audited(ledger: Ledger, verdict: Verdict) -> None:
    ledger.record_audit(verdict, REPORT, actor="ann", now=NOW, valid_until=LATER)


def approve(ledger_as: LedgerAs, role: Role, name: str, key: str | None = None) -> None:
    ledger = ledger_as(key or name)
    audit = ledger.latest_audit("arm/3")
    assert audit is not None
    ledger.approve(audit, role, person=name, reason=WHY, now=NOW)


def pass_gate(
    ledger: Ledger, verdict: Verdict, actor: str, override: Override | None = None
) -> Champion:
    presented = PresentedEvidence(
        bundle_digest=verdict.bundle_digest, report=verdict, report_digest=REPORT,
        policy_digest=verdict.policy_digest,
    )  # fmt: skip
    return promote(
        ledger, model_version="arm/3", presented=presented, actor=actor, now=NOW, override=override
    )


@pytest.fixture
def promoted(ledger_as: LedgerAs, verdict_of: VerdictOf) -> Ledger:
    """Audit (1), two signed approvals (2, 3) and a signed promotion (4)."""
    audited(ledger_as(), verdict_of())
    approve(ledger_as, Role.ML_OWNER, "mia")
    approve(ledger_as, Role.GOVERNANCE, "gus")
    pass_gate(ledger_as("bob"), verdict_of(), "bob")
    return ledger_as()


def override_of(name: str) -> Override:
    return Override(
        approver=name, reason="Pilot on one ward.", until=NOW + timedelta(days=9),
        restricted_use="Ward 3 only, beside the usual.",
    )  # fmt: skip


def rewrite(url: str, change: Callable[[Entry], Entry], *, only: int | None = None) -> None:
    """Rewrite entries as somebody who can write to the database does: every hash fits again."""
    ledger = Ledger(url)
    stored = ledger.trail()
    chained: list[Entry] = []
    for entry in stored:
        changed = change(entry) if only in {None, entry.sequence} else entry
        linked = replace(changed, previous=chained[-1].hash if chained else entry.previous)
        chained.append(replace(linked, hash=_hash(linked)))
    with ledger.engine.begin() as connection:
        for guard in GUARDS:
            connection.execute(sa.text(f"DROP TRIGGER IF EXISTS {guard}"))
        connection.execute(sa.delete(trail_table))
        connection.execute(sa.insert(trail_table), [asdict(entry) for entry in chained])
    ledger.close()


def without_identity(entry: Entry) -> Entry:
    details = {name: value for name, value in entry.details().items() if name != IDENTITY}
    return replace(entry, payload=payload(details))


def payload(details: dict[str, Any]) -> str:
    return json.dumps(details, sort_keys=True, separators=(",", ":"))


def test_what_three_people_signed_verifies_and_names_their_keys(promoted: Ledger) -> None:
    assert promoted.verify().length == 4
    assert promoted.champion("arm").model_version == "arm/3"
    audit = promoted.latest_audit("arm/3")
    assert audit is not None
    assert all(given.identity.startswith("key ") for given in promoted.approvals(audit))
    assert len({given.identity for given in promoted.approvals(audit)}) == 2


def test_without_a_key_nobody_approves_promotes_or_rolls_back_but_anyone_can_revoke(
    ledger_as: LedgerAs, promoted: Ledger, verdict_of: VerdictOf
) -> None:
    length = promoted.verify().length
    audit = promoted.latest_audit("arm/3")
    assert audit is not None
    with refuses(EvidenceMissing, match="no key to sign with"):
        promoted.approve(audit, Role.ML_OWNER, person="ann", reason=WHY, now=NOW)
    with refuses(EvidenceMissing, match="no key to sign with"):
        pass_gate(promoted, verdict_of(), "bob")
    with refuses(EvidenceMissing, match="no key to sign with"):
        roll_back(promoted, "arm", 1, actor="bob", reason=WHY, now=NOW)
    assert promoted.verify().length == length
    promoted.revoke("arm", actor="anyone", reason="Wrong units on ward 3.", now=NOW)
    assert promoted.verify().length == length + 1


def test_a_key_signs_for_its_owner_only(ledger_as: LedgerAs, verdict_of: VerdictOf) -> None:
    audited(ledger_as(), verdict_of())
    with refuses(ContractError, match="the key is that of eve, not of mia"):
        approve(ledger_as, Role.ML_OWNER, "mia", key="eve")


def test_whoever_answers_for_an_override_promotes_with_their_own_key(
    ledger_as: LedgerAs, verdict_of: VerdictOf
) -> None:
    doubtful = verdict_of(Outcome.REVIEW)
    audited(ledger_as(), doubtful)
    approve(ledger_as, Role.ML_OWNER, "mia")
    approve(ledger_as, Role.GOVERNANCE, "gus")
    with refuses(PromotionRefused, match="gus answers for the override, but bob promotes"):
        pass_gate(ledger_as("bob"), doubtful, "bob", override_of("gus"))
    # One of the two who approved may answer for it, as before.
    champion = pass_gate(ledger_as("gus"), doubtful, "gus", override_of("gus"))
    assert champion.approver == "gus"
    ledger_as().verify()
    roll_back(ledger_as("bob"), "arm", 1, actor="bob", reason=WHY, now=NOW)
    assert ledger_as().verify().length == 5


@pytest.mark.parametrize("sequence", [2, 3, 4])
@pytest.mark.parametrize("how", ["another name", "no signature", "another's key", "another reason"])
def test_a_rewritten_entry_is_found_although_every_hash_fits(
    ledger_as: LedgerAs, promoted: Ledger, url: str, sequence: int, how: str
) -> None:
    other = next(entry for entry in promoted.trail() if entry.sequence == 2 + (sequence == 2))
    changes: dict[str, Callable[[Entry], Entry]] = {
        "another name": lambda entry: replace(entry, actor="eve"),
        "no signature": without_identity,
        "another's key": lambda entry: replace(
            entry, payload=payload({**entry.details(), IDENTITY: other.details()[IDENTITY]})
        ),
        "another reason": lambda entry: replace(
            entry, payload=payload({**entry.details(), "reason": "Something else."})
        ),
    }
    rewrite(url, changes[how], only=sequence)
    with refuses(IntegrityError, match=r"not signed|did not sign|nobody signed"):
        ledger_as().verify()


@pytest.mark.parametrize("sequence", [1, 2, 3])
def test_a_signature_vouches_for_all_that_came_before(
    ledger_as: LedgerAs, promoted: Ledger, url: str, sequence: int
) -> None:
    """Even an entry that nobody signed cannot be changed under a later signature."""
    rewrite(url, lambda entry: replace(entry, time="2026-11-24T09:59:59+00:00"), only=sequence)
    with refuses(IntegrityError, match="not signed by"):
        ledger_as().verify()


def test_a_ledger_written_anew_without_any_signature_serves_nothing(
    ledger_as: LedgerAs, promoted: Ledger, url: str
) -> None:
    rewrite(url, without_identity)
    Ledger(url).verify()  # As a one-person trial it is whole.
    with refuses(IntegrityError, match="nobody signed the promotion by which 'arm'"):
        ledger_as().verify()
    audit = ledger_as().latest_audit("arm/3")
    assert audit is not None
    assert ledger_as().approvals(audit) == []


def test_an_older_ledger_verifies_and_is_signed_from_then_on(
    ledger_as: LedgerAs, url: str, verdict_of: VerdictOf
) -> None:
    older = Ledger(url)
    audited(older, verdict_of())
    audit = older.latest_audit("arm/3")
    assert audit is not None
    for role, person in zip(Role, ("mia", "gus"), strict=True):
        older.approve(audit, role, person=person, reason=WHY, now=NOW)
    pass_gate(older, verdict_of(), "bob")
    rewrite(url, without_identity)
    assert older.verify().length == 4
    # What is in service rests on names that somebody typed: it is approved and promoted again.
    with refuses(IntegrityError, match="nobody signed"):
        ledger_as().verify()
    with refuses(PromotionRefused, match="nobody has approved it as ml-owner"):
        pass_gate(ledger_as("bob"), verdict_of(), "bob")
    approve(ledger_as, Role.ML_OWNER, "mia")
    approve(ledger_as, Role.GOVERNANCE, "gus")
    with refuses(PromotionRefused, match="already approved"):
        approve(ledger_as, Role.GOVERNANCE, "gus")
    pass_gate(ledger_as("bob"), verdict_of(), "bob")
    assert ledger_as().verify().length == 7
    # The first promotion stays in the past: a rollback to it rests on what was signed since.
    roll_back(ledger_as("bob"), "arm", 1, actor="bob", reason=WHY, now=NOW)
    assert ledger_as().verify().length == 8


def test_an_unsigned_entry_after_signed_ones_is_found(
    ledger_as: LedgerAs, promoted: Ledger, url: str, verdict_of: VerdictOf
) -> None:
    trial = Ledger(url)
    audited(trial, verdict_of())
    audit = trial.latest_audit("arm/3")
    assert audit is not None
    promoted.verify()  # An audit may be unsigned: its report is signed.
    trial.approve(audit, Role.ML_OWNER, person="mia", reason=WHY, now=NOW)
    with refuses(IntegrityError, match="the approval of entry 6 is not signed, although"):
        promoted.verify()


def test_signatures_are_not_ignored_where_the_keys_are_not_known(
    promoted: Ledger, url: str
) -> None:
    with refuses(EvidenceMissing, match="REHABCAST_PEOPLE"):
        Ledger(url).verify()


def test_a_person_who_is_taken_out_vouches_for_nothing_and_a_retired_one_for_the_past(
    keys: Path, ledger_as: LedgerAs, promoted: Ledger
) -> None:
    file = keys / "people" / "mia.pem"
    key = file.read_text()
    file.unlink()
    with refuses(IntegrityError, match="entry 2 is not signed by mia"):
        ledger_as().verify()
    file.write_text(f"Last-Entry: 2\n{key}")
    assert ledger_as().verify().length == 4
    file.write_text(f"Last-Entry: 1\n{key}")
    with refuses(IntegrityError, match="entry 2 is not signed by mia"):
        ledger_as().verify()


def test_a_trial_says_so_in_every_entry(url: str, verdict_of: VerdictOf) -> None:
    trial = Ledger(url)
    audited(trial, verdict_of())
    audit = trial.latest_audit("arm/3")
    assert audit is not None
    given = trial.approve(audit, Role.ML_OWNER, person="mia", reason=WHY, now=NOW)
    assert given.identity == "not verified"
    assert {entry.details()[IDENTITY] for entry in trial.trail()} == {"not verified"}


def test_a_wrong_signature_is_refused_at_the_gate_too(
    ledger_as: LedgerAs, promoted: Ledger, url: str, verdict_of: VerdictOf
) -> None:
    def forged(entry: Entry) -> Entry:
        details = entry.details()
        identity = {**details[IDENTITY], "signature": "AAAA"}
        return replace(entry, payload=payload({**details, IDENTITY: identity}))

    rewrite(url, forged, only=2)
    with refuses(IntegrityError, match="entry 2 is not signed by mia"):
        pass_gate(ledger_as("bob"), verdict_of(), "bob")
    for signature in ("", "not base64 !", None, 7):

        def odd(entry: Entry, value: object = signature) -> Entry:
            details = entry.details()
            identity = {**details[IDENTITY], "signature": value}
            return replace(entry, payload=payload({**details, IDENTITY: identity}))

        rewrite(url, odd, only=2)
        with refuses(IntegrityError, match="entry 2 is not signed by mia"):
            ledger_as().verify()


def test_the_whole_way_on_either_database(
    ledger_url: str, keys: Path, verdict_of: VerdictOf
) -> None:
    people = read_people(keys / "people")
    with ExitStack() as stack:

        def opened(name: str | None = None) -> Ledger:
            own = None if name is None else read_person_key(keys / f"{name}.pem", people)
            ledger = Ledger(ledger_url, Identities(people=people, own_key=own))
            stack.callback(ledger.close)
            return ledger

        audited(opened(), verdict_of())
        approve(opened, Role.ML_OWNER, "mia")
        approve(opened, Role.GOVERNANCE, "gus")
        pass_gate(opened("bob"), verdict_of(), "bob")
        assert opened().verify().length == 4
