"""What stands beside every forecast of a model."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from contracts.scope import Outside
from contracts.task import Task
from contracts.verdict import Outcome
from contracts.vocabulary import NOT_RECORDED
from serving.forecast.audit_status import (
    NAMES_NOT_VERIFIED,
    NOBODY_RECORDED,
    AuditStatus,
    Coverage,
    group_coverage,
    limits,
    why_outside,
)


@pytest.mark.parametrize("verified", [True, False])
def test_a_forecast_of_a_one_person_trial_says_that_nobody_verified_the_names(
    *, verified: bool, task: Task
) -> None:
    status = AuditStatus(
        model_version="arm/1", report_digest="r" * 64, outcome=Outcome.PASS,
        valid_until=datetime.now(UTC), approver=None, reason=None, names_verified=verified,
    )  # fmt: skip
    served: Any = SimpleNamespace(
        audit_status=status,
        bundle=SimpleNamespace(manifest=SimpleNamespace(simulated=False), task=task),
    )
    assert (NAMES_NOT_VERIFIED in limits(served)) is not verified


def test_what_nobody_in_the_audit_recorded_is_no_group_with_a_number() -> None:
    held = Coverage(value=0.8, low=0.7, high=0.9, people=40)
    status = AuditStatus(
        model_version="arm/1", report_digest="r" * 64, outcome=Outcome.PASS,
        valid_until=datetime.now(UTC), approver=None, reason=None,
        coverage={
            ("device", NOT_RECORDED): held, ("sex", NOT_RECORDED): held, ("sex", "female"): held,
        },
    )  # fmt: skip
    served: Any = SimpleNamespace(audit_status=status)
    device, sex = group_coverage(served, {"device": NOT_RECORDED, "sex": NOT_RECORDED})
    assert device.statement == f"device: {NOBODY_RECORDED}"
    assert (device.coverage, device.low, device.high, device.people) == (None,) * 4
    assert sex.statement.startswith("sex not recorded: the 80 % range held in 80%")


def test_each_rule_that_was_not_shown_to_hold_is_said_once_with_the_subjects_groups() -> None:
    """A subject of several pairs heard the same sentence of each."""
    error, coverage = "no group forecast less accurately", "honest intervals in every group"
    own = [
        Outside(attributes=("country",), labels=("Greece",), rules=(error, coverage)),
        Outside(attributes=("country", "sex"), labels=("Greece", "male"), rules=(coverage,)),
        Outside(attributes=("hospital",), labels=("",), rules=()),
    ]
    assert why_outside(own) == [
        "nobody in the audit belonged to this subject's group (hospital: not recorded)",
        f"the audit has not shown for this subject's group (country: Greece) that it keeps “{error}”",
        "the audit has not shown for these of this subject's groups (country: Greece; country:"
        f" Greece and sex: male) that each keeps “{coverage}”",
    ]
