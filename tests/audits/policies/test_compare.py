from __future__ import annotations

from typing import Any

import pytest

from audits.judging.policy import Policy, load_policy
from audits.policies.compare import Kind, changes

ERROR = "no group forecast less accurately"
COVERAGE = "honest intervals in every group"


def with_rule(name: str, /, **changed: Any) -> Policy:
    shipped = load_policy()
    rules = tuple(
        rule.model_copy(update=changed) if rule.name == name else rule for rule in shipped.rules
    )
    return shipped.model_copy(update={"rules": rules})


def test_a_policy_asks_no_more_and_no_less_than_itself() -> None:
    assert changes(load_policy(), load_policy()) == ()


@pytest.mark.parametrize(
    ("name", "changed", "kind"),
    [
        (ERROR, {"limit": 5.0}, Kind.LOOSER),
        (ERROR, {"limit": 2.0}, Kind.STRICTER),
        (COVERAGE, {"limit": 0.6}, Kind.LOOSER),
        (COVERAGE, {"limit": 0.7}, Kind.STRICTER),
        ("no group promised too much or too little", {"limit": 5.0}, Kind.LOOSER),
        (ERROR, {"confidence": 0.8}, Kind.LOOSER),
        (ERROR, {"minimum_subjects": 2}, Kind.LOOSER),
        (ERROR, {"binding": False}, Kind.LOOSER),
        (ERROR, {"axes": ("sex",)}, Kind.LOOSER),
        (ERROR, {"name": "renamed"}, Kind.GONE),
        (ERROR, {"comparator": "x"}, Kind.OTHER),
        ("error ratio of the groups", {"binding": True}, Kind.STRICTER),
        ("honest intervals on every course", {"must_be_shown": True}, Kind.STRICTER),
    ],
)
def test_each_kind_of_change_is_told_and_so_is_its_reverse(
    name: str, changed: dict[str, Any], kind: Kind
) -> None:
    reverse = {
        Kind.LOOSER: Kind.STRICTER, Kind.STRICTER: Kind.LOOSER, Kind.GONE: Kind.NEW,
        Kind.OTHER: Kind.OTHER,
    }  # fmt: skip
    forth = changes(load_policy(), with_rule(name, **changed))
    back = changes(with_rule(name, **changed), load_policy())
    assert kind in {change.kind for change in forth}
    assert reverse[kind] in {change.kind for change in back}
    if kind is not Kind.STRICTER:
        assert any(change.weakens for change in forth)
    else:
        assert not any(change.weakens for change in forth)


@pytest.mark.parametrize(
    "changed",
    [
        {"required": ()},
        {"lost": None},
        {"valid_days": 365},
        {"least_error": 0.0},
        {"decision_threshold": 0.9},
    ],
)
def test_what_is_asked_besides_rules_is_told(changed: dict[str, Any]) -> None:
    other = load_policy().model_copy(update=changed)
    assert all(change.weakens for change in changes(load_policy(), other))
    assert changes(load_policy(), other)


def test_another_instrument_is_compared_in_important_differences() -> None:
    carried = load_policy().carried_over("REHABCAST//GAIT_SPEED", 0.12)
    assert changes(load_policy(), carried) == ()
