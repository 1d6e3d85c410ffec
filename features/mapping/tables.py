"""What one table is: who, when, wide or long, and what each of its columns holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from contracts.cohort import ENROLMENT, ONSET
from contracts.naming.open_points import OPEN
from contracts.vocabulary import Kind, vocabulary
from features.mapping.columns import proposal_of
from features.mapping.findings import (
    ColumnProposal,
    Finding,
    LeftOut,
    Option,
    Reason,
    Standing,
    TableProposal,
    Why,
)
from features.mapping.forms import date_finding, number_signs
from features.mapping.looks import ColumnLook, TableLook
from features.mapping.names import candidates, is_called, unit_named
from features.mapping.signs import in_utc
from features.mapping.visits import asked_where_several

DAYS, TIMES = "days since onset", "timestamps"

ISO_DATE = "YYYY-MM-DD"

MOST_NAMES = 200
"""Different cells of a column that names what a long table's rows hold."""

NAMES_KNOWN = 0.3
"""Share of these cells that must be known where the column is not called so (local)."""


@dataclass(frozen=True, kw_only=True)
class Long:
    """The columns of a long table: names, values, and units where there are."""

    names: str
    values: str
    units: str = ""
    standing: Standing = Standing.GUESSED
    known: int = 0


def long_form(look: TableLook, subject: str) -> Long | None:
    """Return how a long table is laid out; None for a wide one."""
    rest = [c for name, c in look.columns.items() if name != subject]
    texts = [c for c in rest if c.numbers is None and c.dates is None]
    ranked = sorted(
        ((_known_share(c), is_called(c.name, "name_column"), c) for c in texts),
        key=lambda row: row[:2], reverse=True,
    )  # fmt: skip
    if not ranked or not ranked[0][0]:
        return None
    share, called, names = ranked[0]
    numbers = [c for c in rest if c.numbers is not None and c.dates is None]
    called_so = [c for c in rest if is_called(c.name, "value_column")]
    values = called_so if len(called_so) == 1 else numbers
    if len(values) != 1 or not (called or called_so or share >= NAMES_KNOWN):
        return None
    units = next((c.name for c in texts if is_called(c.name, "unit_column")), "")
    sure = called and bool(called_so)
    return Long(
        names=names.name, values=values[0].name, units=units,
        standing=Standing.PROVED if sure else Standing.GUESSED,
        known=sum(bool(candidates(cell)) for cell in names.values),
    )  # fmt: skip


def _known_share(column: ColumnLook) -> float:
    if not 0 < len(column.values) <= MOST_NAMES:
        return 0.0
    return sum(bool(candidates(cell)) for cell in column.values) / len(column.values)


@dataclass(frozen=True, kw_only=True)
class Dated:
    """The columns that say when: of the rows, and of events.

    Parameters
    ----------
    rows
        Candidates for the date of a row, the likeliest first.
    events
        Column of each event, by code.
    """

    rows: tuple[ColumnLook, ...]
    events: dict[str, ColumnLook]


def dated(look: TableLook, clock: str, subject: str) -> Dated:
    """Return the columns of a table that say when, on a clock."""
    times = [
        column
        for column in look.columns.values()
        if column.name != subject
        and not is_called(column.name, "identifying")
        and (column.dates is not None if clock == TIMES else is_day(column))
    ]
    events: dict[str, ColumnLook] = {}
    rows = []
    for column in times:
        code = next(
            (c.code for c in candidates(column.name) if vocabulary()[c.code].kind is Kind.EVENT), ""
        )
        if code == ONSET and clock == DAYS:
            continue
        if code and code not in events:
            events[code] = column
        else:
            rows.append(column)
    role = "visit_date" if clock == TIMES else "day"
    rows.sort(key=lambda column: not is_called(column.name, role))
    return Dated(rows=tuple(rows), events=events)


def is_day(column: ColumnLook) -> bool:
    """Return whether a column counts days by its name, or is an event's day by it."""
    if column.numbers is None or column.dates is not None:
        return False
    value_N = column.number_cells(".")
    whole = bool(len(value_N)) and bool((value_N % 1 == 0).all())
    event = any(vocabulary()[c.code].kind is Kind.EVENT for c in candidates(column.name))
    return whole and (is_called(column.name, "day") or event)


