"""The policy that `benchmarks/support` evaluates the auditor with."""

from __future__ import annotations

import pytest

from audits.judging.policy import Policy, load_policy


@pytest.fixture(scope="session")
def quick_policy() -> Policy:
    """The shipped policy with fewer bootstrap replicates."""
    return load_policy().model_copy(update={"replicates": 200})
