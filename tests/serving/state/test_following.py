"""The transitions of the state machine, and the threads around it."""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from contracts.errors import IntegrityError, ServiceUnavailable
from serving.faults import Fault
from serving.state import champion, loading
from serving.state.beside import Beside
from serving.state.champion import ChampionInService, Clock
from serving.state.following import (
    Away,
    Refuted,
    Serving,
    Terms,
    Verified,
    Withdrawn,
    at,
    begin,
    follow,
    loaded,
)
from tests.refusals import same_as_kept

NOW = datetime(2026, 11, 24, tzinfo=UTC)
DAY = timedelta(days=1)
REVOKED = Fault("arm/1 was revoked (harm)", "roll back")
SECRET = "postgresql://user:hunter2@registry.test/x"  # noqa: S105


def terms(number: int, days: int = 10) -> Terms:
    return Terms(
        sequence=number, epoch=number, model="arm", model_version=f"arm/{number}",
        valid_until=NOW + days * DAY,
    )  # fmt: skip


def ledger(length: int, champion: int = 1, fork: str = "", **changed: Any) -> Verified:
    fields = {
        "hashes": [f"{fork}{n}" for n in range(1, length + 1)], "latest": NOW,
        "champion": terms(champion), "epochs": {"arm": champion},
    }  # fmt: skip
    return Verified(**{**fields, **changed})


def serving() -> Serving:
    state = begin(ledger(3), NOW)
    assert isinstance(state, Serving)
    return state


def test_a_withdrawal_outlasts_everything_but_a_later_verified_entry() -> None:
    state: Any = follow(serving(), ledger(4, objections={1: REVOKED}), NOW)
    assert state.why == REVOKED
    for reading in (Away(), Refuted(REVOKED), ledger(3), ledger(9, fork="x"), Away()):
        state = follow(state, reading, NOW)
        assert isinstance(state, Withdrawn)
    state = follow(state, ledger(5, champion=2, objections={1: REVOKED}), NOW)
    assert (type(state), state.awaited) == (Withdrawn, terms(2))
    assert isinstance(follow(state, Away(), NOW), Withdrawn)
    assert loaded(state, terms(2), NOW) == replace(
        Serving(seen=state.seen, terms=terms(2)), problem=None
    )


@pytest.mark.parametrize(
    "reading",
    [
        ledger(2),
        ledger(5, fork="x"),
        ledger(5, epochs={"arm": 0}),
        ledger(5, epochs={}),
        ledger(5, objections={1: REVOKED}),
        Refuted(REVOKED),
    ],
)
def test_a_ledger_that_is_not_the_one_seen_withdraws_and_all_is_well_once_it_is(
    reading: Any,
) -> None:
    state = follow(serving(), reading, NOW)
    assert isinstance(state, Withdrawn)
    assert state.problem == state.why
    same_as_kept(str(state.why))
    assert isinstance(follow(state, ledger(6), NOW), Serving)


def test_an_expired_audit_stays_expired_though_the_clock_goes_back() -> None:
    state: Any = follow(serving(), Away(), NOW + 10 * DAY)
    assert isinstance(state, Withdrawn)
    same_as_kept(str(state.why))
    for reading in (ledger(3), ledger(4), Away()):
        assert isinstance(follow(state, reading, NOW), Withdrawn)
    assert isinstance(at(state, NOW), Withdrawn)
    # An entry of the ledger knows the time better than a clock that is behind.
    assert isinstance(follow(serving(), ledger(4, latest=NOW + 10 * DAY), NOW), Withdrawn)


def test_a_version_loaded_too_late_is_not_served() -> None:
    state = follow(serving(), ledger(4, champion=2), NOW)
    assert (type(state), state.awaited, state.terms) == (Serving, terms(2), terms(1))
    revoked = follow(state, ledger(5, champion=2, objections={1: REVOKED, 2: REVOKED}), NOW)
    for late in (loaded(revoked, terms(2), NOW), loaded(state, terms(2), NOW + 10 * DAY)):
        assert isinstance(late, Withdrawn)
    newer = follow(state, ledger(5, champion=3), NOW)
    assert loaded(newer, terms(2), NOW) == newer


