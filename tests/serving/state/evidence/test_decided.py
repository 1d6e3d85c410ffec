"""Decisions about next week's dose by group: the last one counts, and few people are never told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import ForecastRefused
from contracts.groups import MINIMUM_SHOWN
from serving.schemas import FeedbackRequest
from serving.state.evidence.decided import (
    CHOICES,
    EVERYBODY,
    DecidedDose,
    by_group,
    decided_doses,
)
from serving.state.forecast_log import ForecastEntry, append
from serving.state.privacy import erase
from serving.state.store import Store

NOW = datetime(2026, 11, 24, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store(f"sqlite:///{tmp_path / 'record.db'}")) as opened:
        yield opened


def advised(store: Store, number: int, sex: str, *, tenant: str = "ward", **next_week: Any) -> str:
    dose = {"status": "advice", "action": "progress", "hours_a_week": 5.5} | next_week
    output = {
        "status": "forecast", "groups": [{"attribute": "sex", "group": sex}],
        "what_if": {"status": "answer", "next_week": dose},
    }  # fmt: skip
    id = f"{number:032x}"
    append(store, [ForecastEntry(
        id=id, time=NOW.isoformat(timespec="seconds"), route="whatif", actor="dr", tenant=tenant,
        subject=f"P-{number}", model_version="arm/1", bundle_digest="b" * 64,
        input_digest="i" * 64, output=json.dumps(output),
    )])  # fmt: skip
    return id


def decide(store: Store, about: str, outcome: str, **more: Any) -> None:
    request = FeedbackRequest(forecast_id=about, outcome=outcome, **more)  # type: ignore[arg-type]
    store.add_feedback("ward", [request], actor="dr", now=NOW)


def test_a_decision_is_read_with_its_person_group_and_what_was_advised(store: Store) -> None:
    ids = [advised(store, number, "female") for number in range(5)]
    held = advised(store, 5, "male", action="hold")
    advised(store, 6, "male", tenant="other")
    none = advised(store, 7, "male", status="no advice", action="")
    decide(store, ids[0], "accepted")
    decide(store, ids[1], "overridden", reason="Tired.")
    decide(store, ids[2], "overridden", hours_a_week=3.0)
    decide(store, ids[3], "unclear")
    decide(store, ids[4], "accepted")
    decide(store, ids[4], "overridden", hours_a_week=0.0)
    decide(store, held, "accepted")
    decide(store, none, "accepted")
    found = {each.person[1]: each for each in decided_doses(store, "ward")}
    assert {person: each.choice for person, each in found.items()} == {
        "P-0": "accepted", "P-1": "rejected", "P-2": "changed", "P-4": "changed", "P-5": "accepted",
    }  # fmt: skip
    assert found["P-5"].action == "hold"
    assert found["P-5"].groups == {"sex": "male"}
    erase(store, "ward", "P-0", reason="asked", actor="dr", now=NOW)
    assert "P-0" not in {each.person[1] for each in decided_doses(store, "ward")}


def test_another_dose_belongs_to_advice_that_was_not_followed(store: Store) -> None:
    about = advised(store, 1, "female")
    with pytest.raises(ForecastRefused, match="the outcome is 'accepted'"):
        decide(store, about, "accepted", hours_a_week=3.0)
    assert decided_doses(store, "ward") == []


DECISIONS = st.lists(
    st.builds(
        lambda person, action, choice, sex: DecidedDose(
            person=("ward", str(person)), action=action, choice=choice, groups={"sex": sex}
        ),
        st.integers(0, 30), st.sampled_from(["progress", "hold"]), st.sampled_from(CHOICES),
        st.sampled_from(["female", "male"]),
    ),
    max_size=60,
)  # fmt: skip


@given(DECISIONS)
def test_no_number_is_of_few_people_and_none_is_exact(decisions: list[DecidedDose]) -> None:
    def belongs(each: DecidedDose, attribute: str, group: str) -> bool:
        places = {EVERYBODY: EVERYBODY, "advice": each.action, **each.groups}
        return places[attribute] == group

    for row in by_group(decisions):
        own = [each for each in decisions if belongs(each, row.attribute, row.group)]
        for name in (*CHOICES, "decisions"):
            cell = [each for each in own if name in {each.choice, "decisions"}]
            people = len({each.person for each in cell})
            shown = getattr(row, name)
            assert (shown is None) is (people < MINIMUM_SHOWN)
            if shown is not None:
                assert len(cell) - 10 < shown <= len(cell)
                assert shown in {MINIMUM_SHOWN, *range(20, 100, 10)}
        if row.share_accepted is not None:
            accepted = [each for each in own if each.choice == "accepted"]
            assert row.accepted is not None
            assert abs(row.share_accepted - len(accepted) / len(own)) <= 0.026
            others = {each.person for each in own if each.choice != "accepted"}
            assert len(others) >= MINIMUM_SHOWN


def test_enough_decisions_are_told_by_group() -> None:
    decisions = [
        DecidedDose(
            person=("ward", str(number)), action="progress",
            choice="accepted" if number % 2 else "changed",
            groups={"sex": "female" if number < 40 else "male"},
        )
        for number in range(45)
    ]  # fmt: skip
    rows = {(row.attribute, row.group): row for row in by_group(decisions)}
    assert list(rows) == [
        (EVERYBODY, EVERYBODY), ("advice", "progress"), ("sex", "female"), ("sex", "male"),
    ]  # fmt: skip
    female, male = rows["sex", "female"], rows["sex", "male"]
    assert (female.decisions, female.accepted, female.changed, female.rejected) == (
        40,
        20,
        20,
        None,
    )
    assert female.share_accepted == 0.5
    assert (male.decisions, male.accepted, male.share_accepted) == (None, None, None)
