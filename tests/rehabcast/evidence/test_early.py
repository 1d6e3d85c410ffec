"""Early outcomes: a warning once, months before the outcomes that count, and nothing more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audits.judging.policy import load_policy
from audits.ledger.trail import WARNING
from audits.sequential.early import early_hypotheses
from audits.sequential.hypotheses import hypotheses
from audits.sequential.plan import load_plan
from contracts.task import Task
from inference.bundle import Bundle
from rehabcast.evidence import early, sums
from rehabcast.evidence.sums import sums_of
from rehabcast.evidence.watched import Watched
from rehabcast.identity import open_ledger
from rehabcast.settings import Settings
from serving.state.evidence.accounts import counted
from serving.state.evidence.counting import close_weeks, take_in
from serving.state.forecast_log import append
from serving.state.store import Store
from tests.forked import Forked
from tests.rehabcast.command_line import run
from tests.rehabcast.evidence.test_running import FIRST, Later, home, monitored, serve
from tests.serving.state.evidence.test_counting import BEGAN, forecast, observed

__all__ = ["home"]

POLICY, PLAN = load_policy(), load_plan()
GROUPS = {"sex": ("female", "male")}
POINTS = 14.875
LATE = BEGAN + timedelta(days=500)
NOBODY: frozenset[tuple[str, str]] = frozenset()


def version(task: Task, *, is_asked: bool = True) -> Watched:
    """Return a version as it is followed, without what is not asked for here."""
    assert PLAN.early is not None
    return Watched(
        model_version="arm/1", bundle=cast(Bundle, SimpleNamespace(task=task)), champion=None,
        scope=None, policy=POLICY, plan=PLAN if is_asked else PLAN.model_copy(update={"early": None}),
        tested=hypotheses(POLICY, GROUPS, ("important gain",), POINTS),
        tested_early=early_hypotheses(POLICY, GROUPS, POINTS, PLAN.early) if is_asked else (),
    )  # fmt: skip


def earliest(task: Task) -> int:
    return task.horizons[0].day


def primary(task: Task) -> int:
    return next(h.day for h in task.horizons if h.weeks == task.primary_horizon_weeks)


Person = tuple[int, float, float | None, bool]
"""On which day they came, the early score, the one that counts, and whether asked about late."""


def put(store: Store, task: Task, people: Sequence[Person]) -> None:
    """Forecast SIMULATED people; those asked about late have the horizons from the primary one."""
    from_primary = tuple(h for h in task.horizons if h.weeks >= task.primary_horizon_weeks)
    late = task.model_copy(update={"horizons": from_primary})
    append(
        store,
        [
            forecast(late if is_late else task, n, "P" * (n + 1), BEGAN + timedelta(days=day))
            for n, (day, _, _, is_late) in enumerate(people)
        ],
    )
    for n, (_, before, then, _) in enumerate(people):
        observed(store, task, "P" * (n + 1), earliest(task), before)
        if then is not None:
            observed(store, task, "P" * (n + 1), primary(task), then)


def acting(store: Store, of: Watched, days: int) -> None:
    """Count what acts, as a run of monitoring does."""
    take_in(store, of.followed)
    now = BEGAN + timedelta(days=days)
    close_weeks(store, of.followed, now, lambda tables: sums_of(tables, of.policy, of.tested))


PEOPLE = st.lists(
    st.tuples(
        st.integers(0, 20), st.floats(0, 66), st.none() | st.floats(0, 66), st.booleans()
    ),
    max_size=12,
)  # fmt: skip


@given(PEOPLE)
@settings(max_examples=6, deadline=None)
def test_no_number_of_the_tests_that_act_depends_on_it_and_each_person_counts_once(
    tmp_path_factory: pytest.TempPathFactory, task: Task, people: list[Person]
) -> None:
    found = []
    for is_asked in (True, False):
        url = f"sqlite:///{tmp_path_factory.mktemp('record') / 'service.db'}"
        of = version(task, is_asked=is_asked)
        with closing(Store(url, make=True)) as store:
            put(store, task, people)
            for days in (110, 500):
                acting(store, of, days)
                seen = early.look(store, of, BEGAN + timedelta(days=days), NOBODY)
                # An account that a plan without it began goes on by one that has it.
                acting(store, version(task, is_asked=not is_asked), days)
                assert (seen.run.horizon_weeks is None) != is_asked
            found.append((of.followed.terms, counted(store, of.followed.service)))
            if of.followed_early is not None:
                _, weeks = counted(store, of.followed_early.service)
                asked_early = [each for each in people if not each[3]]
                assert sum(added["due"] for _, added in weeks) == len(asked_early)
                everyone = "honest intervals |  | everyone | everyone | at least"
                paid = sum(added["payoffs"].get(everyone, 0) for _, added in weeks)
                assert paid == len(asked_early)
    assert found[0] == found[1]


def test_it_comes_months_before_and_a_group_out_of_scope_is_no_warning(
    tmp_path: Path, task: Task
) -> None:
    # Women, of names of even length, are promised far too much at the first horizon only.
    people = [(n // 3, 30.0 if n % 2 == 0 else 5.0, 30.0, False) for n in range(60)]
    of = version(task)
    with closing(Store(f"sqlite:///{tmp_path / 'service.db'}", make=True)) as store:
        put(store, task, people)
        soon = BEGAN + timedelta(days=20 + task.horizons[0].window_days[1] + 28 + 7)
        acting(store, of, (soon - BEGAN).days)
        assert counted(store, of.followed.service)[1] == []
        seen = early.look(store, of, soon, NOBODY)
        assert (seen.run.warns, seen.run.people_due) == (True, "at least 60")
        assert seen.warning is not None
        assert all(each["e_value"] >= each["needed"] for each in seen.warning["tests"])
        again = early.look(store, of, soon, NOBODY)
        assert again == seen
        named = {(each["attribute"], each["group"]) for each in seen.warning["tests"]}
        quiet = early.look(store, of, soon, frozenset(named))
        assert (quiet.run.warns, quiet.warning) == (False, None)


def test_what_ten_people_show_is_no_warning_and_no_number(tmp_path: Path, task: Task) -> None:
    of = version(task)
    with closing(Store(f"sqlite:///{tmp_path / 'service.db'}", make=True)) as store:
        put(store, task, [(0, 66.0, None, False)] * 10)
        seen = early.look(store, of, LATE, NOBODY)
        assert (seen.run.warns, seen.run.foremost) == (False, ())
        assert early.early_outcomes(store, of, LATE).tests[0].points == ()


def test_why_nothing_is_asked_is_said(tmp_path: Path, task: Task) -> None:
    first = task.model_copy(update={"primary_horizon_weeks": task.horizons[0].weeks})
    with closing(Store(f"sqlite:///{tmp_path / 'service.db'}", make=True)) as store:
        for of, said in (
            (version(first), early.FIRST_IS_PRIMARY),
            (version(task, is_asked=False), early.NOT_IN_PLAN),
        ):
            assert early.look(store, of, LATE, NOBODY).run.said == said
            told = early.early_outcomes(store, of, LATE)
            assert (told.weeks, told.why_not, told.tests) == (None, said, ())


KILLED = """
import os, signal
from contextlib import closing
from pathlib import Path
from rehabcast.evidence import early, sums
from serving.state.store import Store
from tests.rehabcast.evidence.test_early import LATE, NOBODY, version
from training.task import read_task
task = read_task(Path("tasks/stroke-upper-limb.toml"))
whole = sums.week_of_outcomes
def work(url, after):
    left = [int(after)]
    def dying(*args):
        left[0] -= 1
        if left[0] < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return whole(*args)
    sums.week_of_outcomes = dying
    with closing(Store(url)) as store:
        early.look(store, version(task), LATE, NOBODY)
