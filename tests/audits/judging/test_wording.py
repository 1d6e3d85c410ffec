from __future__ import annotations

from audits.judging.wording import scope_in_words
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
