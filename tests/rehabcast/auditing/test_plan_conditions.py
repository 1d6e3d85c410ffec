from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from audits.changes.authored import load_plan
from audits.changes.plan import EXAMPLE
from audits.ledger.records import AuditRecord, Champion
from contracts.verdict import Outcome
from rehabcast.auditing.plan_conditions import conditions_in_words

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
