"""The table of lost outcomes, in small (SIMULATED): what used to pass and no longer does."""

from __future__ import annotations

import pytest

from audits.judging.policy import load_policy
from audits.measure.losses import LossTerms
from support.loss_trials import SCENARIOS, Passed, table, traced_rows, trial

NAMES = {scenario.name: scenario for scenario in SCENARIOS}


@pytest.fixture(scope="module")
def terms() -> LossTerms:
    terms = load_policy().lost
    assert terms is not None
    return terms


def passed(terms: LossTerms, name: str, group: int = 80, rest: int = 720) -> Passed:
    return trial(NAMES[name], terms, group=group, rest=rest, cohorts=400, seed=18)


@pytest.mark.parametrize(("group", "rest"), [(80, 720), (105, 195)])
def test_a_fair_group_that_loses_a_tenth_at_random_passes(
    terms: LossTerms, group: int, rest: int
) -> None:
    assert passed(terms, "fair, 10 % lost at random", group, rest).rule >= 0.95


@pytest.mark.parametrize(
    ("name", "before", "now"),
    [
        ("at the limit, the worst 33 % vanish", 0.9, 0.0),
        ("at the limit, likelier to vanish", 0.3, 0.02),
        ("twice the limit, the worst 60 % vanish", 0.15, 0.0),
        ("at the limit, the worst 8 % vanish, nobody else", 0.15, 0.05),
    ],
)
def test_whoever_vanishes_no_longer_helps(
    terms: LossTerms, name: str, before: float, now: float
) -> None:
    found = passed(terms, name)
    assert found.complete >= before
    assert found.rule <= now


def test_a_large_group_can_not_shed_its_worst_within_the_gate(terms: LossTerms) -> None:
    """One important difference for each lost would not be enough: its worst are worse than that."""
    name = "at the limit, the worst 8 % vanish, nobody else"
    found = passed(terms, name, 800, 7200)
    assert found.gate == 1.0
    assert found.flat > 0.5
    assert found.rule <= 0.06


def test_the_table_has_every_scenario(terms: LossTerms) -> None:
    lines = list(table(terms, cohorts=4))
    assert len(lines) == 2 + len(SCENARIOS)
    assert lines[0].startswith("| SIMULATED")
    assert len(list(traced_rows(trials=3))) == 5
