"""Tables with one row a person and columns for each visit: `date_T0, FM_T0, date_T1, FM_T1`."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace

from contracts.vocabulary import Kind, vocabulary
from features.mapping.findings import ColumnProposal, Finding, Option, Reason, Standing, Why
from features.mapping.looks import TableLook
from features.mapping.names import FILLERS, VISIT, is_called, normalised


def visit_of(name: str) -> tuple[str, str]:
    """Return a column's name without its visit, and the visit; both ends of a name may have it."""
    words = normalised(name).split()
    for place in (-1, 0):
        if len(words) > 1 and (VISIT.fullmatch(words[place]) or words[place] in FILLERS):
            rest = words[:-1] if place else words[1:]
            return " ".join(rest), words[place]
    return " ".join(words), ""


def by_visit(look: TableLook, subject: str) -> Iterator[TableLook]:
    """Yield a table as it is, or the columns of each of its visits and then those of none.

    Visits are told apart only where each has a date of its own: columns of dates that are called
    alike but for the visit.
    """
    dates: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for column in look.columns.values():
        stem, visit = visit_of(column.name)
        if column.dates is not None and visit and not is_called(column.name, "identifying"):
            dates[stem][visit] = column.name
    visits = max(dates.values(), key=len, default={})
    if len(visits) < 2:
        yield look
        return
    of_visit = {name: visit_of(name)[1] for name in look.columns if name != subject}
    for visit, date in visits.items():
        own = [n for n, v in of_visit.items() if v == visit and n != date]
        if own:
            yield _part(look, [subject, date, *own])
    rest = [name for name, visit in of_visit.items() if visit not in visits]
    if rest:
        yield _part(look, [subject, *rest])


def _part(look: TableLook, names: Iterable[str]) -> TableLook:
    return replace(look, columns={name: look.columns[name] for name in names})


def asked_where_several(columns: Iterable[ColumnProposal]) -> list[ColumnProposal]:
    """Return columns with a question where several of one date seem to be the same instrument.

    Two values of a person, an instrument and a day contradict each other, so that neither would
    count: somebody has to say which is which visit, side or form.
    """
    listed = list(columns)
    codes = {c.column: f.options[0].value for c in listed if (f := c.finding("code"))}
    times = Counter(codes.values())
    found = []
    for column in listed:
        code = codes.get(column.column, "")
        if times[code] > 1 and vocabulary()[code].kind in {Kind.ASSESSMENT, Kind.DAILY}:
            others = tuple(n for n, c in codes.items() if c == code and n != column.column)
            column = replace(column, findings=tuple(_asked(f, others) for f in column.findings))
        found.append(column)
    return found


def _asked(finding: Finding, others: tuple[str, ...]) -> Finding:
    if finding.key != "code":
        return finding
    first = finding.options[0]
    reasons = (*first.reasons, Reason(Why.SEVERAL, others))
    options = (Option(first.value, reasons), *finding.options[1:])
    return replace(finding, standing=Standing.ASKED, options=options)