def test_the_first_reading_must_allow_a_champion() -> None:
    for reading in (
        ledger(3, objections={1: REVOKED}),
        ledger(3, champion=1, latest=NOW + 10 * DAY),
        replace(ledger(3), champion=None),
    ):
        refused = begin(reading, NOW)
        assert isinstance(refused, Fault)
        same_as_kept(str(refused))


class Source:
    """What each call does is the test's."""

    def __init__(self) -> None:
        self.reading: Any = ledger(3)
        self.loading: Any = None

    def read(self) -> Verified:
        return self._of(self.reading)

    def registry(self) -> None:
        return None

    def load(self, terms: Terms) -> Any:
        self._of(self.loading)
        return terms.model_version

    @staticmethod
    def _of(what: Any) -> Any:
        if isinstance(what, Exception):
            raise what
        return what() if callable(what) else what


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def service(source: Source, monkeypatch: pytest.MonkeyPatch) -> Iterator[ChampionInService]:
    monkeypatch.setattr(loading, "FIRST_PAUSE_SECONDS", 0.02)
    monkeypatch.setattr(champion, "READ_SECONDS", 0.2)
    opened = ChampionInService(source, recheck_seconds=0.01, wall_clock=lambda: NOW)
    yield opened
    opened.close()


def until(condition: Any, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.mark.parametrize(
    ("failure", "withdrawn"),
    [
        (RuntimeError(SECRET), True),
        (KeyError(SECRET), True),
        (IntegrityError("ledger: entry 2 was changed", "restore"), True),
        (ServiceUnavailable(SECRET, SECRET), False),
        (OSError(SECRET), False),
        (OperationalError(SECRET, {}, Exception(SECRET)), False),
    ],
)
def test_no_exception_ends_the_thread_and_none_is_shown_with_its_words(
    service: ChampionInService,
    source: Source,
    caplog: pytest.LogCaptureFixture,
    failure: Exception,
    withdrawn: bool,
) -> None:
    caplog.set_level(logging.INFO)
    source.reading = failure
    until(lambda: service.problem is not None)
    assert (service.current.withdrawn is not None) is withdrawn
    assert "hunter2" not in f"{service.problem}{service.current}{caplog.text}"
    source.reading = ledger(4)
    until(lambda: service.problem is None and service.current.withdrawn is None)


def test_an_error_of_ours_while_following_is_shown_by_its_type_and_the_thread_goes_on(
    service: ChampionInService, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError(SECRET)

    with monkeypatch.context() as patch:
        patch.setattr(champion, "follow", broken)
        until(lambda: "ZeroDivisionError" in str(service.problem))
        assert "hunter2" not in f"{service.problem}{caplog.text}"
        assert "test_following.py" in caplog.text
    until(lambda: service.problem is None)


def test_a_ledger_that_hangs_is_given_up_and_asked_again(
    service: ChampionInService, source: Source
) -> None:
    hanging = threading.Event()
    source.reading = hanging.wait
    until(lambda: "cannot be reached" in str(service.problem))
    assert service.current.withdrawn is None
    source.reading = ledger(4, objections={1: REVOKED})
    until(lambda: service.current.withdrawn == REVOKED)
    hanging.set()


def test_a_revocation_is_seen_while_a_load_hangs_and_its_outcome_is_ignored(
    service: ChampionInService, source: Source
) -> None:
    hanging = threading.Event()
    source.loading = hanging.wait
    source.reading = ledger(4, champion=2)
    time.sleep(0.1)
    assert (service.current.served, service.current.withdrawn) == ("arm/1", None)
    source.reading = ledger(5, champion=2, objections={1: REVOKED, 2: REVOKED})
    until(lambda: service.current.withdrawn == REVOKED)
    hanging.set()
    time.sleep(0.1)
    assert service.current.withdrawn == REVOKED
    source.reading, source.loading = ledger(6, champion=3, objections={1: REVOKED}), None
    until(lambda: service.current.served == "arm/3" and service.problem is None)


def test_a_ledger_not_verified_for_long_is_said(
    service: ChampionInService, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(champion, "SILENT_SECONDS", 0.1)
    source.reading = OSError()
    until(lambda: "has not been verified for" in str(service.problem))


def test_an_audit_expires_though_no_reading_ends(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    wall = [NOW]
    service = ChampionInService(source, recheck_seconds=60, wall_clock=lambda: wall[0])
    wall[0] = NOW + 10 * DAY
    assert "expired" in str(service.current.withdrawn)
    wall[0] = NOW
    assert "expired" in str(service.current.withdrawn)
    service.close()


def test_the_clock_does_not_go_back() -> None:
    wall = [NOW]
    clock = Clock(lambda: wall[0])
    wall[0] = NOW + DAY
    assert clock.now() == NOW + DAY
    wall[0] = NOW
    assert clock.now() >= NOW + DAY


def test_calls_that_are_given_up_are_not_begun_without_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hanging = threading.Event()
    calls: Beside[bool] = Beside(limit_seconds=0.0)
    begun = 0
    while not calls.busy:
        calls.begin(hanging.wait)
        begun += 1
        with pytest.raises(TimeoutError):
            calls.ended()
    assert begun == 16
    hanging.set()
    until(lambda: not calls.busy)


@pytest.mark.parametrize(
    "error",
    [TimeoutError(SECRET), IntegrityError(SECRET, SECRET), ServiceUnavailable(SECRET, SECRET), OSError(SECRET)],
)  # fmt: skip
def test_a_version_that_cannot_be_loaded_is_tried_again_after_pauses_that_double(
    error: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    now, tries = [100.0], list[float]()
    monkeypatch.setattr(loading.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(loading, "Beside", AtOnce)

    def load(_: Terms) -> Any:
        tries.append(now[0])
        raise error

    loader = loading.Loader(load)
    for _ in range(4 * 190):
        assert loader.turn(terms(2), 5) is None
        now[0] += 0.25
    # 1, 2, 4, ... 60 s, and 60 s from then on.
    assert [after - before for before, after in itertools.pairwise(tries)] == [
        1,
        2,
        4,
        8,
        16,
        32,
        60,
        60,
    ]
    same_as_kept(str(loader.fault))
    assert "hunter2" not in caplog.text
    assert "the new champion cannot be loaded: " in caplog.text
    # Another version is tried at once, and nothing where none is awaited.
    assert loader.turn(terms(3), 5) is None
    assert tries[-1] == now[0]
    assert loader.turn(None, 5) is None
    assert loader.fault is None


class AtOnce:
    """Calls what it is to call beside, at once."""

    busy = False

    def __init__(self, _: float) -> None:
        self._work: Any = None

    def begin(self, work: Any) -> None:
        self._work = work

    def ended(self, _: float) -> Any:
        work, self._work = self._work, None
        return None if work is None else SimpleNamespace(outcome=work)

    def give_up(self) -> None:
        self._work = None


def test_what_comes_into_service_and_goes_out_is_logged(
    service: ChampionInService, source: Source, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    source.reading = ledger(4, champion=2)
    until(lambda: service.current.served == "arm/2")
    source.reading = ledger(5, champion=2, objections={2: REVOKED})
    until(lambda: service.current.withdrawn == REVOKED)
    source.reading = ledger(6, champion=3, objections={2: REVOKED})
    until(lambda: service.current.served == "arm/3")
    until(lambda: "in service: arm/3" in caplog.text)
    said = [record.getMessage() for record in caplog.records]
    assert said == [
        "in service: arm/2", f"arm/2: {REVOKED.reason}", "arm/3: may be served", "in service: arm/3",
    ]  # fmt: skip
