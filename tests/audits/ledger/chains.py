"""A trail that somebody with write access to the database has written anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from audits.ledger.trail import Entry, _hash

Trail = list[Entry]


def chained(entries: Sequence[Entry]) -> Trail:
    """Number and link entries again, as somebody with write access does; every hash fits."""
    done: Trail = []
    for number, entry in enumerate(entries, start=1):
        previous = done[-1].hash if done else "0" * 64
        linked = replace(entry, sequence=number, previous=previous)
        done.append(replace(linked, hash=_hash(linked)))
    return done
