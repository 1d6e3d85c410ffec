from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from audits.judging.policy import load_policy
from audits.ledger.gate import PresentedEvidence, promote, roll_back
from audits.ledger.ledger import Ledger
from audits.ledger.records import AuditRecord, Champion, Override, Role
from audits.ledger.storage import trail_table
from audits.ledger.trail import APPROVAL, entries
from contracts.errors import (
    ContractError,
    EvidenceMissing,
    PromotionRefused,
    RehabcastError,
)
from contracts.verdict import Finding, Outcome, Verdict
from stores.database import write
from tests.refusals import refuses

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
LATER = NOW + timedelta(days=180)
BUNDLE = "b" * 64
REPORT = "e" * 64
ANN = Override(
    approver=" Ann Example ",
    reason="Pilot on one ward, reviewed weekly.",
    until=NOW + timedelta(days=30),
    restricted_use="Ward 3 only, beside the usual assessment.",
)

VerdictOf = Callable[..., Verdict]
DOUBTFUL = (Outcome.INSUFFICIENT, Outcome.REVIEW)


def make_verdict(outcome: Outcome = Outcome.PASS, model_version: str = "arm/3") -> Verdict:
    """The verdict that `verdict_of` makes, as a report carries it."""
    digest = load_policy().digest
    return Verdict(
        model_version=model_version, bundle_digest=BUNDLE, predictions_digest="a" * 64,
        policy_digest=digest, data_digest="d" * 64, code_digest="c" * 64, simulated=True,
        outcome=outcome, findings=(),
    )  # fmt: skip


def record(ledger: Ledger, verdict: Verdict, *, approved: bool = True) -> AuditRecord:
    audit = ledger.record_audit(verdict, REPORT, actor="ann", now=NOW, valid_until=LATER)
    for role, person in zip(Role, ("mia", "gus"), strict=True) if approved else ():
        approve(ledger, audit, role, person)
    return audit


def approve(ledger: Ledger, audit: AuditRecord, role: Role, person: str) -> None:
    ledger.approve(audit, role, person=person, reason="Read it, discussed it.", now=NOW)


def attempt(
    ledger: Ledger,
    version: str = "arm/3",
    *,
    now: datetime = NOW,
    override: Override | None = None,
    **shown: Any,
) -> Champion:
    audit = ledger.latest_audit(version)
    report = make_verdict(Outcome.PASS if audit is None else audit.outcome, model_version=version)
    presented = PresentedEvidence(
        bundle_digest=BUNDLE,
        report=report,
        report_digest=REPORT,
        policy_digest=report.policy_digest,
    )
    return promote(
        ledger,
        model_version=version,
        presented=replace(presented, **shown),
        actor="bob",
        now=now,
        override=override,
    )


def test_a_version_that_passed_becomes_the_champion(ledger: Ledger, verdict_of: VerdictOf) -> None:
    record(ledger, verdict_of())
    champion = attempt(ledger)
    assert champion == ledger.champion("arm")
    assert (champion.model, champion.version, champion.epoch) == ("arm", "3", 1)
    assert (champion.outcome, champion.valid_until) == (Outcome.PASS, LATER)
    assert ledger.verify().length == 4


def test_promoting_again_raises_the_epoch(ledger: Ledger, verdict_of: VerdictOf) -> None:
    record(ledger, verdict_of())
    assert [attempt(ledger).epoch for _ in range(3)] == [1, 2, 3]


def test_a_pass_is_not_marked_as_an_override_even_if_one_is_offered(
    ledger: Ledger, verdict_of: VerdictOf
) -> None:
    record(ledger, verdict_of())
    champion = attempt(ledger, override=ANN)
    assert not champion.is_override
    assert champion.reason is None


@pytest.mark.parametrize("outcome", DOUBTFUL)
def test_a_named_person_can_answer_for_doubt_for_a_time_and_a_use_and_it_shows(
    ledger: Ledger, verdict_of: VerdictOf, outcome: Outcome
) -> None:
    record(ledger, verdict_of(outcome))
    champion = attempt(ledger, override=ANN)
    assert champion.is_override
    assert (champion.approver, champion.reason) == ("Ann Example", ANN.reason)
    assert champion.restricted_use == ANN.restricted_use
    assert champion.valid_until == champion.override_until == ANN.until
    assert champion.outcome is outcome
    assert ledger.champion("arm") == champion
    ledger.verify()


