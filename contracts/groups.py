"""Groups that an audit compares: their names, and the bands that a number falls into.

A group is an attribute and a label. Where the attribute is a number, its labels are made here from
bands, in one place; whoever needs their order asks the bands and never reads a label.

Letters: N numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from contracts.task import Sensitive, Task
from contracts.vocabulary import NOT_RECORDED, Kind, vocabulary

EVERYONE = "everyone"
"""Attribute and label of all people together."""

MINIMUM_SHOWN = 11
"""A number about fewer people is not shown: the customary bound for published health statistics."""


def is_few(people: int) -> bool:
    """Return whether a number of people is one that is not shown; nobody is nothing to hide."""
    return 0 < people < MINIMUM_SHOWN


def rounded_people(people: int) -> int | None:
    """Return a number of people as it may be shown beside others: at least a ten; None for few.

    Beside an exact number of the same people it would tell how many were left out.
    """
    return None if people < MINIMUM_SHOWN else max(MINIMUM_SHOWN, people // 10 * 10)


def last_shown(before: int, now: int) -> int:
    """Return the number of people that a number is told from, of the one before and the one now.

    Of 60 people and of 61 a month later the difference is one person: so it stays as it was until
    at least `MINIMUM_SHOWN` people more or fewer are counted. The net number is at most that of
    those who moved.
    """
    return now if abs(now - before) >= MINIMUM_SHOWN else before


def last_shown_of_growing(people: int) -> int:
    """Return what `last_shown` gives of people who came one by one, and of whom none left."""
    return people - people % MINIMUM_SHOWN


def people_in_words(people: int) -> str:
    """Say a number of people, or of what is theirs, as `rounded_people` lets it be shown."""
    shown = rounded_people(people)
    if not people:
        return "none"
    return f"fewer than {MINIMUM_SHOWN}" if shown is None else f"at least {shown}"


NO_WEARABLE = "no wearable"
"""The group of those without a day of wearable data. Those whose wearable data come without a
judgement of wear are not in it: of them it is not recorded how much they wore."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupName:
    """Which group: a label of a sensitive attribute."""

    attribute: str
    label: str

    def __str__(self) -> str:
        return f"{self.attribute}: {self.label}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bands:
    """Half-open bands of a number, [edge, next edge), open at both ends.

    Parameters
    ----------
    edges
        Where one band ends and the next begins, rising.
    is_share
        Whether the number is a share, written in per cent.
    missing
        Label of those without a number.
    absent
        Label of those of whom there can't be a number; empty where there are none.
    """

    edges: tuple[float, ...]
    is_share: bool = False
    missing: str = NOT_RECORDED
    absent: str = ""

    @property
    def edge_texts(self) -> tuple[str, ...]:
        """The edges as labels write them."""
        return tuple(f"{edge:.0%}" if self.is_share else f"{edge:g}" for edge in self.edges)

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels from the lowest band to the highest, then those of people without a number."""
        text = self.edge_texts
        return (
            f"under {text[0]}",
            *(f"{low} to under {high}" for low, high in pairwise(text)),
            f"{text[-1]} and over",
            self.missing,
            *((self.absent,) if self.absent else ()),
        )

    def label(self, numbers_N: NDArray[np.float64]) -> NDArray[np.object_]:
        """Return the label of each number; NaN is a missing one."""
        band_N = np.searchsorted(np.array(self.edges), numbers_N, side="right")
        band_N = np.where(np.isnan(numbers_N), len(self.edges) + 1, band_N)
        return np.array(self.labels, dtype=object)[band_N]


def bands_of(attribute: Sensitive) -> Bands | None:
    """Return the bands of a sensitive attribute; None where its values are labels already.

    A daily code is a wear time: its number is the share of worn days.
    """
    if not attribute.bands:
        return None
    if vocabulary()[attribute.code].kind is Kind.DAILY:
        return Bands(edges=attribute.bands, is_share=True, absent=NO_WEARABLE)
    return Bands(edges=attribute.bands)


def attributes_of_person(task: Task) -> frozenset[str]:
    """Return the sensitive attributes that are people's own; how much was worn is a record's."""
    return frozenset(
        attribute.name
        for attribute in task.sensitive
        if vocabulary()[attribute.code].kind is not Kind.DAILY
    )


def group_column(attribute: Sensitive, label_N: NDArray[np.object_]) -> pd.Series[str]:
    """Return an attribute's labels as a prediction table holds them.

    Bands become an ordered categorical, so that their order travels with the column.
    """
    bands = bands_of(attribute)
    if bands is None:
        return pd.Series(label_N)
    return pd.Series(pd.Categorical(label_N, categories=bands.labels, ordered=True))