"""


class CutOffError(Exception):
    """What stands for a crash."""


def test_cut_off_in_the_middle_of_a_week_the_next_look_finds_the_same(
    tmp_path: Path, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    of, found = version(task), []
    assert of.followed_early is not None
    for is_cut_off in (False, True):
        with closing(Store(f"sqlite:///{tmp_path / f'{is_cut_off}.db'}", make=True)) as store:
            put(store, task, [(7 * n, 10.0 + n, None, False) for n in range(4)])
            if is_cut_off:
                weeks = iter([sums.week_of_outcomes])

                def cut_off(*args: Any, weeks: Iterator[Any] = weeks) -> Any:
                    for week in weeks:
                        return week(*args)
                    raise CutOffError

                monkeypatch.setattr(sums, "week_of_outcomes", cut_off)
                with pytest.raises(CutOffError):
                    early.look(store, of, LATE, NOBODY)
                monkeypatch.undo()
            seen = early.look(store, of, LATE, NOBODY)
            found.append((seen, counted(store, of.followed_early.service)))
    assert found[0] == found[1]


@pytest.mark.soak
def test_killed_after_any_week_the_next_look_finds_the_same(tmp_path: Path, task: Task) -> None:
    people = [(2 * n, 10.0 + n, None, False) for n in range(14)]
    of, expected = version(task), None
    assert of.followed_early is not None
    with Forked(KILLED) as killed:
        for after in (None, 0, 1, 2, 3):
            url = f"sqlite:///{tmp_path / f'{after}.db'}"
            with closing(Store(url, make=True)) as store:
                put(store, task, people)
            if after is not None:
                killed.start(url, str(after))
                assert killed.ended() == -9
            with closing(Store(url)) as store:
                seen = early.look(store, of, LATE, NOBODY)
                found = (seen, counted(store, of.followed_early.service))
            expected = found if expected is None else expected
            assert found == expected


def test_a_warning_is_in_the_ledger_once_and_in_metrics_and_nothing_is_done(
    home: Path, task: Task, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(task, error=2.0)
    with closing(Store(Settings().store_url)) as store:
        for n in range(120):
            observed(store, task, f"{'P' * (1 + n % 2)}-{n}", earliest(task), 60.0)
    now = datetime(2027, 3, 10, tzinfo=UTC)
    assert now.date() < FIRST + timedelta(days=primary(task) + 28)
    monkeypatch.setattr(Later, "now", lambda tz=None: now)
    found = monitored(capsys, monkeypatch, "arm", "--metrics", "arm.prom")
    assert (found["early"]["warns"], found["early"]["horizon_weeks"]) == (True, 3)
    assert found["people_due"] == "none"
    assert (found["act"], found["done"], found["in_service"]) == ("none", False, True)
    text = " ".join(run(capsys, monkeypatch, "monitor", "run", "arm").text.split())
    assert "a warning, no more: the outcomes that count decide" in text
    assert "Not asked of early outcomes: no group's recovery overlooked" in text
    with closing(open_ledger(Settings())) as ledger:
        ledger.verify()
        (entry,) = (each for each in ledger.trail() if each.kind == WARNING)
    details = entry.details()
    assert details["what"] == "early outcomes"
    assert {each["rule"] for each in details["evidence"]["tests"]} >= {"honest intervals"}
    assert details["evidence"]["said"] == found["early"]["said"]
    assert (details["evidence"]["horizon_weeks"], details["evidence"]["people_due"]) == (
        3, found["early"]["people_due"],
    )  # fmt: skip
    lines = (home.parent / "arm.prom").read_text("utf-8")
    assert 'rehabcast_evidence_early_warning{model_version="arm/1"} 1' in lines