def test_insufficient_evidence_is_refused_with_its_findings_and_the_next_command(
    ledger: Ledger, verdict_of: VerdictOf
) -> None:
    record(ledger, verdict_of(Outcome.INSUFFICIENT))
    with refuses(PromotionRefused) as caught:
        attempt(ledger)
    said = str(caught.value)
    assert "sex: female (n = 60): insufficient evidence." in said
    assert "`rehabcast promote arm/3 --approver NAME --reason TEXT --until DATE" in said
    assert ledger.epoch("arm") == 0


@pytest.mark.parametrize("override", [None, ANN])
def test_a_failed_audit_is_refused_and_cannot_be_overridden(
    ledger: Ledger, verdict_of: VerdictOf, override: Override | None
) -> None:
    record(ledger, verdict_of(Outcome.BLOCKED))
    with refuses(PromotionRefused, match="cannot be overridden"):
        attempt(ledger, override=override)
    assert ledger.verify().length == 3


@pytest.mark.parametrize("override", [None, ANN])
def test_without_an_audit_nothing_is_promoted(ledger: Ledger, override: Override | None) -> None:
    with refuses(PromotionRefused, match="rehabcast audit arm/3"):
        attempt(ledger, override=override)


@pytest.mark.parametrize("override", [None, ANN])
def test_other_bytes_than_those_audited_are_refused(
    ledger: Ledger, verdict_of: VerdictOf, override: Override | None
) -> None:
    record(ledger, verdict_of())
    with refuses(PromotionRefused, match="not the one that was audited"):
        attempt(ledger, bundle_digest="0" * 64, override=override)


def test_an_audit_of_another_version_does_not_help(ledger: Ledger, verdict_of: VerdictOf) -> None:
    record(ledger, verdict_of(model_version="arm/33"))
    with refuses(PromotionRefused, match="arm/3 has no audit"):
        attempt(ledger)


@pytest.mark.parametrize("now", [LATER, LATER + timedelta(days=1), NOW - timedelta(seconds=1)])
@pytest.mark.parametrize("override", [None, ANN])
def test_an_audit_holds_from_its_recording_until_it_is_over(
    ledger: Ledger, verdict_of: VerdictOf, now: datetime, override: Override | None
) -> None:
    record(ledger, verdict_of())
    attempt(ledger, now=LATER - timedelta(seconds=1))
    with refuses(PromotionRefused, match="not now"):
        attempt(ledger, now=now, override=override)


def test_only_the_latest_audit_counts(ledger: Ledger, verdict_of: VerdictOf) -> None:
    record(ledger, verdict_of())
    record(ledger, verdict_of(Outcome.BLOCKED))
    with refuses(PromotionRefused, match="outcome of its audit is blocked"):
        attempt(ledger)
    record(ledger, verdict_of())
    assert attempt(ledger).epoch == 1


def test_of_many_findings_the_first_are_told_and_the_rest_counted(
    ledger: Ledger, verdict_of: VerdictOf, finding_of: Callable[..., Finding]
) -> None:
    many = tuple(finding_of(outcome=Outcome.BLOCKED, reason=f"group {n}.") for n in range(8))
    record(ledger, verdict_of(Outcome.BLOCKED, findings=many))
    with refuses(PromotionRefused, match=r"group 4\.\n  \.\.\. and 3 more"):
        attempt(ledger)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"approver": ""}, "--approver"),
        ({"approver": "  "}, "--approver"),
        ({"reason": "  short    "}, "--reason"),
        ({"restricted_use": ""}, "--restricted-use"),
        ({"until": NOW.replace(tzinfo=None)}, "no time zone"),
    ],
)
def test_an_override_without_name_reason_end_or_use_is_refused(
    changed: dict[str, Any], why: str
) -> None:
    with refuses(ContractError, match=why):
        replace(ANN, **changed)


def test_an_override_that_has_ended_lets_nothing_through(
    ledger: Ledger, verdict_of: VerdictOf
) -> None:
    record(ledger, verdict_of(Outcome.REVIEW))
    with refuses(PromotionRefused, match="the override expired"):
        attempt(ledger, override=ANN, now=ANN.until)


