from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from audits.gate import Override, promote
from audits.ledger import AuditRecord, Champion, Ledger
from contracts.errors import ContractError, PromotionRefused
from contracts.verdict import Finding, Outcome, Verdict

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
LATER = NOW + timedelta(days=180)
BUNDLE = "b" * 64
ANN = Override(approver=" Ann Example ", reason="Pilot on one ward, reviewed weekly.")

VerdictOf = Callable[..., Verdict]


def record(ledger: Ledger, verdict: Verdict) -> AuditRecord:
    return ledger.record_audit(verdict, "e" * 64, actor="ann", now=NOW, valid_until=LATER)


def attempt(
    ledger: Ledger,
    *,
    bundle_digest: str = BUNDLE,
    now: datetime = NOW,
    override: Override | None = None,
) -> Champion:
    return promote(
        ledger,
        model_version="arm/3",
        bundle_digest=bundle_digest,
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
    assert ledger.verify().length == 2


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


def test_a_named_person_can_answer_for_insufficient_evidence_and_it_shows(
    ledger: Ledger, verdict_of: VerdictOf
) -> None:
    record(ledger, verdict_of(Outcome.INSUFFICIENT))
    champion = attempt(ledger, override=ANN)
    assert champion.is_override
    assert (champion.approver, champion.reason) == ("Ann Example", ANN.reason)
    assert champion.outcome is Outcome.INSUFFICIENT
    assert ledger.champion("arm") == champion
    ledger.verify()


def test_insufficient_evidence_is_refused_with_its_findings_and_the_next_command(
    ledger: Ledger, verdict_of: VerdictOf
) -> None:
    record(ledger, verdict_of(Outcome.INSUFFICIENT))
    with pytest.raises(PromotionRefused) as caught:
        attempt(ledger)
    said = str(caught.value)
    assert "sex: female (n = 60): insufficient evidence." in said
    assert "`rehabcast promote arm/3 --approver NAME --reason TEXT`" in said
    assert ledger.epoch("arm") == 0


@pytest.mark.parametrize("override", [None, ANN])
def test_a_failed_audit_is_refused_and_cannot_be_overridden(
    ledger: Ledger, verdict_of: VerdictOf, override: Override | None
) -> None:
    record(ledger, verdict_of(Outcome.BLOCKED))
    with pytest.raises(PromotionRefused, match="cannot be overridden"):
        attempt(ledger, override=override)
    assert ledger.verify().length == 1


@pytest.mark.parametrize("override", [None, ANN])
def test_without_an_audit_nothing_is_promoted(ledger: Ledger, override: Override | None) -> None:
    with pytest.raises(PromotionRefused, match="rehabcast audit arm/3"):
        attempt(ledger, override=override)


@pytest.mark.parametrize("override", [None, ANN])
def test_other_bytes_than_those_audited_are_refused(
    ledger: Ledger, verdict_of: VerdictOf, override: Override | None
) -> None:
    record(ledger, verdict_of())
    with pytest.raises(PromotionRefused, match="not the one that was audited"):
        attempt(ledger, bundle_digest="0" * 64, override=override)


def test_an_audit_of_another_version_does_not_help(ledger: Ledger, verdict_of: VerdictOf) -> None:
    record(ledger, verdict_of(model_version="arm/33"))
    with pytest.raises(PromotionRefused, match="arm/3 has no audit"):
        attempt(ledger)


@pytest.mark.parametrize("now", [LATER, LATER + timedelta(days=1), NOW - timedelta(seconds=1)])
@pytest.mark.parametrize("override", [None, ANN])
def test_an_audit_holds_from_its_recording_until_it_is_over(
    ledger: Ledger, verdict_of: VerdictOf, now: datetime, override: Override | None
) -> None:
    record(ledger, verdict_of())
    attempt(ledger, now=LATER - timedelta(seconds=1))
    with pytest.raises(PromotionRefused, match="not now"):
        attempt(ledger, now=now, override=override)


def test_only_the_latest_audit_counts(ledger: Ledger, verdict_of: VerdictOf) -> None:
    record(ledger, verdict_of())
    record(ledger, verdict_of(Outcome.BLOCKED))
    with pytest.raises(PromotionRefused, match="its audit says blocked"):
        attempt(ledger)
    record(ledger, verdict_of())
    assert attempt(ledger).epoch == 1


def test_of_many_findings_the_first_are_told_and_the_rest_counted(
    ledger: Ledger, verdict_of: VerdictOf, finding_of: Callable[..., Finding]
) -> None:
    many = tuple(finding_of(outcome=Outcome.BLOCKED, reason=f"group {n}.") for n in range(8))
    record(ledger, verdict_of(Outcome.BLOCKED, findings=many))
    with pytest.raises(PromotionRefused, match=r"group 4\.\n  \.\.\. and 3 more"):
        attempt(ledger)


@pytest.mark.parametrize(
    ("approver", "reason", "why"),
    [
        ("", "A long enough reason.", "--approver"),
        ("  ", "A long enough reason.", "--approver"),
        ("Ann", "", "--reason"),
        ("Ann", "  short    ", "--reason"),
    ],
)
def test_an_override_without_a_name_or_a_reason_is_refused(
    approver: str, reason: str, why: str
) -> None:
    with pytest.raises(ContractError, match=why):
        Override(approver=approver, reason=reason)


def test_a_time_without_a_zone_is_refused(ledger: Ledger, verdict_of: VerdictOf) -> None:
    record(ledger, verdict_of())
    with pytest.raises(ContractError, match="no zone"):
        attempt(ledger, now=NOW.replace(tzinfo=None))
