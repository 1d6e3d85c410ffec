"""The lost are drawn among once, by a kept key: no look, order, outcome or crash changes a draw."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from contracts.cohort import TRACED, WITHDRAWAL
from contracts.errors import ContractError
from contracts.observation import Observation
from contracts.predictions import DRAWN, STATUS, TRACING_CHANCE
from contracts.task import Task
from inference.matching.tables import MonitoringTables
from serving.state.evidence import accounts, tracing
from serving.state.evidence.accounts import counted, week_of
from serving.state.evidence.calls import to_call
from serving.state.evidence.counting import Followed, close_weeks, take_in
from serving.state.evidence.tracing import (
    WEEKS,
    Tracing,
    account_of,
    begin,
    close_traced,
    is_drawn,
)
from serving.state.forecast_log import append
from serving.state.privacy import erase
from serving.state.store import Store
from serving.state.tables import followed_table
from stores.database import reading
from tests.serving.state.evidence.test_counting import (
    BEGAN,
    VERSION,
    due_week,
    followed,
    forecast,
    observed,
    sums,
)

KEY = "5f" * 16
LATE = BEGAN + timedelta(days=600)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setattr(tracing, "secrets", SimpleNamespace(token_hex=lambda _: KEY))
    with closing(Store(f"sqlite:///{tmp_path / 'service.db'}", make=True)) as opened:
        yield opened


def primary_day(task: Task) -> int:
    return next(h.day for h in task.horizons if h.weeks == task.primary_horizon_weeks)


def people(store: Store, task: Task, count: int = 24, *, better: float = 0.0) -> None:
    """One person a day; two of three are lost, and one of those withdraws."""
    append(
        store, [forecast(task, n, f"P-{n}", BEGAN + timedelta(days=n)) for n in range(count)]
    )  # fmt: skip
    for n in range(0, count, 3):
        observed(store, task, f"P-{n}", primary_day(task), 30.0 + better)
    left = Observation(code=WITHDRAWAL, day_since_onset=20)
    store.add("ward", "P-1", 5, [left], actor="dr", now=datetime(2026, 6, 1, tzinfo=UTC))


def traced_sums(tables: MonitoringTables, before: Mapping[str, Any] | None) -> dict[str, Any]:
    follow_up = tables.follow_up
    return {
        "before": 0 if before is None else before["due"],
        "due": len(follow_up),
        "chances": sorted(follow_up[TRACING_CHANCE].fillna(1.0)),
        "drawn": int(follow_up[DRAWN].sum()),
        "statuses": sorted(map(str, follow_up[STATUS])),
    }


def at_work(store: Store, task: Task, now: date) -> None:
    of_service = followed(task)
    take_in(store, of_service)
    close_weeks(store, of_service, now, sums)
    account = Followed(
        model_version=VERSION, task=task, terms=of_service.terms, grace_days=28, purpose="tracing"
    )
    assert account.service == account_of(VERSION)
    close_traced(store, account.account, task, now, traced_sums)


def drawn_in(store: Store) -> dict[str, str]:
    rows = sa.select(followed_table.c.subject, followed_table.c.forecast).where(
        followed_table.c.service == account_of(VERSION)
    )
    with reading(store.engine) as connection:
        return {subject: text for subject, text in connection.execute(rows)}


@given(st.lists(st.text(min_size=1, max_size=20), unique=True, max_size=20), st.data())
def test_whether_a_person_is_drawn_depends_on_the_key_the_person_and_the_share_alone(
    names: list[str], data: st.DataObject
) -> None:
    of = Tracing(share=0.4, weeks=WEEKS, key=KEY)
    once = {name: is_drawn(of, "ward", name) for name in names}
    order = data.draw(st.permutations(names))
    assert {name: is_drawn(of, "ward", name) for name in order} == once
    larger = Tracing(share=0.7, weeks=WEEKS, key=KEY)
    assert all(is_drawn(larger, "ward", name) for name in names if once[name])


def test_each_is_drawn_with_the_chance_and_independently_of_who_else_is() -> None:
    of = Tracing(share=0.3, weeks=WEEKS, key=KEY)
    drawn = [is_drawn(of, "ward", f"P-{n}") for n in range(20_000)]
    assert abs(sum(drawn) / 20_000 - 0.3) < 0.015
    both = sum(one and other for one, other in pairwise(drawn)) / 20_000
    assert abs(both - 0.09) < 0.01
    other_key = Tracing(share=0.3, weeks=WEEKS, key="60" * 16)
    assert [is_drawn(other_key, "ward", f"P-{n}") for n in range(20_000)] != drawn
    assert all(is_drawn(Tracing(share=1.0, weeks=8, key=KEY), "ward", f"P-{n}") for n in range(99))


def test_draws_and_sums_are_the_same_for_weekly_looks_as_for_more_and_other_outcomes(
    tmp_path: Path, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracing, "secrets", SimpleNamespace(token_hex=lambda _: KEY))
    found = []
    for number, (days, better) in enumerate([(7, 0.0), (3, 0.0), (7, 25.0)]):
        with closing(Store(f"sqlite:///{tmp_path / f'{number}.db'}", make=True)) as store:
            people(store, task, better=better)
            begin(store, VERSION, "t" * 64, 0.5, 0.3, BEGAN)
            for day in range(112, 246, days):
                at_work(store, task, BEGAN + timedelta(days=day))
            found.append(counted(store, account_of(VERSION)))
    assert found[0] == found[1] == found[2]
    _, weeks = found[0]
    assert weeks[0][0] == due_week(task, BEGAN) + WEEKS
    both = [of for _, of in weeks]
    # One has withdrawn, and has no part in it.
    assert sum(of["due"] for of in both) == 23
    assert 0 < sum(of["drawn"] for of in both) < 15
    assert [of["before"] for of in both] == [0, *(of["due"] for of in both[:-1])]
    assert set(both[0]["chances"]) == {0.5, 1.0}


def test_nothing_that_acts_changes_where_the_lost_are_traced(tmp_path: Path, task: Task) -> None:
    found = []
    for traces in (False, True):
        with closing(Store(f"sqlite:///{tmp_path / f'{traces}.db'}", make=True)) as store:
            people(store, task)
            if traces:
                begin(store, VERSION, "t" * 64, None, 0.3, BEGAN)
            at_work(store, task, LATE)
            if not traces:
                assert counted(store, account_of(VERSION)) == (0, [])
                assert not drawn_in(store)
            found.append(counted(store, VERSION))
    assert found[0] == found[1]


def test_there_is_one_share_one_key_and_no_second_draw(store: Store, task: Task) -> None:
    people(store, task)
    began = begin(store, VERSION, "t" * 64, None, 0.3, BEGAN)
    assert (began.share, began.key) == (0.3, KEY)
    with pytest.raises(ContractError, match=r"a share of 0\.3"):
        begin(store, VERSION, "t" * 64, 1.0, 0.3, LATE)
    assert begin(store, VERSION, "t" * 64, None, 0.5, LATE) == began
    at_work(store, task, LATE)
    once = drawn_in(store)
    assert len(once) == 23
    at_work(store, task, LATE)
    assert drawn_in(store) == once


def test_who_is_drawn_is_listed_while_there_is_time_and_counts_as_found_until_then(
    store: Store, task: Task
) -> None:
    people(store, task)
    begin(store, VERSION, "t" * 64, 1.0, 0.3, BEGAN)
    at_work(store, task, LATE)
    called = to_call(store, VERSION, task, "ward", LATE)
    assert len(called) == 15
    assert all(each.is_lost for each in called)
    assert not to_call(store, VERSION, task, "another ward", LATE)
    until = date.fromordinal(7 * (week_of(LATE) - 1 + WEEKS) + 6)
    assert {each.until for each in called} == {until}
    first = called[0]
    assert first.first_day <= primary_day(task) <= first.last_day
    since_onset = 5 + primary_day(task)
    store.add(
        "ward", first.subject, 5,
        [
            Observation(code=task.target.code, day_since_onset=since_onset, value=11.0),
            Observation(code=TRACED, day_since_onset=since_onset),
        ],
        actor="dr", now=datetime(2026, 6, 1, tzinfo=UTC),
    )  # fmt: skip
    again = to_call(store, VERSION, task, "ward", until)
    assert [each.subject for each in again if not each.is_lost] == [first.subject]
    erase(store, "ward", called[1].subject, reason="asked", actor="dr", now=datetime.now(UTC))
    assert len(to_call(store, VERSION, task, "ward", until)) == 14
    assert not to_call(store, VERSION, task, "ward", until + timedelta(days=1))
    at_work(store, task, until)
    assert counted(store, account_of(VERSION))[1] == []
    at_work(store, task, until + timedelta(days=1))
    ((_, of),) = counted(store, account_of(VERSION))[1]
    assert (of["due"], of["statuses"].count("traced"), of["drawn"]) == (22, 1, 14)
    # Nothing of a person is kept of it any more.
    assert set(drawn_in(store).values()) == {""}


def test_a_run_that_is_cut_off_within_a_week_leaves_no_half_draw(
    store: Store, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    people(store, task)
    begin(store, VERSION, "t" * 64, 0.5, 0.3, BEGAN)

    def cut_off(_: MonitoringTables) -> dict[str, Any]:
        raise KeyboardInterrupt

    take_in(store, followed(task))
    with pytest.raises(KeyboardInterrupt):
        close_weeks(store, followed(task), LATE, cut_off)
    assert not drawn_in(store)
    monkeypatch.setattr(accounts, "SECONDS_AT_ONCE", 0.0)
    at_work(store, task, LATE)
    assert len(drawn_in(store)) == 23
