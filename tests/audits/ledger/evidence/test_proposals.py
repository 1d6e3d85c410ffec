"""Proposals in the ledger: facts that change nothing, and count in an audit only as they stand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from audits.ledger.evidence.acting import restrict, restricted_now, suspend
from audits.ledger.evidence.proposals import laid_before, propose, proposed_since
from audits.ledger.evidence.restrictions import Restricted
from audits.ledger.followed import FollowedTrail
from audits.ledger.ledger import Ledger
from audits.ledger.records import Champion, Role
from audits.ledger.trail import PROPOSAL
from contracts.errors import EvidenceMissing, PromotionRefused
from contracts.groups import GroupName
from contracts.scope import OutsideGroup, Scope, ScopeAttribute
from contracts.verdict import Outcome, ShownInService, Verdict
from tests.audits.ledger.evidence.test_acting import NOW, in_service, promoted

VerdictOf = Callable[..., Verdict]
OTHER = GroupName(attribute="sex", label="x")
RULES = ("honest intervals in every group", "no group's outcomes lost more often")
NARROW = Scope(
    attributes=(
        ScopeAttribute(
            attribute="sex", inside=("f", "m"), outside=(OutsideGroup(label="x", rules=RULES),)
        ),
    ),
    share_inside=0.9,
)  # fmt: skip
WIDE = Scope(
    attributes=(ScopeAttribute(attribute="sex", inside=("f", "m", "x")),), share_inside=1.0
)  # fmt: skip


@pytest.fixture
def verdict(verdict_of: VerdictOf) -> Verdict:
    return verdict_of(Outcome.WITHIN_SCOPE, scope=NARROW)


def proposed(ledger: Ledger, champion: Champion, *, hour: int = 1) -> bool:
    return propose(
        ledger.engine, champion, OTHER, RULES, evidence={"e_value": 44.0}, actor="monitor",
        now=NOW + timedelta(hours=hour),
    )  # fmt: skip


def laid(ledger: Ledger, champion: Champion, **other: Any) -> tuple[ShownInService, ...]:
    (entry,) = (each for each in ledger.trail() if each.kind == PROPOSAL)
    of = {
        "model_version": champion.model_version, "bundle_digest": champion.bundle_digest,
        "policy_digest": champion.policy_digest,
    } | other  # fmt: skip
    return laid_before(ledger.trail(), [entry.sequence], **of)


def test_a_proposal_is_recorded_once_and_changes_nothing_that_is_served(
    ledger: Ledger, verdict: Verdict
) -> None:
    champion = in_service(ledger, verdict, "1", hour=0)
    trail = FollowedTrail("arm", people=None)
    before = trail.read(ledger.engine)
    assert proposed(ledger, champion)
    assert not proposed(ledger, champion, hour=2)
    ledger.verify()
    after = trail.read(ledger.engine)
    assert (after.champion, after.objections) == (before.champion, before.objections)
    assert (after.restricted, after.last_audits) == (before.restricted, before.last_audits)
    assert ledger.champion("arm") == champion
    assert restricted_now(ledger.engine, champion) == ()
    (entry,) = proposed_since(ledger.trail(), champion).values()
    assert entry.details()["evidence"] == {"e_value": 44.0}
    (shown,) = laid(ledger, champion)
    assert (shown.attribute, shown.label, shown.rules) == ("sex", "x", RULES)
    assert (shown.entry, shown.digest) == (entry.sequence, entry.hash)


def test_nothing_widens_without_an_audit_and_two_approvals(
    ledger: Ledger, verdict: Verdict, verdict_of: VerdictOf
) -> None:
    champion = in_service(ledger, verdict, "1", hour=0)
    proposed(ledger, champion)
    shown = laid(ledger, champion)
    wider = verdict_of(Outcome.PASS, scope=WIDE).model_copy(update={"shown_in_service": shown})
    now = NOW + timedelta(hours=2)
    audit = ledger.record_audit(
        wider, "2" * 64, actor="ana", now=now, valid_until=now + timedelta(days=90)
    )
    # The audit's entry names the proposal, and its approvals sign the audit.
    assert ledger.trail()[-1].details()["shown_in_service"][0]["digest"] == shown[0].digest
    with pytest.raises(PromotionRefused, match="no approval"):
        ledger.promote(audit, seen_epoch=1, actor="ana", now=now)
    ledger.approve(audit, Role.ML_OWNER, person="ana", reason="read page by page", now=now)
    with pytest.raises(PromotionRefused, match="no approval as governance"):
        ledger.promote(audit, seen_epoch=1, actor="ana", now=now)
    assert ledger.champion("arm") == champion
    again = promoted(ledger, wider, "2", hour=3)
    ledger.verify()
    assert again.report_digest == "2" * 64
    assert proposed_since(ledger.trail(), again) == {}


def test_of_other_bytes_another_policy_or_another_version_nothing_counts(
    ledger: Ledger, verdict: Verdict
) -> None:
    champion = in_service(ledger, verdict, "1", hour=0)
    with pytest.raises(EvidenceMissing, match="entry 1 of the ledger is no proposal"):
        laid_before(ledger.trail(), [1], "arm/3", "b", "p")
    with pytest.raises(EvidenceMissing, match="entry 99 "):
        laid_before(ledger.trail(), [99], "arm/3", "b", "p")
    proposed(ledger, champion)
    for name, said in (
        ("bundle_digest", "another bundle"), ("policy_digest", "another policy"),
        ("model_version", "is about arm/3, not arm/9"),
    ):  # fmt: skip
        with pytest.raises(EvidenceMissing, match=said):
            laid(ledger, champion, **{name: "arm/9"})


@pytest.mark.parametrize("what", ["suspension", "restriction", "restriction of another"])
def test_what_came_later_and_speaks_against_it_ends_it(
    ledger: Ledger, verdict: Verdict, what: str
) -> None:
    champion = in_service(ledger, verdict, "1", hour=0)
    proposed(ledger, champion)
    later = {"evidence": {}, "actor": "monitor", "now": NOW + timedelta(hours=2)}
    if what == "suspension":
        suspend(ledger.engine, champion, why="a broken rule", **later)  # type: ignore[arg-type]
    else:
        label = "m" if "another" in what else "x"
        groups = [Restricted(attribute="sex", label=label, rules=("r",))]
        restrict(ledger.engine, champion, groups, **later)  # type: ignore[arg-type]
    if "another" in what:
        assert len(laid(ledger, champion)) == 1
    else:
        with pytest.raises(EvidenceMissing, match=f"came a {what}"):
            laid(ledger, champion)
