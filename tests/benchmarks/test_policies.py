"""The policies by which benchmarks judge are read as a board's own are, so no run ends at its policy."""

from __future__ import annotations

from pathlib import Path

from audits.judging.policy import load_policy

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def test_every_policy_of_a_benchmark_can_be_read() -> None:
    files = sorted(BENCHMARKS.glob("*_policy.toml"))
    assert len(files) >= 2
    for file in files:
        assert load_policy(file).rules, file.name
