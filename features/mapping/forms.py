"""How the numbers and dates of one table are written, as all of its columns prove it together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from features.mapping.findings import ColumnProposal, Finding, Option, Reason, Standing, Why
from features.mapping.looks import ColumnLook
from features.mapping.signs import ISO, ReadBy, distinct_meanings, meanings_of_dates

PLAIN = "."
"""Decimal points and no thousands: what nobody has to declare."""

ENOUGH_READ = 0.95
"""Share of a column's dates that one form must read; the others are slips (local)."""


@dataclass(frozen=True, slots=True)
class Signs:
    """How the numbers of a table are written.

    Parameters
    ----------
    possible
        Decimal and thousands signs, the plainest first; several where they mean different numbers.
    findings
        What has to be declared of them.
    """

    possible: tuple[str, ...]
    findings: tuple[Finding, ...] = ()


def number_signs(columns: Iterable[ColumnLook]) -> Signs:
    """Return the decimal and thousands signs of a table."""
    looks = [column for column in columns if column.numbers is not None and column.numbers.forms]
    numbers = [cell for column in looks for cell in column.values]
    forms = _common([column.numbers.forms for column in looks if column.numbers is not None])
    if not looks:
        return Signs((PLAIN,))
    torn = [c for c in looks if c.numbers and c.numbers.others and c.numbers.share < ENOUGH_READ]
    if torn:
        reason = Reason(Why.CONTRADICTED, tuple(column.name for column in torn))
        asked = tuple(Option(sign, (reason,)) for sign in ".,")
        return Signs((PLAIN,), (Finding("decimal", Standing.ASKED, asked),))
    if not forms:
        return Signs((PLAIN,), (Finding("decimal", Standing.ASKED, _each(looks)),))
    different = distinct_meanings(numbers, forms)
    if different == [PLAIN]:
        return Signs((PLAIN,))
    if len(different) == 1:
        found = _signs(different[0], Standing.PROVED, Reason(Why.ONLY_ONE))
        return Signs((different[0],), found)
    return Signs(tuple(different))


def likeliest(
    signs: Signs, read_as: Callable[[str], list[ColumnProposal]]
) -> tuple[list[ColumnProposal], tuple[Finding, ...]]:
    """Return what the columns are, and what has to be declared of their numbers.

    Where several signs read all numbers, the ones under which most columns lie in the range of
    what they are called stand first; they are asked all the same.
    """
    if len(signs.possible) == 1:
        return read_as(signs.possible[0]), signs.findings
    read = {each: read_as(each) for each in signs.possible}
    ranked = sorted(read, key=lambda each: sum(map(_has_no_range, read[each])))
    options = tuple(Option(each, (Reason(Why.BOTH_READ),)) for each in ranked)
    decimals = tuple({o.value[0]: Option(o.value[0], o.reasons) for o in options}.values())
    if len(decimals) > 1:
        return read[ranked[0]], (Finding("decimal", Standing.ASKED, decimals),)
    thousands = tuple(Option(o.value[1:], o.reasons) for o in options)
    return read[ranked[0]], (
        *(_signs(ranked[0][0], Standing.PROVED, Reason(Why.ONLY_ONE))),
        Finding("thousands", Standing.ASKED, thousands),
    )


def _has_no_range(column: ColumnProposal) -> bool:
    code = column.finding("code")
    return code is not None and code.standing is Standing.ASKED


def _signs(signs: str, standing: Standing, reason: Reason) -> tuple[Finding, ...]:
    found = []
    if signs[0] != ".":
        found.append(Finding("decimal", standing, (Option(signs[0], (reason,)),)))
    if signs[1:]:
        found.append(Finding("thousands", standing, (Option(signs[1:], (reason,)),)))
    return tuple(found)


def _each(looks: Sequence[ColumnLook]) -> tuple[Option, ...]:
    """Return each decimal sign with the columns that need it: no form reads all of them."""
    needs: dict[str, list[str]] = {}
    for column in looks:
        if column.numbers is not None:
            decimals = {signs[0] for signs in column.numbers.forms}
            if len(decimals) == 1:
                needs.setdefault(decimals.pop(), []).append(column.name)
    return tuple(
        Option(sign, (Reason(Why.CONTRADICTED, tuple(names)),)) for sign, names in needs.items()
    )


def _common(forms: Sequence[Sequence[str]]) -> list[str]:
    if not forms:
        return []
    shared = set(forms[0]).intersection(*map(set, forms[1:]))
    return [form for form in forms[0] if form in shared]


def date_finding(column: ColumnLook, others: Iterable[ColumnLook] = ()) -> Finding | None:
    """Return the form of a column's dates; None where they are ISO 8601, which nobody declares.

    Parameters
    ----------
    others
        Other columns of dates of the table: one whose days go beyond 12 says how all are written.
    """
    if column.dates is None or ISO in column.dates.forms:
        return None
    forms = list(meanings_of_dates(column.values, column.dates.forms))
    if not column.dates.all_of_them and not _are_slips(column):
        reason = Reason(Why.CONTRADICTED, (column.name,))
        return Finding("date_format", Standing.ASKED, tuple(Option(f, (reason,)) for f in forms))
    if len(forms) == 1:
        return Finding("date_format", Standing.PROVED, (Option(forms[0], (Reason(Why.ONLY_ONE),)),))
    for other in others:
        proof = None if other.dates is None else _proved_order(other)
        shown = [form for form in forms if _order(form) == proof]
        if proof and len(shown) == 1:
            reason = Reason(Why.OTHER_COLUMN, (other.name,))
            rest = [Option(form, (Reason(Why.BOTH_READ),)) for form in forms if form not in shown]
            return Finding("date_format", Standing.GUESSED, (Option(shown[0], (reason,)), *rest))
    asked = tuple(Option(form, (Reason(Why.BOTH_READ),)) for form in forms)
    return Finding("date_format", Standing.ASKED, asked)


def _are_slips(column: ColumnLook) -> bool:
    """Return whether the dates that the best form does not read are few, and of no other form."""
    read: ReadBy | None = column.dates
    if read is None or not read.forms:
        return False
    return read.share >= ENOUGH_READ and not read.others


def _proved_order(column: ColumnLook) -> str:
    if column.dates is None or not column.dates.forms or ISO in column.dates.forms:
        return ""
    orders = {_order(form) for form in meanings_of_dates(column.values, column.dates.forms)}
    return orders.pop() if len(orders) == 1 else ""


def _order(form: str) -> str:
    """Return a form's day, month and year without its clock."""
    return form.split(" ")[0].split("T")[0]
