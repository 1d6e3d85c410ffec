"""Findings in words: the comments of a map, and the questions on a terminal."""

from __future__ import annotations

import json

from contracts.naming.open_points import OPEN
from contracts.vocabulary import vocabulary
from features.mapping.findings import (
    ColumnProposal,
    Finding,
    LeftOut,
    Note,
    Option,
    Reason,
    SourceNote,
    Standing,
    Why,
)

MOST_OPTIONS = 4
"""Other possible answers that a comment lists."""

_REASONS = {
    Why.STATED: "the file states it",
    Why.EVEN_ROWS: "every row has as many cells as the header",
    Why.ONE_COLUMN: "there is one column",
    Why.SHOWS: "it shows {facts}",
    Why.ONLY_ONE: "nothing else reads every cell",
    Why.BOTH_READ: "it reads every cell",
    Why.OTHER_COLUMN: "{facts} is written so",
    Why.CONTRADICTED: "{facts} needs it, and no form reads every cell",
    Why.NAME: "called {facts}",
    Why.NAME_PART: "its name holds {facts}",
    Why.FHIR_CODE: "its name is the code",
    Why.IN_RANGE: "the values lie in its range",
    Why.OUT_OF_RANGE: "values lie outside its range",
    Why.OFF_STEP: "values lie between its steps",
    Why.SEVERAL: "{facts} seem to be it too: of several visits, name the table once for each with"
    " its own `when`; of two sides or forms, each has its own code",
    Why.UNIT_IN_NAME: "the file says so",
    Why.UNIT_OF_CODE: "the values are possible in it",
    Why.UNIT_FITS: "the values are possible in it too",
    Why.SHARED: "{facts} has the same identifiers",
    Why.ONLY_DATES: "the only column of dates or days",
    Why.DATES_THERE: "the tables have dates",
    Why.DAYS_THERE: "a table counts days",
    Why.LABEL_WORD: "a word for it",
    Why.LOOKS_MISSING: "looks like a missing value",
    Why.NO_NUMBER: "says that nothing was measured",
    Why.IN_UTC: "times are in UTC, so the day depends on where people live",
    Why.LONG_NAMES: "cells of {facts} name what is measured",
}

_QUESTIONS = {
    "clock": "What says when: dates and times, or days since the onset?",
    "encoding": "Which encoding is the file in?",
    "separator": "What separates the cells?",
    "decimal": "Which sign stands before decimals?",
    "thousands": "Which sign stands between thousands?",
    "date_format": "In which order are day, month and year?",
    "time_zone": "In which time zone do these people live (IANA, such as Europe/Berlin)?",
    "subject": "Which column has the identifiers of patients?",
    "when": "Which column dates the rows?",
    "names_in": "Which column names what is measured?",
    "values_in": "Which column has the values?",
    "code": "What is this column?",
    "unit": "Which unit is it in?",
    "labels": "Which label does {about} stand for?",
    "missing": "Does {about} stand for a missing value?",
}

_NOTES = {
    Note.KNOWN_EXPORT: "{file} is an export of its own ({facts}) and not in this map: import it"
    " with `rehabcast cohort import auto`.",
    Note.NO_SUBJECT: "{file} has no column that looks like the identifiers of patients, and is not"
    " in this map. If it has one, add the table by hand (docs/importing.md).",
    Note.NOTHING_KNOWN: "No column is anything that rehabcast knows: name codes of your own"
    " (docs/vocabulary.md), or write the columns by hand (docs/importing.md).",
    Note.NO_ONSET: "No column is called like the date of onset. Without one everybody's first"
    " recorded day stands for it: if there is one, write"
    ' { column = "...", code = "REHABCAST//ONSET" }.',
    Note.NO_ENROLMENT: "No column is called like the date of enrolment or admission. Without one"
    " everybody's first recorded day stands for it: if there is one, write"
    ' { column = "...", code = "REHABCAST//ENROLMENT" }.',
}

