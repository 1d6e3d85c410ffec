"""The next step of an exercise: quality decides beside the count, and nothing by what is unknown."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.doses.next_week import shipped_exercise_rules
from contracts.exercise import ExerciseSet
from features.adherence.observed import observe
from inference.twin.exercise import ExerciseStep, ProgrammeReport, report_of
from inference.twin.next_week import facts_of
from tests.simulated_exercise import PROGRAMME, SLIDE, day, days_of, set_file

WELL: dict[str, Any] = {
    "pain_worst": 2, "pain_rise": 1, "pain_next_morning": False, "fatigue_worst": 3,
    "danger_signs": [],
}  # fmt: skip
RULES = shipped_exercise_rules()


def reported(sets: list[ExerciseSet], last: int = 13, **asked: Any) -> ProgrammeReport:
    observed = observe(PROGRAMME, set_file(sets), day(last))
    return report_of(observed, RULES, facts_of(**(WELL | asked)), simulated=True)


def rotation(sets: list[ExerciseSet], **asked: Any) -> ExerciseStep:
    return reported(sets, **asked).exercises[0].step


def weeks(first: tuple[int, int], second: tuple[int, int], days: int = 7) -> list[ExerciseSet]:
    """Return two weeks of sets: repetitions done well and badly in each set of each week."""
    return [
        *days_of(range(days), well=first[0], badly=first[1]),
        *days_of(range(7, 7 + days), well=second[0], badly=second[1]),
    ]


@pytest.mark.parametrize(
    ("first", "second", "asked", "rule", "repetitions"),
    [
        ((10, 0), (10, 0), {}, "quality holds", 11),
        ((10, 0), (9, 1), {}, "quality does not hold", 10),
        ((9, 1), (9, 1), {}, "quality holds", 11),
        ((7, 3), (10, 0), {}, "quality does not hold", 10),
        ((4, 6), (10, 0), {}, "not done as shown", 9),
        ((10, 0), (7, 0), {}, "little adherence", 10),
        ((10, 0), (4, 0), {}, "too much", 9),
        ((10, 0), (10, 0), {"pain_worst": 5}, "too much", 9),
        ((10, 0), (10, 0), {"pain_rise": 3}, "pain rose", 10),
        ((10, 0), (10, 0), {"danger_signs": ["fall"]}, "danger sign", None),
    ],
)
def test_the_rules_decide_by_count_and_quality(
    first: tuple[int, int], second: tuple[int, int], asked: dict[str, Any], rule: str,
    repetitions: int | None,
) -> None:  # fmt: skip
    step = rotation(weeks(first, second), **asked)
    assert step.decision is not None
    assert (step.decision.rule.name, step.repetitions) == (rule, repetitions)


def test_the_same_count_done_worse_lets_nobody_progress() -> None:
    well, worse = weeks((10, 0), (10, 0)), weeks((10, 0), (7, 3))
    counts = [
        [week.repetitions for week in reported(sets).exercises[0].weeks] for sets in (well, worse)
    ]
    assert counts[0] == counts[1] == [140, 140]
    steps = [rotation(sets) for sets in (well, worse)]
    assert [step.repetitions for step in steps] == [11, 10]


@pytest.mark.parametrize("missing", sorted(WELL))
def test_what_nobody_said_of_the_person_allows_no_step(missing: str) -> None:
    step = rotation(weeks((10, 0), (10, 0)), **{missing: None})
    assert (step.decision, step.repetitions) == (None, None)
    assert "not known of the last two weeks" in step.reason


@pytest.mark.parametrize(
    ("sets", "last", "says"),
    [
        (days_of(range(7)), 6, "two weeks of the programme"),
        (days_of(range(3)), 2, "two weeks of the programme"),
    ],
)
def test_before_two_weeks_there_is_no_step(sets: list[ExerciseSet], last: int, says: str) -> None:
    step = reported(sets, last).exercises[0].step
    assert step.decision is None
    assert says in step.what_to_do


def test_without_a_goal_quality_is_not_known_and_the_advice_says_what_to_write() -> None:
    plain = SLIDE.model_copy(update={"goal_range_deg": None})
    programme = PROGRAMME.model_copy(update={"exercises": (plain,)})
    observed = observe(programme, set_file(weeks((10, 0), (10, 0))), day(13))
    (found,) = report_of(observed, RULES, facts_of(**WELL), simulated=True).exercises
    assert found.weeks[0].adherence == 1.0
    assert found.step.decision is None
    assert "give the exercise a goal" in found.step.what_to_do


@settings(max_examples=25, deadline=None)
@given(
    well=st.tuples(st.integers(0, 12), st.integers(0, 12)),
    badly=st.tuples(st.integers(0, 12), st.integers(0, 12)),
    worse=st.integers(1, 12),
)
def test_doing_more_of_them_badly_never_leads_to_more(
    well: tuple[int, int], badly: tuple[int, int], worse: int
) -> None:
    before = rotation(weeks((well[0], badly[0]), (well[1], badly[1])))
    turned = min(worse, well[1])
    after = rotation(weeks((well[0], badly[0]), (well[1] - turned, badly[1] + turned)))
    if before.repetitions is not None and after.repetitions is not None:
        assert after.repetitions <= before.repetitions
    if after.repetitions == 11:
        assert before.repetitions == 11
