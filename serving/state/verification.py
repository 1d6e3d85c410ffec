"""Verifies the record: the chain, what its entries hold, and the tables that it adds up to."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from typing import Any

import sqlalchemy as sa

from contracts.errors import IntegrityError
from serving.state.entries import NO_PREVIOUS, NOTHING, Entry, Kind, entries, hash_of, keyed
from serving.state.replay import Tables, replayed, stored_tables
from serving.state.store import Store
from stores.database import is_broken, reading

COMPARE_WITH_BACKUP = "compare the store with its last backup, and find out who could change it"
SALT = re.compile(r"[0-9a-f]{64}")
TEXTS = tuple(column.name for column in fields(Entry) if column.name != "sequence")
MAY_BE_MISSING = {"subject", "content", "salt"}

NAMED = 20
"""Findings that an error names; `findings` returns all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordHead:
    """Length of the record, and the hash of its last entry: kept elsewhere, it shows a cut."""

    length: int
    head: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that is not as it was written; `entry` is None where no entry tells of it."""

    entry: int | None
    reason: str

    def __str__(self) -> str:
        return self.reason if self.entry is None else f"entry {self.entry}: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What a verification saw.

    Parameters
    ----------
    head
        The record's length and the hash of its last entry.
    entries
        How many there are of each kind.
    findings
        Everything that is not as it was written; empty where all is.
    """

    head: RecordHead
    entries: Mapping[str, int]
    findings: tuple[Finding, ...]


def verify(store: Store, anchor: RecordHead | None = None) -> Verification:
    """Recompute the whole record, and compare the store's tables with it.

    Parameters
    ----------
    anchor
        A head that was kept elsewhere: the record must still contain it. Without one, nobody can
        see that the last entries were cut off together with what they added to the tables.
    """
    chain = _Chain()
    try:
        with _reading_any_text(store.engine) as connection:
            expected = replayed(chain.checked(entries(connection)))
            found = stored_tables(connection)
    except sa.exc.DatabaseError as error:
        if not is_broken(error):
            raise
        reason = f"what is stored after it cannot be read ({type(error).__name__})"
        return _unreadable(chain, reason)
    findings = [*chain.findings(), *_differences(expected, found), *chain.without(anchor)]
    head = RecordHead(length=chain.length, head=chain.previous if chain.length else "")
    return Verification(head=head, entries=dict(chain.kinds), findings=tuple(findings))


