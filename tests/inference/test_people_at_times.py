"""How people stood at each time: what a bundle says of them, and that it gives nobody away."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.cohort import COLUMNS, ENROLMENT, NOMINAL_ONSET, ONSET
from contracts.errors import IntegrityError
from contracts.groups import MINIMUM_SHOWN
from inference.people_at_times import (
    SPANS,
    PeopleAtTime,
    PeopleAtTimes,
    learn_people_at_times,
    read_people_at_times,
)

ARM, STEPS, WEAR = "REHABCAST//FUGL_MEYER_UE", "LOINC//41950-7", "REHABCAST//WEAR_TIME"

Value = tuple[int, str, int, float]
"""Person, code, day since onset, value."""


def cohort(values: Sequence[Value], *, enrolled: int = 3) -> pd.DataFrame:
    """The events of people with an onset, an enrolment and values."""
    people = sorted({person for person, *_ in values})
    rows = [(person, ONSET, 0, np.nan) for person in people]
    rows += [(person, ENROLMENT, enrolled, np.nan) for person in people]
    rows += list(values)
    return pd.DataFrame(
        {
            "subject_id": [row[0] for row in rows],
            "time": [NOMINAL_ONSET + pd.Timedelta(days=row[2]) for row in rows],
            "code": [row[1] for row in rows],
            "numeric_value": [row[3] for row in rows],
            "text_value": None,
        },
        columns=list(COLUMNS),
    ).sort_values("subject_id", kind="stable")


def learned(values: Sequence[Value], code: str = ARM, day: int = 20) -> PeopleAtTime | None:
    return learn_people_at_times(cohort(values)).at(code, day)


def test_quartiles_are_of_people_of_that_time() -> None:
    early = [(person, ARM, 5, 0.0 + person) for person in range(1, 22)]
    values = [(person, ARM, 20, 20.0 + person) for person in range(1, 22)]
    assert learned([*early, *values]) == PeopleAtTime(lower=26, middle=31, upper=36, people=20)
    # A span ends where the next begins, and it does not matter when somebody was enrolled.
    times = learn_people_at_times(cohort([*early, *values], enrolled=17))
    assert times.at(ARM, 14) == times.at(ARM, 27) == learned([*early, *values])
    assert times.at(ARM, 13) is None
    assert times.at(ARM, 28) is None
    assert times.at(ARM, SPANS[-1]) is None
    assert times.at("REHABCAST//ARAT", 20) is None
    assert PeopleAtTimes.model_validate_json(times.model_dump_json()) == times


def test_a_person_counts_once_however_often_measured() -> None:
    one = [(1, ARM, day, 60.0) for day in range(14, 28)]
    values = [(person, ARM, 20, float(person)) for person in range(2, 22)]
    found = learned([*one, *values])
    assert found is not None
    assert (found.middle, found.people) == (12, 20)
    assert learned(one) is None


def test_a_day_on_which_the_wearable_was_hardly_worn_is_left_out() -> None:
    values = [(person, STEPS, day, 1_000.0 * person) for person in range(1, 13) for day in (20, 21)]
    worn = [(person, WEAR, 20, 12.0) for person in range(1, 13)]
    unworn = [(person, STEPS, 22, 1.0) for person in range(1, 13)]
    hardly = [(person, WEAR, 22, 2.0) for person in range(1, 13)]
    found = learned([*values, *worn, *unworn, *hardly], STEPS)
    assert found == learned(values, STEPS)
    assert found is not None
    assert found.lower > 1
    # What tells of care or of the device is in no domain.
    assert learned([*values, *worn, *hardly], WEAR) is None


@settings(max_examples=60, deadline=None)
@given(
    scores=st.lists(st.integers(0, 66), min_size=1, max_size=40),
    code=st.sampled_from([ARM, "REHABCAST//SYSTOLIC_PRESSURE"]),
)
def test_nothing_is_said_of_few_people_or_where_half_are_alike(
    scores: list[int], code: str
) -> None:
    found = learned([(n, code, 20, 60.0 + score) for n, score in enumerate(scores, 1)], code)
    ends = np.quantile([60.0 + score for score in scores], (0.25, 0.75))
    lower, upper = (float(f"{end:.2g}") for end in ends)
    assert (found is None) == (len(scores) < MINIMUM_SHOWN or lower == upper)
    if found is None:
        return
    assert found.people == max(MINIMUM_SHOWN, len(scores) // 5 * 5)
    for value in (found.lower, found.middle, found.upper):
        assert value == float(f"{value:.2g}")


@settings(max_examples=30, deadline=None)
@given(scores=st.lists(st.integers(0, 66), min_size=11, max_size=30), seed=st.integers(0, 100))
def test_the_order_of_the_events_does_not_matter(scores: list[int], seed: int) -> None:
    events = cohort([(n, ARM, 20, float(score)) for n, score in enumerate(scores, 1)])
    turned = events.sample(frac=1, random_state=seed)
    assert learn_people_at_times(turned) == learn_people_at_times(events)


def test_a_bundle_without_the_file_does_not_know_and_a_wrong_file_is_refused() -> None:
    assert read_people_at_times(None) is None
    sound = learn_people_at_times(cohort([(n, ARM, 20, float(n)) for n in range(1, 22)]))
    content = json.loads(sound.model_dump_json())
    assert read_people_at_times(json.dumps(content).encode()) == sound
    entry = next(each for each in content["codes"][ARM] if each is not None)
    faults: tuple[dict[str, Any], ...] = (
        {"people": 10}, {"lower": 60.0}, {"upper": None}, {"who": 1},
    )  # fmt: skip
    for wrong in faults:
        kept = dict(entry)
        entry.update(wrong)
        with pytest.raises(IntegrityError, match=r"profile\.json"):
            read_people_at_times(json.dumps(content).encode())
        entry.clear()
        entry.update(kept)
    for spans in ({"spans": [0, 7]}, {"spans": content["spans"][::-1]}):
        with pytest.raises(IntegrityError, match="train again"):
            read_people_at_times(json.dumps({**content, **spans}).encode())


def test_where_most_people_have_the_full_score_nobody_is_told_so() -> None:
    """Quartiles of 66, 66 and 66 say of any of them what he or she scored."""
    assert learned([*((n, ARM, 20, 66.0) for n in range(1, 11)), (11, ARM, 20, 12.0)], ARM) is None
