"""Both databases count the same, and a server that knows nothing of new rows plans no bad query."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.observation import Observation
from contracts.task import Task
from serving.state.evidence import accounts, arrivals, counting
from serving.state.evidence.accounts import counted
from serving.state.forecast_log import append
from serving.state.store import Store
from serving.state.tables import followed_table, observation_table, subject_table
from stores.database import among, reading, write
from tests.serving.state.evidence import test_arrivals as of_arrivals
from tests.serving.state.evidence import test_counting as of_counting
from tests.serving.state.evidence.test_counting import BEGAN, VERSION, followed

LATE = BEGAN + timedelta(days=500)
NOW = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Store]:
    with closing(Store(f"sqlite:///{tmp_path / 'service.db'}", make=True)) as opened:
        yield opened


def test_both_databases_count_the_same(sqlite: Store, store: Store, task: Task) -> None:
    found = []
    for each in (sqlite, store):
        of_counting.people(each, task)
        # The second is enrolled on another day than the first.
        for name, enrolled in (("PP", 5), ("Q", 9)):
            steps = Observation(code=of_arrivals.STEPS, day_since_onset=4, value=3_100.0)
            each.add("ward", name, enrolled, [steps], actor="dr", now=NOW)
        append(each, [of_counting.forecast(task, 900, "Q", BEGAN)])
        asked = of_arrivals.asked_of(task)
        assert counting.take_in(each, followed(task)) == arrivals.take_in(each, asked) == 13
        counting.close_weeks(each, followed(task), LATE, of_counting.sums)
        arrivals.close_weeks(each, asked, LATE, of_arrivals.compared)
        found.append((counted(each, VERSION), counted(each, of_arrivals.ACCOUNT.name)))
    assert found[0] == found[1]
    steps = asked.scales.means.start
    levels = [of[steps] for _, sums in found[0][1][1] for of in sums["levels"]]
    assert sorted(levels)[-3:] == [-1, 12, 12]


def test_people_who_have_just_come_are_counted_in_the_seconds_that_a_query_has(
    store: Store, task: Task
) -> None:
    """The server has not looked at any of them yet; by a join it read all values for each."""
    people = [{"tenant": "ward", "subject": f"P{n}", "enrolment_day": 5} for n in range(5000)]
    values = [
        {
            "tenant": "ward", "subject": f"P{n}", "code": of_arrivals.STEPS, "day": 5,
            "value": 3_100.0, "label": None,
        }
        for n in range(5000)
    ]  # fmt: skip

    def put(connection: sa.Connection) -> None:
        connection.execute(sa.insert(subject_table), people)
        connection.execute(sa.insert(observation_table), values)

    write(store.engine, put)
    append(store, [of_counting.forecast(task, n, f"P{n}", BEGAN) for n in range(300)])
    assert arrivals.take_in(store, of_arrivals.asked_of(task)) == 300


@given(st.lists(st.text(max_size=5), max_size=20), st.lists(st.integers(0, 9), max_size=5))
@settings(max_examples=20, deadline=None)
def test_among_is_membership(names: list[str], numbers: list[int]) -> None:
    engine = sa.create_engine("sqlite://")
    letters = sa.table("letters", sa.column("text", sa.Text), sa.column("n", sa.Integer))
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE letters (text TEXT, n INTEGER PRIMARY KEY)"))
        kept = [{"text": text, "n": n} for n, text in enumerate([*names, "x", "'", "1"])]
        connection.execute(sa.insert(letters), kept)
        for column, values in ((letters.c.text, names[::2]), (letters.c.n, numbers)):
            query = sa.select(column).where(among(connection, column, values))
            found = sorted(connection.execute(query).scalars())
            assert found == sorted(
                each[column.name] for each in kept if each[column.name] in values
            )


KINDS = st.sampled_from(["forecast", "refusal", "too early"])


@given(st.lists(st.tuples(st.integers(0, 2), KINDS), max_size=10), st.integers(1, 4))
@settings(max_examples=25, deadline=None)
def test_each_person_counts_by_the_first_forecast_that_has_the_horizon(
    tmp_path_factory: pytest.TempPathFactory, task: Task, answers: list[tuple[int, str]],
    at_once: int,
) -> None:  # fmt: skip
    """Whatever came before it, and however many entries are read at once."""
    expected: dict[str, float] = {}
    entries = []
    for number, (person, kind) in enumerate(answers):
        name = f"P{person}"
        entry = of_counting.forecast(task, number, name, BEGAN, median=10.0 + number)
        if kind == "refusal":
            entry = of_arrivals.refusal(number, name, BEGAN)
        elif kind == "too early":
            early = task.model_copy(update={"horizons": task.horizons[:1]})
            entry = of_counting.forecast(early, number, name, BEGAN)
        else:
            expected.setdefault(name, 10.0 + number)
        entries.append(entry)
    url = f"sqlite:///{tmp_path_factory.mktemp('record') / 'service.db'}"
    with pytest.MonkeyPatch.context() as patch, closing(Store(url, make=True)) as store:
        patch.setattr(accounts, "ENTRIES_AT_ONCE", at_once)
        append(store, entries)
        assert counting.take_in(store, followed(task)) == len(expected)
        with reading(store.engine) as connection:
            kept = connection.execute(sa.select(followed_table)).all()
    assert expected == {
        row.subject: json.loads(row.forecast)["horizons"][0]["quantiles"]["q50"] for row in kept
    }
