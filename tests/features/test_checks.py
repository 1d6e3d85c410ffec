"""The quick check of a block agrees with the full check of its rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.cohort import CODE, ENROLMENT, NUMBER, ONSET, SUBJECT, TEXT, TIME
from features.blocks import blocks_of_subjects
from features.checks import check_events
from features.cohort.file_checks import check_blocks, is_sound

STEPS, SEX, AGE = "LOINC//41950-7", "REHABCAST//SEX", "REHABCAST//AGE"
START = pd.Timestamp("2024-03-04")


def cohort() -> pd.DataFrame:
    rows = []
    for subject in (3, 1, 2):
        rows += [
            (subject, pd.NaT, AGE, 60.0, None),
            (subject, pd.NaT, SEX, np.nan, "female"),
            (subject, START, ONSET, np.nan, None),
            (subject, START + pd.Timedelta(hours=9), ENROLMENT, np.nan, None),
        ]
        rows += [(subject, START + pd.Timedelta(days=d), STEPS, 100.0 * d, None) for d in range(4)]
    table = pd.DataFrame(rows, columns=[SUBJECT, TIME, CODE, NUMBER, TEXT])
    return table.astype({TIME: "datetime64[us]", CODE: "category"})


def set_code(events: pd.DataFrame, row: int, code: str) -> pd.DataFrame:
    codes = events[CODE].astype(object)
    codes.iloc[row] = code
    return events.assign(**{CODE: codes.astype("category")})


def set_value(events: pd.DataFrame, row: int, column: str, value: object) -> pd.DataFrame:
    changed = events.copy()
    changed.loc[changed.index[row], column] = value
    return changed


DAMAGE = (
    lambda events, row: events,
    lambda events, row: events.drop(events.index[row]),
    lambda events, row: pd.concat([events.iloc[: row + 1], events.iloc[row:]]),
    lambda events, row: set_value(events, row, TIME, pd.NaT),
    lambda events, row: set_value(events, row, TIME, START - pd.Timedelta(days=1)),
    lambda events, row: set_value(events, row, TIME, START + pd.Timedelta(days=1, hours=5)),
    lambda events, row: set_value(events, row, NUMBER, -5.0),
    lambda events, row: set_value(events, row, NUMBER, np.nan),
    lambda events, row: set_value(events, row, NUMBER, np.inf),
    lambda events, row: set_value(events, row, TEXT, "purple"),
    lambda events, row: set_code(events, row, STEPS),
    lambda events, row: set_code(events, row, SEX),
    lambda events, row: set_code(events, row, ONSET),
    lambda events, row: set_code(events, row, "NOBODY//KNOWS"),
)


@settings(deadline=None, max_examples=120)
@given(st.sampled_from(DAMAGE), st.sampled_from(DAMAGE), st.integers(0, 22), st.integers(0, 21))
def test_a_glance_says_what_the_closer_look_says(one, other, row: int, another: int) -> None:  # type: ignore[no-untyped-def]
    events = other(one(cohort(), row), another).reset_index(drop=True)
    assert is_sound(events) == (not check_events(events, file="x"))


def test_a_valid_cohort_passes_the_quick_check() -> None:
    assert is_sound(cohort())
    assert not is_sound(cohort().astype({CODE: object})), "other types take the closer look"


def test_rows_are_counted_on_after_blocks_that_are_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "features.cohort.file_checks.blocks_of_subjects", lambda e: blocks_of_subjects(e, 8)
    )
    events = set_value(cohort(), 21, NUMBER, -5.0)
    assert len(blocks_of_subjects(events, 8)) == 3
    (problem,) = check_blocks(events, file="x")
    assert problem.row == 21 + 2
