"""The cohort: a folder in the MEDS layout, and how it is held in memory.

MEDS (Medical Event Data Standard, `meds` package) fixes `data/*.parquet` with the columns
`subject_id, time, code, numeric_value, text_value` and `metadata/{codes.parquet,dataset.json}`.
rehabcast adds `metadata/provenance.json` (is it simulated, from what, by which rules),
`metadata/subjects.parquet` (`subject_id, subject_label`: which identifier of the source is whose
number), reads MEDS's `metadata/subject_splits.parquet` where the dataset declares whom to train on,
and makes these promises: codes come from the vocabulary, each subject has exactly one onset and one
enrolment, nothing measured lies before the onset, a code occurs at most once a subject and day, and
dates are those of today's people unless they are declared as shifted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from contracts.errors import Problem

PROVENANCE_FILE = "metadata/provenance.json"
SUBJECTS_FILE = "metadata/subjects.parquet"

ONSET = "REHABCAST//ONSET"
ENROLMENT = "REHABCAST//ENROLMENT"
WEAR_TIME = "REHABCAST//WEAR_TIME"
AFFECTED_ARM = "REHABCAST//AFFECTED_ARM"
DEATH = "MEDS_DEATH"
WITHDRAWAL = "REHABCAST//WITHDRAWAL"
TRACED = "REHABCAST//TRACED"
TRACING_CHANCE = "REHABCAST//TRACING_CHANCE"
TRACING_DRAWN = "REHABCAST//TRACING_DRAWN"

SUBJECT, TIME, CODE, NUMBER, TEXT = "subject_id", "time", "code", "numeric_value", "text_value"
COLUMNS = (SUBJECT, TIME, CODE, NUMBER, TEXT)
SUBJECT_LABEL = "subject_label"
"""Column of a subject's identifier in the source, as text and unchanged."""

NOMINAL_ONSET = pd.Timestamp("2000-01-01")
"""Onset of every subject whose source counts days and gives no dates; it is not a real date."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleCount:
    """One rule that an importer applied to its source, and how many rows it affected."""

    rule: str
    rows: int


class RuleCounts:
    """Counts the rows that each rule of an import applied to."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}

    def count(self, rule: str, rows: int = 1) -> None:
        """Add rows to the count of a rule."""
        if rows:
            self.counts[rule] = self.counts.get(rule, 0) + rows

    def as_tuple(self) -> tuple[RuleCount, ...]:
        """Return the counts as a cohort's provenance holds them."""
        return tuple(RuleCount(rule=rule, rows=rows) for rule, rows in self.counts.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where a cohort comes from.

    Parameters
    ----------
    name
        Short name, shown to people.
    source
        File formats and files it was made from, or the simulator with its seed.
    simulated
        True when no real person is in it. Carried to every model, report and forecast.
    details
        Parameters of the import or simulation.
    rules
        What the importer changed or left out.
    dates_shifted
        True where the dates are nobody's real ones: shifted for anonymity, or nominal. Then they
        may lie in any year.
    """

    name: str
    source: str
    simulated: bool
    details: Mapping[str, Any] = field(default_factory=dict)
    rules: tuple[RuleCount, ...] = ()
    dates_shifted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Cohort:
    """A validated cohort in memory.

    Parameters
    ----------
    events
        One row per event with `COLUMNS`, sorted by subject, then time with untimed rows first;
        codes are categories of the vocabulary.
    provenance
        Where it comes from.
    digest
        SHA-256 over the data files, or over the events of a cohort that was never written.
    labels
        The source's identifier of each subject; empty where its numbers are the identifiers.
    splits
        The split of each subject that the dataset declares: `train`, `tuning` or `held_out`; empty
        where it declares none.
    notes
        What is worth knowing of the files it was read from.
    """

    events: pd.DataFrame
    provenance: Provenance
    digest: str
    labels: Mapping[int, str] = field(default_factory=dict)
    splits: Mapping[int, str] = field(default_factory=dict)
    notes: tuple[Problem, ...] = ()

    def label(self, subject: int) -> str:
        """Return a subject's identifier, as people know it."""
        return label_of(subject, self.labels)

    def subject_of(self, label: str) -> int | None:
        """Return the number of the subject with an identifier; None where there is none.

        Where subjects have identifiers, a number alone is nobody's: it may be another's identifier.
        """
        numbers = self.events[SUBJECT].unique().tolist()
        return {self.label(number): number for number in numbers}.get(label)


def label_of(subject: int, labels: Mapping[int, str]) -> str:
    """Return a subject's identifier; its number where the cohort knows no other."""
    return labels.get(subject, str(subject))
