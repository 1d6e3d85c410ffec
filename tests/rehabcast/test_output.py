"""One function makes JSON of every command's result."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pandas as pd
import pytest
from pydantic import BaseModel

from contracts.errors import CohortInvalid, EvidenceMissing, Problem
from contracts.verdict import Outcome
from rehabcast.main import error_result
from rehabcast.output import IF_PRESENT, INLINE, as_record, emit


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
