"""Every error that rehabcast raises on purpose.

RehabcastError                 exit code 1
├── ContractError              3   an input breaks its contract: file, row, field, what to do
│   ├── CohortInvalid          3   a list of problems in a cohort or its source
│   ├── SourceUnreadable       3   one file of a source: where in it, what is wrong, what to do
│   └── TaskInvalid            3   a task file
├── EvidenceMissing            4   something that must exist first does not: a run, a report
├── PromotionRefused           5   the gate said no
├── IntegrityError             6   bytes are not what was signed off: bundle, report, ledger
├── ForecastRefused            7   no forecast can be given honestly for this subject
├── ServiceUnavailable         8   the service did not start or does not answer
└── Interrupted              130   a person stopped it (Ctrl-C); what was finished is kept
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace


def in_words(reason: str, what_to_do: str) -> str:
    """Return what is wrong and what to do as one sentence; there may be nothing to do.

    After a list of faults the advice stands on a line of its own: it is about all of them.
    """
    separator = "\n" if "\n" in reason else ": "
    return f"{reason}{separator}{what_to_do}" if what_to_do else reason


class RehabcastError(Exception):
    """Base of all errors that a person can act on; carries the command line's exit code.

    Reason and advice are kept apart until they are worded: a command prints a sentence, the service
    fills two fields, FHIR and CDS Hooks have their own.

    Parameters
    ----------
    reason, what_to_do
        What is wrong and where (file, row, field, version), and what the reader can do about it.
    """

    exit_code = 1

    def __init__(self, reason: str, what_to_do: str) -> None:
        super().__init__(reason, what_to_do)
        self.reason, self.what_to_do = str(reason), str(what_to_do)
        self.words = (reason, what_to_do)  # as given: `Worded` can be said in other languages

    def __str__(self) -> str:
        return in_words(self.reason, self.what_to_do)


class ContractError(RehabcastError):
    """An input is not what its contract says."""

    exit_code = 3


class TaskInvalid(ContractError):
    """A task file has an unknown key, a wrong type or makes no sense: all faults, as data too."""

    def __init__(self, reason: str, what_to_do: str, problems: Sequence[Problem] = ()) -> None:
        super().__init__(reason, what_to_do)
        self.problems = tuple(problems) or None


NO_FILE = "*"
"""Stands for a file where a problem is of none, or of several together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing wrong with an input, with its place, so that a person can find and correct it.

    Parameters
    ----------
    file
        Name of the file, relative to what the user passed.
    row
        Row in that file, counted as a spreadsheet does (the header is row 1); None when the
        problem is not of one row.
    field
        Column, or code, that is wrong.
    found, advice
        What was found, and what was expected; what to do, empty where nothing needs to be done.
    cause
        What problems of one cause share; empty where `found` says just that.
    count, places
        How many problems of this cause there are in this field of the file, and the first places
        (`grouped`); of a single problem the place that is no row, such as an entry of a document.
    subject
        Identifier of the one person whom it is about, empty where it is about nobody or several.
    """

    file: str
    row: int | None
    field: str
    found: str
    advice: str = ""
    cause: str = ""
    count: int = 1
    places: tuple[str, ...] = ()
    subject: str = ""

    def __post_init__(self) -> None:
        # Places come back from JSON as a list.
        object.__setattr__(self, "places", tuple(self.places))

    @property
    def reason(self) -> str:
        """What this problem has in common with others."""
        return self.cause or self.found

    @property
    def needs_action(self) -> bool:
        """Whether something was left out or must be looked at; a mere note has no advice."""
        return bool(self.advice)

    def rows(self) -> tuple[str, ...]:
        """Return the first places within the file; of no file, whose they are."""
        rows = self.places or ((f"row {self.row}",) if self.row is not None else ())
        if self.file == NO_FILE and self.subject and self.count == 1:
            return tuple(f"{self.subject!r}, {row}" for row in rows) or (repr(self.subject),)
        return rows

    def files_and_rows(self) -> tuple[str, ...]:
        """Return the first places, each with the file."""
        if self.file == NO_FILE:
            return self.rows()
        return tuple(f"{self.file} {row}" for row in self.rows()) or (self.file,)

    @property
    def message(self) -> str:
        """What was found and what to do, as one sentence."""
        found = self.found
        if self.count > 1:
            places = f", first at {', '.join(self.places)}" if self.places else ""
            found = f"{found} ({self.count} of these{places})"
        elif self.places and self.row is None:
            found = f"{found} (at {self.places[0]})"
        return f"{found}: {self.advice}" if self.advice else found

    def __str__(self) -> str:
        where = self.file if self.row is None else f"{self.file}, row {self.row}"
        if self.row is None and self.count == 1 and self.places:
            where = f"{self.file}, {self.places[0]}"
        if self.subject:
            where = f"{where}, {self.subject!r}"
        return f"{where}, {self.field}: {self.message}"


MOST_PLACES = 3


def grouped(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Return one problem for each cause, file and field, with a count and the first places."""
    return _joined(problems, lambda problem: (problem.file, problem.field), Problem.rows)


