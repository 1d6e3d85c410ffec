"""A code that was mistyped is found, and nothing but a code of the vocabulary is ever returned."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import example, given

from contracts.vocabulary import vocabulary
from contracts.vocabulary.nearest import nearest_codes

CODES = sorted(vocabulary())


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("FUGL_MEYER_UE", "REHABCAST//FUGL_MEYER_UE"),
        ("rehabcast/fugl-meyer-ue", "REHABCAST//FUGL_MEYER_UE"),
        ("REHABCAST//FUGL_MEYER", "REHABCAST//FUGL_MEYER_UE"),
        ("http://loinc.org|41950-7", "LOINC//41950-7"),
        ("41950-7", "LOINC//41950-7"),
        ("Fugl-Meyer upper extremity", "REHABCAST//FUGL_MEYER_UE"),
    ],
)
def test_ways_in_which_people_write_a_code(written: str, code: str) -> None:
    assert nearest_codes(written)[0] == code


@example(code="REHABCAST//GG0170A", place=-1, other="0")
@given(code=st.sampled_from(CODES), place=st.integers(0, 60), other=st.characters(codec="ascii"))
def test_one_wrong_character_of_a_code_is_forgiven(code: str, place: int, other: str) -> None:
    place %= len(code)
    # The 19 items of GG0170 differ in their last letter, so that a wrong one is as near to all.
    assert code in nearest_codes(code[:place] + other + code[place + 1 :], most=20)


@given(written=st.text(max_size=300))
def test_whatever_is_written_codes_are_all_that_comes_back(written: str) -> None:
    assert set(nearest_codes(written)) <= set(CODES)


@pytest.mark.parametrize("written", ["", "Mia Moor, born in May 1957", "x" * 100_000, "\0"])
def test_what_resembles_no_code_brings_none(written: str) -> None:
    assert nearest_codes(written) == ()
