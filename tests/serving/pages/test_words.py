"""How chances, milestones and refusals are said, in each language."""

from __future__ import annotations

import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import ForecastRefused
from contracts.naming.worded import Worded
from contracts.task import Milestone
from serving.forecast.measured_again.facts import in_words
from serving.pages.patient import _worth_order
from serving.pages.rendering import Say
from serving.pages.words import chance, milestone_meaning
from serving.settled import NextMeasurement
from training.task import read_task

ARM = "REHABCAST//FUGL_MEYER_UE"

TASKS = Path(__file__).parents[3] / "tasks"

SHARES = st.floats(0, 1)


@given(SHARES, st.sampled_from(["en", "ur"]))
def test_a_chance_is_said_both_ways_and_never_as_sure(value: float, language: str) -> None:
    said = chance(value, Say(language))
    percents = [int(re.findall(r"(\d+)%", each)[0]) for each in (said.reach, said.miss)]
    assert sum(percents) == 100
    assert 1 <= percents[0] <= 99
    assert abs(percents[0] - 100 * value) <= 1
    assert said.filled == round(10 * value)


@given(SHARES)
def test_so_many_of_ten_are_as_many_as_per_cent(value: float) -> None:
    said = chance(value, Say("en")).reach
    tenths = re.fullmatch(r"(\d) of 10 \((\d+)%\)", said)
    if tenths is None:
        assert re.fullmatch(r"(more than 9|fewer than 1) of 10 \((over |under )?\d+%\)", said)
        assert value > 0.94 if said.startswith("more") else value < 0.06
    else:
        assert abs(10 * int(tenths[1]) - int(tenths[2])) <= 5
        assert abs(100 * value - int(tenths[2])) <= 0.5


def test_a_milestone_says_what_has_to_be_reached() -> None:
    for rule, english in (
        ({"gain_at_least": 4.25}, "at least 4.25 points better than now"),
        ({"at_least": 50}, "a score of 50 points or more"), ({"at_most": 19}, "a score of 19 points or less"),
    ):  # fmt: skip
        milestone = Milestone(name="m", source="s", **rule)
        assert milestone_meaning(milestone, ARM, Say("en")) == english
        assert milestone_meaning(milestone, ARM, Say("ur")) != english


def test_a_gain_has_the_unit_of_its_instrument() -> None:
    milestone = Milestone(name="m", source="s", gain_at_least=0.16)
    said = milestone_meaning(milestone, "REHABCAST//WALK_TEST_SPEED", Say("en"))
    assert "0.16 metres a second" in said
    assert "points" not in said


def test_a_refusal_is_said_in_the_language_with_what_stands_in_its_places() -> None:
    refusal = ForecastRefused(
        Worded("%(what)s is not a number", what=Worded("the score")), "write digits"
    )
    assert (refusal.reason, type(refusal.reason)) == ("the score is not a number", str)
    urdu, english = Say("ur"), Say("en")
    reason, advice = refusal.words
    assert english.translated(reason) == ("the score is not a number", "en")
    assert urdu.translated(reason) == ("اسکور عدد نہیں ہے", "ur")
    assert urdu.translated(advice)[1] == "ur"
    assert urdu.translated("what nobody has translated") == ("what nobody has translated", "en")
    assert urdu.translated("") == ("", "en")


@given(st.text())
def test_what_somebody_wrote_stays_as_it_is(label: str) -> None:
    said = Say("ur").translated(Worded("“%(what)s” is empty", what=label))[0]
    assert label in said


@given(
    now=st.floats(0.1, 60),
    then=st.floats(0.1, 60),
    task=st.sampled_from(["stroke-upper-limb", "stroke-gait-speed"]),
)
def test_the_worth_of_a_score_has_the_same_numbers_in_every_language(
    now: float, then: float, task: str
) -> None:
    target = read_task(TASKS / f"{task}.toml").target
    fact = NextMeasurement(
        days=14, horizon_weeks=12, width_80=now, expected_width_80=then, narrower_by=now - then
    )
    said = in_words(fact, target.code, target.step)
    other, language = Say("ur").translated(said)
    assert language == "ur"
    own, translated = (
        sorted(re.findall(r"\d+(?:\.\d+)?(?:e-\d+)?", words)) for words in (said, other)
    )
    assert translated == own


@given(
    narrower=st.lists(st.none() | st.floats(-0.9, 0.9), max_size=6),
    without=st.integers(0, 2),
)
def test_what_narrows_most_stands_first_and_what_nobody_knows_behind_what_widens(
    narrower: list[float | None], without: int
) -> None:
    rows = [{"words": "said", "share": each} for each in narrower]
    rows += [{"words": "", "share": None}] * without
    known = sorted((each for each in narrower if each is not None), reverse=True)
    expected = [("said", each) for each in known]
    expected += [("said", None)] * (len(narrower) - len(known)) + [("", None)] * without
    found = sorted(reversed(rows), key=_worth_order)
    assert [(row["words"], row["share"]) for row in found] == expected
