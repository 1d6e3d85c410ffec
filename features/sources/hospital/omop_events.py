"""What happened to the people of an OMOP export: values, the onset, stays and therapy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from contracts.cohort import CODE, ENROLMENT, NUMBER, ONSET, TIME
from contracts.errors import MOST_PLACES, Problem
from contracts.vocabulary import Kind
from features.measurements.amounts import number_groups
from features.measurements.records import AMOUNT, END, FILE, PLACE, SUBJECT_LABEL, Amount
from features.sources.column_cells import CELL, ColumnCells, Values
from features.sources.column_map import Column, Table, Zoned
from features.sources.hospital.omop_concepts import NOT_MAPPED, icd10_or_snomed
from features.sources.hospital.omop_meanings import Meaning, Meanings, Names, Unknown
from features.sources.hospital.omop_people import People
from features.sources.hospital.omop_tables import CdmTable, chosen, column, moments
from features.sources.records.fhir_conditions import SNOMED, is_of
from features.sources.records.fhir_therapy import THERAPIES, THERAPY
from features.sources.records.fhir_values import SHORT_FORM
from features.sources.table_rows import Found, add_rows
from features.tables.text_tables import TextTable, read_numbers

EQUAL = "4172703"
"""OMOP's concept of the operator `=`; any other makes a value a bound and no measurement."""

VALUE, LABEL, CONCEPT = "value_as_number", "value_as_concept_id", "concept"


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """What the rows of an export are read by."""

    meanings: Meanings
    people: People
    found: Found

    @property
    def form(self) -> Zoned:
        """How the tables are written."""
        return self.meanings.declared


def add_values(table: CdmTable, export: Export) -> None:
    """Add what measurements or observations say, by the meaning of their concepts."""
    export.found.problems += table.problems
    for rows in table.files:
        label = export.people.of(rows, export.found)
        names = [f"{table.name}_concept_id", f"{table.name}_source_concept_id",
                 f"{table.name}_source_value", "unit_concept_id", "unit_source_value",
                 "qualifier_concept_id"]  # fmt: skip
        group_N, said_G = _groups(rows, names)
        meaning_G = [export.meanings.of(Names(*said)) for said in said_G]
        unknown_G = [each if isinstance(each, Unknown) else None for each in meaning_G]
        _list_unknown(rows, names[0], group_N, unknown_G, export.found)
        is_whose_N = (label != "").to_numpy()
        for kind in ("number", "label", "event"):
            is_kind_G = np.array([_kind(each) == kind for each in meaning_G], dtype=np.bool_)
            if not (rows_N := is_kind_G[group_N] & is_whose_N).any():
                continue
            part = _Part(
                rows=chosen(rows, rows_N), label=label[rows_N], group_N=group_N[rows_N],
                meaning_G=meaning_G, table=table.name,
            )  # fmt: skip
            _add_part(part, kind, export)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """Rows of one kind of value, with their people and meanings; G meanings."""

    rows: TextTable
    label: pd.Series
    group_N: NDArray[np.int64]
    meaning_G: Sequence[Meaning | Unknown]
    table: str

    def meanings(self) -> dict[str, Meaning]:
        """Return the meanings of the rows by the name of their column."""
        used = (self.meaning_G[group] for group in np.unique(self.group_N))
        return {each.column.column: each for each in used if isinstance(each, Meaning)}

    def is_any(self, name: str) -> NDArray[np.bool_]:
        """Return which rows have a property of their meaning."""
        flag_G = [isinstance(m, Meaning) and bool(getattr(m, name)) for m in self.meaning_G]
        return np.array(flag_G, dtype=np.bool_)[self.group_N]


def _kind(meaning: Meaning | Unknown) -> str:
    if isinstance(meaning, Unknown):
        return ""
    if meaning.entry.kind is Kind.EVENT:
        return "event"
    return "number" if meaning.entry.is_numeric else "label"


def _groups(
    rows: TextTable, names: Sequence[str]
) -> tuple[NDArray[np.int64], list[tuple[str, ...]]]:
    """Return the number of each row's group that names the same, and what each group names."""
    columns = [column(rows, name) for name in names]
    factors = [pd.factorize(each) for each in columns]
    group_N, first_G = number_groups(*(number_N for number_N, _ in factors))
    said = [
        tuple(str(unique[number_N[at]]) for number_N, unique in factors) for at in first_G.tolist()
    ]
    return group_N, said


def _list_unknown(
    rows: TextTable,
    name: str,
    group_N: NDArray[np.int64],
    unknown_G: Sequence[Unknown | None],
    found: Found,
) -> None:
    """List what rows mean nothing, each concept with its count and first places."""
    known = {each.found: each for each in unknown_G if each is not None and each.found}
    place = {found: number for number, found in enumerate(known)}
    at_G = np.array([place.get(u.found, -1) if u else -1 for u in unknown_G], dtype=np.int64)
    at_N = at_G[group_N]
    order = np.argsort(at_N, kind="stable")
    begin_W = np.searchsorted(at_N[order], np.arange(len(known) + 1))
    for number, each in enumerate(known.values()):
        begin, count = int(begin_W[number]), int(begin_W[number + 1] - begin_W[number])
        first = rows.cells.index[order[begin : begin + min(count, MOST_PLACES)]].tolist()
        found.problems.append(
            Problem(
                file=rows.file, row=first[0], field=name, found=each.found, advice=each.advice,
                cause=each.cause, count=count, places=tuple(f"row {row}" for row in first),
            )
        )  # fmt: skip


