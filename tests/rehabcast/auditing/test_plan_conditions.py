from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from audits.changes.authored import load_plan
from audits.changes.plan import EXAMPLE
from audits.ledger.ledger import Ledger
from audits.ledger.records import AuditRecord, Champion
from contracts.verdict import Outcome
from rehabcast.auditing.plan_conditions import conditions_in_words
from rehabcast.auditing.promotions import PromotionResult, promotion_result
from rehabcast.commands import governance
from tests.rehabcast.auditing.test_mirroring import promote

NOW = datetime(2026, 11, 28, 3, 0, tzinfo=UTC)
CHAMPION = Champion(
    model="arm", version="1", epoch=1, bundle_digest="b", report_digest="r", policy_digest="p",
    outcome=Outcome.PASS, ml_owner="mia", governance="gus", approver=None, reason=None,
    override_until=None, restricted_use=None, promoted_at=NOW, valid_until=NOW + timedelta(days=9),
    revoked=None, sequence=7,
)  # fmt: skip
AUDIT = AuditRecord(
    sequence=5, model_version="arm/1", bundle_digest="b", report_digest="r", policy_digest="p",
    outcome=Outcome.PASS, held_back_by=(), simulated=True, recorded_at=NOW,
    valid_until=NOW + timedelta(days=9),
)  # fmt: skip
LATER = replace(AUDIT, sequence=8, outcome=Outcome.BLOCKED)
ENDED = replace(CHAMPION, valid_until=NOW)


@pytest.mark.parametrize(
    ("champion", "latest", "said", "unsaid"),
    [
        (None, None, "No version of this model has been in service", "ends on"),
        (CHAMPION, AUDIT, "The audit of arm/1 ends on 2026-12-07, in 9 day(s)", "audited again"),
        (ENDED, AUDIT, "The audit of arm/1 ended on 2026-11-28", "ends on"),
        (replace(CHAMPION, approver="Ann"), AUDIT, "The override of arm/1 ends", "The audit of"),
        (CHAMPION, LATER, "audited again on 2026-11-28: blocked", "revoked"),
        (replace(CHAMPION, revoked="A fault."), AUDIT, "arm/1 was revoked: A fault.", "again on"),
    ],
)
def test_what_the_ledger_knows_is_said_and_every_condition_is_left_to_people(
    champion: Champion | None, latest: AuditRecord | None, said: str, unsaid: str
) -> None:
    plan = load_plan(EXAMPLE)
    words = conditions_in_words(plan, champion, latest, now=NOW)
    facts, for_people = words.split("people have to.")
    assert said in facts
    assert unsaid not in facts
    for condition in (*plan.retrain_when.conditions, *plan.rollback.conditions):
        assert condition in for_people
        assert condition not in facts


def test_a_promotion_counts_though_its_plan_cannot_be_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The ledger is lost between the promotion and what is said of the plan."""
    file = tmp_path / "ledger.db"
    monkeypatch.setenv("REHABCAST_HOME", str(tmp_path))
    ledger = Ledger(f"sqlite:///{file}")

    def promoted_then_lost(*_: object, **__: object) -> PromotionResult:
        promote(ledger, "arm/1")
        result = promotion_result(ledger.champion("arm"), ledger, is_mirrored=True)
        ledger.close()
        file.write_bytes(b"garbage " * 1_000)
        return result

    monkeypatch.setattr(governance, "run_promotion", promoted_then_lost)
    governance.promote("arm/1")
    said = capsys.readouterr()
    assert "arm/1" in said.out
    assert "The promotion is done. The change plan could not be read again" in " ".join(
        said.err.split()
    )
    assert "Traceback" not in said.out + said.err
