"""What is wrong with a record is said to its sender, and never in what they wrote."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from contracts.errors import ForecastRefused
from contracts.observation import Observation
from contracts.vocabulary import vocabulary
from serving.possible import NOT_A_CODE, OTHER_CODES, require_possible
from serving.state.store import Store
from tests.refusals import refuses

SCORE = "REHABCAST//FUGL_MEYER_UE"
NOW = datetime(2026, 11, 28, tzinfo=UTC)
PERSON = "Mia Moor, born in May"


def score(day: int, value: float, code: str = SCORE) -> Observation:
    return Observation(code=code, day_since_onset=day, value=value)


@given(before=st.integers(0, 4), written=st.text("ABCxyz/|_ -", min_size=4, max_size=40))
def test_a_code_that_is_not_known_is_told_by_its_place_and_not_repeated(
    before: int, written: str
) -> None:
    if written in vocabulary():
        return
    record = [score(day, 20) for day in range(before)]
    with pytest.raises(ForecastRefused) as refusal:
        require_possible([*record, score(9, 20, code=written)])
    assert refusal.value.reason == f"observation {before + 1}: {NOT_A_CODE}"
    assert written not in str(refusal.value)


def test_the_code_that_was_meant_is_named() -> None:
    with refuses(ForecastRefused) as refusal:
        require_possible([score(9, 20, code="FUGL_MEYER_UE")])
    assert refusal.value.what_to_do.startswith(f"observation 1: did you mean {SCORE}")
    with refuses(ForecastRefused) as refusal:
        require_possible([score(9, 20, code=PERSON)])
    assert refusal.value.what_to_do == f"observation 1: {OTHER_CODES}"
    assert PERSON not in str(refusal.value)


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Store]:
    with closing(Store(f"sqlite:///{tmp_path / 'own.db'}")) as opened:
        yield opened


@pytest.mark.parametrize("changed", [[7], [7, 9], [7, 9, 11, 20, 30]])
def test_another_value_on_record_is_named_by_code_and_day_and_never_by_itself(
    own: Store, changed: list[int]
) -> None:
    days = [5, 7, 9, 11, 20, 30]
    age = Observation(code="REHABCAST//AGE", value=68)
    own.add("ward", "P", 5, [*(score(d, 41) for d in days), age], actor="ehr", now=NOW)
    sent: list[Any] = [score(d, 43 if d in changed else 41) for d in days]
    with refuses(ForecastRefused) as refusal:
        own.add("ward", "P", 5, sent, actor="ehr", now=NOW)
    said = refusal.value.reason
    assert [d for d in days if f"{SCORE} on day {d} since onset" in said] == changed[:3]
    assert ("and 2 more" in said) == (len(changed) == 5)
    assert "41" not in said
    assert "43" not in said
    assert "/v1/corrections" in refusal.value.what_to_do
    with refuses(ForecastRefused) as refusal:
        own.add("ward", "P", 5, [Observation(code="REHABCAST//AGE", value=69)], actor="e", now=NOW)
    assert "REHABCAST//AGE, so nothing was added" in refusal.value.reason
    assert len(own.record("ward", "P")[1]) == 7
