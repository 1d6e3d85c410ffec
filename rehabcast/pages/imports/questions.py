"""What a file leaves open, as fields of a form, and the answers as a column map."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from contracts.naming.open_points import OPEN
from features.mapping.answers import LEAVE_OUT, Place, answered
from features.mapping.findings import Finding, MapProposal, Note, Option, Standing
from features.mapping.proposal import TABLE_NAMES, propose_map
from features.mapping.wording import option_in_words, reason_in_words, value_in_words
from features.mapping.writing import map_text
from serving.http.decoding import RequestInvalid
from serving.pages.page import Field
from serving.pages.rendering import Say, later
from serving.pages.words import code_name

MAP = "map.toml"
KINDS = tuple(name for name in TABLE_NAMES if not name.endswith(".gz"))
MOST_QUESTIONS, LONGEST_ANSWER = 150, 100
MOST_COLUMNS, MOST_CELLS = 400, 400_000
"""That are looked at while somebody waits: a column takes some 8 ms; Parquet packs many cells."""
ANSWER = "answer-"
"""How the name of a question's field begins."""

OUT = "out"
"""Answer of a form where a column, a cell or a label stands for nothing that is read."""

QUESTIONS = {
    "clock": later("What says when: dates and times, or days since the onset?"),
    "encoding": later("Which encoding is the file in?"),
    "separator": later("What separates the cells?"),
    "decimal": later("Which sign stands before decimals?"),
    "thousands": later("Which sign stands between thousands?"),
    "date_format": later("In which order are day, month and year?"),
    "time_zone": later("In which time zone do these people live? For example Europe/Berlin"),
    "subject": later("Which column has the pseudonyms of patients?"),
    "when": later("Which column dates the rows?"),
    "names_in": later("Which column names what is measured?"),
    "values_in": later("Which column has the values?"),
    "code": later("What is this column?"),
    "unit": later("Which unit is it in?"),
    "labels": later("What does “%(about)s” stand for?"),
    "missing": later("Does “%(about)s” stand for a missing value?"),
}
IN_COLUMN = later("Column “%(column)s”: %(question)s")
OUT_MEANS = {
    "code": later("Nothing: leave the column out"),
    "missing": later("No, it is a value"),
    "labels": later("A missing value"),
}
YES = later("Yes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question about a file: where it is about, and the name of its field."""

    field: str
    place: Place
    finding: Finding


def proposal_of(content: bytes, name: str, folder: Path) -> tuple[MapProposal, Path]:
    """Lay a file into a folder and return what it proves, and where the file lies.

    Raises
    ------
    RehabcastError
        It is no table that can be read.
    """
    kind = next((kind for kind in KINDS if name.lower().endswith(kind)), "")
    if not kind:
        raise RequestInvalid(
            "the file is no table that is read here",
            "save the table as CSV; exports of devices and FHIR go through the service's routes"
            " (docs/service.md)",
        )
    stem = re.sub(r"[^A-Za-z0-9_-]+", "_", name[: -len(kind)]).strip("_")[:40] or "file"
    path = folder / f"{stem}{kind}"
    path.write_bytes(content)
    if not _is_looked_at_in_time(content, path):
        raise RequestInvalid(
            "the file has more columns or rows than a page can look at",
            "use `rehabcast cohort map`, or send it in parts",
        )
    proposal = propose_map([path], folder)
    if any(note.note is Note.NO_SUBJECT for note in proposal.notes):
        raise RequestInvalid(
            "no column looks like the pseudonyms of patients",
            "give the file a column that is called patient, with the pseudonyms",
        )
    if not any(column.findings for table in proposal.tables for column in table.columns):
        raise RequestInvalid(
            "no column is called like anything that can be read",
            "call the columns of scores like their instruments, such as FMA-UE or Barthel",
        )
    return proposal, path


def _is_looked_at_in_time(content: bytes, path: Path) -> bool:
    if path.suffix == ".parquet":
        try:
            about = pq.read_metadata(path)
        except (OSError, pa.ArrowException):
            return True  # What is wrong with it is told where it is read.
        columns, cells = about.num_columns, about.num_columns * about.num_rows
        return columns <= MOST_COLUMNS and cells <= MOST_CELLS
    header = re.split(rb"[\r\n]", content.lstrip(), maxsplit=1)[0]
    return max(header.count(sign) for sign in (b",", b";", b"\t", b"|")) < MOST_COLUMNS


def asked(proposal: MapProposal) -> list[Asked]:
    """Return the questions that a file leaves open, in its order."""
    found: dict[tuple[Place, Finding], Asked] = {}

    def ask(place: Place, finding: Finding) -> None:
        # A long table is proposed in two parts, and asks the same of both.
        field = f"{ANSWER}{len(found)}"
        found.setdefault((place, finding), Asked(field=field, place=place, finding=finding))

    answered(proposal, ask)
    if len(found) > MOST_QUESTIONS:
        raise RequestInvalid(
            "the file leaves too many questions open for a page",
            "use `rehabcast cohort map`, or send fewer columns",
        )
    return list(found.values())


def fields_of(questions: list[Asked], say: Say) -> list[Field]:
    """Return a field for each question; what is likely is chosen already (`likely`)."""
    return [
        Field(
            name=each.field, label=_question(each, say), longest=LONGEST_ANSWER,
            kind="choice" if (choices := list(_choices(each.finding, say))) else "text",
            choices=choices, help=_because(each.finding),
        )
        for each in questions
    ]  # fmt: skip


def likely(questions: list[Asked]) -> dict[str, str]:
    """Return the answers that the file itself makes likely, by field."""
    return {each.field: "0" for each in questions if each.finding.standing is Standing.GUESSED}


def map_of(proposal: MapProposal, form: Mapping[str, str]) -> str:
    """Return the column map of a proposal with the answers of a form."""
    questions = {(each.place, each.finding): each.field for each in asked(proposal)}

    def answer(place: Place, finding: Finding) -> str | None:
        said = form.get(questions[place, finding], "")
        if said == OUT:
            return LEAVE_OUT
        options = _options(finding)
        if not options:
            return said or None
        return options[int(said)].value if said.isdecimal() and int(said) < len(options) else None

    return map_text(answered(proposal, answer), MAP)


def _options(finding: Finding) -> list[Option]:
    return [option for option in finding.options if option.value != OPEN]


def _choices(finding: Finding, say: Say) -> Iterator[tuple[str, str]]:
    for number, option in enumerate(_options(finding)):
        yield str(number), _option(finding.key, option.value)
    if finding.key in OUT_MEANS:
        yield OUT, say(OUT_MEANS[finding.key])


def _option(key: str, value: str) -> str:
    if key == "missing":
        return YES
    return code_name(value) if key == "code" else value_in_words(key, value)


def _question(each: Asked, say: Say) -> str:
    question = say(QUESTIONS[each.finding.key], about=each.finding.about)
    if not each.place.column:
        return question
    return say(IN_COLUMN, column=each.place.column, question=question)


def _because(finding: Finding) -> str:
    """Return what speaks for each answer, in English as the command says it."""
    options = _options(finding) or finding.options
    if len(options) == 1:
        return "; ".join(map(reason_in_words, options[0].reasons))
    return "; ".join(option_in_words(finding.key, each) for each in options if each.reasons)
