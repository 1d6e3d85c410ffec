"""Who a record is about: identifiers are text, as the source gives them.

`01`, `1`, `007`, `12E4` and `A1 ` are five people. A cohort numbers its subjects, because its
layout wants whole numbers; which number is whose stands in its metadata and in what people read.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping

import pandas as pd

from contracts.cohort import SUBJECT_LABEL
from contracts.errors import Problem
from features.measurements.records import RECORD_ID

LONGEST_NUMBER = 15
"""Digits of a whole number that every program keeps exactly (below 2^53)."""

_PLAIN = re.compile(r"0|[1-9]\d*", re.ASCII)
_ON_SERVER = re.compile(r"https?://(?P<server>.+?)/Patient/(?P<id>[^/]+)")


def subject_numbers(
    labels: Iterable[str], known: Mapping[str, int] | None = None
) -> dict[str, int]:
    """Number subjects by their identifiers.

    Where every identifier is a whole number in its plain form (`7`, not `07`), it stays as it is;
    otherwise all are numbered from 1 in the order of their text.

    Parameters
    ----------
    known
        Numbers of those who have one already and keep it: others are numbered after them.
    """
    numbers = dict(known or {})
    unique = sorted(set(labels) - set(numbers))
    as_they_are = all(label == str(number) for label, number in numbers.items())
    plain = all(_PLAIN.fullmatch(label) and len(label) <= LONGEST_NUMBER for label in unique)
    if as_they_are and plain:
        return numbers | {label: int(label) for label in unique}
    first = max(numbers.values(), default=0) + 1
    return numbers | {label: number for number, label in enumerate(unique, start=first)}


def on_one_server(labels: Iterable[str]) -> dict[str, str]:
    """Return the ids of people who are named by their address on a server, if there is only one.

    Exports of one FHIR server name a person as `Patient/7` in one place and with the server's
    address in another. With several servers a number means another person on each of them, so
    then an address stays the whole identifier: nothing is returned.
    """
    found = {label: match for label in set(labels) if (match := _ON_SERVER.fullmatch(label))}
    if len({match["server"] for match in found.values()}) != 1:
        return {}
    return {label: match["id"] for label, match in found.items()}


def servers(labels: Iterable[str]) -> set[str]:
    """Return the servers by whose addresses people are named; none where they are not."""
    return {match["server"] for label in set(labels) if (match := _ON_SERVER.fullmatch(label))}


def without_server(records: pd.DataFrame) -> tuple[pd.DataFrame, list[Problem]]:
    """Leave the only server's address out of people's and statements' identifiers."""
    labels = set(records[SUBJECT_LABEL].unique())
    short = on_one_server(labels)
    if not short:
        return records, []
    own = records[RECORD_ID].str.replace(r"^https?://.+/(?=[A-Z]\w+/[^/]+$)", "", regex=True)
    named = records.assign(**{SUBJECT_LABEL: records[SUBJECT_LABEL].replace(short), RECORD_ID: own})
    both = sorted(set(short.values()) & labels)
    problem = Problem(
        file="*",
        row=None,
        field="subject",
        found=f"{', '.join(map(repr, both[:3]))}{' and others' if len(both) > 3 else ''} stand with"
        " and without the address of their server, and are taken for the same people",
        advice="import exports of different hospitals one by one, or give all ids their server",
    )
    return named, [problem] if both else []


def similar_labels(labels: Iterable[str]) -> list[tuple[str, ...]]:
    """Return identifiers that differ only in case, blanks, leading zeros or writing of accents.

    They are different people here, and most often one person mistyped: a person must look.
    """
    groups: dict[str, set[str]] = defaultdict(set)
    for label in labels:
        groups[_loosened(label)].add(label)
    return sorted(tuple(sorted(group)) for group in groups.values() if len(group) > 1)


def alike(label: str, others: Iterable[str]) -> list[str]:
    """Return which of other identifiers differ from this one only as `similar_labels` says."""
    return sorted(
        other for other in others if other != label and _loosened(other) == _loosened(label)
    )


def names_part_of(label: str, longer: str) -> bool:
    """Return whether a longer name, such as that of a file, has an identifier in it."""
    return _loosened(label) in _loosened(longer)


def similar_problems(labels: Iterable[str]) -> list[Problem]:
    """Return identifiers that may be one person, as an import reports them."""
    return [
        Problem(
            file="*",
            row=None,
            field="subject",
            found=f"{', '.join(map(repr, group))} differ only in case, blanks or leading zeros and"
            f" are kept as {len(group)} people",
            advice="write them alike in the source if they are one person",
        )
        for group in similar_labels(labels)
    ]


def of_somebody(values: pd.DataFrame) -> tuple[pd.DataFrame, list[Problem]]:
    """Leave out values without a subject: nobody knows whose they are."""
    nobody = values[SUBJECT_LABEL].str.strip() == ""
    problem = Problem(
        file="*",
        row=None,
        field="subject",
        found="values without a subject were left out",
        advice="fill in whose they are in the source",
        count=int(nobody.sum()),
    )
    return values[~nobody], [problem] if nobody.any() else []


def _loosened(label: str) -> str:
    text = "".join(unicodedata.normalize("NFKC", label).casefold().split())
    return re.sub(r"(?<!\d)0+(?=\d)", "", text)
