"""Whoever can write to the database makes every hash fit: what a false entry says betrays it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audits.ledger.consistency import check_champions, check_entries, recorded_champions
from audits.ledger.followed import FollowedTrail
from audits.ledger.gate import PresentedEvidence, promote, roll_back
from audits.ledger.ledger import Ledger
from audits.ledger.objections import objections
from audits.ledger.records import Override, Role
from audits.ledger.trail import Entry, verified
from contracts.errors import EvidenceMissing, IntegrityError
from contracts.verdict import Outcome, Verdict
from tests.audits.ledger.chains import Trail, chained
from tests.refusals import refuses

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
LATER = NOW + timedelta(days=180)
SOON = (NOW + timedelta(days=9)).isoformat()
WHY = "Read it, discussed it."
DIGEST = "0" * 64

VerdictOf = Callable[..., Verdict]

(AUDIT_3, APPROVED_3, GOVERNED_3, PROMOTED_3, AUDIT_4, APPROVED_4, GOVERNED_4, PROMOTED_4,
 ROLLED_BACK, REVOKED, AUDIT_3_AGAIN, APPROVED_AGAIN, GOVERNED_AGAIN, PROMOTED_AGAIN) = range(14)  # fmt: skip
"""Places of the entries of the honest trail."""


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory, verdict_of: VerdictOf) -> Trail:
    """A pass promoted, a doubtful version by override, a rollback, a revocation, and a way back."""
    ledger = Ledger(f"sqlite:///{tmp_path_factory.mktemp('ledger') / 'ledger.db'}")

    def promoted(verdict: Verdict, report: str, override: Override | None = None) -> None:
        audit = ledger.record_audit(verdict, report, actor="ann", now=NOW, valid_until=LATER)
        for role, person in zip(Role, ("mia", "gus"), strict=True):
            ledger.approve(audit, role, person=person, reason=WHY, now=NOW)
        presented = PresentedEvidence(
            bundle_digest=verdict.bundle_digest, report=verdict, report_digest=report,
            policy_digest=verdict.policy_digest,
        )  # fmt: skip
        promote(
            ledger, model_version=verdict.model_version, presented=presented, actor="bob",
            now=NOW, override=override,
        )  # fmt: skip

    promoted(verdict_of(), "e" * 64)
    override = Override(
        approver="Ann Example", reason="Pilot on one ward.", until=NOW + timedelta(days=30),
        restricted_use="Ward 3 only, beside the usual.",
    )  # fmt: skip
    doubtful = verdict_of(Outcome.REVIEW, model_version="arm/4", bundle_digest="f" * 64)
    promoted(doubtful, "d" * 64, override)
    roll_back(ledger, "arm", 1, actor="bob", reason=WHY, now=NOW)
    ledger.revoke("arm", actor="gus", reason="Wrong units on ward 3.", now=NOW)
    promoted(verdict_of(), "c" * 64)
    ledger.verify()
    stored = ledger.trail()
    ledger.close()
    return stored


def check(entries: Sequence[Entry]) -> None:
    """Check a trail, and the champions that somebody wrote to match it."""
    stored = list(verified(iter(entries)))
    check_entries(stored, None)
    recorded = recorded_champions(stored)
    check_champions(recorded, recorded.values())


def written(details: dict[str, Any]) -> str:
    return json.dumps(details, sort_keys=True, separators=(",", ":"))


def changed(entry: Entry, **fields: object) -> Entry:
    return replace(entry, payload=written({**entry.details(), **fields}))


def with_champion(entry: Entry, **fields: object) -> Entry:
    champion = {**entry.details()["champion"], **fields}
    about = f"{champion['model']}/{champion['version']}"
    return replace(changed(entry, champion=champion), about=about)


def without(trail: Trail, *places: int) -> Trail:
    return [entry for place, entry in enumerate(trail) if place not in places]


def at(place: int, change: Callable[[Entry], Entry]) -> Callable[[Trail], Trail]:
    return lambda trail: [*trail[:place], change(trail[place]), *trail[place + 1 :]]


def champion_at(place: int, **fields: object) -> Callable[[Trail], Trail]:
    return at(place, lambda entry: with_champion(entry, **fields))


LIES: dict[str, Callable[[Trail], Trail]] = {
    "a promotion without its audit": lambda trail: without(trail, AUDIT_3)[: PROMOTED_3 + 1],
    "without the approval of the ML owner": lambda trail: without(trail, APPROVED_3)[:4],
    "without the approval of governance": lambda trail: without(trail, GOVERNED_3)[:4],
    "without any approval after a new audit": lambda trail: without(
        trail, APPROVED_AGAIN, GOVERNED_AGAIN
    ),
    "approvals of another report": at(
        GOVERNED_3, lambda entry: changed(entry, report_digest=DIGEST)
    ),
    "approvals of another audit": at(GOVERNED_AGAIN, lambda entry: changed(entry, audit=1)),
    "an approval of an entry that is no audit": at(APPROVED_4, lambda e: changed(e, audit=2)),
    "an approval in the other role": at(GOVERNED_3, lambda e: changed(e, role="ml-owner")),
    "an approval by somebody else": at(GOVERNED_3, lambda entry: replace(entry, actor="eve")),
    "one person in both roles": lambda trail: champion_at(PROMOTED_3, governance="mia\u200b")(
        at(GOVERNED_3, lambda entry: replace(entry, actor="mia\u200b"))(trail)
    ),
    "a person who did not approve": champion_at(PROMOTED_3, ml_owner="eve"),
    "other bytes than audited": champion_at(PROMOTED_3, bundle_digest=DIGEST),
    "another report": champion_at(PROMOTED_3, report_digest=DIGEST),
    "another policy": champion_at(PROMOTED_3, policy_digest=DIGEST),
    "a better outcome than the audit's": champion_at(PROMOTED_4, outcome="pass"),
    "another version": champion_at(PROMOTED_4, version="3"),
    "a version that is a number": champion_at(PROMOTED_4, version=4),
    "a blocked version": lambda trail: champion_at(PROMOTED_4, outcome="blocked")(
        at(AUDIT_4, lambda entry: changed(entry, outcome="blocked"))(trail)
    ),
    "a blocked version as a pass": lambda trail: at(
        AUDIT_3, lambda entry: changed(entry, outcome="blocked")
    )(trail),
    "no override for an audit that did not pass": champion_at(
        PROMOTED_4, approver=None, reason=None, override_until=None, restricted_use=None,
        valid_until=LATER.isoformat(),
    ),
    "an override without an end": champion_at(
        PROMOTED_4, override_until=None, valid_until=LATER.isoformat()
    ),
    "an override without a reason": champion_at(PROMOTED_4, reason=None),
    "an override without a use": champion_at(PROMOTED_4, restricted_use=None),
    "an override of an audit that passed": champion_at(
        PROMOTED_3, approver="eve", reason=WHY, override_until=SOON, restricted_use=WHY,
        valid_until=SOON,
    ),
    "valid longer than the audit": champion_at(PROMOTED_3, valid_until="2099-01-01T00:00:00+00:00"),
    "valid longer than the override": champion_at(PROMOTED_4, valid_until=LATER.isoformat()),
    "a promotion after the audit expired": at(
        PROMOTED_3,
        lambda entry: replace(
            with_champion(entry, promoted_at=LATER.isoformat()), time=LATER.isoformat()
        ),
    ),
    "a promotion before its audit": at(
        AUDIT_3, lambda entry: replace(entry, time=(NOW + timedelta(hours=1)).isoformat())
    ),
    "promoted at another time": champion_at(PROMOTED_3, promoted_at=SOON),
    "an epoch that was before": champion_at(PROMOTED_4, epoch=1),
    "an epoch left out": champion_at(PROMOTED_4, epoch=3),
    "a first epoch that is not 1": champion_at(PROMOTED_3, epoch=2),
    "a promotion that is revoked": champion_at(PROMOTED_3, revoked=WHY),
    "a revocation that revokes nothing": champion_at(REVOKED, revoked=None),
    "a revocation left out": lambda trail: without(trail, REVOKED),
    "a promotion after a revocation, without a new audit": lambda trail: [
        *trail[: REVOKED + 1], with_champion(trail[PROMOTED_3], epoch=5)
    ],
    "a rollback to no promotion": champion_at(ROLLED_BACK, version="9"),
    "a rollback to other bytes": champion_at(ROLLED_BACK, bundle_digest=DIGEST),
    "a rollback on longer terms": champion_at(ROLLED_BACK, valid_until="2099-01-01T00:00:00+00:00"),
    "a rollback after a revocation": lambda trail: [
        *trail[: REVOKED + 1], with_champion(trail[ROLLED_BACK], epoch=5)
    ],
    "a rollback after a later audit": lambda trail: [
        *trail[:ROLLED_BACK], changed(trail[AUDIT_3], report_digest="9" * 64, outcome="blocked"),
        trail[ROLLED_BACK],
    ],
    "a rollback after the audit expired": at(
        ROLLED_BACK,
        lambda entry: replace(
            with_champion(entry, promoted_at=LATER.isoformat()), time=LATER.isoformat()
        ),
    ),
    "another order: approved after the promotion": lambda trail: [
        *trail[:GOVERNED_3], trail[PROMOTED_3], trail[GOVERNED_3], *trail[AUDIT_4:]
    ],
    "an audit of another version": at(AUDIT_3, lambda e: changed(e, model_version="arm/9")),
    "an entry that rehabcast does not write": at(PROMOTED_3, lambda e: replace(e, payload="{}")),
    "an entry that is no JSON object": at(APPROVED_3, lambda e: replace(e, payload="[]")),
}  # fmt: skip


def test_the_honest_trail_is_consistent(honest: Trail) -> None:
    assert len(honest) == 14
    check(honest)
    assert chained(honest) == honest


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_is_found_although_every_hash_fits(honest: Trail, lie: str) -> None:
    with refuses(IntegrityError, match="ledger: "):
        check(chained(LIES[lie](honest)))


GUARDED = {
    "audit": ("bundle_digest", "report_digest", "policy_digest", "outcome", "valid_until",
              "model_version"),
    "approval": ("role", "audit", "report_digest"),
    "promotion": ("audit",),
    "rollback": (),
    "revocation": (),
}  # fmt: skip
"""Fields of an entry's details that a champion rests on. The others are for people to read: reasons,
what held an audit back, digests of data and code; a signed head or signatures guard those."""
GUARDED_CHAMPION = (
    "version", "epoch", "bundle_digest", "report_digest", "policy_digest", "outcome", "ml_owner",
    "governance", "override_until", "promoted_at", "valid_until",
)  # fmt: skip
OTHERS = st.one_of(
    st.none(),
    st.integers(-2, 20),
    st.text(max_size=6),
    st.sampled_from(["pass", "blocked", "needs review", "ml-owner", "governance", "mia", "gus",
                     DIGEST, "arm/4", SOON, LATER.isoformat(), NOW.isoformat()]),
)  # fmt: skip


@given(data=st.data())
def test_any_other_value_of_what_a_champion_rests_on_is_found(
    honest: Trail, data: st.DataObject
) -> None:
    places = [place for place, entry in enumerate(honest) if entry.kind in GUARDED]
    place = data.draw(st.sampled_from(places))
    entry = honest[place]
    details = entry.details()
    fields = [*GUARDED[entry.kind]]
    if entry.kind in {"promotion", "rollback"}:
        fields += [f"champion.{name}" for name in GUARDED_CHAMPION]
    if not fields:
        return
    field = data.draw(st.sampled_from(fields))
    name = field.removeprefix("champion.")
    value = data.draw(OTHERS)
    before = details["champion"][name] if field != name else details[name]
    if value == before:
        return
    false = (
        with_champion(entry, **{name: value}) if field != name else changed(entry, **{name: value})
    )
    with pytest.raises(IntegrityError):
        check(chained([*honest[:place], false, *honest[place + 1 :]]))


@given(place=st.integers(0, 13), kind=st.sampled_from(sorted(GUARDED)))
def test_an_entry_of_another_kind_is_found(honest: Trail, place: int, kind: str) -> None:
    entry = honest[place]
    if kind != entry.kind:
        with pytest.raises(IntegrityError):
            check(chained([*honest[:place], replace(entry, kind=kind), *honest[place + 1 :]]))


@given(place=st.integers(0, 13))
def test_an_entry_left_out_is_found_or_rested_on_by_nothing(honest: Trail, place: int) -> None:
    shorter = chained(without(honest, place))
    if place == PROMOTED_AGAIN:  # The tail; a signed head finds that.
        check(shorter)
    else:
        with pytest.raises(IntegrityError):
            check(shorter)


@pytest.mark.parametrize(
    "statement", ["ml_owner = 'eve'", "valid_until = '2099-01-01T00:00:00+00:00'", "revoked = NULL",
                  "epoch = 1", "bundle_digest = 'x'", "sequence = 1", "version = '4'"],
)  # fmt: skip
def test_a_champion_edited_in_the_database_is_found(
    honest: Trail, tmp_path: Path, statement: str
) -> None:
    recorded = recorded_champions(honest)
    name, _, value = statement.partition(" = ")
    row = {**recorded["arm"], name: None if value == "NULL" else value.strip("'")}
    if row == recorded["arm"]:
        row["revoked"] = "x"
    with refuses(IntegrityError, match="champion of 'arm'"):
        check_champions(recorded, [row])
    with refuses(IntegrityError, match="champion of 'arm'"):
        check_champions(recorded, [])
    with refuses(IntegrityError, match="champion of 'leg'"):
        check_champions(recorded, [recorded["arm"], {**recorded["arm"], "model": "leg"}])


def test_a_block_reaches_a_version_that_was_promoted_in_another_spelling(honest: Trail) -> None:
    """An older ledger: `arm/03` in service, `arm/3` blocked."""
    older = [
        replace(
            entry, about="arm/03",
            payload=entry.payload.replace('"arm/3"', '"arm/03"').replace('"version":"3"', '"version":"03"'),
        )
        for entry in honest[: PROMOTED_3 + 1]
    ]  # fmt: skip
    check(chained(older))
    assert objections(chained(older)) == {}
    for outcome in ("blocked", "needs review"):
        block = changed(honest[AUDIT_3], outcome=outcome, report_digest="9" * 64)
        (objection,) = objections(chained([*older, block])).values()
        assert outcome in objection.reason


def test_whoever_follows_a_signed_ledger_needs_the_keys(tmp_path: Path, honest: Trail) -> None:
    identity = {"key": DIGEST, "signature": "AAAA"}
    signed = chained([changed(entry, identity=identity) for entry in honest])
    with refuses(EvidenceMissing, match="REHABCAST_PEOPLE"):
        check_entries(signed, None)
    assert FollowedTrail("arm", people=None) is not None
