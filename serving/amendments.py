"""Requests that amend what is on record: corrections, the erasure of a person, consent."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from contracts.observation import Day, Text
from serving.schemas import PatientId, Strict, SubjectId

Reason = Annotated[
    str,
    Meta(min_length=3, max_length=500, description="Why, in a sentence."),
]
LastingReason = Annotated[
    str,
    Meta(
        min_length=3,
        max_length=500,
        description="Why, in a sentence; it is kept for ever, so it names no person.",
    ),
]


class Correction(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A value on record, by its code and day, and what is right: another value, or none."""

    code: Text
    day_since_onset: Day | None = None
    value: float | None = None
    label: Text | None = None
    withdrawn: bool = False


class CorrectionRequest(Strict, frozen=True, kw_only=True):
    """What is wrong on a subject's running record, what is right, and why."""

    subject: SubjectId
    corrections: Annotated[list[Correction], Meta(max_length=1_000)] = field(default_factory=list)
    enrolment_day: Day | None = None
    reason: Reason


class ErasureRequest(Strict, frozen=True, kw_only=True):
    """A person whose record is to be erased, and why."""

    subject: PatientId
    reason: LastingReason


class Erased(Strict, frozen=True, kw_only=True):
    """How many entries were about the person; backups and copies elsewhere still have them."""

    entries: int


class ConsentRequest(Strict, frozen=True, kw_only=True):
    """What a person has decided about forecasts; the last decision counts."""

    subject: PatientId
    consent: Literal["given", "withdrawn"]
