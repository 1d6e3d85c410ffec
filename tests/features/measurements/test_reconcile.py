"""What counts of all that sources state: one value each, whatever the order."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.cohort import CODE, NUMBER, ONSET, TEXT, TIME
from features.measurements.reconcile import Reconciled, reconcile
from features.measurements.records import DEATH, SUBJECT_LABEL, Amount, records

SCORE, STEPS, ARM = "REHABCAST//FUGL_MEYER_UE", "LOINC//41950-7", "REHABCAST//AFFECTED_ARM"
DAY = pd.Timestamp("2024-03-05")


def statement(**columns: Any) -> dict[str, Any]:
    return {"subject_label": "p", "time": DAY, "code": SCORE, "numeric_value": 22.0} | columns


def values_of(done: Reconciled, code: str) -> list[float]:
    return done.values.loc[done.values[CODE] == code, NUMBER].tolist()


@st.composite
def statements(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Versions, repetitions, days and people in any mixture."""
    rows = []
    for number in range(draw(st.integers(1, 12))):
        amount, code = draw(st.sampled_from([
            (Amount.ONCE, SCORE), (Amount.PART, STEPS), (Amount.TOTAL, STEPS),
        ]))  # fmt: skip
        start = DAY + pd.Timedelta(hours=draw(st.integers(0, 60)))
        rows.append(
            statement(
                subject_label=draw(st.sampled_from(["01", "1", "p"])),
                time=start,
                end=start + pd.Timedelta(minutes=30) if amount is Amount.PART else pd.NaT,
                code=code,
                amount=amount,
                numeric_value=float(draw(st.integers(-5, 70))),
                source=draw(st.sampled_from(["", "watch", "phone"])),
                record_id=draw(st.sampled_from(["", f"r{number}", "r0", "r1"])),
                version=draw(st.sampled_from([float("nan"), 1.0, 2.0])),
                file=draw(st.sampled_from(["a", "b"])),
                place=str(number),
            )
        )
    return rows


@settings(max_examples=25)
@given(rows=statements(), order=st.randoms(use_true_random=False), cut=st.integers(0, 12))
def test_neither_order_nor_files_decide_anything(
    rows: list[dict[str, Any]], order: Any, cut: int
) -> None:
    once = reconcile([records(rows)])
    mixed = list(rows)
    order.shuffle(mixed)
    parts = [records(part) for part in (mixed[:cut], mixed[cut:]) if part]
    again = reconcile(parts)
    pd.testing.assert_frame_equal(once.values, again.values)


@settings(max_examples=25)
@given(rows=statements())
def test_a_day_has_one_value_of_each_code_and_person(rows: list[dict[str, Any]]) -> None:
    values = reconcile([records(rows)]).values
    day = values[TIME].dt.normalize()
    assert not values.assign(day=day).duplicated([SUBJECT_LABEL, CODE, "day"]).any()


@settings(max_examples=25)
@given(rows=statements())
def test_what_is_stated_twice_counts_once(rows: list[dict[str, Any]]) -> None:
    once = reconcile([records(rows)])
    twice = reconcile([records(rows), records(rows)])
    pd.testing.assert_frame_equal(once.values, twice.values)


def test_the_newest_version_counts_even_where_nothing_can_be_used_of_it() -> None:
    old = statement(record_id="o", version=1.0)
    withdrawn = statement(record_id="o", version=2.0, amount=Amount.WITHDRAWN)
    corrected = statement(record_id="o", version=2.0, numeric_value=27.0)
    assert values_of(reconcile([records([corrected, old])]), SCORE) == [27.0]
    assert values_of(reconcile([records([withdrawn, old])]), SCORE) == []


def test_a_value_beside_one_that_cannot_be_used_goes_too_and_is_reported() -> None:
    unusable = statement(amount=Amount.UNUSABLE, numeric_value=float("nan"), place="3")
    other_day = statement(time=DAY + pd.Timedelta(days=1), numeric_value=30.0)
    done = reconcile([records([statement(file="s.csv", place="2"), unusable, other_day])])
    assert values_of(done, SCORE) == [30.0]
    (problem,) = done.problems
    assert (problem.file, problem.row) == ("s.csv", 2)


def test_a_fact_that_sources_contradict_is_not_known() -> None:
    facts = [
        statement(time=None, code=ARM, numeric_value=None, text_value=side, file=side)
        for side in ("left", "right")
    ]
    done = reconcile([records(facts), records([statement()])])
    assert not (done.values[CODE] == ARM).any()
    assert {problem.file for problem in done.problems} == {"left", "right"}
    agreed = reconcile([records(facts[:1]), records(facts[:1]), records([statement()])])
    assert agreed.values.loc[agreed.values[CODE] == ARM, TEXT].tolist() == ["left"]


@pytest.mark.parametrize("wrong", ["1889-01-01", "1970-01-01", "2900-01-01"])
def test_impossible_dates_are_reported_unless_dates_were_shifted(wrong: str) -> None:
    rows = records([statement(time=pd.Timestamp(wrong), file="s.csv", place="7")])
    done = reconcile([rows])
    assert done.values.empty
    assert (done.problems[0].file, done.problems[0].row) == ("s.csv", 7)
    assert values_of(reconcile([rows], dates_shifted=True), SCORE) == [22.0]


def test_nothing_is_measured_after_death() -> None:
    died = statement(code=DEATH, numeric_value=None, time=DAY)
    later = statement(time=DAY + pd.Timedelta(days=2), numeric_value=40.0)
    done = reconcile([records([died, later, statement()])])
    assert values_of(done, SCORE) == [22.0]
    assert done.deaths == {"p": DAY}


def test_of_two_strokes_the_latest_before_the_newest_score_counts_and_is_reported() -> None:
    onsets = [
        statement(code=ONSET, numeric_value=None, time=pd.Timestamp(day), record_id=day)
        for day in ("2019-02-01", "2024-02-20", "2024-02-21", "2024-09-01")
    ]
    done = reconcile([records([*onsets, statement()])])
    assert done.values.loc[done.values[CODE] == ONSET, TIME].tolist() == [
        pd.Timestamp("2024-02-20")
    ]
    (choice,) = done.onset_choices
    assert len(choice.others) == 2
