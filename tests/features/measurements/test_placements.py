from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.measurements.placements import PAIRED, SINGLE, declared_placement


@given(
    words=st.sampled_from([*SINGLE, *PAIRED, *(f"left {site}" for site in PAIRED)]).map(str.split),
    joint=st.sampled_from([" ", "_", "-", " - ", ", ", "  "]),
    form=st.sampled_from([str.lower, str.upper, str.title]),
    side_last=st.booleans(),
)
def test_a_placement_is_one_however_it_is_written(
    words: list[str], joint: str, form: object, side_last: bool
) -> None:
    turned = [*words[1:], words[0]] if side_last and words[0] == "left" else words
    written = joint.join(form(word) for word in turned)  # type: ignore[operator]
    assert declared_placement(written) == " ".join(words)


@pytest.mark.parametrize(
    "written", ["left writs", "lw", "", "left", "left right wrist", "left lower back", "pocket"]
)
def test_any_other_is_refused_and_the_known_ones_are_named(written: str) -> None:
    with pytest.raises(ValueError, match=r"use lower back.*left or right before it, wrist"):
        declared_placement(written)
