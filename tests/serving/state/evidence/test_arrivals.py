"""Who comes is counted once and exactly, by the first answer, also after kill -9."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from contracts.errors import ContractError
from contracts.evidence.arrivals import Arrivals
from contracts.observation import Observation
from contracts.sequences import Layout
from contracts.task import Task
from inference.matching.arrivals import Scales, scales
from inference.out_of_distribution import ReferenceDistribution
from serving.state.evidence.accounts import Account, Sums, counted, week_of
from serving.state.evidence.arrivals import Asked, Seen, close_weeks, take_in
from serving.state.forecast_log import ForecastEntry, append
from serving.state.privacy import erase
from serving.state.store import Store
from serving.state.tables import seen_table
from stores.database import reading
from tests.serving.state.evidence.test_counting import BEGAN, VERSION, forecast

STEPS = "LOINC//41950-7"
ACCOUNT = Account(name="people of arm/1", model_version=VERSION, since="", terms="t" * 64)


def asked_of(task: Task) -> Asked:
    layout = Layout(
        channels_C=(STEPS, task.target.code), modality_C=("wearable", "assessment"), person_S=(),
        horizon_days_H=(84,),
    )  # fmt: skip
    reference = ReferenceDistribution(
        mean_F=np.array([4000.0, 30.0, 3.0]), covariance_FF=np.diag([1e6, 100.0, 1.0]), limit=0.0
    )
    return Asked(account=ACCOUNT, task=task, scales=scales(task, layout, reference))


def compared(
    people: Arrivals, week: int, seen: Callable[[Sequence[str]], Seen]
) -> tuple[Sums, Seen]:
    """Count, so that a week counted twice would show."""
    before = seen(["all"]).get("all", np.zeros((1, 1), dtype=np.int64))
    sums = {"levels": people.level_NQ.tolist(), "before": int(before.sum())}
    sums["groups"] = {name: label_N.tolist() for name, label_N in people.groups.items()}
    return sums, {"all": before + len(people.level_NQ)}


def refusal(number: int, name: str, day: date) -> ForecastEntry:
    output = json.dumps({"status": "no forecast", "subject": name, "reason": "too little"})
    time = datetime(day.year, day.month, day.day, 12, tzinfo=UTC).isoformat()
    return ForecastEntry(
        id=f"{number:032x}", time=time, route="forecast", actor="dr", tenant="ward", subject=name,
        model_version=VERSION, bundle_digest="b" * 64, input_digest="i" * 64, output=output,
    )  # fmt: skip


def people(store: Store, task: Task, count: int = 12) -> None:
    """One person a day, asked about twice; the first answer about each third is a refusal."""
    append(
        store,
        [
            each
            for n in range(count)
            for each in (
                refusal(10 * n, "P" * (n + 1), BEGAN + timedelta(days=n))
                if n % 3 == 0
                else forecast(task, 10 * n, "P" * (n + 1), BEGAN + timedelta(days=n), median=30.0),
                forecast(task, 10 * n + 1, "P" * (n + 1), BEGAN + timedelta(days=n), median=60.0),
            )
        ],
    )


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store(f"sqlite:///{tmp_path / 'service.db'}", make=True)) as opened:
        yield opened


def level_of(scale: Scales, sums: Sums, quantity: str) -> list[int]:
    return [levels[scale.place(quantity)] for levels in sums["levels"]]


def test_a_person_counts_by_the_first_answer_when_the_week_is_over(
    store: Store, task: Task
) -> None:
    people(store, task)
    asked = asked_of(task)
    assert take_in(store, asked) == 12
    assert take_in(store, asked) == 0
    assert close_weeks(store, asked, BEGAN, compared) == 0
    assert close_weeks(store, asked, BEGAN + timedelta(days=30), compared) == 3
    first, weeks = counted(store, ACCOUNT.name)
    assert first == week_of(BEGAN)
    assert [len(sums["levels"]) for _, sums in weeks] == [1, 7, 4]
    assert [sums["before"] for _, sums in weeks] == [0, 1, 8]
    every = {"levels": [levels for _, sums in weeks for levels in sums["levels"]]}
    refused = level_of(asked.scales, every, "no forecast given")
    assert sorted(refused) == [0] * 8 + [1] * 4
    # Of 66 points in 32 levels, 30 is in the fifteenth; who was refused has none.
    medians = level_of(asked.scales, every, "median forecast")
    assert sorted(medians) == [-1] * 4 + [14] * 8
    assert [median == -1 for median in medians] == [bool(r) for r in refused]
    assert weeks[0][1]["groups"]["site"] == ["ward"]
    assert set(weeks[1][1]["groups"]["sex"]) == {"female", "male", "not recorded"}


def test_means_of_channels_are_of_the_last_four_weeks_up_to_the_forecast(
    store: Store, task: Task
) -> None:
    # Enrolled 5 days after the onset and asked about on the day of enrolment.
    days = {-23: 9_000.0, -22: 6_000.0, 0: 5_000.0, 5: 7_000.0, 6: 100.0}
    observed = [
        Observation(code=STEPS, day_since_onset=30 + day, value=value)
        for day, value in days.items()
        if day > -23
    ]
    store.add("ward", "PP", 35, observed, actor="dr", now=datetime(2026, 6, 1, tzinfo=UTC))
    append(store, [forecast(task, 1, "PP", BEGAN)])
    asked = asked_of(task)
    take_in(store, asked)
    close_weeks(store, asked, BEGAN + timedelta(days=30), compared)
    ((_, sums),) = counted(store, ACCOUNT.name)[1]
    # (6,000 + 5,000 + 7,000) / 3 = 6,000: two spreads of a thousand above the mean.
    names = asked.scales.quantities
    shown = dict(zip(names, sums["levels"][0], strict=True))
    assert shown[names[asked.scales.means.start]] == 24
    assert shown["distance from the people trained on"] == 8
    assert shown[names[asked.scales.means.start + 1]] == -1


def test_daily_looks_and_one_are_the_same_and_who_is_erased_before_counts_no_more(
    tmp_path: Path, task: Task
) -> None:
    found = []
    for looks in ((40,), tuple(range(41))):
        with closing(Store(f"sqlite:///{tmp_path / f'{len(looks)}.db'}", make=True)) as store:
            people(store, task)
            for day in looks:
                take_in(store, asked_of(task))
                close_weeks(store, asked_of(task), BEGAN + timedelta(days=day), compared)
            found.append(counted(store, ACCOUNT.name))
    assert found[0] == found[1]
    with closing(Store(f"sqlite:///{tmp_path / 'erased.db'}", make=True)) as store:
        people(store, task)
        take_in(store, asked_of(task))
        erase(store, "ward", "PP", reason="asked", actor="dr", now=datetime.now(UTC))
        close_weeks(store, asked_of(task), BEGAN + timedelta(days=40), compared)
        _, weeks = counted(store, ACCOUNT.name)
        assert sum(len(sums["levels"]) for _, sums in weeks) == 11


KILLED = """
import os, signal, sys
from datetime import date
from pathlib import Path
sys.path.insert(0, {root!r})
from tests.serving.state.evidence import test_arrivals as own
from serving.state.evidence import arrivals
from serving.state.store import Store
from training.task import read_task
asked = own.asked_of(read_task(Path({task!r})))
store = Store({url!r})
arrivals.take_in(store, asked)
kept = arrivals._keep_seen
def dying(connection, name, seen):
    kept(connection, name, seen)
    if seen["all"].sum() == 8:
        os.kill(os.getpid(), signal.SIGKILL)
