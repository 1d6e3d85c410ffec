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
from contracts.groups import EVERYONE, MINIMUM_SHOWN
from serving.schemas import FeedbackRequest
from serving.state.evidence.decided import (
    CHOICES,
    Choice,
    DecidedDose,
    DecisionsOfGroup,
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
    # Of two decisions about one answer both are there, and the later one counts.
    found = {each.person[1]: each for each in decided_doses(store, "ward")}
    assert len(decided_doses(store, "ward")) == len(found) + 1
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


def decision(number: int, choice: Choice, sex: str) -> DecidedDose:
    return DecidedDose(
        about=f"{number}", person=("ward", f"{number % 100}"), action="progress", choice=choice,
        groups={"sex": sex},
    )  # fmt: skip


# Up to two answers about a person, and several decisions about an answer.
ABOUT = st.integers(0, 30).flatmap(lambda n: st.sampled_from([n, n + 100]))
DECISIONS = st.lists(
    st.tuples(ABOUT, st.sampled_from(CHOICES)).map(
        lambda drawn: decision(*drawn, "female" if drawn[0] % 2 else "male")
    ),
    max_size=80,
)


Rows = dict[tuple[str, str], DecisionsOfGroup]


def rows_of(decisions: list[DecidedDose]) -> Rows:
    return {(row.attribute, row.group): row for row in by_group(decisions)}


@given(DECISIONS)
def test_no_number_is_of_few_people_and_none_changes_by_few(decisions: list[DecidedDose]) -> None:
    before: Rows = {}
    people_then: dict[tuple[str, str, str], int] = {}
    for upto in range(1, len(decisions) + 1):
        standing = {each.about: each for each in decisions[:upto]}.values()
        rows = rows_of(decisions[:upto])
        for name in ("decisions", *CHOICES):
            cell = [each for each in standing if name in {each.choice, "decisions"}]
            people = len({each.person for each in cell})
            shown = getattr(rows[EVERYONE, EVERYONE], name)
            was = getattr(before[EVERYONE, EVERYONE], name) if before else None
            place = (EVERYONE, EVERYONE, name)
            if shown != was:
                assert abs(people - people_then.get(place, 0)) >= MINIMUM_SHOWN
                people_then[place] = people
            if shown is not None:
                assert shown in {MINIMUM_SHOWN, *range(20, 100, 10)}
        before = rows


def test_one_decision_more_changes_nothing_that_is_shown() -> None:
    decisions = [decision(n, "accepted", "female") for n in range(MINIMUM_SHOWN - 1)]
    assert rows_of(decisions)[EVERYONE, EVERYONE].decisions is None
    decisions.append(decision(50, "accepted", "female"))
    first = rows_of(decisions)
    assert first[EVERYONE, EVERYONE].decisions == MINIMUM_SHOWN
    # Nine more round to twenty, and still are too few to tell.
    decisions += [decision(60 + n, "accepted", "female") for n in range(MINIMUM_SHOWN - 1)]
    assert rows_of(decisions) == first
    # One who decides otherwise is no sudden hole either.
    changed = [*decisions, decision(50, "rejected", "female")]
    assert rows_of(changed) == first
    decisions.append(decision(90, "accepted", "female"))
    assert rows_of(decisions)[EVERYONE, EVERYONE].decisions == 20


def test_enough_decisions_are_told_by_group() -> None:
    decisions = [
        decision(
            number, "accepted" if number % 2 else "changed", "female" if number < 40 else "male"
        )
        for number in range(45)
    ]  # fmt: skip
    rows = {(row.attribute, row.group): row for row in by_group(decisions)}
    assert list(rows) == [
        (EVERYONE, EVERYONE), ("advice", "progress"), ("sex", "female"), ("sex", "male"),
    ]  # fmt: skip
    female, male = rows["sex", "female"], rows["sex", "male"]
    assert (female.decisions, female.accepted, female.changed, female.rejected) == (
        30,
        11,
        11,
        None,
    )
    assert female.share_accepted == 0.5
    assert (male.decisions, male.accepted, male.share_accepted) == (None, None, None)
