from __future__ import annotations

import pytest

from contracts.verdict import Outcome
from rehabcast.auditing.planned_changes import next_step


@pytest.mark.parametrize("outcome", Outcome)
def test_nobody_is_asked_to_approve_what_the_plan_does_not_allow(outcome: Outcome) -> None:
    outside = next_step("arm/2", outcome, ("more people: the plan does not name it",)) or ""
    assert "approve arm/2" not in outside
    assert "rehabcast plan show arm" in outside
    within = next_step("arm/2", outcome, ())
    assert (within is None) == (outcome is Outcome.BLOCKED)
    assert within is None or "rehabcast approve arm/2" in within
