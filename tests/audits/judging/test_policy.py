from __future__ import annotations

import math
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from audits.judging.decision import decide, gravest
from audits.judging.policy import PACKAGED, Policy, Rule, load_policy
from audits.measure.disparity import Direction, Scope
from audits.measure.intervals import Interval
from audits.measure.metric_definitions import Unit
from contracts.errors import ContractError
from contracts.verdict import GRAVITY, Finding, Outcome

RULE: dict[str, Any] = {
    "name": "fair error",
    "scope": "axes",
    "metric": "mean absolute error",
    "statistic": "difference from the rest",
    "direction": "at most",
    "limit": 4.25,
    "confidence": 0.95,
    "minimum_subjects": 30,
    "binding": True,
    "rationale": "One important difference, in points.",
}
AGAINST = {"statistic": "against comparator", "direction": "at most", "limit": 0.0}
BEATS: dict[str, Any] = {
    **RULE, **AGAINST, "name": "beats", "scope": "overall", "comparator": "proportional recovery"
}  # fmt: skip
NO_HARM: dict[str, Any] = {**RULE, **AGAINST, "name": "no harm", "comparator": "champion"}
anything = st.floats(allow_nan=True, allow_infinity=True)


def test_the_shipped_policy_binds_on_single_attributes_and_reports_pairs() -> None:
    policy = load_policy()
    assert not any(rule.binding for rule in policy.rules if rule.scope is Scope.PAIRS)
    binding = [rule for rule in policy.rules if rule.binding]
    assert {rule.scope for rule in binding} == {Scope.OVERALL, Scope.AXES, Scope.PATTERNS}
    # Nobody can be held back in the stead of a pattern, so too few people of one would hold back all.
    assert {r.scope for r in binding if not r.must_be_shown} == {Scope.PATTERNS}
    assert {rule.comparator for rule in binding} >= {"proportional recovery", "champion"}


def test_every_limit_of_the_shipped_policy_is_justified_by_the_important_difference() -> None:
    for rule in load_policy().rules:
        if rule.metric.definition.unit is Unit.POINTS and rule.limit == 4.25:
            assert "4.25" in rule.rationale or "As for single attributes" in rule.rationale


def test_a_change_of_what_it_says_changes_the_digest_and_layout_does_not(tmp_path: Path) -> None:
    text = PACKAGED.read_text("utf-8")
    same, other = tmp_path / "same.toml", tmp_path / "other.toml"
    same.write_text("# a comment\n" + text, "utf-8")
    other.write_text(text.replace("limit = 4.25", "limit = 4.26", 1), "utf-8")
    assert load_policy(same).digest == load_policy().digest
    assert load_policy(other).digest != load_policy().digest


def test_a_policy_from_before_a_rule_could_do_without_proof_keeps_its_digest() -> None:
    rule = Rule.model_validate(RULE)
    assert "must_be_shown" not in rule.model_dump(mode="json")
    assert Rule.model_validate(rule.model_dump()) == rule
    on_patterns = {
        **RULE, "scope": "patterns", "statistic": "value", "must_be_shown": False
    }  # fmt: skip
    without = Rule.model_validate(on_patterns)
    assert Rule.model_validate(without.model_dump(mode="json")) == without
    assert not without.must_be_shown
    with pytest.raises(ValidationError, match="on patterns need not be shown"):
        Rule.model_validate({**on_patterns, "binding": False})


