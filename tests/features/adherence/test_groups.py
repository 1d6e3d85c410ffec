"""Groups of enough people are compared; of few nothing is said, whatever is on record."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.cohort import CODE, COLUMNS
from contracts.exercise import codes
from contracts.task import Task
from features.adherence.groups import exercise_by_group

DAY = pd.Timestamp("2026-03-02")


def events(women: int, men: int, unknown: int = 0, *, quality: bool = True) -> pd.DataFrame:
    """Women do nine tenths of the plan and men six; men do it better."""
    rows: list[tuple[object, ...]] = []
    people = ["female"] * women + ["male"] * men + [None] * unknown
    for subject, sex in enumerate(people, 1):
        share = 0.9 if sex == "female" else 0.6
        if sex is not None:
            rows.append((subject, pd.NaT, "REHABCAST//SEX", None, sex))
        for day in range(3):
            when = DAY + pd.Timedelta(days=day)
            rows.append((subject, when, codes.ADHERENCE, share + (day - 1) / 20, None))
            if quality:
                rows.append((subject, when, codes.QUALITY, 1.4 - share, None))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def by_sex(made: pd.DataFrame, task: Task) -> dict[str, tuple[object, ...]]:
    return {
        row.group: (row.people, row.adherence, row.quality)
        for row in exercise_by_group(made, task)
        if row.attribute == "sex"
    }


def test_groups_are_compared_by_their_people(task: Task) -> None:
    assert by_sex(events(25, 12), task) == {"female": (20, 0.9, 0.5), "male": (11, 0.6, 0.8)}
    assert by_sex(events(11, 12, quality=False), task)["male"] == (11, 0.6, None)


def test_without_exercise_there_is_no_group(task: Task) -> None:
    made = events(12, 12)
    assert exercise_by_group(made[made[CODE] == "REHABCAST//SEX"], task) == ()


@settings(max_examples=20, deadline=None)
@given(women=st.integers(1, 14), men=st.integers(1, 14), unknown=st.integers(0, 14))
def test_of_few_people_nothing_is_said(task: Task, women: int, men: int, unknown: int) -> None:
    found = by_sex(events(women, men, unknown), task)
    for group, people in (("female", women), ("male", men), ("not recorded", unknown)):
        if people:
            assert (found[group] == (None, None, None)) == (people < 11)


@pytest.mark.parametrize("people", [10, 11])
def test_one_person_more_is_enough(task: Task, people: int) -> None:
    assert (by_sex(events(people, 0), task)["female"][0] is not None) == (people == 11)