def test_an_override_cannot_outlast_the_audit(ledger: Ledger, verdict_of: VerdictOf) -> None:
    record(ledger, verdict_of(Outcome.REVIEW))
    long = replace(ANN, until=LATER + timedelta(days=99))
    assert attempt(ledger, override=long).valid_until == LATER


def test_a_time_without_a_zone_is_refused(ledger: Ledger, verdict_of: VerdictOf) -> None:
    record(ledger, verdict_of())
    with refuses(ContractError, match="no time zone"):
        attempt(ledger, now=NOW.replace(tzinfo=None))


@pytest.mark.parametrize("given", [(), (Role.ML_OWNER,), (Role.GOVERNANCE,)])
def test_without_both_approvals_nothing_is_promoted(
    ledger: Ledger, verdict_of: VerdictOf, given: tuple[Role, ...]
) -> None:
    audit = record(ledger, verdict_of(), approved=False)
    for role in given:
        approve(ledger, audit, role, "mia")
    lacking = next(role for role in Role if role not in given)
    with refuses(PromotionRefused, match=f"rehabcast approve arm/3 --role {lacking}"):
        attempt(ledger)
    assert ledger.epoch("arm") == 0


SAME_AS_MIA = (
    "mia", "MIA", " Mia ", "m.i.a.", "mi\u200ba", "\u202emia", "mi\u00ada", "mia\ufe0f", "m\u3164ia",
    "\uff4d\uff49\uff41", "mi\u0430", "\u043c\u0456\u0430", "mia\u00a0", "mi\u2060a", "\U0001d426ia",
    "mia\U000e0041", "mia\u034f",
)  # fmt: skip
"""Names that are, or look like, mia: by case, punctuation, invisible characters, width, alphabet."""


def test_one_person_cannot_approve_in_both_roles(ledger: Ledger, verdict_of: VerdictOf) -> None:
    for name in SAME_AS_MIA:
        audit = record(ledger, verdict_of(), approved=False)
        approve(ledger, audit, Role.ML_OWNER, "mia")
        with refuses(RehabcastError, match=r"has already approved it as|cannot be used"):
            approve(ledger, audit, Role.GOVERNANCE, name)
        assert len(ledger.approvals(audit)) == 1


def test_one_person_in_both_roles_of_an_older_ledger_does_not_pass(
    ledger: Ledger, verdict_of: VerdictOf
) -> None:
    """Entries that were written before names were checked, or by another program."""
    for name in SAME_AS_MIA:
        audit = record(ledger, verdict_of(), approved=False)
        for role, person in zip(Role, ("mia", name), strict=True):
            forge_approval(ledger, audit, role, person)
        with refuses(PromotionRefused, match="have two different people approve it"):
            attempt(ledger)
        with refuses(PromotionRefused, match="are one person"):
            ledger.promote(audit, seen_epoch=0, actor="bob", now=NOW)
    assert ledger.epoch("arm") == 0


def forge_approval(ledger: Ledger, audit: AuditRecord, role: Role, person: str) -> None:
    details = {
        "role": role.value, "reason": "Read it, discussed it.", "audit": audit.sequence,
        "report_digest": audit.report_digest,
    }  # fmt: skip

    def action(connection: sa.Connection) -> None:
        last = list(entries(connection))[-1]
        entry = replace(
            last, sequence=last.sequence + 1, kind=APPROVAL, about=audit.model_version,
            actor=person, payload=json.dumps(details), previous=last.hash, hash="",
        )  # fmt: skip
        connection.execute(
            sa.insert(trail_table).values({**asdict(entry), "hash": f"{entry.sequence}"})
        )

    write(ledger.engine, action)


def test_composed_and_decomposed_are_one_name(ledger: Ledger, verdict_of: VerdictOf) -> None:
    audit = record(ledger, verdict_of(), approved=False)
    approve(ledger, audit, Role.ML_OWNER, "jos\u00e9")
    with refuses(PromotionRefused, match="has already approved"):
        approve(ledger, audit, Role.GOVERNANCE, "jose\u0301")
    approve(ledger, audit, Role.GOVERNANCE, "zoe\u0308")
    assert ledger.approvals(audit)[-1].person == "zo\u00eb"


