from __future__ import annotations

from audits.judging.policy import load_policy
from audits.report.board.how_judged import _looks, _looser, _outside
from contracts.scope import OutsideGroup, Scope, ScopeAttribute


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
    sentence, table = _outside(Scope(attributes=(attribute,), share_inside=0.8))
    assert "At least 8 in 10" in str(sentence)
    assert "age band: 75 or more" in str(table)
    assert "recovery overlooked" in str(table)
