from __future__ import annotations

import pytest

from audits.judging.wording import group_in_words, scope_in_words
from contracts.scope import OutsideGroup, OutsidePair, Scope, ScopeAttribute


def test_a_scope_says_who_gets_no_forecast_and_which_rule_was_not_shown() -> None:
    scope = Scope(
        attributes=(
            ScopeAttribute(
                attribute="sex", inside=("female",),
                outside=(OutsideGroup(label="not recorded", rules=("honest intervals",)),),
            ),
        ),
        pairs=(
            OutsidePair(
                attributes=("sex", "age band"), labels=("female", "under 45"), rules=("one", "two")
            ),
        ),
        share_inside=0.8,
    )  # fmt: skip
    assert scope_in_words(scope) == [
        "At least 8 in 10 of the people audited get a forecast.",
        "No forecast for sex: not recorded: not shown to keep “honest intervals”.",
        "No forecast for people who are both sex: female and age band: under 45: in doubt whether"
        " they keep “one”, “two”.",
    ]


def test_a_pass_for_everyone_says_that_others_were_never_seen() -> None:
    everyone = Scope(
        attributes=(ScopeAttribute(attribute="sex", inside=("female",)),), share_inside=1.0
    )
    assert scope_in_words(everyone) == ["For everyone who belongs to groups of this audit."]


@pytest.mark.parametrize(
    ("axis", "label", "words"),
    [
        ("sex", "female", "sex: female"),
        ("affected side", "1", "affected side: code 1"),
        ("hospital", "0", "hospital: code 0"),
        ("hospital", "-2.5", "hospital: code -2.5"),
        ("hospital & ward", "0 & 7", "hospital & ward: code 0 & 7"),
        ("age band", "under 55", "age band: under 55"),
        ("wear band", "60% to under 90%", "wear band: 60% to under 90%"),
        ("hospital", "北京", "hospital: 北京"),
        ("everyone", "everyone", "everyone"),
    ],
)
def test_a_label_is_said_with_its_attribute_and_a_code_as_a_code(
    axis: str, label: str, words: str
) -> None:
    assert group_in_words(axis, label) == words
