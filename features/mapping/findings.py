"""What was found about a hospital's tables: facts with their reasons, in no words yet."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum, auto

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

    STATED = auto()
    """The file states it."""
    EVEN_ROWS = auto()
    """Every row has as many cells as the header."""
    ONE_COLUMN = auto()
    """The table has one column."""
    SHOWS = auto()
    """Words of the header in this encoding."""
    ONLY_ONE = auto()
    """Nothing else reads every cell."""
    BOTH_READ = auto()
    """Other forms read every cell as well."""
    OTHER_COLUMN = auto()
    """Another column of the table proves it."""
    CONTRADICTED = auto()
    """Some cells need one form and some another."""
    NAME = auto()
    """The column's name is one of this."""
    NAME_PART = auto()
    """The column's name holds one of this."""
    FHIR_CODE = auto()
    """The column's name is its code."""
    IN_RANGE = auto()
    """All values lie in its range."""
    OUT_OF_RANGE = auto()
    """Values lie outside its range."""
    OFF_STEP = auto()
    """Values lie between its steps."""
    SCALE = auto()
    """Its scale."""
    SEVERAL = auto()
    """Other columns of the same date seem to be the same."""
    UNIT_IN_NAME = auto()
    """The column's name says the unit."""
    UNIT_OF_CODE = auto()
    """The unit that the code is kept in."""
    UNIT_FITS = auto()
    """In this unit the values lie in the range."""
    SHARED = auto()
    """Its values are the same as in the other tables."""
    ONLY_DATES = auto()
    """The table has no other column of dates."""
    DATES_THERE = auto()
    """The tables have dates."""
    DAYS_THERE = auto()
    """The tables have days."""
    LABEL_WORD = auto()
    """The word for it."""
    LOOKS_MISSING = auto()
    """It looks like a missing value."""
    NO_NUMBER = auto()
    """It is no number."""
    IN_UTC = auto()
    """Times in UTC."""
    LONG_NAMES = auto()
    """Its cells name what is measured."""


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
    """A person said so."""


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