def table_proposals(look: TableLook, subject: Finding, clock: str) -> Iterator[TableProposal]:
    """Yield what a table is to be read as.

    Parameters
    ----------
    subject
        Its column with the identifiers.
    clock
        Of the map.
    """
    whose = look.columns[subject.options[0].value]
    layout = long_form(look, whose.name)
    when = dated(look, clock, whose.name)
    aside = {whose.name, *(c.name for c in (*when.rows, *when.events.values()))}
    if layout is not None:
        aside |= {layout.names, layout.units}
    signs, signs_found = number_signs(
        c for n, c in look.columns.items() if n not in aside and not is_called(n, "identifying")
    )
    people = whose.cells
    if layout is None:
        columns = asked_where_several(
            proposal_of(column, people, signs)
            for name, column in look.columns.items()
            if name not in aside
        )
    else:
        columns = list(_names_of(look, layout, people, signs))
    repeated = len(whose.filled) < int((whose.cells != "").sum())
    measured = any(_is_measured(column) for column in columns)
    row_date, more = _when(when, repeated, measured)
    findings = [*_written(look), *signs_found]
    time_columns = [*when.rows[:1], *when.events.values()]
    form = next((form for c in time_columns if (form := date_finding(c, time_columns))), None)
    if form is not None:
        findings.append(form)
    if any(in_utc(column.values) for column in time_columns):
        reason = Reason(Why.IN_UTC)
        findings.append(Finding("time_zone", Standing.ASKED, (Option(OPEN, (reason,)),)))
    findings.append(subject)
    if row_date is not None:
        findings.append(row_date)
    if layout is not None:
        reason = Reason(Why.LONG_NAMES, (layout.names,))
        findings.append(Finding("names_in", layout.standing, (Option(layout.names, (reason,)),)))
        findings.append(Finding("values_in", layout.standing, (Option(layout.values, (reason,)),)))
    events = [_event(code, column, form, time_columns) for code, column in when.events.items()]
    unread = [
        ColumnProposal(column=c.name, seen=c.seen(people), left_out=LeftOut.DATES) for c in more
    ]
    if layout is None:
        yield TableProposal(
            file=look.file, findings=tuple(findings), columns=(*events, *columns, *unread),
            of_people=not repeated and not when.rows,
        )  # fmt: skip
        return
    yield TableProposal(file=look.file, findings=tuple(findings), columns=(*columns, *unread))
    if events:
        # A long table's own columns are no names in it: its events are read from it once more.
        kept = tuple(f for f in findings if f.key not in {"names_in", "values_in", "when"})
        yield TableProposal(file=look.file, findings=kept, columns=tuple(events))


def _is_measured(column: ColumnProposal) -> bool:
    code = column.finding("code")
    if code is None:
        return False
    return vocabulary()[code.options[0].value].kind in {Kind.ASSESSMENT, Kind.DAILY}


def _when(
    when: Dated, repeated: bool, measured: bool
) -> tuple[Finding | None, tuple[ColumnLook, ...]]:
    """Return the column that dates the rows, and the columns of dates that are left over."""
    rows = list(when.rows)
    if not rows and ENROLMENT in when.events and measured:
        # One row a person with scores: they are of the day of enrolment, most likely.
        rows = [when.events[ENROLMENT]]
        option = Option(rows[0].name, (Reason(Why.ONLY_DATES),))
        return Finding("when", Standing.GUESSED, (option,)), ()
    if not rows:
        return None, ()
    options = tuple(
        Option(
            c.name,
            (Reason(Why.NAME, (c.name,)),)
            if is_called(c.name, "visit_date") or is_called(c.name, "day")
            else (),
        )
        for c in rows
    )
    if len(rows) == 1:
        only = Option(rows[0].name, (*options[0].reasons, Reason(Why.ONLY_DATES)))
        sure = repeated or bool(options[0].reasons)
        return Finding("when", Standing.PROVED if sure else Standing.GUESSED, (only,)), ()
    standing = Standing.GUESSED if options[0].reasons else Standing.ASKED
    return Finding("when", standing, options), tuple(rows[1:])


def _event(
    code: str, column: ColumnLook, of_table: Finding | None, others: list[ColumnLook]
) -> ColumnProposal:
    named = next(c for c in candidates(column.name) if c.code == code)
    standing = Standing.PROVED if named.strength == 3 else Standing.GUESSED
    findings = [Finding("code", standing, (Option(code, (named.reason,)),))]
    form = date_finding(column, [other for other in others if other is not column])
    if form is None and of_table is not None:
        # What the table declares would be asked of this column too.
        form = Finding("date_format", Standing.PROVED, (Option(ISO_DATE, (Reason(Why.ONLY_ONE),)),))
    if form is not None and not _says_it_already(of_table, form):
        findings.append(form)
    words = [
        Finding("missing", Standing.PROVED, (Option(w, (Reason(Why.LOOKS_MISSING),)),), about=w)
        for w in sorted(column.words)
    ]
    return ColumnProposal(column=column.name, findings=(*findings, *words))


def _says_it_already(of_table: Finding | None, form: Finding) -> bool:
    """Return whether what is found of the table says all that is found of one of its columns."""
    if of_table is None or form.value != of_table.value:
        return False
    return form.standing in {Standing.PROVED, of_table.standing}


def _names_of(
    look: TableLook, layout: Long, people: pd.Series, signs: str
) -> Iterator[ColumnProposal]:
    """Yield what each name of a long table is."""
    names, values = look.columns[layout.names], look.columns[layout.values]
    for name in names.values:
        rows_N = (names.cells == name).to_numpy(dtype=np.bool_)
        unit = _one_unit(look, layout, rows_N)
        proposal = proposal_of(values.among(rows_N, name), people[rows_N], signs, name, unit)
        yield replace(proposal, column=name)


def _one_unit(look: TableLook, layout: Long, rows_N: NDArray[np.bool_]) -> str:
    if not layout.units:
        return ""
    written = look.columns[layout.units].among(rows_N, layout.units).filled
    return unit_named(written[0]) if len(written) == 1 else ""


def _written(look: TableLook) -> list[Finding]:
    """Return what has to be declared of the file: what is not the default."""
    if look.written is None:
        return []
    separator = look.written.separator
    found = [] if look.written.encoding is None else [look.written.encoding]
    if separator.is_open or separator.options[0].value != ",":
        found.append(separator)
    return found
