"""What of a record is odd: told whatever the model makes of it, and only then."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.observation import Observation
from contracts.vocabulary import vocabulary
from serving.forecast.audit_status import ServedModel
from serving.forecast.doubts import MOST_SHOWN, SCORE_UNIT, doubts
from serving.forecast.question import Question
from tests.serving.forecast.test_respond import SCORE, answer, without_limit

ARM_SCORE, ARM_USE = "REHABCAST//FUGL_MEYER_UE", "REHABCAST//ARM_USE_RATIO"
STEPPED = {
    code: entry for code, entry in vocabulary().items() if entry.unit == SCORE_UNIT and entry.step
}


def told(served: ServedModel, *record: tuple[str, int, float], day: int = 20) -> list[str]:
    observations = [Observation(code=c, day_since_onset=d, value=v) for c, d, v in record]
    question = Question(subject="P", enrolment_day=10, observations=observations)
    return doubts(question, served.bundle.task, day - 10)


@settings(max_examples=60)
@given(data=st.data(), code=st.sampled_from(sorted(STEPPED)))
def test_a_score_between_two_steps_is_told_of_every_instrument_and_no_other_score_is(
    served: ServedModel, data: st.DataObject, code: str
) -> None:
    entry = STEPPED[code]
    assert entry.low is not None
    assert entry.high is not None
    whole = data.draw(st.integers(0, int((entry.high - entry.low) / entry.step) - 1))
    share = data.draw(st.sampled_from([0.0, 0.1, 0.5, 0.9]))
    value = entry.low + entry.step * (whole + share)
    sentences = told(served, (code, 20, value))
    assert bool(sentences) == (share > 0)
    assert all(f"{value:g}" in each and entry.name in each for each in sentences)


def test_what_has_no_steps_or_is_not_read_is_not_told(served: ServedModel) -> None:
    assert told(served, ("REHABCAST//SIX_MINUTE_WALK", 20, 402.5)) == []
    assert told(served, ("REHABCAST//WALK_TEST_SPEED", 20, 0.815)) == []
    past = served.bundle.task.inputs.past_days
    assert told(served, (ARM_SCORE, 200 - past, 31.5), day=200) == []
    assert told(served, (ARM_SCORE, 21, 31.5), day=20) == []
    many = [(ARM_SCORE, day, 20.5) for day in range(1, 20)]
    assert len(told(served, *many)) == MOST_SHOWN


@pytest.mark.parametrize(
    ("score", "ratios", "odd"),
    [
        (7.0, [1.3, 1.4, 1.3], True),
        (34.0, [1.05, 1.1, 1.2], True),
        (7.0, [0.2, 0.3, 1.4], False),
        (7.0, [1.3, 1.4], False),
        (60.0, [1.1, 1.2, 1.1], False),
    ],
)
def test_bracelets_that_contradict_the_arm_are_told(
    served: ServedModel, score: float, ratios: list[float], odd: bool
) -> None:
    days = [(ARM_USE, 12 + n, ratio) for n, ratio in enumerate(ratios)]
    sentences = told(served, (ARM_SCORE, 10, 66.0), (ARM_SCORE, 19, score), *days)
    assert [("wrong sides" in each) for each in sentences] == [True] * odd


PHYSIO, SPEECH = "REHABCAST//THERAPY_PHYSIO", "REHABCAST//THERAPY_SPEECH"
THERAPY = "REHABCAST//THERAPY"


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ([(PHYSIO, 12, 50.0), (THERAPY, 12, 20.0), (PHYSIO, 13, 30.0)], "of day 12 after"),
        ([(PHYSIO, d, 50.0) for d in range(11, 17)] + [(THERAPY, d, 9.0) for d in range(11, 17)],
         "of day 11, 12, 13 and 3 more after"),
        ([(PHYSIO, 12, 500.0), (SPEECH, 12, 400.0)], "add up to more than a day can have"),
        ([(PHYSIO, 12, 50.0), (THERAPY, 12, 50.3), (SPEECH, 13, 400.0)], None),
    ],
)  # fmt: skip
def test_therapy_that_contradicts_itself_is_told(
    served: ServedModel, record: list[tuple[str, int, float]], said: str | None
) -> None:
    sentences = told(served, *record)
    assert [said in each for each in sentences if said] == [True] * (said is not None)


def test_answers_hold_it_with_and_without_a_forecast(served: ServedModel) -> None:
    for model in (served, without_limit(served)):
        given_ = answer(model, {**SCORE, "value": 31.5})
        assert any("31.5" in note for note in given_.notes)
