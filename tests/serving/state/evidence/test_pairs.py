"""Pairs are the questions that both versions answered; their numbers equal a plain join."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd
import pytest

from contracts.errors import ContractError
from contracts.predictions import (
    CANDIDATE,
    CHAMPION,
    GROUP,
    MODEL,
    QUANTILE_COLUMNS,
    SUBJECT,
    TRUTH,
)
from contracts.task import Task
from serving.state.evidence.counting import tables_until
from serving.state.evidence.pairs import Side, common_task, pairs_until
from serving.state.evidence.shadow import SHADOW
from serving.state.forecast_log import ForecastEntry, append
from serving.state.store import Store
from tests.serving.state.evidence.test_counting import BEGAN, followed, forecast, observed

LATE = date(2028, 1, 1)
ONE, OTHER = "arm/1", "arm/2"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store(f"sqlite:///{tmp_path / 'service.db'}", make=True)) as opened:
        yield opened


def asked(
    task: Task, number: int, name: str, day: date, medians: dict[str, float]
) -> list[ForecastEntry]:
    """One question, answered by the champion and its shadow."""
    return [
        forecast(
            task, number * 10 + n, name, day, median=median, version=version,
            route=SHADOW if version == OTHER else "forecast",
        )
        for n, (version, median) in enumerate(medians.items())
    ]  # fmt: skip


def pairs(
    store: Store, task: Task, now: date = LATE, other: Task | None = None, since: str = ""
) -> pd.DataFrame:
    return pairs_until(
        store, Side(model_version=ONE, task=task, since=since),
        Side(model_version=OTHER, task=other or task), grace_days=28, now=now,
    )  # fmt: skip


def primary(task: Task) -> int:
    return next(h.day for h in task.horizons if h.weeks == task.primary_horizon_weeks)


def test_the_table_equals_a_plain_join_of_what_was_answered_and_what_came(
    store: Store, task: Task
) -> None:
    rng, plain = np.random.default_rng(5), []
    for n in range(20):
        name, day = f"{'P' * (1 + n % 2)}-{n}", BEGAN + timedelta(days=n)
        score = float(rng.integers(10, 60))
        both = {ONE: float(rng.normal(30, 5)), OTHER: float(rng.normal(30, 5))}
        # Every fifth question the shadow was too busy for; it answered the next one, days later.
        first = {ONE: both[ONE]} if n % 5 == 0 else both
        append(store, asked(task, 2 * n, name, day, first))
        append(store, asked(task, 2 * n + 1, name, day + timedelta(days=3), both))
        if n % 4:
            observed(store, task, name, primary(task), score)
            label = ("female", "male")[len(name) % 2]
            plain.append({"name": name, "truth": score, "sex": label, **both})
    table = pairs(store, task)
    expected = pd.DataFrame(plain)
    assert len(table) == 2 * len(expected)
    own = table[table[MODEL] == CANDIDATE].set_index(SUBJECT)
    other = table[table[MODEL] == CHAMPION].set_index(SUBJECT)
    joined = own.join(other["q50"].rename("beside"))
    columns = ["q50", "beside", TRUTH, f"{GROUP}sex"]
    by_column = expected.set_axis(["name", TRUTH, f"{GROUP}sex", "beside", "q50"], axis=1)
    assert sorted(joined[columns].to_numpy().tolist()) == sorted(
        by_column[columns].to_numpy().tolist()
    )
    errors = (joined["q50"] - joined[TRUTH]).abs() - (joined["beside"] - joined[TRUTH]).abs()
    by_hand = (expected[OTHER] - expected["truth"]).abs() - (
        expected[ONE] - expected["truth"]
    ).abs()
    assert errors.mean() == pytest.approx(by_hand.mean())
    assert set(QUANTILE_COLUMNS) <= set(table)


def test_nobody_has_the_number_of_another_table(store: Store, task: Task) -> None:
    for n in range(12):
        append(store, asked(task, n, f"P-{n}", BEGAN + timedelta(days=n), {ONE: 30.0, OTHER: 31.0}))
        observed(store, task, f"P-{n}", primary(task), 30.0)
    paired = set(pairs(store, task)[SUBJECT])
    for version in (ONE, OTHER):
        alone = tables_until(store, replace(followed(task), model_version=version), LATE)
        assert len(set(alone.predictions[SUBJECT])) == len(paired) == 12
        assert not paired & set(alone.predictions[SUBJECT])


def test_who_is_not_due_was_asked_before_or_had_one_answer_is_no_pair(
    store: Store, task: Task
) -> None:
    append(store, asked(task, 1, "early", BEGAN, {ONE: 30.0, OTHER: 31.0}))
    append(store, asked(task, 2, "due", BEGAN + timedelta(days=40), {ONE: 30.0, OTHER: 31.0}))
    append(store, asked(task, 3, "alone", BEGAN + timedelta(days=40), {ONE: 30.0}))
    # At another time it is another question.
    append(store, asked(task, 4, "apart", BEGAN + timedelta(days=40), {ONE: 30.0}))
    append(store, asked(task, 5, "apart", BEGAN + timedelta(days=41), {OTHER: 30.0}))
    for name in ("early", "due", "alone", "apart"):
        observed(store, task, name, primary(task), 30.0)
    assert len(pairs(store, task)) == 4
    assert len(pairs(store, task, since=(BEGAN + timedelta(days=9)).isoformat())) == 2
    end = next(h for h in task.horizons if h.day == primary(task)).window_days[1]
    first_due = BEGAN + timedelta(days=end + 28)
    assert len(pairs(store, task, now=first_due)) == 2
    assert pairs(store, task, now=first_due - timedelta(days=1)).empty


def test_a_person_counts_once_by_the_first_pair(store: Store, task: Task) -> None:
    append(store, asked(task, 1, "P", BEGAN, {ONE: 30.0, OTHER: 31.0}))
    append(store, asked(task, 2, "P", BEGAN + timedelta(days=7), {ONE: 50.0, OTHER: 51.0}))
    observed(store, task, "P", primary(task), 30.0)
    assert sorted(pairs(store, task)["q50"]) == [30.0, 31.0]


def test_only_what_both_forecast_alike_is_compared(task: Task) -> None:
    one, other = (Side(model_version=name, task=task) for name in (ONE, OTHER))
    assert common_task(one, other) == task
    fewer = task.model_copy(update={"milestones": task.milestones[:1]})
    assert common_task(replace(one, task=fewer), other).milestones == task.milestones[:1]
    gait = task.target.model_copy(update={"high": 10.0})
    with pytest.raises(ContractError, match="another score"):
        common_task(one, replace(other, task=task.model_copy(update={"target": gait})))
    later = tuple(h for h in task.horizons if h.weeks != task.primary_horizon_weeks)
    without = replace(one, task=task.model_copy(update={"horizons": later}))
    with pytest.raises(ContractError, match="primary horizon"):
        common_task(without, other)


def test_the_answer_of_a_refusal_is_no_pair(store: Store, task: Task) -> None:
    (given, other) = asked(task, 1, "P", BEGAN, {ONE: 30.0, OTHER: 31.0})
    refused = {**json.loads(given.output), "status": "no forecast", "horizons": []}
    append(store, [msgspec.structs.replace(given, output=json.dumps(refused)), other])
    observed(store, task, "P", primary(task), 30.0)
    assert pairs(store, task).empty


def test_rows_are_in_the_order_in_which_people_were_due(store: Store, task: Task) -> None:
    for n in (2, 0, 1):
        append(store, asked(task, n, f"P-{n}", BEGAN + timedelta(days=n), {ONE: 30.0, OTHER: 31.0}))
        observed(store, task, f"P-{n}", primary(task), 30.0 + n)
    assert pairs(store, task)[TRUTH].tolist() == [30.0, 31.0, 32.0] * 2
