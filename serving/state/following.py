"""What a process that follows the ledger may serve: a state machine without clock, thread or I/O.

Two states: `Serving` and `Withdrawn`. Each transition takes the state, what happened and the time,
and returns the next state:

- `follow`: the ledger was read (`Verified`), refuted (`Refuted`) or did not answer (`Away`);
- `loaded`: the champion that was awaited is in memory;
- `at`: time passed.

A process remembers how far it has seen the trail. A reading that does not contain what was seen is
of another ledger, or of an older copy, and withdraws the model, until a verified ledger contains
all of it again. The only way back from `Withdrawn` is such a reading, or a champion loaded after.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from serving.faults import Fault

CHECK_LEDGER = "check that the ledger's database is running and can be reached"
FIND_OUT = "restore the ledger that it followed, and find out who changed it"
LEDGER_AWAY = Fault("the ledger cannot be reached", CHECK_LEDGER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """One entry of the ledger that lets a version serve, and until when.

    Parameters
    ----------
    sequence, epoch
        Number of the entry in the trail, and of the change among those of its model.
    model, model_version
        Which model, and `NAME/N`.
    valid_until
        End of its audit or override.
    """

    sequence: int
    epoch: int
    model: str
    model_version: str
    valid_until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """A ledger that was read and verified.

    Parameters
    ----------
    hashes
        Of all entries of the trail, oldest first.
    latest
        The latest time that an entry names; None where there is no entry.
    champion
        The champion that is followed; None where there is none, or it was revoked.
    objections
        Why an entry lets no version serve any more, by its number.
    epochs
        How often the champion of each model has changed.
    unserved
        Why there is no champion.
    problem
        What else an operator should look at.
    """

    hashes: Sequence[str]
    latest: datetime | None
    champion: Terms | None
    objections: Mapping[int, Fault] = field(default_factory=dict)
    epochs: Mapping[str, int] = field(default_factory=dict)
    unserved: Fault | None = None
    problem: Fault | None = None


@dataclass(frozen=True, slots=True)
class Refuted:
    """A ledger that answers, and is not what it must be."""

    why: Fault


@dataclass(frozen=True, slots=True)
class Away:
    """The ledger did not answer."""

    why: Fault = LEDGER_AWAY


Reading = Verified | Refuted | Away


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a process has seen of the ledger, and the latest time it knows of.

    Parameters
    ----------
    length, head
        Of the longest verified trail: number of entries, and hash of the last.
    epochs
        The highest of each model.
    time
        The latest time of the clock or of an entry: a clock that goes back does not change it.
    """

    length: int = 0
    head: str = ""
    epochs: Mapping[str, int] = field(default_factory=dict)
    time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """The version loaded may answer.

    Parameters
    ----------
    seen
        What was seen of the ledger.
    terms
        The entry that the loaded version rests on.
    awaited
        The champion that replaces it and is still to be loaded; None where it is the champion.
    problem
        What an operator should look at; None when all is well.
    """

    seen: Seen
    terms: Terms
    awaited: Terms | None = None
    problem: Fault | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawn:
    """Nothing may answer; fields as those of `Serving`.

    Parameters
    ----------
    why
        What forbids it.
    """

    seen: Seen
    terms: Terms
    why: Fault
    awaited: Terms | None = None
    problem: Fault | None = None


State = Serving | Withdrawn


def begin(reading: Verified, now: datetime) -> Serving | Fault:
    """Return the first state, before anything is loaded; or why nothing may be served."""
    seen = _seen(Seen(time=now), reading, now)
    if isinstance(seen, Fault):
        return seen
    terms = _allowed(reading, seen.time)
    if isinstance(terms, Fault):
        return terms
    return Serving(seen=seen, terms=terms, problem=reading.problem)


def begin_withdrawn(reading: Verified, why: Fault, now: datetime) -> Withdrawn | None:
    """Return the first state of a champion that may not serve now; None where there is no such.

    A service of several tasks begins with it: it says why there is no forecast, and comes back by
    itself.
    """
    seen = _seen(Seen(time=now), reading, now)
    if reading.champion is None or isinstance(seen, Fault):
        return None
    return Withdrawn(seen=seen, terms=reading.champion, why=why, problem=why)


def follow(state: State, reading: Reading, now: datetime) -> State:
    """Return the state after a reading of the ledger."""
    state = at(state, now)
    if isinstance(reading, Away):
        # What was verified goes on, withdrawn or not.
        return replace(state, problem=reading.why)
    if isinstance(reading, Refuted):
        return _withdrawn(state, reading.why)
    seen = _seen(state.seen, reading, now)
    if isinstance(seen, Fault):
        return _withdrawn(state, seen)
    state = replace(state, seen=seen)
    champion = _allowed(reading, seen.time)
    if isinstance(champion, Fault):
        return _withdrawn(state, champion)
    awaited = None if champion == state.terms else champion
    # The version before answers until the champion is loaded, if the ledger still allows it.
    objection = reading.objections.get(state.terms.sequence) or expiry(state.terms, seen.time)
    if objection is None:
        return Serving(seen=seen, terms=state.terms, awaited=awaited, problem=reading.problem)
    return Withdrawn(
        seen=seen, terms=state.terms, why=objection, awaited=awaited, problem=reading.problem
    )


def loaded(state: State, terms: Terms, now: datetime) -> State:
    """Return the state after a version was loaded; it serves only if it is still awaited."""
    state = at(state, now)
    if terms != state.awaited or expiry(terms, state.seen.time) is not None:
        return state
    return Serving(seen=state.seen, terms=terms, problem=state.problem)


def at(state: State, now: datetime) -> State:
    """Return the state at a time; an audit that expired stays so if the clock goes back."""
    time = max(state.seen.time, now)
    state = replace(state, seen=replace(state.seen, time=time))
    if isinstance(state, Serving) and (expired := expiry(state.terms, time)) is not None:
        return _withdrawn(state, expired, awaited=state.awaited)
    return state


def expiry(terms: Terms, time: datetime) -> Fault | None:
    """Return that an audit or override has ended; None while it has not."""
    if time < terms.valid_until:
        return None
    return Fault(
        f"the audit or override of {terms.model_version} expired at {terms.valid_until}",
        f"run `rehabcast audit {terms.model_version}`, have it approved and promote again",
    )


def _withdrawn(state: State, why: Fault, awaited: Terms | None = None) -> Withdrawn:
    return Withdrawn(seen=state.seen, terms=state.terms, why=why, awaited=awaited, problem=why)


def _allowed(reading: Verified, time: datetime) -> Terms | Fault:
    champion = reading.champion
    if champion is None:
        return reading.unserved or Fault("the ledger has no champion", "promote a version")
    return reading.objections.get(champion.sequence) or expiry(champion, time) or champion


def _seen(seen: Seen, reading: Verified, now: datetime) -> Seen | Fault:
    """Return what is seen after a reading; or how it contradicts what was seen before."""
    length = len(reading.hashes)
    if length < seen.length:
        return Fault(f"the ledger has {length} entries, and had {seen.length} before", FIND_OUT)
    if seen.length and reading.hashes[seen.length - 1] != seen.head:
        return Fault(f"the ledger's entry {seen.length} is not the one seen before", FIND_OUT)
    for model, epoch in seen.epochs.items():
        if reading.epochs.get(model, 0) < epoch:
            return Fault(f"the champion of {model} is older than the one seen before", FIND_OUT)
    return Seen(
        length=length,
        head=reading.hashes[-1] if length else "",
        epochs=reading.epochs,
        time=max(seen.time, now, *([] if reading.latest is None else [reading.latest])),
    )
