"""Restrictions and suspensions in the ledger: who is served after them, and how a version returns."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from audits.ledger.evidence.acting import restrict, restricted_now, suspend
from audits.ledger.evidence.restrictions import Restricted, restricted_scope
from audits.ledger.followed import FollowedTrail
from audits.ledger.gate import PresentedEvidence, promote, roll_back
from audits.ledger.ledger import Ledger
from audits.ledger.records import Champion, Role
from audits.ledger.storage import champion_table
from audits.ledger.trail import RESTRICTION, append
from contracts.errors import EvidenceMissing, IntegrityError, PromotionRefused
from contracts.scope import Scope, ScopeAttribute
from contracts.verdict import Outcome, Verdict
from stores.database import write

NOW = datetime(2026, 11, 1, tzinfo=UTC)
VerdictOf = Callable[..., Verdict]
SCOPE = Scope(
    attributes=(ScopeAttribute(attribute="sex", inside=("f", "m")),), share_inside=1.0
)  # fmt: skip
MEN = Restricted(attribute="sex", label="m", rules=("honest intervals in every group",))
EVIDENCE = {"said": "a broken rule", "mean_e": 21.5}


def in_service(ledger: Ledger, verdict: Verdict, digest: str, *, hour: int) -> Champion:
    now = NOW + timedelta(hours=hour)
    ledger.record_audit(
        verdict, digest * 64, actor="ana", now=now, valid_until=now + timedelta(days=90)
    )
    return promoted(ledger, verdict, digest, hour=hour)


def promoted(ledger: Ledger, verdict: Verdict, digest: str, *, hour: int) -> Champion:
    audit = ledger.latest_audit(verdict.model_version)
    assert audit is not None
    now = NOW + timedelta(hours=hour)
    for role, person in ((Role.ML_OWNER, "ana"), (Role.GOVERNANCE, "ben")):
        if person not in {each.person for each in ledger.approvals(audit)}:
            ledger.approve(audit, role, person=person, reason="read page by page", now=now)
    return promote(
        ledger, model_version=verdict.model_version, actor="ana", now=now,
        presented=PresentedEvidence(
            bundle_digest=verdict.bundle_digest, report=verdict, report_digest=digest * 64,
            policy_digest=verdict.policy_digest,
        ),
    )  # fmt: skip


@pytest.fixture
def verdict(verdict_of: VerdictOf) -> Verdict:
    return verdict_of(Outcome.PASS, scope=SCOPE)


def test_a_restriction_narrows_the_scope_at_once_and_a_running_service_sees_it(
    ledger: Ledger, verdict: Verdict
) -> None:
    champion = in_service(ledger, verdict, "1", hour=0)
    trail = FollowedTrail("arm", people=None)
    before = trail.read(ledger.engine)
    assert before.restricted == {}
    narrowed = restrict(
        ledger.engine,
        champion,
        [MEN],
        evidence=EVIDENCE,
        actor="monitor",
        now=NOW + timedelta(hours=1),
    )
    ledger.verify()
    seen = trail.read(ledger.engine)
    assert seen.champion == narrowed
    assert seen.champion is not None
    # Nobody is served on the wide terms while the narrow ones are loaded.
    assert champion.sequence in seen.objections
    assert narrowed.sequence not in seen.objections
    scope = restricted_scope(SCOPE, seen.restricted[narrowed.sequence])
    assert scope is not None
    (outside,) = scope.outside({"sex": "m"})
    assert outside.rules == (
        "honest intervals in every group, by the outcomes since it came into service",
    )
    assert scope.outside({"sex": "f"}) == ()
    assert restricted_now(ledger.engine, narrowed) == (MEN,)
    # A process that starts now reads the same.
    assert FollowedTrail("arm", people=None).read(ledger.engine).restricted == seen.restricted


def test_a_suspended_version_is_served_by_nobody_and_comes_back_only_through_the_gate(
    ledger: Ledger, verdict: Verdict
) -> None:
    champion = in_service(ledger, verdict, "1", hour=0)
    gone = suspend(
        ledger.engine, champion, why="a broken rule", evidence=EVIDENCE, actor="monitor",
        now=NOW + timedelta(hours=1),
    )  # fmt: skip
    ledger.verify()
    seen = FollowedTrail("arm", people=None).read(ledger.engine)
    assert "was suspended (a broken rule)" in seen.objections[gone.sequence].reason
    assert ledger.trail()[-1].details()["evidence"] == EVIDENCE
    with pytest.raises(PromotionRefused, match="suspended"):
        promoted(ledger, verdict, "1", hour=2)
    with pytest.raises(PromotionRefused, match="suspended"):
        roll_back(ledger, "arm", 1, actor="ana", reason="it was fine", now=NOW + timedelta(hours=2))
    with pytest.raises(EvidenceMissing):
        suspend(ledger.engine, gone, why="again", evidence={}, actor="monitor", now=NOW)
    again = in_service(ledger, verdict, "2", hour=3)
    ledger.verify()
    seen = FollowedTrail("arm", people=None).read(ledger.engine)
    assert seen.champion == again
    assert again.sequence not in seen.objections


def test_a_restriction_ends_with_a_new_audit_and_not_with_a_rollback(
    ledger: Ledger, verdict: Verdict
) -> None:
    champion = in_service(ledger, verdict, "1", hour=0)
    restrict(
        ledger.engine,
        champion,
        [MEN],
        evidence=EVIDENCE,
        actor="monitor",
        now=NOW + timedelta(hours=1),
    )
    with pytest.raises(PromotionRefused, match="restricted"):
        roll_back(ledger, "arm", 1, actor="ana", reason="it was fine", now=NOW + timedelta(hours=2))
    again = in_service(ledger, verdict, "2", hour=3)
    ledger.verify()
    assert restricted_now(ledger.engine, again) == ()


def test_whoever_comes_second_changes_nothing(ledger: Ledger, verdict: Verdict) -> None:
    champion = in_service(ledger, verdict, "1", hour=0)
    restrict(
        ledger.engine, champion, [MEN], evidence=EVIDENCE, actor="a", now=NOW + timedelta(hours=1)
    )
    length = len(ledger.trail())
    with pytest.raises(PromotionRefused, match="came first"):
        suspend(ledger.engine, champion, why="late", evidence={}, actor="b", now=NOW)
    assert len(ledger.trail()) == length


@pytest.mark.parametrize("changed", ["approver", "valid_until", "revoked", "nothing restricted"])
def test_a_restriction_that_changes_more_than_the_scope_is_a_forgery(
    ledger: Ledger, verdict: Verdict, changed: str
) -> None:
    champion = in_service(ledger, verdict, "1", hour=0)
    fields = ledger.trail()[-1].details()["champion"] | {"epoch": champion.epoch + 1}
    restricted = [{"attribute": "sex", "label": "m", "rules": ["r"]}]
    if changed == "nothing restricted":
        restricted = []
    else:
        fields[changed] = "2999-01-01T00:00:00+00:00"

    def forge(connection: sa.Connection) -> None:
        entry = append(
            connection, kind=RESTRICTION, about="arm/3", actor="eve", now=NOW + timedelta(hours=1),
            details={"champion": fields, "restricted": restricted, "evidence": {}},
        )  # fmt: skip
        row = {**fields, "sequence": entry.sequence}
        connection.execute(sa.update(champion_table).values(row))

    if changed == "approver":
        # The table itself refuses an approver beside a pass: only the trail is forged.
        fields["approver"] = None
        fields["ml_owner"] = "eve"
    write(ledger.engine, forge)
    with pytest.raises(IntegrityError):
        ledger.verify()


def test_without_a_scope_nothing_is_narrowed() -> None:
    assert restricted_scope(None, [MEN]) is None
    assert restricted_scope(SCOPE, []) == SCOPE
