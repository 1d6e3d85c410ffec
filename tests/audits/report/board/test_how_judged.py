from __future__ import annotations

from audits.judging.policy import load_policy
from audits.report.board.how_judged import _looks, _looser, _outside
from contracts.scope import OutsideGroup, OutsidePair, Scope, ScopeAttribute
from contracts.verdict import Finding, Outcome


def test_earlier_audits_are_counted() -> None:
    assert "first version" in _looks(1)
    assert _looks(2).startswith("1 other version of")
    assert _looks(10).startswith("9 other versions of")


def test_a_policy_that_asks_less_than_the_shipped_one_says_so() -> None:
    shipped = load_policy()
    assert _looser(shipped) == ()
    assert _looser(shipped.carried_over("REHABCAST//GAIT_SPEED", 0.12)) == ()
    assert any(
        "is recorded" in line for line in _looser(shipped.model_copy(update={"required": ()}))
    )


def test_who_gets_no_forecast_and_why() -> None:
    outside = OutsideGroup(label="75 or more", rules=("no group's recovery overlooked",))
    attribute = ScopeAttribute(attribute="age band", inside=("below 75",), outside=(outside,))
    scope = Scope(attributes=(attribute,), share_inside=0.8)
    sentence, table = _outside(scope, ())
    assert "At least 8 in 10" in str(sentence)
    assert "age band: 75 or more" in str(table)
    assert "recovery overlooked" in str(table)
    assert "Outcomes of more of them" in str(table)


def test_more_people_are_not_what_a_group_lacks_that_is_probably_harmed() -> None:
    pair = OutsidePair(
        attributes=("sex", "age band"), labels=("female", "75 and over"), rules=("x",)
    )
    harmed = Finding(
        rule="x", metric="signed error", statistic="value", axis="sex & age band",
        attributes=("sex", "age band"), group="female & 75 and over", subjects=40, events=None,
        value=9.0, low=1.0, high=17.0, limit=4.25, binding=False, outcome=Outcome.REVIEW, reason="x",
    )  # fmt: skip
    for findings, words in (((), "Outcomes of more of them"), ((harmed,), "serves them better")):
        _, table = _outside(Scope(attributes=(), pairs=(pair,), share_inside=0.8), findings)
        assert words in str(table)
