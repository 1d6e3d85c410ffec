"""Several models in one service: none takes another down, at the start or later."""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from contracts.errors import (
    ContractError,
    IntegrityError,
    PromotionRefused,
    RehabcastError,
    ServiceUnavailable,
)
from serving.faults import Fault
from serving.state import champions as module
from serving.state.champion import ChampionInService, Snapshot
from serving.state.champions import Champions, champions_of
from tests.serving.state.test_following import NOW, REVOKED, Source, ledger

AWAY = Fault("the ledger cannot be reached", "start it")


def model(task: str, withdrawn: Fault | None = None, problem: Fault | None = None) -> Any:
    target = SimpleNamespace(code=f"X//{task.upper()}")
    served: Any = SimpleNamespace(
        bundle=SimpleNamespace(task=SimpleNamespace(name=task, target=target))
    )
    snapshot = Snapshot(served, withdrawn, withdrawn)
    return SimpleNamespace(current=snapshot, problem=withdrawn or problem, close=lambda: None)


def failing(error: Exception) -> Callable[[], Any]:
    def begin() -> Any:
        raise error

    return begin


STARTS: dict[str, Callable[[str], Callable[[], Any]]] = {
    "serves": lambda name: lambda: model(name),
    "withdrawn": lambda name: lambda: model(name, withdrawn=REVOKED),
    "tampered": lambda _: failing(IntegrityError("other bytes", "restore them")),
    "never promoted": lambda _: failing(PromotionRefused("the ledger has no champion", "promote")),
    "a fault of ours": lambda _: failing(ZeroDivisionError("secret")),
}


@given(kinds=st.lists(st.sampled_from(sorted(STARTS)), min_size=2, max_size=4))
def test_a_service_starts_where_one_model_may_be_served_and_says_what_is_not(
    kinds: list[str],
) -> None:
    names = [f"m{n}" for n in range(len(kinds))]
    begin = {name: STARTS[kind](name) for name, kind in zip(names, kinds, strict=True)}
    if "serves" not in kinds:
        with pytest.raises(RehabcastError) as refused:
            champions_of(begin, seconds=600)
        assert "secret" not in str(refused.value)
        return
    with closing(champions_of(begin, seconds=600)) as opened:
        served = [each.served.bundle.task.name for each in opened.current if not each.withdrawn]
        assert served == [n for n, kind in zip(names, kinds, strict=True) if kind == "serves"]
        loaded = {"serves", "withdrawn"}
        assert list(opened.absent) == [
            name for name, kind in zip(names, kinds, strict=True) if kind not in loaded
        ]
        assert bool(opened.problems()) is (set(kinds) != {"serves"})
        assert "secret" not in str(opened.problems())


def test_the_first_reason_is_told_as_it_is_where_nothing_may_be_served() -> None:
    """Its type decides the command's exit code."""
    begin = {"arm": failing(IntegrityError("other bytes", "restore them")),
             "leg": lambda: model("leg", withdrawn=REVOKED)}  # fmt: skip
    with pytest.raises(IntegrityError, match="other bytes"):
        champions_of(begin, seconds=600)
    with pytest.raises(PromotionRefused, match="was revoked"):
        champions_of({"leg": begin["leg"], "foot": lambda: model("foot", withdrawn=REVOKED)})


def test_what_could_not_be_loaded_comes_into_service_by_itself(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    tries = itertools.count()

    def later() -> Any:
        if next(tries) < 2:
            raise ServiceUnavailable("the registry is away", "bring it back")
        return model("leg")

    with closing(champions_of({"leg": later, "arm": lambda: model("arm")}, 0.01)) as opened:
        deadline = time.monotonic() + 20
        while len(opened.current) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        # In the order in which the models were named.
        assert [each.served.bundle.task.name for each in opened.current] == ["leg", "arm"]
        assert (opened.absent, opened.problems()) == ({}, [])
    assert "in service: leg" in caplog.text


def test_what_is_wrong_with_all_is_said_once_and_what_with_one_names_it() -> None:
    champions = Champions({"arm": model("arm", problem=AWAY), "leg": model("leg", problem=AWAY)})
    assert champions.problems() == [AWAY]
    champions = Champions({"arm": model("arm", problem=AWAY), "leg": model("leg")})
    assert [each.reason for each in champions.problems()] == [f"arm: {AWAY.reason}"]
    # As it was for a service of one.
    assert Champions({"arm": model("arm", problem=AWAY)}).problems() == [AWAY]


def test_two_models_of_one_task_or_instrument_are_refused_and_later_reported() -> None:
    with pytest.raises(ContractError, match="have the task 'arm'"):
        champions_of({"a": lambda: model("arm"), "b": lambda: model("arm")})
    other = model("arm")
    other.current.served.bundle.task.name = "other"
    with pytest.raises(ContractError, match="forecast the same instrument"):
        champions_of({"a": lambda: model("arm"), "b": lambda: other})
    (problem,) = Champions({"a": model("arm"), "b": other}).problems()
    assert "arm and other" in problem.reason


def test_a_champion_that_was_withdrawn_is_loaded_where_that_is_allowed() -> None:
    source = Source()
    source.reading = ledger(4, objections={1: REVOKED})
    with pytest.raises(PromotionRefused, match="was revoked"):
        ChampionInService(source, wall_clock=lambda: NOW)
    source.reading = replace(ledger(4), champion=None)
    with pytest.raises(PromotionRefused, match="no champion"):
        ChampionInService(source, wall_clock=lambda: NOW, may_be_withdrawn=True)
    source.reading = ledger(4, objections={1: REVOKED})
    service = ChampionInService(source, 600, lambda: NOW, may_be_withdrawn=True)
    with closing(service):
        assert (service.current.served, service.current.withdrawn) == ("arm/1", REVOKED)
        assert service.problem == REVOKED
        # It comes back with a later verified entry, as everything that was seen withdrawn.
        source.reading = ledger(5)
        service.refresh()
        assert service.current.withdrawn is None


def test_a_thread_that_tries_again_ends_with_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AGAIN_SECONDS", 600.0)
    begin = {"arm": lambda: model("arm"), "leg": failing(IntegrityError("bytes", "restore"))}
    champions = champions_of(begin)
    champions.close()
    assert champions._thread is not None
    assert not champions._thread.is_alive()
