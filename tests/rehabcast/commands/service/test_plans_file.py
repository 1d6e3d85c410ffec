"""A file of plans is read as every file that people write, or refused with what is wrong in it."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import inspect

from contracts.errors import ContractError
from rehabcast.commands.service.plans_file import first_mistake, read_plans
from serving.whatif import PlansFile

PLANS = """
[[plans]]
name = "four weeks of more"
parts = [{ hours_a_week = { therapy = 7.5 }, days = 28 }, { hours_a_week = { therapy = 2 } }]
"""


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_plans_are_read_however_an_editor_saved_them(
    tmp_path: Path, encoding: str, end: str
) -> None:
    file = tmp_path / "plans.toml"
    file.write_text(PLANS, encoding, newline=end)
    (plan,) = read_plans(file).plans
    assert plan.name == "four weeks of more"
    assert [(part.hours_a_week, part.days) for part in plan.parts] == [
        ({"therapy": 7.5}, 28), ({"therapy": 2.0}, None)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "cannot be read"),
        (b"\xff\xfe", "not a file of plans"),
        (b"plans = [", "not a file of plans"),
        (b"plans = [{ name = 'a' }]", "'parts' is missing at plans"),
        (b"[last_weeks]\npain_worst = 'much'", "last_weeks.pain_worst must be a number, not text"),
        (b"[last_weeks]\npain_worst = 11", "last_weeks.pain_worst must be a number <= 10"),
        (
            b"[last_weeks]\ndanger_signs = ['x']",
            "last_weeks.danger_signs.*: 'x' is no word known there",
        ),
        (b"[last_weeks]\npain_worts = 1", "'pain_worts' is not known at last_weeks"),
        (b"'a - at b' = 3", "'a - at b' is not known"),
        (
            b"plans = [{ name = 'a', parts = [{ hours_a_week = { %s = 1 } }] }]" % (b"k" * 41),
            "a name in plans.0..parts.0..hours_a_week must be text of length <= 40",
        ),
        (b"last_weeks = 3", "last_weeks must be a table, not a whole number"),
        (
            b"[last_weeks]\nadherence = [1, 1, 1]",
            "last_weeks.adherence must be a list of length <= 2",
        ),
        (b"", "asks nothing: no plans, no search, no last_weeks"),
    ],
)
def test_another_file_is_refused_with_its_name_and_what_is_wrong(
    tmp_path: Path, content: bytes | None, says: str
) -> None:
    file = tmp_path / "plans.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ContractError, match=says) as caught:
        read_plans(file)
    assert caught.value.reason.startswith(f"{file}: ")
    assert caught.value.what_to_do


NAMES = (
    "plans", "search", "last_weeks", "name", "parts", "hours_a_week", "days", "most_hours_a_week",
    "then_hours_a_week", "most_weeks", "adherence", "borg", "pain_worst", "pain_next_morning",
    "danger_signs", "other",
)  # fmt: skip
PLAIN = (
    st.integers(-2, 70) | st.floats(allow_infinity=True, allow_nan=True) | st.booleans()
    | st.sampled_from(["", "fall", "k" * 41, "k" * 61]) | st.dates()
)  # fmt: skip
TOML = st.recursive(
    PLAIN,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(NAMES) | st.just("k" * 41), inner, max_size=4)
    ),
    max_leaves=8,
)
ALMOST = st.fixed_dictionaries(
    {},
    optional={
        "plans": st.lists(
            st.fixed_dictionaries(
                {"name": st.just("a") | PLAIN},
                optional={
                    "parts": st.lists(
                        st.fixed_dictionaries(
                            {"hours_a_week": st.dictionaries(st.text(max_size=3), PLAIN)},
                            optional={"days": PLAIN},
                        ),
                        max_size=2,
                    )
                },
            ),
            max_size=2,
        ),
        "search": st.dictionaries(st.sampled_from(NAMES[7:10]), PLAIN),
        "last_weeks": st.dictionaries(st.sampled_from(NAMES[10:]), PLAIN | st.lists(PLAIN)),
    },
)


@given(TOML | ALMOST)
def test_a_mistake_is_found_where_the_decoder_refuses_and_nowhere_else(content: object) -> None:
    try:
        msgspec.convert(content, PlansFile)
    except msgspec.ValidationError as error:
        refused = True
        said = str(error)
    else:
        refused, said = False, "it is taken"
    mistake = first_mistake(inspect.type_info(PlansFile), content)
    assert (mistake is not None) == refused, said
