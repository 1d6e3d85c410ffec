"""What stands beside every forecast of a model."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from contracts.verdict import Outcome
from serving.forecast.audit_status import NAMES_NOT_VERIFIED, AuditStatus, limits


@pytest.mark.parametrize("verified", [True, False])
def test_a_forecast_of_a_one_person_trial_says_that_nobody_verified_the_names(
    *, verified: bool
) -> None:
    status = AuditStatus(
        model_version="arm/1", report_digest="r" * 64, outcome=Outcome.PASS,
        valid_until=datetime.now(UTC), approver=None, reason=None, names_verified=verified,
    )  # fmt: skip
    served: Any = SimpleNamespace(
        audit_status=status, bundle=SimpleNamespace(manifest=SimpleNamespace(simulated=False))
    )
    assert (NAMES_NOT_VERIFIED in limits(served)) is not verified
