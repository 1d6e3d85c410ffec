"""Turns what a source states, with what a cohort has kept of earlier ones, into a cohort folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from contracts.cohort import SUBJECT, Cohort, Provenance, RuleCount
from contracts.errors import CohortInvalid, Problem, ReasonCount, counts_by_reason, grouped
from features.cohort import IMPORT_REPORT, write_cohort
from features.cohort.imports import (
    IMPORTS_FOLDER,
    Entry,
    labels_digest,
    new_entry,
    write_chain,
)
from features.importing.assemble import assemble
from features.importing.copies import shared_problems
from features.importing.evidence import keep
from features.importing.gather import Gathered
from features.importing.people import PeopleTable
from features.recording import Collected


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What an import changed in a cohort.

    Parameters
    ----------
    people, new, corrected, gone
        How many people are new, and how many values are new, have another value, or are there no
        more.
    is_known
        Whether the source was imported before, so that nothing was read or written.
    """

    people: int = 0
    new: int = 0
    corrected: int = 0
    gone: int = 0
    is_known: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """A cohort, and what became of each file of its source.

    Parameters
    ----------
    cohort
        As written.
    read
        Files of which something was used.
    dropped, unreadable
        What was left out of those, and files of which nothing could be used, with place and reason;
        grouped by cause.
    changes
        What the import changed in a cohort that was there already; None for a new one.
    """

    cohort: Cohort
    read: tuple[str, ...]
    dropped: tuple[Problem, ...] = ()
    unreadable: tuple[Problem, ...] = ()
    changes: Changes | None = None

    @property
    def left_out(self) -> tuple[ReasonCount, ...]:
        """How many things were left out, or must be looked at, by reason."""
        return counts_by_reason([*self.unreadable, *self.dropped])


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """What a cohort that grows holds already.

    Parameters
    ----------
    cohort, chain
        As it is, and its imports.
    collected, people
        What was kept of its sources.
    carry
        Puts into the draft what stays as it is, and the history of what the new events change.
    """

    cohort: Cohort
    chain: tuple[Entry, ...]
    collected: Collected
    people: PeopleTable
    carry: Callable[[Path, pd.DataFrame, dict[int, str]], Changes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a cohort is written, and whether anything may be left out of it."""

    destination: Path
    strict: bool = False


@dataclass(slots=True, kw_only=True)
class _Everything:
    """What is decided over: all that was collected, of this import and of those before."""

    collected: Collected
    people: PeopleTable
    chain: tuple[Entry, ...] = ()
    known_ids: dict[str, int] = field(default_factory=dict)


def write_gathered(gathered: Gathered, target: Target, earlier: Earlier | None = None) -> Imported:
    """Turn what was gathered into a cohort folder.

    Parameters
    ----------
    earlier
        What the cohort holds already, where it grows.

    Raises
    ------
    CohortInvalid
        Nothing usable was found, or not all of it where the target is strict, or it contradicts
        what is known of people for life; nothing was written.
    """
    read = tuple(gathered.collected.read)
    with TemporaryDirectory() as folder:
        draft = Path(folder)
        everything = _everything(gathered, earlier)
        number = 1 + len(everything.chain)
        keep(gathered.collected, gathered.people, draft / IMPORTS_FOLDER / str(number))
        collected = everything.collected
        events, ids, rules = assemble(
            collected, everything.people, gathered.import_map, draft, everything.known_ids
        )
        used = set(events[SUBJECT].unique().tolist())
        labels = {number: label for label, number in ids.items() if number in used}
        shared = shared_problems(gathered.shared, labels.values())
        dropped = grouped([*collected.dropped, *shared])
        unreadable = grouped(collected.unreadable)
        _require_something(events, read, (*unreadable, *dropped), rules.as_tuple(), target.strict)
        changes = (
            Changes(people=len(used), new=len(events))
            if earlier is None
            else earlier.carry(draft, events, labels)
        )
        report = {
            "subjects": {str(number): label for number, label in sorted(labels.items())},
            "read": collected.read,
            "dropped": [asdict(problem) for problem in dropped],
            "unreadable": [asdict(problem) for problem in unreadable],
            "left_out": [asdict(reason) for reason in counts_by_reason([*unreadable, *dropped])],
        }
        (draft / IMPORT_REPORT).parent.mkdir(parents=True, exist_ok=True)
        (draft / IMPORT_REPORT).write_text(json.dumps(report, indent=1), "utf-8")
        entry = new_entry(
            everything.chain, source=gathered.name, file_format=gathered.file_format,
            source_digest=gathered.digest, rules=gathered.rules,
            changed={
                "people new": changes.people, "values new": changes.new,
                "values corrected": changes.corrected, "values gone": changes.gone,
            },
        )  # fmt: skip
        cohort = write_cohort(
            events,
            _provenance(gathered, earlier, rules.as_tuple(), dropped, unreadable),
            target.destination,
            labels=labels,
            extra_files=draft,
            finish=lambda made: write_chain(made, everything.chain, entry, labels_digest(labels)),
        )
    return Imported(
        cohort=cohort, read=read, dropped=dropped, unreadable=unreadable,
        changes=None if earlier is None else changes,
    )  # fmt: skip


def _everything(gathered: Gathered, earlier: Earlier | None) -> _Everything:
    if earlier is None:
        # What is decided takes apart what was collected.
        own = Collected()
        own.add(gathered.collected)
        return _Everything(collected=own, people=gathered.people)
    together = Collected()
    together.add(earlier.collected)
    together.add(gathered.collected)
    labels = earlier.cohort.labels
    return _Everything(
        collected=together,
        people=earlier.people,
        chain=earlier.chain,
        known_ids={label: number for number, label in labels.items()},
    )


def _require_something(
    events: pd.DataFrame,
    read: Sequence[str],
    problems: Sequence[Problem],
    rules: tuple[RuleCount, ...],
    strict: bool,
) -> None:
    if events.empty or not read:
        raise CohortInvalid([*problems, *([_nothing(read, rules)] if read else [])])
    if strict and any(problem.needs_action for problem in problems):
        raise CohortInvalid([problem for problem in problems if problem.needs_action])


def _provenance(
    gathered: Gathered,
    earlier: Earlier | None,
    rules: tuple[RuleCount, ...],
    dropped: Sequence[Problem],
    unreadable: Sequence[Problem],
) -> Provenance:
    name = gathered.import_map.name or gathered.name
    own = gathered.origin or Provenance(
        name=name,
        source=f"recordings: {len(gathered.collected.read)} file(s) of {gathered.name}",
        simulated=gathered.import_map.simulated,
        details={"dropped": _count(dropped), "unreadable": _count(unreadable)},
    )
    if earlier is not None:
        before = earlier.cohort.provenance
        own = replace(own, name=before.name, source=f"{before.source}; {own.source}")
    return replace(own, rules=(*own.rules, *rules), dates_shifted=gathered.import_map.dates_shifted)


def _count(problems: Sequence[Problem]) -> int:
    return sum(problem.count for problem in problems)


def _nothing(read: Sequence[str], rules: tuple[RuleCount, ...]) -> Problem:
    counts = "; ".join(f"{rule.rule} ({rule.rows})" for rule in rules) or "no biomarker"
    return Problem(
        file="*",
        row=None,
        field="*",
        found=f"{len(read)} file(s) were read but hold nothing that a cohort can use ({counts})",
        advice="check that the files hold dated values or recordings",
    )
