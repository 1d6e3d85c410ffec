"""What a clinician asks about a record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from contracts.observation import Observation
from serving.schemas import SCORE


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked about a record.

    Parameters
    ----------
    subject, enrolment_day, observations
        The record.
    explain, weeks, output, days_of
        Whether to explain; which horizon (None: the task's primary one), which output, and the
        days of which modality.
    notes
        What must be known of the record to read the answer.
    """

    subject: str
    enrolment_day: int
    observations: Sequence[Observation]
    explain: bool = True
    weeks: int | None = None
    output: str = SCORE
    days_of: str | None = None
    notes: Sequence[str] = ()
