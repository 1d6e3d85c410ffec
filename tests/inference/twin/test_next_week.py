"""Next week's dose: danger first, nothing without evidence, never a step by what is not known."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from contracts.doses.next_week import DoseRules, shipped_dose_rules
from contracts.errors import ForecastRefused
from inference.twin.next_week import after, decide, facts_of

WELL: dict[str, Any] = {
    "adherence": [0.9, 0.85], "borg": [11, 12, 12], "pain_worst": 2, "pain_rise": 1,
    "pain_next_morning": False, "fatigue_worst": 3, "danger_signs": [],
}  # fmt: skip
ORDER = ["stop and call", "regress", "hold", "progress"]


@pytest.mark.parametrize(
    ("change", "action", "hours"),
    [
        ({}, "progress", 5.5),
        ({"borg": [13, 14, 12]}, "hold", 5.0),
        ({"borg": [12, 16, 12, 17]}, "regress", 4.5),
        ({"borg": [12, 16, 12, 12]}, "progress", 5.5),
        ({"pain_worst": 5}, "regress", 4.5),
        ({"pain_next_morning": True}, "regress", 4.5),
        ({"pain_rise": 3}, "hold", 5.0),
        ({"fatigue_worst": 7}, "regress", 4.5),
        ({"adherence": [0.9, 0.79]}, "hold", 5.0),
        ({"adherence": [0.49, 0.9]}, "regress", 4.5),
        ({"danger_signs": ["fall"], "pain_worst": 9}, "stop and call", None),
    ],
)
def test_the_rules_decide_as_they_say(
    change: dict[str, Any], action: str, hours: float | None
) -> None:
    found = decide(shipped_dose_rules(), facts_of(**(WELL | change)))
    assert found.action == action
    then = after(found.action, shipped_dose_rules(), 5.0)
    assert then == (None if hours is None else pytest.approx(hours))
    assert found.because
    assert found.rule.source


@pytest.mark.parametrize("missing", sorted(WELL))
def test_without_a_fact_there_is_no_step_but_danger_still_stops(missing: str) -> None:
    short = {name: value for name, value in WELL.items() if name != missing}
    with pytest.raises(ForecastRefused, match="not known of the last two weeks"):
        decide(shipped_dose_rules(), facts_of(**short))
    if missing != "danger_signs":
        short |= {"danger_signs": ["chest pain"]}
        assert decide(shipped_dose_rules(), facts_of(**short)).action == "stop and call"


def test_all_that_is_lacking_is_named_at_once() -> None:
    with pytest.raises(ForecastRefused) as refused:
        decide(shipped_dose_rules(), facts_of(**(WELL | {"borg": None, "pain_rise": None})))
    assert refused.value.reason.endswith(
        "not known of the last two weeks: ratings of exertion, rise of pain within a session"
    )


def test_one_week_of_adherence_is_none() -> None:
    with pytest.raises(ForecastRefused, match="adherence of both weeks"):
        decide(shipped_dose_rules(), facts_of(**(WELL | {"adherence": [1.0]})))


WORSE = st.fixed_dictionaries(
    {
        "adherence": st.lists(st.floats(0, 1), min_size=2, max_size=2),
        "borg": st.lists(st.integers(6, 20), min_size=1, max_size=6),
        "pain_worst": st.floats(0, 10), "pain_rise": st.floats(0, 10),
        "pain_next_morning": st.booleans(), "fatigue_worst": st.floats(0, 10),
        "danger_signs": st.lists(st.just("fall"), max_size=1),
    }
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(
    weeks=WORSE, harder=st.integers(0, 4), pain=st.floats(0, 5), tired=st.floats(0, 5),
    missed=st.floats(0, 0.5),
)  # fmt: skip
def test_two_worse_weeks_never_lead_to_more(
    weeks: dict[str, Any], harder: int, pain: float, tired: float, missed: float
) -> None:
    worse = weeks | {
        "adherence": [max(0.0, week - missed) for week in weeks["adherence"]],
        "borg": [min(20, rating + harder) for rating in weeks["borg"]],
        "pain_worst": weeks["pain_worst"] + pain, "pain_rise": weeks["pain_rise"] + pain,
        "fatigue_worst": weeks["fatigue_worst"] + tired,
    }  # fmt: skip
    rules = shipped_dose_rules()
    before, then = (decide(rules, facts_of(**each)) for each in (weeks, worse))
    assert ORDER.index(then.action) <= ORDER.index(before.action)


def test_rules_that_let_progress_before_they_stop_are_refused() -> None:
    shipped = shipped_dose_rules().model_dump()
    with pytest.raises(ValidationError, match="must stop, then regress"):
        DoseRules.model_validate(shipped | {"rules": shipped["rules"][::-1]})