arrivals._keep_seen = dying
arrivals.close_weeks(store, asked, date(2027, 12, 1), own.compared)
"""


def test_killed_after_the_counts_of_a_week_the_next_run_counts_the_same(
    tmp_path: Path, task: Task, store: Store
) -> None:
    people(store, task)
    root = Path(__file__).resolve().parents[4]
    script = textwrap.dedent(
        KILLED.format(
            root=str(root), url=f"sqlite:///{tmp_path / 'service.db'}",
            task=str(root / "tasks" / "stroke-upper-limb.toml"),
        )
    )  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": str(root)}, check=False
    )
    assert done.returncode == -signal.SIGKILL
    # The week before may have been counted in the same transaction.
    assert len(counted(store, ACCOUNT.name)[1]) < 2
    close_weeks(store, asked_of(task), date(2027, 12, 1), compared)
    with closing(Store(f"sqlite:///{tmp_path / 'whole.db'}", make=True)) as whole:
        people(whole, task)
        take_in(whole, asked_of(task))
        close_weeks(whole, asked_of(task), date(2027, 12, 1), compared)
        assert counted(store, ACCOUNT.name) == counted(whole, ACCOUNT.name)
        kept = []
        for each in (store, whole):
            with reading(each.engine) as connection:
                kept.append(connection.execute(sa.select(seen_table)).all())
        assert kept[0] == kept[1]


def test_another_scale_is_refused_and_another_account_beside_it_counts_anew(
    store: Store, task: Task
) -> None:
    people(store, task, 3)
    asked = asked_of(task)
    assert take_in(store, asked) == 3
    with pytest.raises(ContractError, match="another monitoring plan"):
        take_in(store, replace(asked, account=replace(ACCOUNT, terms="u" * 64)))
    other = replace(ACCOUNT, name="people of arm/1 since later", since="2026-01-04T00:00:00+00:00")
    assert take_in(store, replace(asked, account=other)) == 2
