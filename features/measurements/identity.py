"""Who a record is about: identifiers are text, as the source gives them.

`01`, `1`, `007`, `12E4` and `A1 ` are five people. A cohort numbers its subjects, because its
layout wants whole numbers; which number is whose stands in its metadata and in what people read.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable

import pandas as pd

from contracts.cohort import SUBJECT_LABEL
from contracts.errors import Problem

LONGEST_NUMBER = 15
"""Digits of a whole number that every program keeps exactly (below 2^53)."""

_PLAIN = re.compile(r"0|[1-9]\d*", re.ASCII)


def subject_numbers(labels: Iterable[str]) -> dict[str, int]:
    """Number subjects by their identifiers.

    Where every identifier is a whole number in its plain form (`7`, not `07`), it stays as it is;
    otherwise all are numbered from 1 in the order of their text.
    """
    unique = sorted(set(labels))
    if all(_PLAIN.fullmatch(label) and len(label) <= LONGEST_NUMBER for label in unique):
        return {label: int(label) for label in unique}
    return {label: number for number, label in enumerate(unique, start=1)}


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