def test_the_same_approval_twice_is_refused_and_another_persons_counts_instead(
    ledger: Ledger, verdict_of: VerdictOf
) -> None:
    audit = record(ledger, verdict_of(), approved=False)
    approve(ledger, audit, Role.ML_OWNER, "mia")
    with refuses(PromotionRefused, match="mia has already approved it as ml-owner"):
        approve(ledger, audit, Role.ML_OWNER, "mia")
    approve(ledger, audit, Role.ML_OWNER, "ann")
    approve(ledger, audit, Role.GOVERNANCE, "mia")
    champion = attempt(ledger)
    assert (champion.ml_owner, champion.governance) == ("ann", "mia")
    ledger.verify()


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("mi\u200ba", "character 3 is ZERO WIDTH SPACE"),
        ("mi\u0430", "mixes letters of two alphabets"),
        ("\uff4dia", "character 1 is FULLWIDTH"),
        ("mia\n", "character 4 is"),
        ("...", "no letter"),
    ],
)
def test_a_name_that_cannot_be_used_is_refused_with_what_and_where(
    ledger: Ledger, verdict_of: VerdictOf, name: str, where: str
) -> None:
    audit = record(ledger, verdict_of(), approved=False)
    with refuses(ContractError, match=where):
        approve(ledger, audit, Role.ML_OWNER, name)
    with refuses(ContractError, match=where):
        replace(ANN, approver=name)


SPELLINGS = (
    "arm/03", "arm/3 ", "arm/+3", "arm/\uff13", "arm/3\n", "arm\u200b/3", " arm/3", "\uff41rm/3",
)  # fmt: skip


def test_a_version_has_one_spelling_and_a_block_reaches_whatever_is_in_service(
    ledger: Ledger, verdict_of: VerdictOf
) -> None:
    for spelling in SPELLINGS:
        with refuses(ContractError, match=r"write it as '?arm"):
            record(ledger, verdict_of(model_version=spelling))
        with refuses(ContractError, match=r"write it as '?arm"):
            attempt(ledger, spelling)
        # An older ledger has it all the same, and the last audit is the last of any spelling.
        older = record(ledger, verdict_of(), approved=False)
        respell(ledger, spelling)
        record(ledger, verdict_of(Outcome.BLOCKED), approved=False)
        for name in ("arm/3", spelling):
            audit = ledger.latest_audit(name)
            assert audit is not None
            assert audit.outcome is Outcome.BLOCKED
        with refuses(PromotionRefused, match="another audit was recorded"):
            ledger.promote(
                replace(older, model_version=spelling), seen_epoch=0, actor="bob", now=NOW
            )


def respell(ledger: Ledger, spelling: str) -> None:
    """Write the last entry under another spelling, as an older version would have."""

    def action(connection: sa.Connection) -> None:
        last = list(entries(connection))[-1]
        connection.execute(
            sa.insert(trail_table).values(
                {**asdict(last), "sequence": last.sequence + 1, "about": spelling, "hash": spelling}
            )
        )

    write(ledger.engine, action)


def test_approvals_are_of_one_audit_and_end_with_it(ledger: Ledger, verdict_of: VerdictOf) -> None:
    older = record(ledger, verdict_of())
    record(ledger, verdict_of(), approved=False)
    with refuses(PromotionRefused, match="nobody has approved it"):
        attempt(ledger)
    with refuses(PromotionRefused, match="another audit was recorded"):
        approve(ledger, older, Role.ML_OWNER, "mia")


@pytest.mark.parametrize(
    ("shown", "why"),
    [
        (
            {"report_digest": "0" * 64},
            "not the one from its last audit: it is older, or was changed",
        ),
        ({"report": make_verdict(model_version="leg/1")}, "the report is of leg/1"),
        ({"policy_digest": "0" * 64}, "the policy has changed since its audit"),
        ({"report": make_verdict(Outcome.BLOCKED)}, "differs from the ledger"),
        ({"bundle_digest": "0" * 64}, "not the one that was audited"),
    ],
)
@pytest.mark.parametrize("override", [None, ANN])
def test_an_old_report_another_models_and_an_edited_policy_are_refused(
    ledger: Ledger,
    verdict_of: VerdictOf,
    shown: dict[str, Any],
    why: str,
    override: Override | None,
) -> None:
    record(ledger, verdict_of())
    with refuses(PromotionRefused, match=why):
        attempt(ledger, override=override, **shown)
    assert ledger.epoch("arm") == 0


