"""A person's functional profile, as answers carry it: facts, which are worded last."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from contracts.vocabulary import Better

Unknown = Literal["any measure", "now", "own course", "people at that time"]
"""What a domain may be held against; nothing of it is known now, or no code measures it."""


class InstrumentScale(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The ends of an instrument's scale, and which of them is the better one."""

    low: float
    high: float
    better: Better


class Earlier(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The person's own earlier value, and from which days after enrolment it is."""

    value: float
    first_day: int
    last_day: int


class AtThatTime(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Quartiles of the people whom the model learned from, at the same time since onset.

    They are alike in that time only. `people` is rounded down to a multiple of 5, and 11 stands for
    11 to 14.
    """

    lower: float
    middle: float
    upper: float
    people: int


class ProfileMeasure(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One measure of a domain, and what it is held against.

    A score is the newest one; a daily value is the median of the last seven days with the origin's.
    """

    code: str
    name: str
    unit: str
    """In UCUM."""
    value: float
    first_day: int
    """Days after enrolment, as `last_day`."""
    last_day: int
    scale: InstrumentScale | None
    """Null where the measure is no score."""
    before: Earlier | None
    """The score before, or the median of the three weeks before; null where there is none."""
    first: Earlier | None
    """The first score on record, where it is not the one before; null for daily values."""
    people: AtThatTime | None
    """Null where it is not known: few people, none, or a model that was trained before it was."""


class DomainProfile(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A domain of functioning: its measures, and what is not known about it."""

    domain: str
    measures: list[ProfileMeasure]
    not_known: list[Unknown]
