"""Who was served what, and feedback by group, as counted from the record."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from contracts.observation import Observation
from contracts.task_parts.parts import Sensitive
from serving.schemas import FeedbackRequest
from serving.state.forecast_log import ForecastEntry, append
from serving.state.people.served import _attributes, _group, feedback_by_group, served
from serving.state.store import Store
from training.task import read_task

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
AGE, SEX = "REHABCAST//AGE", "REHABCAST//SEX"
TASK = read_task(Path(__file__).resolve().parents[4] / "tasks" / "stroke-upper-limb.toml")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store(f"sqlite:///{tmp_path / 'service.db'}")) as opened:
        yield opened


def forecast(
    number: int, *, subject: str, actor: str = "dr", tenant: str = "ward"
) -> ForecastEntry:
    return ForecastEntry(
        id=f"{number:032x}", time=NOW.isoformat(timespec="seconds"), route="forecast", actor=actor,
        tenant=tenant, subject=subject, model_version="arm/1", bundle_digest="b" * 64,
        input_digest="i" * 64, output="{}",
    )  # fmt: skip


def test_people_are_counted_once_a_version_and_caller_of_ones_own_ward(store: Store) -> None:
    append(store, [forecast(n, subject=f"P-{n % 3}") for n in range(7)])
    append(store, [forecast(20, subject="P-0", actor="ehr"), forecast(21, subject="X", tenant="y")])
    found = {(row.actor, row.model_version): row.people for row in served(store.engine, "ward")}
    assert found == {("dr", "arm/1"): 3, ("ehr", "arm/1"): 1}


def test_feedback_is_counted_by_the_groups_of_the_audit(store: Store) -> None:
    for number in range(14):
        facts = [Observation(code=SEX, label="female" if number < 12 else "male")]
        facts += [Observation(code=AGE, value=50.0 + number)] if number else []
        store.add("ward", f"P-{number}", 6, facts, actor="tests", now=NOW)
    append(store, [forecast(n, subject=f"P-{n}") for n in range(14)])
    for number, outcome in [*((n, "accepted") for n in range(14)), (3, "wrong"), (3, "wrong")]:
        given = FeedbackRequest(forecast_id=f"{number:032x}", outcome=outcome)  # type: ignore[arg-type]
        store.add_feedback("ward", [given], actor="dr", now=NOW)
    groups = {
        (each.attribute, each.label): each
        for each in feedback_by_group(store.engine, "ward", [TASK])
    }
    sex = next(each.name for each in TASK.sensitive if each.code == SEX)
    assert groups[sex, "female"].people == 12
    assert groups[sex, "female"].by_outcome == {"accepted": 12, "wrong": 1}
    assert groups[sex, "male"].by_outcome == {"accepted": 2}
    ages = [each for (name, _), each in groups.items() if "age" in name]
    assert sum(each.people for each in ages) == 14
    assert feedback_by_group(store.engine, "another", [TASK]) == []


def test_of_whom_a_group_is_not_on_record_it_is_said() -> None:
    for attribute in _attributes([TASK]):
        assert isinstance(attribute, Sensitive)
        assert _group(attribute, None) == "not recorded"
