"""Changes of a score below the error of measuring one person are said to be partly noise."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.vocabulary import shipped
from contracts.vocabulary.changes import (
    amount_in_words,
    difference_in_words,
    least_change,
    noise_in_words,
    standard_error,
)
from contracts.vocabulary.instruments import instruments

FUGL, BERG, WALK, PEGS, T25 = (
    f"REHABCAST//{name}"
    for name in ("FUGL_MEYER_UE", "BERG", "WALK_TEST_SPEED", "NINE_HOLE_PEG", "T25FW")
)
WITH_ERRORS = sorted(code for code, known in instruments().items() if known.errors)


@pytest.mark.parametrize(
    ("code", "score", "points"),
    [
        (FUGL, None, 6.82), (FUGL, 30.0, 6.82), (BERG, 20.0, 6.0),
        (WALK, 0.2, 0.05), (WALK, 0.4, 0.11), (WALK, 0.8, 0.21), (WALK, 2.0, 0.21),
        (T25, 10.0, 1.63), ("REHABCAST//BARTHEL", None, 7.25 * 1.959964 * math.sqrt(2)),
        # The larger of 32.8 s and of 29.1 % of the earlier time.
        (PEGS, 30.0, 32.8), (PEGS, 200.0, 58.2),
    ],
)  # fmt: skip
def test_the_largest_published_smallest_change_counts(
    code: str, score: float | None, points: float
) -> None:
    least = least_change(code, score)
    assert least is not None
    assert least.points == pytest.approx(points, abs=1e-6)


def test_an_error_that_depends_on_the_score_says_nothing_without_one() -> None:
    assert least_change(WALK) is None
    assert least_change(T25) is None
    assert least_change("REHABCAST//ARAT", 30) is None
    assert least_change("OURS//KNEE", 30) is None
    assert noise_in_words("REHABCAST//ARAT", 0.1) == ""


def test_a_change_below_it_is_partly_noise_and_one_of_it_is_not() -> None:
    said = noise_in_words(FUGL, -5, 30)
    assert "less than the 6.82 points" in said
    assert "n = 51" in said
    assert "NNR 2023" in said
    assert noise_in_words(FUGL, 6.82, 30) == ""
    assert "0.11 metres a second" in noise_in_words(WALK, 0.1, 0.5)


@given(st.sampled_from(WITH_ERRORS), st.floats(0, 1), st.floats(0.001, 1))
def test_noise_is_said_of_each_change_below_and_of_none_above(
    code: str, place: float, share: float
) -> None:
    entry = shipped()[code]
    low, high = float(entry.low or 0), float(entry.high or 0)
    before = low + place * (high - low)
    least, change = least_change(code, before), share * (high - low)
    said = noise_in_words(code, change, before)
    assert bool(said) == (least is not None and change < least.points)
    assert said == noise_in_words(code, -change, before)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (FUGL, 2.46), ("REHABCAST//BARTHEL", 7.25), (BERG, 6 / (1.644854 * math.sqrt(2))),
        (WALK, None), ("REHABCAST//TUG", None), (T25, None), ("OURS//KNEE", None),
    ],
)  # fmt: skip
def test_a_standard_error_is_the_published_one_or_follows_from_a_sure_change(
    code: str, error: float | None
) -> None:
    assert standard_error(code) == (None if error is None else pytest.approx(error))


@pytest.mark.parametrize(
    ("code", "amount", "said"),
    [
        (FUGL, 1, "1 point"), (FUGL, 2, "2 points"), (WALK, 1, "1 metre a second"),
        (PEGS, 1, "1 second"), (PEGS, 0.5, "0.5 seconds"), ("REHABCAST//RMSSD", 1, "1 ms"),
        ("REHABCAST//CHAIR_STAND_30S", 1, "1"), ("REHABCAST//GRIP_STRENGTH", 1, "1 kgf"),
    ],
)  # fmt: skip
def test_an_amount_is_told_in_its_unit(code: str, amount: float, said: str) -> None:
    assert amount_in_words(code, amount) == said


def test_a_difference_is_told_with_whom_when_and_by_what() -> None:
    worse = instruments()["REHABCAST//MDS_UPDRS_3"].differences[1]
    assert difference_in_words("REHABCAST//MDS_UPDRS_3", worse) == (
        "4.63 points (worse; Parkinson's disease; n = 260; Horvath 2015 (PMID 26578041))"
    )
    share = instruments()[T25].differences[0]
    assert difference_in_words(T25, share).startswith("20 % of the score (multiple sclerosis")
