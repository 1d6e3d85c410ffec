"""What one table is: who, when, wide or long, and what each of its columns holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

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
from features.mapping.forms import date_finding, likeliest, number_signs
from features.mapping.long_tables import long_form, names_of
from features.mapping.looks import ColumnLook, TableLook
from features.mapping.names import candidates, is_called
from features.mapping.signs import in_utc
from features.mapping.visits import asked_where_several

DAYS, TIMES = "days since onset", "timestamps"

ISO_DATE = "YYYY-MM-DD"


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
    rest = {name: column for name, column in look.columns.items() if name not in aside}
    signs = number_signs(c for n, c in rest.items() if not is_called(n, "identifying"))

    def read_as(written: str) -> list[ColumnProposal]:
        if layout is not None:
            return list(names_of(look, layout, whose.cells, written))
        return asked_where_several(proposal_of(c, whose.cells, written) for c in rest.values())

    columns, signs_found = likeliest(signs, read_as)
    repeated = len(whose.filled) < int((whose.cells != "").sum())
    row_date, more = _when(when, repeated, any(map(_is_measured, columns)))
    time_columns = [*when.rows[:1], *when.events.values()]
    form = next((form for c in time_columns if (form := date_finding(c, time_columns))), None)
    whole = [*_written(look), *signs_found, *([] if form is None else [form]), *_zone(time_columns)]
    events = [_event(code, column, form, time_columns) for code, column in when.events.items()]
    unread = [
        ColumnProposal(column=c.name, seen=c.seen(whose.cells), left_out=LeftOut.DATES)
        for c in more
    ]
    dates = [] if row_date is None else [row_date]
    if layout is None:
        yield TableProposal(
            file=look.file, findings=(*whole, subject, *dates),
            columns=(*events, *columns, *unread), of_people=not repeated and not when.rows,
        )  # fmt: skip
        return
    yield TableProposal(
        file=look.file,
        findings=(*whole, subject, *dates, *layout.findings),
        columns=(*columns, *unread),
    )
    # The other columns of a long table are no names in it: they are read from it once more.
    others = [proposal_of(c, whose.cells, ".") for n, c in rest.items() if n != layout.values]
    if events or others:
        yield TableProposal(
            file=look.file, findings=(*whole, subject, *dates), columns=(*events, *others)
        )


def _zone(columns: list[ColumnLook]) -> list[Finding]:
    if not any(in_utc(column.values) for column in columns):
        return []
    return [Finding("time_zone", Standing.ASKED, (Option(OPEN, (Reason(Why.IN_UTC),)),))]


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


def _written(look: TableLook) -> list[Finding]:
    """Return what has to be declared of the file: what is not the default."""
    if look.written is None:
        return []
    separator = look.written.separator
    found = [] if look.written.encoding is None else [look.written.encoding]
    if separator.is_open or separator.options[0].value != ",":
        found.append(separator)
    return found