def _add_part(part: _Part, kind: str, export: Export) -> None:
    found, rows = export.found, part.rows
    when = moments(rows, part.table, export.form)
    title_G = [m.column.column if isinstance(m, Meaning) else "" for m in part.meaning_G]
    date = f"{part.table}_date"
    values = {"number": VALUE, "label": LABEL, "event": date}[kind]
    cells = {
        "person_id": part.label,
        CONCEPT: pd.Series(np.array(title_G, dtype=object)[part.group_N], rows.cells.index),
        date: pd.Series(when.value_N, rows.cells.index),
    }
    if kind == "number":
        cells[VALUE] = _numbers(part, found)
    elif kind == "label":
        cells[LABEL] = _labels(part)
    table = Table(
        file=rows.file, subject="person_id", when=date, names_in=CONCEPT, values_in=values,
        columns=tuple(meaning.column for meaning in part.meanings().values()),
    )  # fmt: skip
    plain = TextTable(file=rows.file, cells=pd.DataFrame(cells))
    add_rows(plain, table, export.meanings.declared.columns(table), found, when=when)


def _numbers(part: _Part, found: Found) -> pd.Series:
    """Return the numbers of rows, without those that are no measurements."""
    rows = part.rows
    if VALUE not in rows.cells.columns:
        return pd.Series("", rows.cells.index, dtype="str")
    numbers = rows.cells[VALUE]
    filled_N = (column(rows, VALUE) != "").to_numpy()
    operator = column(rows, "operator_concept_id")
    bound_N = ~operator.isin([EQUAL, *NOT_MAPPED]).to_numpy() & filled_N
    cells = ColumnCells(file=rows.file, name="operator_concept_id", cells=operator, form=Zoned())
    found.problems += cells.problems(
        bound_N, f"a value with the operator {CELL} is a bound and no measurement, left out",
        "enter the value that was measured", "values with a comparator",
    )  # fmt: skip
    either_N = part.is_any("either_form")
    short_N = np.zeros_like(either_N)
    if either_N.any():
        value_N = read_numbers(numbers).value_N
        short_N = either_N & (value_N <= SHORT_FORM) & ~bound_N
        short = ColumnCells(file=rows.file, name=VALUE, cells=numbers, form=Zoned())
        found.problems += short.problems(
            short_N, f"a total of {CELL} may be of the short form of {SHORT_FORM} points or of the"
            " long one, left out", "name the concept in the map if it is of the long form",
            "totals of an instrument with two forms",
        )  # fmt: skip
    if not (bound_N | short_N).any():
        return numbers
    return numbers.astype(object).where(~(bound_N | short_N), None)


def _labels(part: _Part) -> pd.Series:
    """Return what stands for labels: a concept that the map names, else the text of the row."""
    rows = part.rows
    concept = column(rows, LABEL)
    named = {label for each in part.meanings().values() for label in each.column.labels}
    text = column(rows, "value_as_string")
    text = text.mask(text == "", column(rows, "value_source_value"))
    use_concept = concept.isin(named) | ((text == "") & ~concept.isin(NOT_MAPPED))
    return text.mask(use_concept, concept)


def add_onsets(table: CdmTable, export: Export) -> None:
    """Add the onsets that conditions give; others are listed by concept."""
    export.found.problems += table.problems
    names = ("condition_concept_id", "condition_source_concept_id", "condition_source_value",
             "condition_status_concept_id")  # fmt: skip
    for rows in table.files:
        group_N, said_G = _groups(rows, names)
        unknown_G = [_no_onset(Names(*said[:3]), said[3], export.meanings) for said in said_G]
        is_onset_G = np.array([each is None for each in unknown_G], dtype=np.bool_)
        _list_unknown(rows, names[0], group_N, unknown_G, export.found)
        _add_dates(chosen(rows, is_onset_G[group_N]), "condition_start", ONSET, export)


def _no_onset(names: Names, status: str, meanings: Meanings) -> Unknown | None:
    """Return why a condition is no onset; None where it is one."""
    onset = meanings.declared.onset
    rows = [meanings.concepts.get(concept) for concept in (names.concept, names.source_concept)]
    listed = {str(concept) for concept in onset.concepts}
    is_it = bool({names.concept, names.source_concept} & listed) or any(
        is_of(icd10_or_snomed(row), onset.codes) for row in rows if row is not None
    )
    if not is_it:
        words = f"{meanings.in_words(names)} is no {onset.condition} and gives no onset"
        return Unknown(
            found="" if meanings.is_ignored(names) else f"condition {words}",
            cause="conditions that are not the one of the map",
        )
    if status in {str(each) for each in onset.excluded_status}:
        return Unknown(
            found=f"{onset.condition} with the status {meanings.concepts.in_words(status)} gives no"
            " onset", cause="conditions that the map calls not certain",
        )  # fmt: skip
    return None


