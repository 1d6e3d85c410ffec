"""What outcomes in service have shown stands in for too little evidence, and for nothing else."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest

from audits.judging.further.external import FurtherEvidence
from audits.judging.further.service import with_service
from audits.judging.judge import AuditInputs, judge
from audits.judging.policy import Policy
from audits.report.further import without_counts
from contracts.verdict import Finding, Outcome, ShownInService, Verdict
from tests.audits.judging.test_scope import relabelled, shifted

TableOf = Callable[..., pd.DataFrame]


def shown_of(label: str, rules: tuple[str, ...]) -> ShownInService:
    return ShownInService(attribute="sex", label=label, rules=rules, entry=7, digest="d" * 64)


def finding(**other: object) -> Finding:
    fields = {
        "rule": "r", "metric": "m", "statistic": "value", "axis": "sex", "group": "other",
        "subjects": 6, "events": None, "value": None, "low": None, "high": None, "limit": 1.0,
        "binding": True, "outcome": Outcome.INSUFFICIENT, "reason": "few",
    }  # fmt: skip
    return Finding.model_validate({**fields, **other})


@pytest.mark.parametrize(
    ("other", "passes"),
    [
        ({}, True),
        ({"outcome": Outcome.REVIEW}, False),
        ({"outcome": Outcome.BLOCKED}, False),
        ({"rule": "another"}, False),
        ({"group": "female"}, False),
        ({"axis": "age"}, False),
        ({"binding": False}, False),
    ],
)
def test_only_a_rule_that_was_shown_and_is_open_passes(
    other: dict[str, object], passes: bool
) -> None:
    before = finding(**other)
    (after,) = with_service([before], [shown_of("other", ("r",))])
    assert (after != before) is passes
    if passes:
        assert (after.outcome, after.evidence) == (Outcome.PASS, "service")
        assert "entry 7, dddddddddddd" in after.reason


@pytest.fixture(scope="module")
def policy(quick_policy: Policy) -> Policy:
    """Only what binds on groups or on everyone: few replicates."""
    rules = tuple(rule for rule in quick_policy.rules if rule.binding)
    return quick_policy.model_copy(update={"rules": rules})


def judged(
    table_of: TableOf, policy: Policy, inputs: AuditInputs, harm: float, rules: tuple[str, ...]
) -> Verdict:
    table = relabelled(table_of(500, horizons=(84,)), 6, "other")
    harmed = shifted(table, table["group:sex"] == "other", harm)
    shown = (shown_of("other", rules),) if rules else ()
    return judge(harmed, policy, inputs, FurtherEvidence(shown_in_service=shown))


def test_a_small_group_is_in_scope_once_outcomes_have_shown_every_rule_of_it(
    table_of: TableOf, policy: Policy, inputs: AuditInputs
) -> None:
    rules = tuple(rule.name for rule in policy.rules)
    without = judged(table_of, policy, inputs, 0.0, ())
    assert without.scope is not None
    (sex,) = without.scope.attributes
    assert [group.label for group in sex.outside] == ["other"]
    assert "shown_in_service" not in without.model_dump(mode="json")
    verdict = judged(table_of, policy, inputs, 0.0, rules)
    assert verdict.scope is not None
    assert verdict.scope.is_everyone
    assert verdict.shown_in_service[0].digest == "d" * 64
    # A part of the rules is not enough.
    part = judged(table_of, policy, inputs, 0.0, rules[:-1])
    assert part.scope is not None
    assert part.scope.attributes[0].inside == sex.inside
    assert part.scope.attributes[0].outside[0].rules == rules[-1:]
    # What readers see of it has no number of the group.
    (told, *_) = (f for f in without_counts(verdict).findings if f.evidence == "service")
    assert (told.subjects, told.value) == (None, None)


def test_what_the_audit_itself_finds_against_a_group_stands(
    table_of: TableOf, policy: Policy, inputs: AuditInputs
) -> None:
    rules = tuple(rule.name for rule in policy.rules)
    verdict = judged(table_of, policy, inputs, 12.0, rules)
    assert verdict.scope is None or any(a.outside for a in verdict.scope.attributes)