def by_cause(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Return one problem for each cause over all files, as a list for people has them.

    Of one cause the first file and the first places stand for the rest; what has no cause in common
    with others stays apart.
    """
    return _joined(
        grouped(problems),
        lambda problem: () if problem.cause else (problem.file, problem.field),
        Problem.files_and_rows,
    )


def as_lines(problems: Iterable[Problem], most: int, all_are_in: str) -> list[str]:
    """Return problems by cause as lines of text, at most so many.

    The last line says how many are not shown, and where all are.
    """
    causes = by_cause(problems)
    shown = causes if len(causes) <= most else causes[: most - 1]
    # A file's or a library's own words may have line ends.
    lines = [" ".join(str(problem).split()) for problem in shown]
    rest = sum(problem.count for problem in causes[len(shown) :])
    return [*lines, f"... and {rest} more ({all_are_in})"] if rest else lines


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasonCount:
    """How many things were left out, or must be looked at, for one reason."""

    reason: str
    count: int


def counts_by_reason(problems: Iterable[Problem]) -> tuple[ReasonCount, ...]:
    """Count the problems that need somebody's action by their reason, most first."""
    counts = Counter[str]()
    for problem in problems:
        if problem.needs_action:
            counts[problem.reason] += problem.count
    return tuple(ReasonCount(reason=reason, count=count) for reason, count in counts.most_common())


def _joined(
    problems: Iterable[Problem],
    apart: Callable[[Problem], tuple[str, ...]],
    places: Callable[[Problem], tuple[str, ...]],
) -> tuple[Problem, ...]:
    groups: dict[tuple[str, ...], list[Problem]] = {}
    for problem in problems:
        groups.setdefault((problem.reason, problem.advice, *apart(problem)), []).append(problem)
    return tuple(
        group[0]
        if len(group) == 1
        else replace(
            group[0],
            count=sum(problem.count for problem in group),
            subject=group[0].subject if len({problem.subject for problem in group}) == 1 else "",
            places=tuple(dict.fromkeys(at for problem in group for at in places(problem)))[
                :MOST_PLACES
            ],
        )
        for group in groups.values()
    )


class CohortInvalid(ContractError):
    """A cohort or its source breaks the contract: all problems, and nothing was read or written."""

    SHOWN = 20

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = grouped(problems)
        count = sum(problem.count for problem in self.problems)
        super().__init__(
            f"{count} problem(s), so nothing was read or written",
            "correct them at their source",
        )
        self.args = (self.problems,)

    def __str__(self) -> str:
        lines = as_lines(self.problems, self.SHOWN, "--json lists all")
        return "\n  ".join([f"{self.reason}:", *lines])


class SourceUnreadable(ContractError):
    """One file of a source cannot be read; says where in it, what is wrong and what to do.

    Parameters
    ----------
    file
        Name of the file, relative to what the user passed.
    where
        Record, sector or byte at which reading stopped; `*` when it is the file as a whole.
    found, advice
        What was found and what was expected; what to do.
    """

    def __init__(self, file: str, where: str, found: str, advice: str) -> None:
        self.problem = Problem(file=file, row=None, field=where, found=found, advice=advice)
        super().__init__(f"{file}, {where}: {found}", advice)
        self.args = (file, where, found, advice)


class EvidenceMissing(RehabcastError):
    """A run, model version, audit report or champion that must exist first does not."""

    exit_code = 4


class PromotionRefused(RehabcastError):
    """The gate refused to make a model version the champion; nothing changed."""

    exit_code = 5


class IntegrityError(RehabcastError):
    """Bytes are not what was audited or recorded: a bundle, a report or the ledger."""

    exit_code = 6


class ForecastRefused(RehabcastError):
    """No honest forecast can be given from what is known of this subject."""

    exit_code = 7


class ServiceUnavailable(RehabcastError):
    """The forecast service did not start, or does not answer."""

    exit_code = 8


class Interrupted(RehabcastError):
    """A person stopped the command; what it had finished is kept."""

    exit_code = 130