def add_enrolments(table: CdmTable, export: Export) -> None:
    """Add the start of the stays that the map calls the enrolment."""
    export.found.problems += table.problems
    wanted = {str(concept) for concept in export.meanings.declared.enrolment_visits}
    for rows in table.files:
        is_stay_N = column(rows, "visit_concept_id").isin(wanted).to_numpy()
        _add_dates(chosen(rows, is_stay_N), "visit_start", ENROLMENT, export)


def _add_dates(rows: TextTable, prefix: str, code: str, export: Export) -> None:
    """Add rows as dated moments of one code."""
    if rows.cells.empty:
        return
    when = moments(rows, prefix, export.form)
    export.found.problems += when.problems
    export.found.faults += when.faults
    label = export.people.of(rows, export.found)
    date = f"{prefix}_date"
    kept_N = when.good_N & (label != "").to_numpy()
    cells = pd.DataFrame({"person_id": label, date: pd.Series(when.value_N, rows.cells.index)})
    table = Table(
        file=rows.file, subject="person_id", columns=(Column(column=date, code=code),), when=date
    )
    plain = TextTable(file=rows.file, cells=cells[kept_N])
    good = Values(
        value_N=when.value_N[kept_N], good_N=when.good_N[kept_N], bad_N=when.bad_N[kept_N]
    )
    add_rows(plain, table, export.meanings.declared.columns(table), export.found, when=good)


def add_therapy(table: CdmTable, export: Export) -> None:
    """Add sessions of therapy, which last from their start to their end."""
    found = export.found
    found.problems += table.problems
    names = ("procedure_concept_id", "procedure_source_concept_id", "procedure_source_value")
    for rows in table.files:
        group_N, said_G = _groups(rows, names)
        reason_G = [_no_therapy(Names(*said), export.meanings) for said in said_G]
        _list_unknown(rows, names[0], group_N, reason_G, found)
        held_G = np.array([each is None for each in reason_G], dtype=np.bool_)
        sessions = chosen(rows, held_G[group_N])
        if len(sessions.cells):
            _add_sessions(sessions, export)


def _no_therapy(names: Names, meanings: Meanings) -> Unknown | None:
    """Return why a procedure is no therapy; None where it is."""
    rows = [meanings.concepts.get(concept) for concept in (names.concept, names.source_concept)]
    known = {f"{SNOMED}|{code}" for code in THERAPIES}
    if any(each.code == THERAPY for each in meanings.declared_for(names)) or any(
        row is not None and row.token in known for row in rows
    ):
        return None
    words = f"{meanings.in_words(names)} is no therapy that the map or the vocabulary knows"
    return Unknown(
        found="" if meanings.is_ignored(names) else f"procedure {words}, left out",
        cause="procedures that are no therapy",
    )


def _add_sessions(rows: TextTable, export: Export) -> None:
    found = export.found
    label = export.people.of(rows, found)
    start = moments(rows, "procedure", export.form)
    found.problems += start.problems
    found.faults += start.faults
    end_N = np.full(len(rows.cells), np.datetime64("NaT"), dtype="datetime64[us]")
    if {"procedure_end_date", "procedure_end_datetime"} <= set(rows.cells.columns):
        end = moments(rows, "procedure_end", export.form)
        found.problems += end.problems
        end_N = end.value_N.astype("datetime64[us]")
    timed_N = ((column(rows, "procedure_datetime") != "")
               & (column(rows, "procedure_end_datetime") != "")).to_numpy()  # fmt: skip
    begin_N = start.value_N.astype("datetime64[us]")
    length_N = (end_N - begin_N) / np.timedelta64(1, "m")
    good_N = start.good_N & timed_N & (np.nan_to_num(length_N, nan=-1) > 0)
    cells = ColumnCells(
        file=rows.file, name="procedure_end_datetime", form=Zoned(),
        cells=column(rows, "procedure_end_datetime"),
    )  # fmt: skip
    found.problems += cells.problems(
        ~good_N, "therapy without the times of its start and end: how long it took is not known",
        "export procedure_datetime and procedure_end_datetime (CDM 5.4)",
        "therapy without a duration",
    )  # fmt: skip
    kept_N = good_N & (label != "").to_numpy()
    found.records.append(
        pd.DataFrame(
            {
                SUBJECT_LABEL: label[kept_N].to_numpy(),
                TIME: begin_N[kept_N],
                END: end_N[kept_N],
                CODE: THERAPY,
                NUMBER: length_N[kept_N],
                AMOUNT: str(Amount.PART),
                FILE: rows.file,
                PLACE: rows.cells.index[kept_N].astype(str),
            }
        )
    )
