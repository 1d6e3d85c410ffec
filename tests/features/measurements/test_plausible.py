"""Records that can't be true are left out, with what they may have corrected."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.cohort import CODE, ENROLMENT, NUMBER, TIME
from contracts.errors import grouped
from features.measurements import plausible
from features.measurements.plausible import each, plausible_dates, plausible_values
from features.measurements.records import AMOUNT, BIRTH_DATE, DEATH, Amount, records

STEPS, SCORE = "LOINC//41950-7", "REHABCAST//FUGL_MEYER_UE"


def table(*rows: tuple[str, str | None, str, float | None], **shared: Any) -> pd.DataFrame:
    listed = [
        {
            "subject_label": who, TIME: when, CODE: code, NUMBER: number,
            "file": "a.csv", "place": str(place),
        }
        for place, (who, when, code, number) in enumerate(rows, start=2)
    ]  # fmt: skip
    return records([{**row, TIME: pd.Timestamp(row[TIME])} for row in listed], **shared)


@pytest.mark.parametrize(
    ("when", "words"),
    [("1970-01-01", "before 1990"), ("1989-12-31T23:59", "before 1990"), ("2201-05-06", "future")],
)
def test_impossible_dates_are_named_with_file_and_row(when: str, words: str) -> None:
    stated = table(("p", "2024-03-04", STEPS, 10.0), ("p", when, STEPS, 20.0))
    kept, (problem,) = plausible_dates(stated)
    assert kept[NUMBER].tolist() == [10.0]
    assert (problem.file, problem.row) == ("a.csv", 3)
    assert words in problem.found
    assert "dates_shifted" in problem.advice
    shifted, problems = plausible_dates(stated, dates_shifted=True)
    assert (len(shifted), problems) == (2, [])


def test_clocks_ahead_of_ours_are_no_future() -> None:
    tomorrow = pd.Timestamp.now().normalize() + pd.Timedelta(hours=36)
    kept, problems = plausible_dates(table(("p", str(tomorrow), STEPS, 1.0)))
    assert (len(kept), problems) == (1, [])
    later = tomorrow + pd.Timedelta(days=2)
    kept, problems = plausible_dates(table(("p", str(later), STEPS, 1.0)))
    assert (len(kept), len(problems)) == (0, 1)


def test_a_birth_lies_before_1990_and_a_fact_has_no_date() -> None:
    stated = table(("p", "1941-02-03", BIRTH_DATE, None), ("p", None, "REHABCAST//AGE", 80.0))
    kept, problems = plausible_dates(stated)
    assert (len(kept), problems) == (2, [])


def test_nothing_is_measured_after_death_and_others_live_on() -> None:
    stated = table(
        ("p", "2024-03-05", DEATH, None),
        ("p", "2024-03-05T08:00", STEPS, 5.0),
        ("p", "2024-03-06", STEPS, 6.0),
        ("q", "2024-03-06", STEPS, 7.0),
    )
    for shifted in (False, True):
        kept, (problem,) = plausible_dates(stated, dates_shifted=shifted)
        assert kept.loc[kept[CODE] == STEPS, NUMBER].tolist() == [5.0, 7.0]
        assert problem.row == 4
        assert "after the person's death" in problem.found


def test_a_death_in_the_future_takes_nothing_along() -> None:
    stated = table(("p", "2201-01-01", DEATH, None), ("p", "2024-03-06", STEPS, 6.0))
    kept, (problem,) = plausible_dates(stated)
    assert kept[CODE].tolist() == [STEPS]
    assert "future" in problem.found


def test_a_value_that_cannot_be_right_takes_what_it_may_correct_along() -> None:
    stated = table(
        ("p", "2024-03-04T08:00", SCORE, 30.0),
        ("p", "2024-03-04T09:00", SCORE, 330.0),
        ("p", "2024-03-05", SCORE, 31.0),
        ("q", "2024-03-04", SCORE, 32.0),
    )
    kept, problems = plausible_values(stated)
    assert kept[NUMBER].tolist() == [31.0, 32.0]
    assert [(p.row, "impossible" in p.found) for p in problems] == [(3, True), (2, False)]
    assert "expected 0 to 66" in problems[0].found


def test_an_unreadable_value_takes_another_of_its_day_along_and_its_reader_reports_it() -> None:
    stated = table(("p", "2024-03-04", SCORE, 30.0), ("p", "2024-03-04", SCORE, None))
    stated.loc[1, AMOUNT] = str(Amount.UNUSABLE)
    kept, (problem,) = plausible_values(stated)
    assert kept.empty
    assert problem.row == 2


def test_parts_of_a_day_are_judged_by_their_sum_and_not_one_by_one() -> None:
    stated = table(("p", "2024-03-04", STEPS, -5.0), amount=str(Amount.PART))
    assert len(plausible_values(stated)[0]) == 1


def test_an_event_beside_an_unusable_value_stays() -> None:
    stated = table(("p", "2024-03-04", ENROLMENT, None), ("p", "2024-03-04", SCORE, 330.0))
    kept, _ = plausible_values(stated)
    assert kept[CODE].tolist() == [ENROLMENT]


@settings(max_examples=20, deadline=None)
@given(st.lists(st.sampled_from(["a", "b"]), min_size=1, max_size=12))
def test_many_problems_are_grouped_as_few_are(files: list[str]) -> None:
    rows = table(*(("p", "1970-01-01", STEPS, 1.0) for _ in files)).assign(file=files)
    one_by_one = each(rows, lambda row: f"{row[TIME]:%Y} is wrong", "look", "years")
    assert len(one_by_one) == len(files)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plausible, "MOST", 0)
        many = each(rows, lambda row: f"{row[TIME]:%Y} is wrong", "look", "years")
    few = {problem.file: problem for problem in grouped(one_by_one)}
    assert {p.file: (p.count, p.row, p.found) for p in many} == {
        p.file: (p.count, p.row, p.found) for p in few.values()
    }
    assert all(p.places == few[p.file].places for p in many if p.count > 1)
