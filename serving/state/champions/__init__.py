"""The champions in service, one a task: each is followed by itself, and none takes another down.

A service of one model starts with it or not at all. Where several were named, one whose files are
not there, or that nobody has promoted, is left out and tried again, and one that was withdrawn is
loaded and answers that it was: what it is about is still known, so that a fall of its score is.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from contracts.errors import ContractError, PromotionRefused, RehabcastError, ServiceUnavailable
from contracts.task import Target, Task
from serving.faults import Fault, place_of
from serving.state.champion import Snapshot

AGAIN_SECONDS = 30.0
"""How often a model that could not be served from is tried again."""

log = logging.getLogger("rehabcast.champion")


class Followed(Protocol):
    """A champion that is followed (`serving.state.champion.ChampionInService`)."""

    @property
    def current(self) -> Snapshot:
        """What is served at this moment."""

    @property
    def problem(self) -> Fault | None:
        """What an operator should look at."""

    def close(self) -> None:
        """Stop following."""


Begin = Callable[[], Followed]


class Champions:
    """Champions in service, in the order of their models.

    Parameters
    ----------
    followed
        By model.
    absent
        How to begin with each of the other models, and why that failed.
    seconds
        Until these are tried again.
    order
        All models as they were named; by default those followed first.
    """

    def __init__(
        self,
        followed: Mapping[str, Followed],
        absent: Mapping[str, tuple[Begin, Fault]] | None = None,
        seconds: float = AGAIN_SECONDS,
        order: Sequence[str] = (),
    ) -> None:
        self._order = order or [*followed, *(absent or {})]
        # Replaced whole, so that whoever reads both reads them of one moment.
        self._models = dict(followed), dict(absent or {})
        self._seconds = seconds
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        if absent:
            self._thread = threading.Thread(target=self._run, name="champions", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Stop following the ledger."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join(timeout=10)
        for champion in self._models[0].values():
            champion.close()

    @property
    def standing(self) -> tuple[list[Snapshot], dict[str, Fault]]:
        """What is served, one a task, and which models are named and not in service, and why.

        Of one moment: each model is in one of the two.
        """
        followed, absent = self._models
        snapshots = [followed[model].current for model in self._order if model in followed]
        return snapshots, {model: why for model, (_, why) in absent.items()}

    @property
    def current(self) -> list[Snapshot]:
        """What is served at this moment, one a task."""
        return self.standing[0]

    @property
    def absent(self) -> dict[str, Fault]:
        """Models that are named and not in service, and why."""
        return self.standing[1]

    def problems(self) -> list[Fault]:
        """Return what an operator should look at, each thing once."""
        followed, absent = self._models
        found = [(model, champion.problem) for model, champion in followed.items()]
        found += [(model, why) for model, (_, why) in absent.items()]
        if len(self._order) > 1:
            # What is wrong with the ledger or the registry is wrong for every model.
            of_all = Counter(fault for _, fault in found)
            found = [
                (model, fault if fault is None or of_all[fault] > 1 else _of(model, fault))
                for model, fault in found
            ]
        both = conflict([snapshot.served.bundle.task for snapshot in self.current])
        return list(dict.fromkeys(fault for fault in (*(f for _, f in found), both) if fault))

    def begin_again(self) -> None:
        """Try once more to begin with the models that are not in service."""
        for model, (begin, before) in self._models[1].items():
            champion = _begun(model, begin)
            followed, absent = self._models
            if isinstance(champion, RehabcastError):
                self._models = followed, {**absent, model: (begin, Fault.of(champion))}
                if Fault.of(champion) != before:
                    log.warning("%s is not in service: %s", model, champion.reason)
                continue
            others = {name: each for name, each in absent.items() if name != model}
            self._models = {**followed, model: champion}, others
            log.info("in service: %s", model)

    def _run(self) -> None:
        while self._models[1] and not self._closing.wait(self._seconds):
            self.begin_again()


def champions_of(begin: Mapping[str, Begin], seconds: float = AGAIN_SECONDS) -> Champions:
    """Begin with each of several models.

    Parameters
    ----------
    begin
        How, by model: with a withdrawn champion too.

    Raises
    ------
    RehabcastError
        None of them may be served from: why the first may not. Or two are of one task, or of one
        instrument.
    """
    found = {model: _begun(model, each) for model, each in begin.items()}
    errors = {model: each for model, each in found.items() if isinstance(each, RehabcastError)}
    champions = Champions(
        {model: each for model, each in found.items() if not isinstance(each, RehabcastError)},
        {model: (begin[model], Fault.of(error)) for model, error in errors.items()},
        seconds,
        order=list(begin),
    )
    current = champions.current
    if all(snapshot.withdrawn is not None for snapshot in current):
        champions.close()
        for error in errors.values():
            raise error
        why = next(filter(None, (snapshot.withdrawn for snapshot in current)))
        raise PromotionRefused(why.reason, why.what_to_do)
    if (both := conflict([snapshot.served.bundle.task for snapshot in current])) is not None:
        champions.close()
        raise ContractError(both.reason, both.what_to_do)
    return champions


def conflict(tasks: Sequence[Task]) -> Fault | None:
    """Return why tasks cannot be in one service; None where they can.

    A record says whose score was measured and when, not for which condition: of two tasks of one
    instrument nobody could say which course a score has left.
    """
    apart = "serve them by two services, each with a store of its own"
    named = Counter(task.name for task in tasks)
    if twice := [name for name, count in named.items() if count > 1]:
        return Fault(f"two models in service have the task {twice[0]!r}", apart)
    measured = Counter(task.target.code for task in tasks)
    if twice := [code for code, count in measured.items() if count > 1]:
        names = " and ".join(task.name for task in tasks if task.target.code == twice[0])
        return Fault(f"the tasks {names} forecast the same instrument, {twice[0]}", apart)
    return None


def targets_of(snapshots: Sequence[Snapshot]) -> dict[str, tuple[str, Target]]:
    """Return the task and the target by the code of what is forecast."""
    tasks = [snapshot.served.bundle.task for snapshot in snapshots]
    return {task.target.code: (task.name, task.target) for task in reversed(tasks)}


def _begun(model: str, begin: Begin) -> Followed | RehabcastError:
    """Begin with a model; return why that cannot be, whatever it is."""
    try:
        return begin()
    except RehabcastError as error:
        return error
    # Of one model; the others must go on.
    except Exception as error:
        log.error("%s cannot be served: %s", model, place_of(error))
        return ServiceUnavailable(
            f"the model cannot be served ({type(error).__name__})",
            "look at the service's log, and report it",
        )


def _of(model: str, fault: Fault) -> Fault:
    return Fault(f"{model}: {fault.reason}", fault.what_to_do)