@pytest.mark.parametrize("lost", sorted(RULE))
def test_a_rule_without_one_of_its_parts_is_refused(lost: str) -> None:
    with pytest.raises(ValidationError, match=lost):
        Rule.model_validate({name: value for name, value in RULE.items() if name != lost})


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"severity": 1}, "Extra inputs"),
        ({"direction": "below"}, "direction"),
        ({"must_be_shown": False}, "on patterns need not be shown"),
        ({"limit": float("nan")}, "finite"),
        ({"limit": float("inf")}, "finite"),
        ({"direction": "within", "limit": 0}, "above 0"),
        ({"scope": "overall"}, "no rest"),
        ({"statistic": "against comparator"}, "comparator"),
        ({"comparator": "last observation"}, "comparator"),
        ({"statistic": "ratio to the rest", "direction": "within"}, "a ratio needs"),
        ({"statistic": "ratio to the rest", "limit": 0}, "a ratio needs"),
        ({"scope": "pairs", "axes": ["sex"]}, "scope of axes"),
        ({"confidence": 0.5}, "confidence"),
        ({"minimum_events": 20}, "minimum_events"),
        ({"metric": "false-negative rate"}, "minimum_events"),
        ({"minimum_subjects": 1}, "minimum_subjects"),
        ({"rationale": "because"}, "rationale"),
        ({"direction": "at least"}, "better when lower"),
        (
            {
                "metric": "coverage of the 80 % interval",
                "statistic": "value",
                "direction": "at most",
                "limit": 0.65,
            },
            "better when higher",
        ),
        (
            {
                "metric": "coverage of the 80 % interval",
                "statistic": "value",
                "direction": "at least",
                "limit": 65,
            },
            "shares go from 0 to 1",
        ),
        (
            {
                "metric": "coverage of the 80 % interval",
                "statistic": "value",
                "direction": "at least",
                "limit": 0,
            },
            "no value can break it",
        ),
        ({"statistic": "worst group against overall", "direction": "at least"}, "other side"),
        ({"statistic": "ratio between groups"}, "other side"),
    ],
)
def test_an_impossible_rule_is_refused(changed: dict[str, Any], why: str) -> None:
    Rule.model_validate(RULE)
    with pytest.raises(ValidationError, match=why):
        Rule.model_validate({**RULE, **changed})


@pytest.mark.parametrize(
    ("rules", "why"),
    [
        ([], "rules"),
        ([RULE, RULE], "must differ"),
        ([{**RULE, "binding": False}], "at least one rule must bind"),
        ([RULE], "compare everyone with 'proportional recovery'"),
        ([RULE, {**BEATS, "binding": False}, NO_HARM], "compare everyone"),
        ([RULE, BEATS], "compare each group with 'champion'"),
        ([RULE, BEATS, {**NO_HARM, "scope": "overall"}], "compare each group"),
    ],
)
def test_a_policy_that_could_hold_nothing_back_is_refused(
    rules: list[dict[str, Any]], why: str
) -> None:
    policy = tomllib.loads(PACKAGED.read_text("utf-8"))
    with pytest.raises(ValidationError, match=why):
        Policy.model_validate({**policy, "rules": rules})


@pytest.mark.parametrize("text", ["version = ", 'version = "1"\n', "\xff"])
def test_an_unreadable_file_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "own.toml"
    path.write_text(text, "latin-1")
    with pytest.raises(ContractError, match=r"own\.toml: not an audit policy"):
        load_policy(path)
    with pytest.raises(ContractError, match=r"none\.toml"):
        load_policy(tmp_path / "none.toml")


def rule(direction: str, limit: float = 4.25) -> Rule:
    # Either side of 0 can be wrong in a signed error, so every direction makes sense.
    return Rule.model_validate(
        {**RULE, "metric": "signed error", "direction": direction, "limit": limit}
    )


@pytest.mark.parametrize(
    ("direction", "low", "high", "outcome"),
    [
        ("at most", 4, 4.6, Outcome.REVIEW),
        ("at least", 3.9, 4.4, Outcome.REVIEW),
        ("within", -7, -3, Outcome.REVIEW),
        ("within", 3, 7, Outcome.REVIEW),
        ("at most", 1, 4.25, Outcome.PASS),
        ("at most", 3, 5, Outcome.INSUFFICIENT),
        ("at most", 4.3, 5, Outcome.BLOCKED),
        ("at least", 4.25, 5, Outcome.PASS),
        ("at least", 4, 6, Outcome.INSUFFICIENT),
        ("at least", 1, 4.2, Outcome.BLOCKED),
        ("within", -4.25, 4.25, Outcome.PASS),
        ("within", -5, 3, Outcome.INSUFFICIENT),
        ("within", -6, 6, Outcome.INSUFFICIENT),
        ("within", -6, -5, Outcome.BLOCKED),
        ("within", 5, 6, Outcome.BLOCKED),
    ],
)
def test_an_interval_passes_within_fails_beyond_and_is_undecided_across_the_limit(
    direction: str, low: float, high: float, outcome: Outcome
) -> None:
    interval = Interval(low=low, high=high)
    assert decide(rule(direction), (low + high) / 2, interval, 0.01) is outcome