_LEFT_OUT = {
    LeftOut.IDENTIFIES: "may tell who somebody is",
    LeftOut.FREE_TEXT: "free text",
    LeftOut.EMPTY: "empty",
    LeftOut.DATES: "dates of nothing that is known; another date of rows, or an event?",
    LeftOut.OTHER: "as was answered",
}


def quoted(text: str) -> str:
    """Return text as a string of TOML, which also shows what cannot be seen."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def reason_in_words(reason: Reason) -> str:
    """Return a reason as a part of a sentence."""
    if reason.why is Why.SCALE:
        low, high, to_confirm = reason.facts
        return f"its scale is {low} to {high}{f' ({to_confirm})' if to_confirm else ''}"
    facts = ", ".join(quoted(fact) for fact in reason.facts)
    if reason.why is Why.SHOWS and not facts:
        return "no word of the header shows it"
    return _REASONS[reason.why].format(facts=facts)


def option_in_words(key: str, option: Option) -> str:
    """Return an answer with its reasons."""
    reasons = "; ".join(map(reason_in_words, option.reasons))
    said = value_in_words(key, option.value)
    return f"{said} ({reasons})" if reasons else said


def value_in_words(key: str, value: str) -> str:
    """Return an answer; a code with its name."""
    if key == "code" and (entry := vocabulary().get(value)) is not None:
        return f"{value}, {entry.name}"
    return quoted(value)


def question(finding: Finding) -> str:
    """Return a finding as a question."""
    return _QUESTIONS[finding.key].format(about=quoted(finding.about))


def comment(finding: Finding) -> str:
    """Return what a map says beside a key: why, and what else it may be."""
    about = f" of {quoted(finding.about)}" if finding.about and finding.key == "labels" else ""
    first = finding.options[0]
    if finding.standing is Standing.ASKED:
        known = [o for o in finding.options if o.value != OPEN]
        listed = "; ".join(option_in_words(finding.key, o) for o in known[:MOST_OPTIONS])
        more = "; or another" if len(known) > MOST_OPTIONS else ""
        reasons = "; ".join(map(reason_in_words, first.reasons)) if not known else ""
        missing = "; where it stands for a missing value, write it under missing instead"
        rest = missing if finding.key == "labels" else ""
        return f"asked: {question(finding)} {listed}{more}{reasons}".rstrip() + rest
    reasons = "; ".join(map(reason_in_words, first.reasons))
    if finding.standing is Standing.CONFIRMED:
        return f"{finding.key}{about}: confirmed"
    said = (
        f"{value_in_words(finding.key, first.value)}: {reasons}"
        if finding.key == "code"
        else reasons
    )
    if finding.standing is Standing.PROVED:
        return f"{finding.key}{about}: {said}"
    others = [option_in_words(finding.key, o) for o in finding.options[1 : MOST_OPTIONS + 1]]
    rest = f". Or {'; or '.join(others)}" if others else ""
    what = f"{finding.key} {quoted(finding.about)}" if finding.key == "missing" else finding.key
    return f"guessed, {what}{about}: {said}{rest}"


def note_in_words(note: SourceNote) -> str:
    """Return a note as a sentence."""
    return _NOTES[note.note].replace("{file}", quoted(note.file)).replace(
        "{facts}", ", ".join(note.facts)
    )  # fmt: skip


def left_out_in_words(column: ColumnProposal) -> str:
    """Return why a column is not in the map."""
    seen = column.seen
    if column.left_out is LeftOut.NUMBER:
        if seen.low is None or seen.high is None:
            held = "numbers of fewer than 11 people" if seen.few else "numbers"
        else:
            held = f"{'whole ' if seen.whole else ''}numbers from {seen.low:g} to {seen.high:g}"
        return f"{held}, of no name that is known"
    if column.left_out is LeftOut.LABELS:
        shown = ", ".join(map(quoted, seen.labels))
        return f"labels of no name that is known{f', such as {shown}' if shown else ''}"
    return _LEFT_OUT[column.left_out or LeftOut.OTHER]