def back(ledger: Ledger, epoch: int, now: datetime = NOW) -> Champion:
    reason = "The new one is worse on ward 3."
    return roll_back(ledger, "arm", epoch, actor="bob", reason=reason, now=now)


def test_a_champion_can_be_rolled_back_to_any_earlier_epoch(
    ledger: Ledger, verdict_of: VerdictOf
) -> None:
    for number in (3, 4, 5):
        record(ledger, verdict_of(model_version=f"arm/{number}"))
        attempt(ledger, f"arm/{number}")
    assert (back(ledger, 1).version, back(ledger, 2).version) == ("3", "4")
    # An epoch made by a rollback is one that can be gone back to as well.
    assert back(ledger, 4).version == "3"
    assert ledger.champion("arm").epoch == 6
    ledger.verify()


def test_a_rollback_needs_an_epoch_that_was_and_an_audit_that_holds(
    ledger: Ledger, verdict_of: VerdictOf
) -> None:
    record(ledger, verdict_of())
    attempt(ledger)
    with refuses(EvidenceMissing, match="no promotion of epoch 7"):
        back(ledger, 7)
    with refuses(PromotionRefused, match="was valid until"):
        back(ledger, 1, now=LATER)
    ledger.record_audit(
        verdict_of(Outcome.BLOCKED), "f" * 64, actor="a", now=NOW, valid_until=LATER
    )
    with refuses(PromotionRefused, match="a later audit replaced"):
        back(ledger, 1)


def test_a_rollback_never_makes_a_ledger_that_is_refused(
    ledger: Ledger, verdict_of: VerdictOf
) -> None:
    """A later audit may come to the same report, and be valid for another time."""
    record(ledger, verdict_of())
    attempt(ledger)
    ledger.record_audit(
        verdict_of(), REPORT, actor="ann", now=NOW, valid_until=NOW + timedelta(days=4)
    )
    with pytest.raises(PromotionRefused, match="a later audit replaced"):
        back(ledger, 1)
    # As if it had been recorded between the gate's look at the ledger and the change.
    with pytest.raises(PromotionRefused, match="another audit was recorded in the meantime"):
        ledger.roll_back("arm", 1, seen_epoch=1, actor="bob", reason="Better before.", now=NOW)
    assert ledger.verify().length == 5


def test_a_rollback_by_a_clock_behind_that_of_the_audit_is_refused(
    ledger: Ledger, verdict_of: VerdictOf
) -> None:
    record(ledger, verdict_of())
    attempt(ledger)
    with pytest.raises(PromotionRefused, match="still to come: set this machine's clock right"):
        back(ledger, 1, now=NOW - timedelta(seconds=1))
    assert ledger.verify().length == 4
    assert back(ledger, 1, now=NOW).epoch == 2
    ledger.verify()


def test_a_revoked_champion_is_not_served_and_comes_back_only_by_a_new_audit(
    ledger: Ledger, verdict_of: VerdictOf
) -> None:
    record(ledger, verdict_of())
    attempt(ledger)
    revoked = ledger.revoke("arm", actor="gus", reason="Wrong units on ward 3.", now=NOW)
    assert (revoked.epoch, revoked.revoked) == (2, "Wrong units on ward 3.")
    assert ledger.champion("arm") == revoked
    with refuses(EvidenceMissing, match="no champion to revoke"):
        ledger.revoke("arm", actor="gus", reason="Wrong units on ward 3.", now=NOW)
    with refuses(PromotionRefused, match="revoked since"):
        back(ledger, 1)
    with refuses(PromotionRefused, match="revoked after its audit"):
        attempt(ledger)
    record(ledger, verdict_of())
    champion = attempt(ledger)
    assert (champion.epoch, champion.revoked) == (3, None)
    ledger.verify()


def test_moves_without_a_reason_are_refused(ledger: Ledger, verdict_of: VerdictOf) -> None:
    audit = record(ledger, verdict_of())
    attempt(ledger)
    with refuses(ContractError, match="--reason"):
        ledger.revoke("arm", actor="gus", reason="bad", now=NOW)
    with refuses(ContractError, match="--reason"):
        ledger.approve(audit, Role.ML_OWNER, person="mia", reason="", now=NOW)
    with refuses(ContractError, match="--reason"):
        roll_back(ledger, "arm", 1, actor="gus", reason="", now=NOW)
