"""The input digest is of what the model reads, and of nothing else."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from contracts.observation import Observation
from serving.forecast.question import Question, input_digest

OBSERVATIONS = st.builds(
    Observation,
    code=st.sampled_from(["REHABCAST//FUGL_MEYER_UE", "REHABCAST//AGE", "a\n", "a", "\n"]),
    day_since_onset=st.none() | st.integers(0, 3),
    value=st.none() | st.sampled_from([0.0, 1.0, 22.0, 22.5]),
    label=st.none() | st.sampled_from(["", "x", "x\n", '"']),
)
RECORDS = st.tuples(st.integers(0, 2), st.lists(OBSERVATIONS, max_size=5))
ASKED: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "explain": st.booleans(),
        "weeks": st.none() | st.sampled_from([12, 26]),
        "output": st.sampled_from(["score", "FM-UE 50 or more"]),
        "days_of": st.none() | st.just("gait"),
    }
)


def digest(record: tuple[int, list[Observation]], asked: dict[str, Any], **more: Any) -> str:
    enrolment_day, observations = record
    return input_digest(
        Question(
            subject=more.get("subject", "P"), enrolment_day=enrolment_day,
            observations=observations, notes=more.get("notes", ()), **asked,
        )
    )  # fmt: skip


@given(RECORDS, ASKED, st.randoms(use_true_random=False))
def test_the_order_of_a_record_and_the_name_of_the_person_change_nothing(
    record: tuple[int, list[Observation]], asked: dict[str, Any], generator: Any
) -> None:
    enrolment_day, observations = record
    shuffled = list(observations)
    generator.shuffle(shuffled)
    assert digest(record, asked) == digest((enrolment_day, shuffled), asked, subject="Q")


def content(record: tuple[int, list[Observation]], asked: dict[str, Any]) -> object:
    return record[0], sorted(map(repr, record[1])), sorted(asked.items(), key=repr)


@given(RECORDS, RECORDS, ASKED, ASKED)
def test_another_record_or_another_question_is_another_digest(
    record: tuple[int, list[Observation]],
    other: tuple[int, list[Observation]],
    asked: dict[str, Any],
    other_asked: dict[str, Any],
) -> None:
    is_same = content(record, asked) == content(other, other_asked)
    assert (digest(record, asked) == digest(other, other_asked)) == is_same
