"""Sums up a cohort."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from contracts.cohort import CODE, SUBJECT, Cohort
from contracts.vocabulary import Kind, vocabulary


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeCount:
    """How many events of a cohort have a code of the vocabulary, and of how many people.

    `to_confirm` says what of the code's scale was read nowhere.
    """

    code: str
    name: str
    unit: str
    to_confirm: str
    events: int
    people: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CohortSummary:
    """A cohort at a glance.

    Parameters
    ----------
    name, source, simulated, digest
        Where it comes from, and the digest of its data.
    subjects, events, codes
        How many, in all and by code.
    not_recorded
        Of how many subjects each personal fact is missing.
    """

    name: str
    source: str
    simulated: bool
    digest: str
    subjects: int
    events: int
    codes: tuple[CodeCount, ...]
    not_recorded: Mapping[str, int]


def summarise(cohort: Cohort) -> CohortSummary:
    """Count a cohort's subjects and events, and the personal facts that are not recorded."""
    events = cohort.events
    subjects = int(events[SUBJECT].nunique())
    counts = events[CODE].value_counts()
    people = events.groupby(CODE, observed=True)[SUBJECT].nunique()
    entries = vocabulary()
    facts = [code for code, entry in entries.items() if entry.kind is Kind.PERSON]
    return CohortSummary(
        name=cohort.provenance.name,
        source=cohort.provenance.source,
        simulated=cohort.provenance.simulated,
        digest=cohort.digest,
        subjects=subjects,
        events=len(events),
        codes=tuple(
            CodeCount(
                code=code,
                name=entries[code].name,
                unit=entries[code].unit,
                to_confirm=entries[code].to_confirm,
                events=int(counts[code]),
                people=int(people[code]),
            )
            for code in entries
            if counts.get(code, 0)
        ),
        not_recorded={entries[code].name: subjects - int(counts.get(code, 0)) for code in facts},
    )