@pytest.mark.parametrize(
    ("adjusted_p", "outcome"), [(0.05, "blocked"), (0.051, "needs review"), (None, "needs review")]
)
def test_a_breach_blocks_only_if_it_outlasts_benjamini_hochberg(
    adjusted_p: float | None, outcome: str
) -> None:
    assert decide(rule("at most"), 6.0, Interval(low=5, high=7), adjusted_p) == outcome


@given(st.sampled_from(list(Direction)), anything, anything, anything)
def test_a_pass_means_that_all_of_the_interval_is_acceptable(
    direction: Direction, estimate: float, low: float, high: float
) -> None:
    if decide(rule(direction), estimate, Interval(low=low, high=high), 0.0) is Outcome.PASS:
        assert math.isfinite(estimate)
        assert direction is Direction.AT_LEAST or high <= 4.25
        assert direction is Direction.AT_MOST or low >= (4.25, -4.25)[direction == "within"]


@pytest.mark.parametrize("direction", list(Direction))
def test_nan_never_passes(direction: Direction) -> None:
    nan = float("nan")
    for estimate, interval in (
        (nan, Interval(low=0, high=0)),
        (0.0, Interval(low=nan, high=nan)),
        (0.0, None),
    ):
        assert decide(rule(direction), estimate, interval, 0.0) is Outcome.INSUFFICIENT


@given(
    st.lists(st.tuples(st.sampled_from(list(Outcome)), st.booleans()), max_size=6),
    st.tuples(st.sampled_from(list(Outcome)), st.booleans()),
)
def test_one_more_finding_never_softens_a_verdict(
    finding_of: Callable[..., Finding],
    some: list[tuple[Outcome, bool]],
    more: tuple[Outcome, bool],
) -> None:
    def verdict(pairs: list[tuple[Outcome, bool]]) -> Outcome:
        return gravest(finding_of(outcome=o, binding=b) for o, b in pairs)

    if any(binding for _, binding in some):
        assert GRAVITY[verdict([*some, more])] >= GRAVITY[verdict(some)]


def test_nothing_judged_is_no_pass(finding_of: Callable[..., Finding]) -> None:
    assert gravest([]) is Outcome.INSUFFICIENT
    assert gravest([finding_of(binding=False)]) is Outcome.INSUFFICIENT


def test_the_gravest_of_all_outcomes_is_the_verdict(finding_of: Callable[..., Finding]) -> None:
    findings = [finding_of(outcome=outcome) for outcome in Outcome]
    for count in range(1, len(findings) + 1):
        assert gravest(reversed(findings[:count])) is findings[count - 1].outcome


def test_on_another_instrument_limits_are_as_many_important_differences() -> None:
    shipped = load_policy()
    speed = shipped.carried_over("REHABCAST//WALK_TEST_SPEED", 0.05)
    for before, after in zip(shipped.rules, speed.rules, strict=True):
        in_points = before.metric.definition.unit is Unit.POINTS
        if in_points and not before.statistic.is_ratio:
            assert after.limit / 0.05 == pytest.approx(before.limit / 4.25)
        else:
            assert after == before
    assert speed.least_error / 0.05 == pytest.approx(shipped.least_error / 4.25)
    assert speed.thresholds.important_difference == 0.05
    # What a board reads and the ledger holds tells it from the shipped one.
    assert (speed.version, speed.digest) != (shipped.version, shipped.digest)
    assert "carried over to 0.05" in next(r.rationale for r in speed.rules if r.limit == 0.05)


def test_on_its_own_instrument_the_policy_is_as_it_is() -> None:
    shipped = load_policy()
    assert shipped.carried_over(shipped.instrument, 7.25) is shipped
