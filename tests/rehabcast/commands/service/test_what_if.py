"""A file of plans is read as every file that people write, or refused with what is wrong in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.errors import ContractError
from rehabcast.commands.service.what_if import read_plans

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
