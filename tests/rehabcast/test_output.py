"""One function makes JSON of every command's result."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from contextlib import redirect_stderr
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import msgspec
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import BaseModel
from rich.console import Console
from rich.table import Table

from audits.report.characters import visible
from contracts.errors import CohortInvalid, EvidenceMissing, Problem
from contracts.verdict import Outcome
from rehabcast.main import error_result
from rehabcast.output import (
    IF_PRESENT,
    INLINE,
    as_record,
    console_for,
    emit,
    progress,
    say_error,
    stderr_console,
    stdout_console,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner:
    first: int
    second: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outer:
    name: str
    inner: Inner = field(metadata=INLINE)
    kept: Inner
    by_role: Mapping[str, Inner]
    absent: int | None = field(default=None, metadata=IF_PRESENT)
    empty: int | None = None


PROBLEM = Problem(file="a.csv", row=3, field="age", found="-1", advice="correct it")


def test_fields_stand_in_their_order_and_inline_ones_where_their_owner_is() -> None:
    result = Outer(
        name="n", inner=Inner(first=1), kept=Inner(first=2, second=(PROBLEM,)),
        by_role={"owner": Inner(first=3)},
    )  # fmt: skip
    record = as_record(result)
    assert list(record) == ["name", "first", "second", "kept", "by_role", "empty"]
    assert record["kept"]["second"][0] == {
        "file": "a.csv", "row": 3, "field": "age", "found": "-1", "advice": "correct it",
        "cause": "", "count": 1, "places": [], "subject": "",
    }  # fmt: skip
    assert record["by_role"] == {"owner": {"first": 3, "second": []}}


def test_a_field_is_left_out_only_where_it_says_so_and_is_none() -> None:
    inner = Inner(first=1)
    zero = Outer(name="", inner=inner, kept=inner, by_role={}, absent=0)
    assert as_record(zero)["absent"] == 0
    assert as_record(zero)["empty"] is None


def test_models_of_other_libraries_become_plain_values_too() -> None:
    class Model(BaseModel):
        outcome: Outcome

    class Answer(msgspec.Struct):
        weeks: int

    table = pd.DataFrame({"MAE": [1.5]})
    assert as_record([Model(outcome=Outcome.PASS), Answer(weeks=3), table]) == [
        {"outcome": "pass"},
        {"weeks": 3},
        [{"MAE": 1.5}],
    ]


def test_a_path_and_a_time_are_printed_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    emit({"file": Path("a/b"), "at": datetime(2026, 1, 2, tzinfo=UTC)}, "unused", as_json=True)
    assert json.loads(capsys.readouterr().out) == {"file": "a/b", "at": "2026-01-02 00:00:00+00:00"}


def test_an_error_has_reason_and_advice_apart_and_worded_once() -> None:
    assert as_record(error_result(EvidenceMissing("no audit", "run one"))) == {
        "error": "EvidenceMissing",
        "reason": "no audit",
        "what_to_do": "run one",
        "message": "no audit: run one",
    }
    invalid = as_record(error_result(CohortInvalid([PROBLEM])))
    assert [problem["found"] for problem in invalid["problems"]] == ["-1"]


# --- what is printed is data ---------------------------------------------------------------------

TEXT = st.text(max_size=40) | st.sampled_from(
    ["[g]", "[/bold]", "[link=http://x.test]x[/link]", "\x1b[2J", "\x1b]8;;http://x\x07y", ":smile:",
     "[red]", "a\u202eb", "\r", "\x9b31m", "[@click=app.bell]x", "\\[x]", "[", "]", "\x00"]
)  # fmt: skip
ACTS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")


def printed(console: Console, say: Callable[[], object]) -> str:
    """Return what a console writes to a colour terminal, without its own styles."""
    stream, console.file = StringIO(), StringIO()
    console.file = stream
    try:
        say()
    finally:
        console.file = None  # type: ignore[assignment]
    return stream.getvalue()


def shown(text: str) -> list[str]:
    """Return the words of a text as they are shown, whatever lines they are wrapped to."""
    return visible(text).split()


@given(TEXT)
def test_a_message_is_shown_as_it_is_and_acts_on_nothing(text: str) -> None:
    for console in (stderr_console, stdout_console):
        out = printed(console, lambda console=console: console.print(f"<{text}>", soft_wrap=True))
        assert not ACTS.search(out)
        assert "".join(out.split()) == "".join(shown(f"<{text}>"))


@given(TEXT, TEXT, TEXT)
@example("", "", "\t0")
def test_a_table_shows_its_titles_and_cells_as_they_are(title: str, head: str, cell: str) -> None:
    table = Table(head, title=title, caption=title)
    table.add_row(cell)
    out = printed(stdout_console, lambda: emit({}, table, as_json=False))
    assert not ACTS.search(out)
    letters = set("".join(shown(title + head + cell)))
    assert letters <= set(out) | {"…"}


@given(TEXT)
def test_an_error_and_a_progress_bar_show_names_as_they_are(text: str) -> None:
    stream = StringIO()
    with redirect_stderr(stream):
        say_error(text)
    assert not ACTS.search(stream.getvalue())
    assert visible(text) in stream.getvalue()

    def run() -> None:
        with progress("subjects", 1) as step:
            step(text)

    assert not ACTS.search(printed(stderr_console, run))


def test_a_bracket_is_no_markup_even_where_a_terminal_has_colours() -> None:
    console = console_for(force_terminal=True, color_system="truecolor", width=80)
    out = printed(console, lambda: console.print("[red]stop[/red] [link=http://x.test]go[/link]"))
    assert "[red]stop[/red] [link=http://x.test]go[/link]" in re.sub(r"\x1b\[[\d;]*m", "", out)
    assert "\x1b]8" not in out


def test_a_line_to_be_copied_is_not_broken_at_the_width_of_a_terminal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown = StringIO()
    monkeypatch.setattr("rehabcast.output.stdout_console", console_for(file=shown, width=80))
    line = f'template_sha256 = "{"ab" * 32}" and some words after it'
    emit(None, f"first\n{line}", as_json=False)
    assert shown.getvalue() == f"first\n{line}\n"


def test_without_a_terminal_work_says_in_lines_how_far_it_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([0.0, 4.0, 12.0, 13.0, 20.0])
    monkeypatch.setattr("rehabcast.output.time.monotonic", lambda: next(clock))
    monkeypatch.setattr(stderr_console, "_force_terminal", False)
    monkeypatch.setattr(stderr_console, "_file", StringIO())
    with progress("Training", 4) as advance:
        for step in ("network", "network", "last observation", "bundle"):
            advance(step)
    said = stderr_console.file.getvalue().splitlines()
    assert said == [
        "Training: 4 steps",
        "Training: 2 of 4 (network) after 12 s, about 12 s to go",
        "Training: 4 of 4 (bundle) after 20 s",
    ]
