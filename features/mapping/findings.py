"""What was found about a hospital's tables: facts with their reasons, in no words yet."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from contracts.naming.open_points import OPEN


class Standing(StrEnum):
    """How sure a finding is."""

    PROVED = "proved"
    """What the file holds allows nothing else."""
    GUESSED = "guessed"
    """Likely; a person confirms it."""
    ASKED = "asked"
    """Nothing speaks for one answer; a person gives it."""
    CONFIRMED = "confirmed"
    """A person answered it."""


class Why(StrEnum):
    """Why something was found; what stands beside it is in `Reason.facts`."""

    STATED = "the file states it"
    EVEN_ROWS = "every row has as many cells as the header"
    ONE_COLUMN = "the table has one column"
    SHOWS = "words of the header in this encoding"
    READS_ALL = "it reads every cell"
    ONLY_ONE = "nothing else reads every cell"
    BOTH_READ = "other forms read every cell as well"
    OTHER_COLUMN = "another column of the table proves it"
    CONTRADICTED = "some cells need one form and some another"
    NAME = "the column's name is one of this"
    NAME_PART = "the column's name holds one of this"
    FHIR_CODE = "the column's name is its code"
    IN_RANGE = "all values lie in its range"
    OUT_OF_RANGE = "values lie outside its range"
    OFF_STEP = "values lie between its steps"
    SCALE = "its scale"
    UNIT_IN_NAME = "the column's name says the unit"
    UNIT_OF_CODE = "the unit that the code is kept in"
    UNIT_FITS = "in this unit the values lie in the range"
    SHARED = "its values are the same as in the other tables"
    ONLY_DATES = "the table has no other column of dates"
    DATES_THERE = "the tables have dates"
    DAYS_THERE = "the tables have days"
    LABEL_WORD = "the word for it"
    LOOKS_MISSING = "it looks like a missing value"
    NO_NUMBER = "it is no number"
    IN_UTC = "times in UTC"
    LONG_NAMES = "its cells name what is measured"


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason, with the facts that it rests on."""

    why: Why
    facts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Option:
    """One possible answer, and what speaks for it and against it."""

    value: str
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """What a key of the map should be.

    Parameters
    ----------
    key
        Of the map.
    standing
        How sure it is.
    options
        The possible answers, the likeliest first; the first counts unless it is asked.
    about
        Which label or cell it is about, where the key has several.
    """

    key: str
    standing: Standing
    options: tuple[Option, ...]
    about: str = ""

    @property
    def value(self) -> str:
        """What the map gets."""
        return OPEN if self.standing is Standing.ASKED else self.options[0].value

    @property
    def is_open(self) -> bool:
        """Whether a person has to look at it."""
        return self.standing in {Standing.GUESSED, Standing.ASKED}


class LeftOut(StrEnum):
    """Why a column stays out of the map."""

    IDENTIFIES = "identifies"
    FREE_TEXT = "free text"
    EMPTY = "empty"
    NUMBER = "number"
    """Numbers of nothing that is known: perhaps a code of the hospital's own."""
    LABELS = "labels"
    DATES = "dates"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a column holds, as far as it may be shown.

    Parameters
    ----------
    low, high
        Ends of its numbers; None where fewer than 11 people have one.
    whole
        Whether all of them are whole.
    labels
        Its different labels, where they are few and short.
    few
        Whether fewer than 11 people have a value.
    unit
        As the column's name says it, of UCUM.
    missing
        Cells that stand for no value, as programs and people write it.
    """

    low: float | None = None
    high: float | None = None
    whole: bool = False
    labels: tuple[str, ...] = ()
    few: bool = False
    unit: str = ""
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnProposal:
    """One column of a table, or one name in a long one.

    Parameters
    ----------
    column
        Its name.
    seen
        What it holds.
    findings
        Keys of its entry; empty where it is left out.
    left_out
        Why it stays out of the map; None where it is in it.
    """

    column: str
    seen: Seen = field(default_factory=Seen)
    findings: tuple[Finding, ...] = ()
    left_out: LeftOut | None = None

    def finding(self, key: str) -> Finding | None:
        """Return what was found for a key."""
        return next((found for found in self.findings if found.key == key), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableProposal:
    """One table.

    Parameters
    ----------
    file
        Its path from the map.
    findings
        Keys of the table.
    columns
        What it has, in the file's order.
    of_people
        Whether it has one row a person, so that its values are facts and not of a day.
    """

    file: str
    findings: tuple[Finding, ...]
    columns: tuple[ColumnProposal, ...]
    of_people: bool = False

    def finding(self, key: str) -> Finding | None:
        """Return what was found for a key."""
        return next((found for found in self.findings if found.key == key), None)


class Note(StrEnum):
    """Something about the source that no key of the map can answer."""

    KNOWN_EXPORT = "known export"
    NO_SUBJECT = "no subject"
    NOTHING_KNOWN = "nothing known"
    NO_ONSET = "no onset"
    NO_ENROLMENT = "no enrolment"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceNote:
    """A note about a file, and what it rests on."""

    note: Note
    file: str = ""
    facts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MapProposal:
    """A map, as far as the files prove it.

    Parameters
    ----------
    name
        Of the cohort.
    findings
        Keys of the map as a whole.
    tables
        What is read.
    notes
        What no key can answer.
    """

    name: str
    findings: tuple[Finding, ...]
    tables: tuple[TableProposal, ...]
    notes: tuple[SourceNote, ...] = ()