@contextmanager
def _reading_any_text(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Read also text that is none: a byte that was put there must not hide all that follows."""
    with reading(engine) as connection:
        database = connection.connection.dbapi_connection
        if engine.dialect.name != "sqlite" or database is None:
            yield connection
            return
        database.text_factory = lambda text: text.decode("utf-8", "surrogateescape")
        try:
            yield connection
        finally:
            database.text_factory = str


def _unreadable(chain: _Chain, reason: str) -> Verification:
    finding = Finding(entry=chain.length or None, reason=reason)
    return Verification(
        head=RecordHead(length=chain.length, head=chain.previous if chain.length else ""),
        entries=dict(chain.kinds),
        findings=(*chain.findings(), finding),
    )


def verify_chain(store: Store, anchor: RecordHead | None = None) -> int:
    """Verify the record; return how many forecasts it holds.

    Raises
    ------
    IntegrityError
        Something is not as it was written; it names what, entry by entry.
    """
    seen = verify(store, anchor)
    require_whole(seen)
    return seen.entries.get(Kind.FORECAST, 0)


def require_whole(seen: Verification) -> None:
    """Check that a verification found nothing.

    Raises
    ------
    IntegrityError
        It did; the first `NAMED` findings are named.
    """
    if not seen.findings:
        return
    named = "\n".join(f"  {finding}" for finding in seen.findings[:NAMED])
    rest = len(seen.findings) - NAMED
    more = f"\n  and {rest} more (--json lists all)" if rest > 0 else ""
    raise IntegrityError(f"the record is not what was written:\n{named}{more}", COMPARE_WITH_BACKUP)


@dataclass(slots=True)
class _Chain:
    """Walks the entries in order, and notes what does not hold."""

    length: int = 0
    previous: str = NO_PREVIOUS
    kinds: Counter[str] = field(default_factory=Counter)
    hashes: dict[int, str] = field(default_factory=dict)
    _findings: list[Finding] = field(default_factory=list)
    _times: dict[int, tuple[str, str]] = field(default_factory=dict)
    _emptied: set[int] = field(default_factory=set)
    _erased: set[int] = field(default_factory=set)
    _allowed_empty: set[int] = field(default_factory=set)
    _allowed_erased: set[int] = field(default_factory=set)

    def checked(self, stored: Iterable[Entry]) -> Iterator[Entry]:
        """Return the same entries, each checked."""
        for entry in stored:
            readable = _is_readable(entry)
            if readable:
                self._check_link(entry)
                self._check_content(entry)
                self._note_deletions(entry)
            else:
                self._find(entry.sequence, "a part of it is not text")
            self.length, self.previous = entry.sequence, entry.hash
            self.hashes[entry.sequence] = entry.hash
            self.kinds[entry.kind] += 1
            self._times[entry.sequence] = (entry.kind, entry.time)
            if readable:
                yield entry

    def findings(self) -> list[Finding]:
        """Return what does not hold, by entry."""
        for sequence in sorted(self._emptied - self._allowed_empty - self._allowed_erased):
            self._find(sequence, "its content was deleted, and no retention entry says so")
        for sequence in sorted(self._erased - self._allowed_erased):
            self._find(sequence, "its content was deleted, and no erasure entry says so")
        for sequence in sorted(self._allowed_erased - self._erased):
            self._find(sequence, "its content was erased, and is there again")
        for sequence in sorted(self._allowed_empty - self._emptied - self._erased):
            self._find(sequence, "its content was emptied by retention, and is there again")
        return sorted(self._findings, key=lambda finding: finding.entry or 0)

    def without(self, anchor: RecordHead | None) -> list[Finding]:
        """Return what is missing of a head that was kept elsewhere."""
        if anchor is None or anchor.length == 0:
            return []
        if self.length < anchor.length:
            reason = f"the record was cut after entry {self.length} of {anchor.length}"
            return [Finding(entry=None, reason=reason)]
        if self.hashes.get(anchor.length) != anchor.head:
            reason = f"the record was written anew, up to entry {anchor.length} at least"
            return [Finding(entry=None, reason=reason)]
        return []

    def _find(self, sequence: int, reason: str) -> None:
        self._findings.append(Finding(entry=sequence, reason=reason))

    def _check_link(self, entry: Entry) -> None:
        if entry.sequence != self.length + 1:
            last = entry.sequence - 1
            missing = (
                f"{self.length + 1}" if last == self.length + 1 else f"{self.length + 1} to {last}"
            )
            self._find(entry.sequence, f"entries before it are missing ({missing})")
        elif entry.previous != self.previous:
            self._find(entry.sequence, "it does not follow from the entry before")
        if hash_of(entry) != entry.hash:
            self._find(entry.sequence, "it was changed")

    def _check_content(self, entry: Entry) -> None:
        if entry.salt is None:
            self._erased.add(entry.sequence)
            if entry.content is not None or entry.subject is not None:
                self._find(entry.sequence, "what it holds cannot be verified: its salt is gone")
            return
        if SALT.fullmatch(entry.salt) is None:
            self._find(entry.sequence, "what it holds cannot be verified: its salt was changed")
            return
        if entry.subject_digest != keyed(entry.salt, "subject", entry.subject):
            self._find(entry.sequence, "the person that it is about was changed")
        if entry.content is None and entry.content_digest != NOTHING:
            self._emptied.add(entry.sequence)
        elif entry.content_digest != keyed(entry.salt, "content", entry.content):
            self._find(entry.sequence, f"its content ({entry.kind}) was changed")

    def _note_deletions(self, entry: Entry) -> None:
        if entry.kind not in {Kind.RETENTION, Kind.ERASURE}:
            return
        details = _details(entry)
        named = _numbers(details.get("entries"), self.length)
        if entry.kind == Kind.ERASURE:
            self._allowed_erased |= named
            return
        before = str(details.get("before", ""))
        for sequence in sorted(named):
            kind, time = self._times.get(sequence, ("", ""))
            if kind != Kind.FORECAST or time >= before:
                self._find(entry.sequence, f"its rule does not cover entry {sequence}")
        self._allowed_empty |= named


def _is_readable(entry: Entry) -> bool:
    """Say whether each part is of its type, which SQLite does not hold its columns to."""
    return all(
        isinstance(value := getattr(entry, name), str) or (value is None and name in MAY_BE_MISSING)
        for name in TEXTS
    )


def _details(entry: Entry) -> dict[str, Any]:
    try:
        details: dict[str, Any] = json.loads(entry.details)
    except ValueError:
        return {}
    return details if isinstance(details, dict) else {}


def _numbers(ranges: Any, length: int) -> set[int]:
    """Return the entries that a deletion names, of those before it."""
    try:
        return {n for low, high in ranges for n in range(max(low, 1), min(high, length) + 1)}
    except (TypeError, ValueError):
        return set()


def _differences(expected: Tables, found: Tables) -> Iterator[Finding]:
    """Compare each table with what the record adds up to; a person is never named."""
    for name, rows in expected.rows.items():
        stored = found.rows[name]
        for key in rows.keys() - stored.keys():
            yield Finding(entry=expected.origin[name, key], reason=f"{name}: a row of it is gone")
        for key in rows.keys() & stored.keys():
            if rows[key] != stored[key]:
                reason = f"{name}: a row of it was changed"
                yield Finding(entry=expected.origin[name, key], reason=reason)
        if added := len(stored.keys() - rows.keys()):
            yield Finding(entry=None, reason=f"{name}: {added} rows are in no entry of the record")
